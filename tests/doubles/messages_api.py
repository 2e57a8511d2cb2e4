"""A stand-in for Anthropic's Messages API on loopback, with batches: for tests only.

The shapes are those of the SDK's types. It runs no model: a test says what it answers, as a
function of the request, and which faults come first.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from doubles.http_server import WAIT, HttpDouble
from doubles.plays import compact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from doubles.http_server import Request, Wire

MESSAGES = "/v1/messages"
COUNT = "/v1/messages/count_tokens"
BATCHES = "/v1/messages/batches"


@dataclass(frozen=True, slots=True)
class Says:
    """One reply. `held` is an event that the test sets before it ends; `torn` cuts the stream."""

    text: str = "Well."
    input_tokens: int = 10
    output_tokens: int = 5
    cache_read: int = 0
    cache_written: int = 0
    stop_reason: str = "end_turn"
    held: threading.Event | None = None
    torn: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """An error in place of a reply; without a status the connection is dropped."""

    status: int = 0
    type: str = "api_error"
    message: str = "something is wrong"
    headers: dict[str, str] = field(default_factory=dict)


OVERLOADED = Fault(529, "overloaded_error", "Overloaded")
LIMITED = Fault(429, "rate_limit_error", "Too many requests", {"retry-after": "0.01"})
DROPPED = Fault()
Result = Says | str
"""What becomes of a request of a batch: a reply, or errored, canceled, expired."""


class MessagesApi(HttpDouble):
    """Set `says` to a function from the request's body to a reply; `faults` come first."""

    def __init__(self) -> None:
        super().__init__()
        self.says: Callable[[dict[str, Any]], Says] = lambda _: Says()
        self.faults: list[Fault] = []
        self.tokens: Callable[[dict[str, Any]], int] = lambda _: 10
        self.results: Callable[[dict[str, Any]], Result] = lambda _: Says()
        self.looks = 1
        """How often a batch is still in progress when it is looked at."""
        self.batches: dict[str, list[dict[str, Any]]] = {}
        self.canceled: list[str] = []
        self.forgotten: set[str] = set()
        self._looked: dict[str, int] = {}

    def bodies(self, path: str = MESSAGES) -> list[dict[str, Any]]:
        """The bodies of what was sent to a path, in order."""
        return [one.json for one in self.requests if _path(one) == path and one.method == "POST"]

    async def answer(self, request: Request, wire: Wire) -> None:
        """Answer as the API does."""
        path = _path(request)
        if path == COUNT:
            await wire.send(compact({"input_tokens": self.tokens(request.json)}))
        elif self.faults and request.method == "POST":
            await _fail(self.faults.pop(0), wire)
        elif path == MESSAGES:
            await self._message(request, wire)
        elif path.startswith(BATCHES):
            await self._batch(request, path.removeprefix(BATCHES).strip("/"), wire)
        else:
            await _fail(Fault(404, "not_found_error", path), wire)

    async def _message(self, request: Request, wire: Wire) -> None:
        body = request.json
        said = self.says(body)
        pieces = events(whole_message(said, body["model"]), torn=said.torn)
        await wire.begin("text/event-stream")
        await wire.piece(next(pieces))
        while said.held and not said.held.is_set():
            await wire.rest(0.01)
        for piece in pieces:
            await wire.piece(piece)
        if said.torn:
            wire.drop()
        await wire.end()

    async def _batch(self, request: Request, rest: str, wire: Wire) -> None:
        batch_id, _, verb = rest.partition("/")
        if not batch_id:
            batch_id = f"msgbatch_{len(self.batches) + 1:02}"
            self.batches[batch_id] = request.json["requests"]
            self._looked[batch_id] = 0
            await wire.send(compact(self._state(batch_id)))
        elif batch_id not in self.batches or batch_id in self.forgotten:
            await _fail(Fault(404, "not_found_error", f"no batch {batch_id}"), wire)
        elif verb == "results":
            lines = [compact(self._result(one)) for one in reversed(self.batches[batch_id])]
            await wire.send(
                "".join(f"{one}\n" for one in lines), content_type="application/x-jsonl"
            )
        elif verb == "cancel":
            self.canceled.append(batch_id)
            await wire.send(compact(self._state(batch_id)))
        else:
            self._looked[batch_id] += 1
            await wire.send(compact(self._state(batch_id)))

    def _state(self, batch_id: str) -> dict[str, Any]:
        ended = self._looked[batch_id] > self.looks
        count = len(self.batches[batch_id])
        counts = {"canceled": 0, "errored": 0, "expired": 0, "processing": count, "succeeded": 0}
        if ended:
            counts |= {"processing": 0, "succeeded": count}
        status = "canceling" if batch_id in self.canceled else "in_progress"
        return {
            "id": batch_id,
            "type": "message_batch",
            "processing_status": "ended" if ended else status,
            "request_counts": counts,
            "created_at": "2026-11-26T12:00:00Z",
            "expires_at": "2026-11-27T12:00:00Z",
            "ended_at": "2026-11-26T12:10:00Z" if ended else None,
            "archived_at": None,
            "cancel_initiated_at": None,
            "results_url": f"{self.url}{BATCHES}/{batch_id}/results" if ended else None,
        }

    def _result(self, one: dict[str, Any]) -> dict[str, Any]:
        found = self.results(one["params"])
        if isinstance(found, Says):
            message = whole_message(found, one["params"]["model"])
            result: dict[str, Any] = {"type": "succeeded", "message": message}
        elif found == "errored":
            error = error_body(Fault(400, "invalid_request_error", "the prompt is too long"))
            result = {"type": "errored", "error": error}
        else:
            result = {"type": found}
        return {"custom_id": one["custom_id"], "result": result}

    def wait_for(self, count: int, path: str = MESSAGES) -> None:
        """Wait until so many requests have come for a path."""
        end = threading.Event()
        for _ in range(int(WAIT / 0.01)):
            if len(self.bodies(path)) >= count:
                return
            end.wait(0.01)
        raise TimeoutError(f"{count} requests for {path} did not come")


def whole_message(said: Says, model: str) -> dict[str, Any]:
    """Write a reply as the API gives it whole."""
    return {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": said.text}] if said.text else [],
        "stop_reason": said.stop_reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": said.input_tokens,
            "cache_creation_input_tokens": said.cache_written,
            "cache_read_input_tokens": said.cache_read,
            "output_tokens": said.output_tokens,
        },
    }


def events(message: dict[str, Any], *, torn: bool = False) -> Iterator[bytes]:
    """Stream a message of text and tool calls, as the API does."""
    begun = {"content": [], "stop_reason": None, "usage": {**message["usage"], "output_tokens": 1}}
    yield event("message_start", message={**message, **begun})
    for index, block in enumerate(message["content"]):
        if block["type"] == "text":
            start: dict[str, Any] = {"type": "text", "text": ""}
            delta = {"type": "text_delta", "text": block["text"]}
        else:
            start = {**block, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": compact(block["input"])}
        yield event("content_block_start", index=index, content_block=start)
        yield event("content_block_delta", index=index, delta=delta)
        if torn:
            return
        yield event("content_block_stop", index=index)
    ended = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield event("message_delta", delta=ended, usage=message["usage"])
    yield event("message_stop")


def event(name: str, **data: Any) -> bytes:
    """Write one event of a stream."""
    return f"event: {name}\ndata: {compact({'type': name, **data})}\n\n".encode()


def error_body(fault: Fault) -> dict[str, Any]:
    """Write an error as the API does."""
    error = {"type": fault.type, "message": fault.message}
    return {"type": "error", "error": error, "request_id": "req_01"}


async def _fail(fault: Fault, wire: Wire) -> None:
    if not fault.status:
        wire.drop()
    headers = {"request-id": "req_01", **fault.headers}
    await wire.send(json.dumps(error_body(fault)), status=fault.status, headers=headers)


def _path(request: Request) -> str:
    return request.path.partition("?")[0]
