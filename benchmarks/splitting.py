"""What splitting a large file at natural borders costs, beside cutting it every so many lines.

Text and code of this project, repeated to 5 MB, are split into parts of 4,000 tokens, counted as
four characters each. The baseline packs whole lines until a part is full, with a count for each
line. Targets: 5 MB in at most 5 seconds, at most 1.2 counts for each part and 1.2 times the fewest
parts that there can be.

    python benchmarks/splitting.py [MEGABYTES]
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from spadework.references.material import Source
from spadework.references.splitting import split

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
SIZE = 4000  # tokens
MOST_SECONDS_A_MEGABYTE = 1.0
MOST_COUNTS_A_PART = 1.2
MOST_PARTS = 1.2  # of the fewest that there can be


class Counter:
    """Counts tokens, and how often it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, text: str) -> int:
        """Four characters are a token."""
        self.calls += 1
        return -(-len(text) // 4)


def main() -> int:
    """Print the table; 1 if a target is missed."""
    megabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    missed = []
    print(f"{megabytes:g} MB into parts of {SIZE} tokens")
    print(f"{'':24}{'seconds':>9}{'parts':>7}{'counts':>9}{'of the fewest':>15}")
    for path, pattern in (
        ("a.md", "docs/**/*.md"),
        ("a.py", "src/**/*.py"),
        ("a.log", "src/**/*.py"),
    ):
        text = _text(pattern, int(megabytes * 1e6))
        fewest = -(-len(text) // 4 // SIZE)
        _measure(f"{path}, by lines", _by_lines, path, text, fewest)
        seconds, parts, counts = _measure(f"{path}, split", _split, path, text, fewest)
        if seconds > MOST_SECONDS_A_MEGABYTE * megabytes:
            missed.append(f"{path}: {seconds:.1f} s")
        if counts > MOST_COUNTS_A_PART * parts + 1 or parts > MOST_PARTS * fewest + 1:
            missed.append(f"{path}: {counts} counts, {parts} parts")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"The largest this process grew to: {peak:.0f} MiB")
    print("\n".join(f"MISSED: {one}" for one in missed) or "Every target is met.")
    return bool(missed)


def _text(pattern: str, size: int) -> str:
    once = "".join(path.read_text() for path in sorted(ROOT.glob(pattern)))
    return (once * (size // len(once) + 1))[:size]


def _measure(
    name: str,
    way: Callable[[str, str, Counter], list[str]],
    path: str,
    text: str,
    fewest: int,
) -> tuple[float, int, int]:
    count = Counter()
    started = time.perf_counter()
    parts = way(path, text, count)
    seconds = time.perf_counter() - started
    if "".join(parts) != text:
        raise SystemExit(f"{name}: the parts are not the text")
    ratio = len(parts) / fewest
    print(f"{name:24}{seconds:9.2f}{len(parts):7}{count.calls:9}{ratio:14.2f}x")
    return seconds, len(parts), count.calls


def _split(path: str, text: str, count: Counter) -> list[str]:
    lines = text.count("\n") + 1
    source = Source(path, text, 1, lines, lines, len(text), "utf-8", private=False)
    return [part.text for part in split(source, SIZE, count)]


def _by_lines(_: str, text: str, count: Counter) -> list[str]:
    parts: list[str] = []
    filled = SIZE
    for line in text.splitlines(keepends=True):
        tokens = count(line)
        if filled + tokens > SIZE:
            parts.append("")
            filled = 0
        parts[-1] += line
        filled += tokens
    return parts


if __name__ == "__main__":
    sys.exit(main())
