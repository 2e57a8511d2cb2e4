"""Lines of JSON: splits chunks of bytes into lines, and limits their length, values and depth.

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


class LineBuffer:
    """Collects bytes and gives them out as whole lines, each with its end.

    A line that is too long is given out in the pieces that came, so that memory stays bounded: it
    is not a message, and the reader at the end says so.

    Args:
        longest: in bytes.
    """

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self._longest = longest
        self._pieces: list[bytes] = []
        self._size = 0
        self.in_long_line = False
        """Whether the beginning of a line has been given out, and not yet its end."""

    def feed(self, data: bytes) -> list[tuple[bytes, bool]]:
        """Take bytes.

        Returns:
            What is to be passed on, in order, and whether each is a whole line.
        """
        out = []
        *ended, last = data.split(b"\n")
        pieces = [one + b"\n" for one in ended]
        for piece in [*pieces, last] if last else pieces:
            if self.in_long_line:
                self.in_long_line = not piece.endswith(b"\n")
                out.append((piece, False))
                continue
            self._pieces.append(piece)
            self._size += len(piece)
            if piece.endswith(b"\n"):
                out.append((self.take(), True))
            elif self._size > self._longest:
                self.in_long_line = True
                out.append((self.take(), False))
        return out

    def take(self) -> bytes:
        """Take out what has come of a line that is not at its end."""
        whole = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        return whole
