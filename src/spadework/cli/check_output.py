"""Findings on the screen: one line each, the cure below; columns for a pipe, JSON on request."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from spadework.claude_code.check_results import worst
from spadework.util.text_cleaning import clean
from spadework.util.untrusted_text import printable_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spadework.claude_code.check_results import CheckResult

_COLOURS = {"ok": "32", "warning": "33", "broken": "31"}
_SUBJECT = 24


def print_finding(finding: CheckResult) -> None:
    """Print one finding now; what servers and files say never reaches a terminal as it is."""
    subject, text, cure = (
        " ".join(clean(part)[0].split()) for part in (finding.subject, finding.text, finding.cure)
    )
    if not sys.stdout.isatty():
        print(f"{finding.level}\t{subject}\t{text}\t{cure}", flush=True)
        return
    level = f"\x1b[{_COLOURS[finding.level]}m{finding.level:<8}\x1b[0m"
    print(f"{level} {subject:<{_SUBJECT}} {text}", flush=True)
    if cure:
        print(f"{'':8} {'':{_SUBJECT}} \x1b[2mcure: {cure}\x1b[0m", flush=True)


def print_json(findings: Sequence[CheckResult]) -> None:
    """Print all findings as one object, with the worst level."""
    told = {"worst": worst(findings), "findings": [asdict(finding) for finding in findings]}
    sys.stdout.write(printable_json(told, 2) + "\n")
