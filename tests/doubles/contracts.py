"""The recorded exchanges under tests/data/contracts, by server and name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "data" / "contracts"


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a real server answered; `body` holds a stream's lines with their line ends."""

    what: str
    status: int
    content_type: str
    body: str


@cache
def exchanges(server: str) -> dict[str, Exchange]:
    """Read all of a server's exchanges by name: "litellm", "llama-swap" or "ollama"."""
    found: dict[str, Exchange] = {}
    for block in (FOLDER / f"{server}.txt").read_text("utf-8").split("\n## ")[1:]:
        head, _, stream = block.partition("\n")
        what, status, content_type, body = (part.strip() for part in head.split("|", 3))
        what = what.removesuffix("[completed]").strip()
        # Each event of a stream ends with an empty line in SSE; the recording left them out.
        gap = "\n\n" if content_type == "text/event-stream" else "\n"
        lines = "".join(line + gap for line in stream.splitlines() if line)
        found[what] = Exchange(what, int(status), content_type, body or lines)
    return found


def exchange(server: str, what: str) -> Exchange:
    """Return one exchange by name."""
    return exchanges(server)[what]
