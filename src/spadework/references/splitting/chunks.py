"""What a split text consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["prose", "code", "lines"]


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a source, cut out as it is: one after another the parts are the source's text.

    Lines count as in the source. `first_column` is 1 where the part begins with its first line; a
    line that is too long is cut inside, and `last_column` is then the last character of
    `last_line` that belongs to the part. It is None where the part ends with a line. `title` is the
    heading or the definition that it begins in, `kind` says after which fashion it was cut.
    """

    text: str
    first_line: int
    last_line: int
    path: str
    title: str = ""
    kind: Kind = "lines"
    first_column: int = 1
    last_column: int | None = None

    @property
    def place(self) -> str:
        """Where it stands, as `path:START-END`."""
        return f"{self.path}:{self.first_line}-{self.last_line}"
