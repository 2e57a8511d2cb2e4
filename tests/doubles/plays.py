"""What a double does when it is asked to chat."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from doubles.contracts import Exchange


@dataclass(frozen=True, kw_only=True)
class Play:
    """One reply, and what goes wrong with it.

    The reply is streamed in `pieces`, or by words. Bytes are counted within the streamed body.
    """

    reply: str = "Hello there, welcome."
    pieces: tuple[str, ...] | None = None
    thinking: str = ""
    thinking_field: str = "reasoning_content"
    chances: tuple[dict[str, float], ...] = ()
    """The probabilities of the most probable tokens at each piece, told if they are asked for."""
    finish: str | None = "stop"
    prompt_tokens: int | None = 11
    completion_tokens: int | None = None

    status: int = 200
    body: str = ""
    """With `status` other than 200, or alone: what is answered instead of a stream."""
    content_type: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    raw: bytes | None = None
    """The streamed body, byte for byte, instead of the reply."""
    cut_after: int | None = None
    """The connection is dropped after so many bytes."""
    ends_after: int | None = None
    """The stream ends as if all were well after so many bytes."""
    error_after: int | None = None
    """After so many pieces comes `error` in the stream, and nothing more."""
    error: Any = "the model's process died"
    delay: float = 0.0
    """Seconds before the first byte."""
    pause: float = 0.0
    """Seconds between pieces."""
    hangs_after: int | None = None
    """After so many pieces nothing more comes until the client leaves."""
    finds: str = ""
    """A pattern: the reply is what it finds in the prompt, as far as the server keeps that; words
    are counted as tokens."""
    unbidden: str | None = None
    """A field that makes the server refuse the request with a 400 that names it."""

    @classmethod
    def answering(cls, exchange: Exchange, **changes: Any) -> Self:
        """Make a play that answers as a real server did."""
        is_stream = exchange.content_type in {"text/event-stream", "application/x-ndjson"}
        body = {"raw": exchange.body.encode()} if is_stream else {"body": exchange.body}
        return cls(status=exchange.status, content_type=exchange.content_type, **body, **changes)

    def having_read(self, prompt: str, *, tells_usage: bool = True) -> Self:
        """Make the play of a model that has read this: see `finds`."""
        found = re.search(self.finds, prompt)
        tokens = len(prompt.split()) if tells_usage else None
        return replace(
            self, finds="", reply=found[0] if found else "I do not know.", prompt_tokens=tokens
        )

    @property
    def parts(self) -> tuple[str, ...]:
        """The reply as it is streamed: piece by piece."""
        if self.pieces is not None:
            return self.pieces
        return tuple(re.findall(r"\s*\S+\s*$|\s*\S+", self.reply))

    def told(self, number: int) -> list[dict[str, Any]]:
        """The entry for a piece's probabilities, as OpenAI's API and Ollama's both write it."""
        if number >= len(self.chances):
            return []
        shown = [
            {"token": token, "logprob": math.log(chance), "bytes": list(token.encode())}
            for token, chance in self.chances[number].items()
        ]
        said = self.parts[number]
        own = next(entry for entry in shown if entry["token"] == said)
        return [{**own, "top_logprobs": shown}]

    @property
    def completion(self) -> int:
        """How many tokens the double says that it wrote."""
        return len(self.parts) if self.completion_tokens is None else self.completion_tokens


def compact(value: Any) -> str:
    """Return JSON without spaces, as servers write it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
