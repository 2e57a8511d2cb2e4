"""Findings of every check on the screen: a line each, the cure below; columns for a pipe, JSON."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TextIO

from spadework.cli.console import count
from spadework.util.finding import worst
from spadework.util.text_cleaning import clean
from spadework.util.untrusted_text import printable_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spadework.util.finding import Finding

_COLOURS = {"ok": "32", "note": "36", "warning": "33", "error": "31"}
_WIDTH = 24


def print_finding(finding: Finding, to: TextIO | None = None) -> None:
    """Print one finding now; what servers and files say never reaches a terminal as it is."""
    out = to or sys.stdout
    code, place, what, cure = (
        " ".join(clean(part)[0].split())
        for part in (finding.code, finding.place, finding.what, finding.cure)
    )
    if not out.isatty():
        print(finding.severity, code, place, what, cure, sep="\t", file=out, flush=True)
        return
    severity = f"\x1b[{_COLOURS[finding.severity]}m{finding.severity:<8}\x1b[0m"
    print(f"{severity} {f'{code} {place}'.strip():<{_WIDTH}} {what}", file=out, flush=True)
    if cure:
        print(f"{'':8} {'':{_WIDTH}} \x1b[2mcure: {cure}\x1b[0m", file=out, flush=True)


def print_findings(findings: Sequence[Finding]) -> None:
    """Print all findings, and how many are errors and warnings, to standard error."""
    for finding in findings:
        print_finding(finding)
    number = {one: sum(f.severity == one for f in findings) for one in ("error", "warning")}
    told = ", ".join(count(number[one], one) for one in number)
    print(told if any(number.values()) else "nothing is wrong", file=sys.stderr)


def print_json(findings: Sequence[Finding], **more: Any) -> None:
    """Print all findings as one object, with the worst severity."""
    told = {**more, "worst": worst(findings), "findings": [one.as_data() for one in findings]}
    print(printable_json(told, 2))
