"""A double of any OpenAI-compatible server; fast enough to measure others against.

`python -m doubles.openai_compatible [JSON]`, run in tests/, prints its address, serves until its
stdin ends, and prints what it saw as JSON. The argument may set `reply`, `delay` in seconds,
`keep_alive`, `hangs_up_every` and the fields of `Trouble`.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from doubles.chat_server import ChatDouble, Trouble
from doubles.plays import Play, compact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doubles.http_server import Request, Wire

NOT_FOUND = '{"error":{"message":"File Not Found","type":"not_found_error","code":404}}'


class OpenAIDouble(ChatDouble):
    """A server with OpenAI's chat API.

    `entries` are those of `/v1/models`. `tokenizer` is what kind of tokenizer it offers:
    "llama.cpp", "vllm" or none; it counts words. `props` is what llama-server tells under
    `/props`, None for a server that has no such thing.
    """

    chat_path = "/v1/chat/completions"

    def __init__(self, *models: str, tokenizer: str = "", key: str = "", window: int = 0) -> None:
        super().__init__(models or ("llama3-local", "codellama-local"))
        more = {"max_model_len": window} if window else {}
        self.entries: list[Any] = [
            {"id": name, "object": "model", "created": 1, **more} for name in self.names
        ]
        self.tokenizer = tokenizer
        self.props: dict[str, Any] | None = None
        self.key = key

    async def answer(self, request: Request, wire: Wire) -> None:
        """Answer as llama-server and vLLM do."""
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            message = "Incorrect API key provided"
            await wire.send(compact({"error": {"message": message}}), status=401)
        elif request.path == self.chat_path:
            await self.chat(request, wire)
        elif request.path == "/v1/models":
            await wire.send(compact({"object": "list", "data": self.entries}))
        elif request.path == "/props" and self.props is not None:
            await wire.send(compact(self.props))
        elif counted := self.count(request):
            await wire.send(compact(counted))
        else:
            await wire.send(NOT_FOUND, status=404)

    def count(self, request: Request) -> dict[str, Any] | None:
        """Answer the questions of a tokenizer, if there is one."""
        if request.path == "/apply-template" and self.tokenizer == "llama.cpp":
            turns = [f"<|{m['role']}|> {m['content']}" for m in request.json["messages"]]
            return {"prompt": " ".join([*turns, "<|assistant|>"])}
        if request.path == "/tokenize" and self.tokenizer == "llama.cpp":
            return {"tokens": list(range(len(request.json["content"].split())))}
        if request.path == "/tokenize" and self.tokenizer == "vllm":
            count = sum(len(m["content"].split()) + 3 for m in request.json["messages"])
            return {"count": count, "max_model_len": 4096, "tokens": list(range(count))}
        return None

    def pieces(self, play: Play, request: dict[str, Any]) -> Iterator[bytes]:
        """Yield the events of a stream as llama-server writes them."""
        model = request.get("model")

        def event(choice: dict[str, Any] | None, **more: Any) -> bytes:
            choices = [{"index": 0, **choice}] if choice else []
            chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1}
            return _sse({**chunk, "model": model, "choices": choices, **more})

        opening = {"role": "assistant", "content": None}
        yield event({"delta": opening, "finish_reason": None})
        if play.thinking:
            yield event({"delta": {play.thinking_field: play.thinking}, "finish_reason": None})
        for number, part in enumerate(play.parts):
            told = play.told(number) if request.get("logprobs") else []
            more = {"logprobs": {"content": told}} if told else {}
            yield event({"delta": {"content": part}, "finish_reason": None, **more})
        if play.finish:
            yield event({"delta": {}, "finish_reason": play.finish})
        if play.prompt_tokens is not None and "stream_options" in request:
            used = {"prompt_tokens": play.prompt_tokens, "completion_tokens": play.completion}
            yield event(None, usage={**used, "total_tokens": sum(used.values())})
        yield b"data: [DONE]\n\n"

    def error_piece(self, play: Play) -> bytes:
        """Return an error event."""
        return _sse({"error": {"message": play.error, "code": 500}})


def _sse(event: dict[str, Any]) -> bytes:
    return f"data: {compact(event)}\n\n".encode()


def main() -> None:
    """Serve until stdin ends."""
    wanted = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    with OpenAIDouble() as server:
        server.plays(Play(reply=wanted.pop("reply", Play.reply), delay=wanted.pop("delay", 0.0)))
        server.keep_alive = wanted.pop("keep_alive", None)
        server.hangs_up_every = wanted.pop("hangs_up_every", 0)
        leaves_at = {int(number): away for number, away in wanted.pop("leaves_at", {}).items()}
        server.trouble = Trouble(leaves_at=leaves_at, **wanted)
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        sys.stdin.read()
    seen = {
        "chats": len(server.chats),
        "answered": len(server.answered),
        "refused": len(server.refused),
        "hung_up": len(server.hung_up),
        "most_at_once": server.most_at_once,
    }
    sys.stdout.write(f"{json.dumps(seen)}\n")


if __name__ == "__main__":
    main()
