"""A double of Ollama's own API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from doubles.chat_server import ChatDouble
from doubles.contracts import exchange
from doubles.plays import Play, compact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doubles.http_server import Request, Wire

DEFAULT_WINDOW = 4096
CREATED = "2026-11-23T04:06:30.183810502Z"


class OllamaDouble(ChatDouble):
    """An Ollama server.

    Args:
        models: their names; one without a tag means `:latest`.
        trained: the window that each was trained for, in tokens.
        modelfile: the parameters of each model's Modelfile, as `/api/show` tells them.
        truncates_silently: cut the prompt without a word, as before 0.12.4, even with
            `truncate: false`.

    It counts words as tokens. `loaded` holds the `num_ctx` of each loaded model; asking for
    another loads it anew, which `loads` counts.
    """

    media = "application/x-ndjson"
    chat_path = "/api/chat"

    def __init__(
        self,
        *models: str,
        trained: int | None = 8192,
        modelfile: str = "",
        truncates_silently: bool = False,
    ) -> None:
        super().__init__(models or ("smollm2:latest",))
        self.trained = trained
        self.modelfile = modelfile
        self.truncates_silently = truncates_silently
        self.loaded: dict[str, int] = {}
        self.loads: list[tuple[str, int]] = []

    async def answer(self, request: Request, wire: Wire) -> None:
        """Answer as Ollama does."""
        asked = request.json if request.body else {}
        if request.path == "/api/version":
            await wire.send(exchange("ollama", "version").body)
        elif request.path == "/":
            await wire.send("Ollama is running", content_type="text/plain")
        elif request.path == "/v1/models":
            listed = [{"id": _full(name), "object": "model"} for name in self.names]
            await wire.send(compact({"object": "list", "data": listed}))
        elif request.path == "/api/tags":
            await wire.send(compact(self._tags()))
        elif request.path == "/api/ps":
            running = [
                {"name": name, "model": name, "context_length": window, "size_vram": 1}
                for name, window in self.loaded.items()
            ]
            await wire.send(compact({"models": running}))
        elif request.path not in {"/api/show", "/api/chat"}:
            await wire.send("404 page not found", status=404, content_type="text/plain")
        elif _full(asked["model"]) not in map(_full, self.names):
            message = f"model '{asked['model']}' not found"
            await wire.send(compact({"error": message}), status=404)
        elif request.path == "/api/show":
            await wire.send(compact(self._show()))
        else:
            await self._chat(request, wire)

    def _tags(self) -> dict[str, Any]:
        (example, *_) = json.loads(exchange("ollama", "tags").body)["models"]
        return {"models": [{**example, "name": _full(n), "model": _full(n)} for n in self.names]}

    def _show(self) -> dict[str, Any]:
        shown = json.loads(exchange("ollama", "show").body)
        if self.trained is None:
            del shown["model_info"]["llama.context_length"]
        else:
            shown["model_info"]["llama.context_length"] = self.trained
        return {**shown, "parameters": self.modelfile}

    async def _chat(self, request: Request, wire: Wire) -> None:
        asked = request.json
        name = _full(asked["model"])
        default = self.loaded.get(name, DEFAULT_WINDOW)
        window = min(asked.get("options", {}).get("num_ctx") or default, self.trained or 10**9)
        if self.loaded.get(name) != window:
            self.loaded[name] = window
            self.loads.append((name, window))
        tokens = sum(len(message["content"].split()) for message in asked["messages"])
        if tokens <= window:
            await self.chat(request, wire)
        elif self.truncates_silently or asked.get("truncate", True):
            if not self.next_play(asked["model"]).finds:
                reply, tokens = "Something of the rest.", kept_of(window)
                self.plays(prompt_tokens=tokens, reply=reply, model=asked["model"])
            await self.chat(request, wire)
        else:
            refused = exchange("ollama", "LONG single msg truncate false").body
            refused = refused.replace("18312", str(tokens)).replace("1024", str(window))
            await wire.send(refused, status=400)

    def kept(self, request: dict[str, Any]) -> str:
        """Return the end of a prompt that is too long, as Ollama leaves it."""
        prompt = super().kept(request)
        window, words = self.loaded[_full(request["model"])], prompt.split()
        return prompt if len(words) <= window else " ".join(words[-kept_of(window) :])

    def pieces(self, play: Play, request: dict[str, Any]) -> Iterator[bytes]:
        """Yield the lines of a stream."""

        def line(message: dict[str, str], **more: Any) -> bytes:
            said = {"role": "assistant", **message}
            head = {"model": request["model"], "created_at": CREATED, "message": said}
            return f"{compact({**head, **more})}\n".encode()

        if play.thinking:
            yield line({"content": "", "thinking": play.thinking}, done=False)
        for number, part in enumerate(play.parts):
            told = play.told(number) if request.get("logprobs") else []
            yield line({"content": part}, done=False, **({"logprobs": told} if told else {}))
        if play.finish is None:
            return
        counts = {"eval_count": play.completion, "eval_duration": 33702000}
        if play.prompt_tokens is not None:
            counts["prompt_eval_count"] = play.prompt_tokens
        yield line({"content": ""}, done=True, done_reason=play.finish, **counts)

    def error_piece(self, play: Play) -> bytes:
        """Return an error line: the last of a stream whose runner was killed."""
        return f"{compact({'error': play.error})}\n".encode()

    def refusal(self, play: Play, request: dict[str, Any]) -> str:
        """Return Ollama's way to refuse."""
        del request
        return compact({"error": f'option "{play.unbidden}" must be of type integer'})


def kept_of(window: int) -> int:
    """How many tokens Ollama leaves of a prompt that is too long: half the window, plus two."""
    return window // 2 + 2


def _full(name: str) -> str:
    return name if ":" in name else f"{name}:latest"
