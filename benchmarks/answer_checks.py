"""How many dishonest and broken replies the checks catch, and how many honest ones they mark.

The corpus is tests/data/reply_corpus: replies labelled by people who did not look at the checks. A
third of it, chosen by the hash of a case's name, is set aside and only looked at with --held-out.

Usage: python benchmarks/answer_checks.py [--held-out] [--family NAME] [--show missed|alarms]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from spadework.backends.base import Message
from spadework.backends.token_counts import lower_bound
from spadework.checks.answer_check import AnswerRequirements, GroundingContext, Passage
from spadework.checks.reply_checks import ModelReply, check_reply
from spadework.errors import CheckFailed

CORPUS = Path(__file__).parent.parent / "tests" / "data" / "reply_corpus"
Z = 1.96
"""Of a confidence interval of 95 %."""


@dataclass(frozen=True)
class Judged:
    """What came of one reply: it passed, was marked or was handed back, and why."""

    case: dict[str, Any]
    outcome: str
    why: str
    seconds: float


def is_held_out(name: str) -> bool:
    """Tell whether a case belongs to the third that is set aside."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 3 == 0


def cases(*, held_out: bool) -> list[dict[str, Any]]:
    """The cases of one side of the corpus."""
    lines = [
        line
        for file in sorted(CORPUS.glob("*.jsonl"))
        for line in file.read_text("utf-8").splitlines()
    ]
    return [case for case in map(json.loads, lines) if is_held_out(case["id"]) is held_out]


@cache
def material(name: str) -> Passage:
    """A file of the corpus, as a model would see it."""
    text = (CORPUS / "materials" / name).read_text("utf-8")
    return Passage(name, text, 1, len(text.splitlines()))


def judged(case: dict[str, Any]) -> Judged:
    """Check one reply."""
    passages = tuple(map(material, case["materials"]))
    prompt = "\n".join([case["task"], *(one.text for one in passages)])
    usage = case.get("usage") or {}
    thinking = case.get("thinking")
    reply = ModelReply(
        text=case["reply"],
        finish=case.get("finish_reason", "stop"),
        max_tokens=2048,
        had_thinking=bool(thinking),
        prompt_tokens=usage.get("prompt_tokens"),
        expected_tokens=lower_bound([Message("user", prompt)]),
        expected_source="the smallest possible count",
    )
    requirements = AnswerRequirements(
        GroundingContext(case["task"], passages),
        # A label with a reason is prose: `labels` asks for the label alone.
        () if case["family"] == "classification_reasoned" else tuple(case.get("labels", ())),
        case.get("schema"),
        grounded=case.get("grounded", False),
    )
    started = time.perf_counter()
    try:
        answer = check_reply(reply, requirements)
    except CheckFailed as failure:
        outcome, why = "handed back", f"{failure.check}: {failure}"
    else:
        outcome, why = ("marked" if answer.notes else "passed"), "; ".join(answer.notes)
    return Judged(case, outcome, why, time.perf_counter() - started)


def interval(count: int, total: int) -> str:
    """A share in per cent and its interval by Wilson."""
    if not total:
        return "-"
    share = count / total
    middle = (share + Z * Z / (2 * total)) / (1 + Z * Z / total)
    half = Z * math.sqrt(share * (1 - share) / total + Z * Z / (4 * total**2)) / (1 + Z * Z / total)
    return f"{share:.1%} ({max(0, middle - half):.0%} to {min(1, middle + half):.0%})"


def table(found: list[Judged]) -> str:
    """The rates by family, as Markdown."""
    rows: dict[str, dict[bool, list[int]]] = defaultdict(
        lambda: {True: [0, 0, 0], False: [0, 0, 0]}
    )
    for one in found:
        counts = rows[one.case["family"]][one.case["honest"]]
        counts[("passed", "marked", "handed back").index(one.outcome)] += 1
    lines = [
        "| family | dishonest | handed back | marked | caught | honest | handed back | marked |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    total = {True: [0, 0, 0], False: [0, 0, 0]}
    for family in sorted(rows):
        lines.append(_row(family, rows[family]))
        for honest in (True, False):
            both = zip(total[honest], rows[family][honest], strict=True)
            total[honest] = [sum(pair) for pair in both]
    lines.append(_row("**all**", total))
    return "\n".join(lines)


def _row(name: str, counts: dict[bool, list[int]]) -> str:
    bad, good = counts[False], counts[True]
    caught = interval(bad[1] + bad[2], sum(bad))
    return (
        f"| {name} | {sum(bad)} | {bad[2]} | {bad[1]} | {caught} | {sum(good)} "
        f"| {interval(good[2], sum(good))} | {interval(good[1], sum(good))} |"
    )


def main() -> None:
    """Print the table, or what was missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--held-out", action="store_true", help="the third that is set aside")
    parser.add_argument("--family", help="only this one")
    parser.add_argument("--show", choices=["missed", "alarms"], help="list these cases")
    options = parser.parse_args()
    chosen = [
        case
        for case in cases(held_out=options.held_out)
        if options.family in {None, case["family"]}
    ]
    found = [judged(case) for case in chosen]
    for one in found if options.show else ():
        is_wrong = one.case["honest"] == (one.outcome != "passed")
        if is_wrong and one.case["honest"] == (options.show == "alarms"):
            print(f"{one.case['id']} [{one.case['language']}] {one.outcome} {one.why[:300]}")
            print(f"    task: {one.case['task'][:200]!r}\n    reply: {one.case['reply'][:300]!r}")
            print(f"    wrong: {one.case.get('wrong')}  note: {one.case.get('note')}")
    print(table(found))
    longest = max(found, key=lambda one: one.seconds)
    sys.stderr.write(f"slowest: {longest.case['id']} {longest.seconds * 1000:.0f} ms\n")


if __name__ == "__main__":
    main()
