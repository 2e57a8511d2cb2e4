"""Splits chunks of bytes into lines."""

from __future__ import annotations

from spadework.shim.json_bounds import LONGEST_LINE


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
