"""A scripted stand-in for the Messages API, on loopback: for tests only.

The real Claude Code needs a model to take a turn. In a test of that, and nowhere else, its API base
is pointed here, with a key that is none. It is no gateway: it runs no model, it passes nothing on,
and it says only what the test's script says. Nothing outside tests/ may set that variable or
advise it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from doubles.http_server import HttpDouble
from doubles.messages_api import COUNT, MESSAGES, events
from doubles.plays import compact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doubles.http_server import Request, Wire

USAGE = {"input_tokens": 10, "output_tokens": 5}
NOT_FOUND = {"type": "error", "error": {"type": "not_found_error", "message": "not in the script"}}


@dataclass(frozen=True, slots=True)
class Call:
    """A tool that the model is to call."""

    tool: str
    arguments: dict[str, Any] = field(default_factory=dict)


Turn = str | list[Call]
"""What the model says: a text, or calls that it makes at once."""


class ModelApi(HttpDouble):
    """Says the turns of its script one after the other to requests that bring tools."""

    def __init__(self, *script: Turn) -> None:
        super().__init__()
        self._script = list(script)

    @property
    def turns(self) -> list[dict[str, Any]]:
        """The bodies of the requests that took a turn of the script, in order."""
        return [request.json for request in self.requests if _takes_a_turn(request)]

    @property
    def offered(self) -> list[dict[str, Any]]:
        """The tools that the last turn could call, whole."""
        return self.turns[-1]["tools"]

    def results(self) -> dict[str, dict[str, Any]]:
        """Every tool result that came back, by the id of its call."""
        found = {}
        for turn in self.turns:
            for block in _blocks(turn):
                if block["type"] == "tool_result":
                    found[block["tool_use_id"]] = block
        return found

    async def answer(self, request: Request, wire: Wire) -> None:
        """Answer as the API does."""
        path = request.path.partition("?")[0]
        if path == COUNT:
            await wire.send(compact({"input_tokens": 10}))
        elif path != MESSAGES:
            await wire.send(compact(NOT_FOUND), status=404)
        else:
            said = self._script.pop(0) if _takes_a_turn(request) and self._script else "Well."
            number = len(self.turns)
            await wire.stream(_events(said, number, request.json), "text/event-stream")


def result_text(block: dict[str, Any]) -> str:
    """Return the text of a tool result."""
    content = block["content"]
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content)


def _takes_a_turn(request: Request) -> bool:
    return request.path.partition("?")[0] == MESSAGES and bool(request.json.get("tools"))


def _blocks(turn: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for message in turn["messages"]:
        if isinstance(message["content"], list):
            yield from message["content"]


def _events(said: Turn, number: int, asked: dict[str, Any]) -> Iterator[bytes]:
    """Yield a streamed message."""
    message = {
        "id": f"msg_{number:02}",
        "type": "message",
        "role": "assistant",
        "model": asked["model"],
        "content": _content(said, number),
        "stop_reason": "end_turn" if isinstance(said, str) else "tool_use",
        "stop_sequence": None,
        "usage": USAGE,
    }
    return events(message)


def _content(said: Turn, number: int) -> list[dict[str, Any]]:
    if isinstance(said, str):
        return [{"type": "text", "text": said}]
    return [
        {
            "type": "tool_use",
            "id": f"toolu_{number}_{index}",
            "name": call.tool,
            "input": call.arguments,
        }
        for index, call in enumerate(said)
    ]
