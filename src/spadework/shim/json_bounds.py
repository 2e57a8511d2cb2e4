"""Limits on a line of JSON: its length, its number of values and its depth.

A parser makes an object of each value: forty megabytes of empty lists take seconds and a gigabyte.
So a line is counted before it is parsed; that costs a few milliseconds for each megabyte. No
imports: the shim pays for each at the start of every window.
"""

from __future__ import annotations

LONGEST_LINE = 8 * 1024 * 1024
"""In bytes; the references of a call, which do not travel on the line, may have as much."""
MOST_VALUES = 50_000
DEEPEST = 100

_SEPARATORS = (b",", b"[", b"{")


def excess(line: bytes) -> str:
    """Say why a line is not parsed; empty if it is.

    Up to where a line is JSON nothing in it is missed, so what a parser makes of it is bounded.
    """
    if len(line) > LONGEST_LINE:
        return f"it is longer than {LONGEST_LINE:,} bytes"
    opened = line.count(b"[") + line.count(b"{")
    if opened <= DEEPEST and line.count(b",") + opened <= MOST_VALUES:
        return ""
    # Only what is outside of its texts counts.
    quoted = line.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in line else line
    if quoted.count(b'"') > 4 * MOST_VALUES:
        return f"it holds more than {MOST_VALUES:,} values"
    bare = b"".join(quoted.split(b'"')[::2])
    if sum(map(bare.count, _SEPARATORS)) > MOST_VALUES:
        return f"it holds more than {MOST_VALUES:,} values"
    return f"it is nested deeper than {DEEPEST} levels" if _depth(bare) > DEEPEST else ""


def _depth(bare: bytes) -> int:
    deepest = depth = 0
    for sign in bare.translate(None, bytes(set(range(256)) - set(b"[]{}"))):
        if sign in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        else:
            depth -= 1
    return deepest
