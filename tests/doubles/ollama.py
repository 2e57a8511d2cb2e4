"""A double of Ollama's own API."""

from __future__ import annotations

import json
import re
import urllib.request
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from doubles.chat_server import ChatDouble
from doubles.contracts import exchange
from doubles.plays import Play, compact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from doubles.http_server import Request, Wire

DEFAULT_WINDOW = 4096
CREATED = "2026-11-23T04:06:30.183810502Z"


# The options of a request with which a runner is launched; another value launches it anew.
LAUNCH_OPTIONS = ("num_ctx", "num_gpu", "num_batch", "num_thread")


@dataclass(frozen=True, slots=True)
class Load:
    """A model that was loaded, with what and for which request; `anew` if it had been in memory."""

    model: str
    options: Mapping[str, Any]
    request: Request
    anew: bool

    @property
    def window(self) -> int:
        """Its `num_ctx`."""
        return int(self.options["num_ctx"])

    @property
    def is_of_a_bare_client(self) -> bool:
        """Whether the request is one of `ask_as_a_bare_client`."""
        return self.request.headers.get("user-agent", "").startswith("Python-urllib")


class OllamaDouble(ChatDouble):
    """An Ollama server.

    Args:
        models: their names; one without a tag means `:latest`.
        trained: the window that each was trained for, in tokens.
        modelfile: the parameters of each model's Modelfile, as `/api/show` tells them.
        truncates_silently: cut the prompt without a word, as before 0.12.4, even with
            `truncate: false`.

    It counts words as tokens. A model keeps the options that its runner was launched with, in
    `runners`; a request that differs in one of them, `shift` included, loads the model anew, and
    `loads` says which request did. One that sends no `num_ctx` means the Modelfile's, else
    `DEFAULT_WINDOW`.
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
        self.runners: dict[str, dict[str, Any]] = {}
        self.loads: list[Load] = []

    @property
    def loaded(self) -> dict[str, int]:
        """The windows of the loaded models."""
        return {name: int(options["num_ctx"]) for name, options in self.runners.items()}

    @property
    def reloads(self) -> list[Load]:
        """The loads of models that were in memory already, with other options."""
        return [load for load in self.loads if load.anew]

    def load(self, name: str, window: int) -> None:
        """Have another client load a model."""
        self.runners[_full(name)] = {"num_ctx": window, "shift": True}

    def unload(self, name: str) -> None:
        """Let a model's time be over."""
        self.runners.pop(_full(name), None)

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
        return {
            "models": [
                {**example, "name": _full(n), "model": _full(n), "digest": self.digest(n)}
                for n in self.names
            ]
        }

    def digest(self, name: str) -> str:
        """The digest of a model, which another Modelfile changes."""
        return sha256(f"{_full(name)} {self.modelfile} {self.trained}".encode()).hexdigest()

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
        if asked.get("keep_alive") == 0 and not asked["messages"]:
            self.unload(name)
            done = exchange("ollama", "empty messages = load").body
            await wire.send(done.replace('"done_reason":"load"', '"done_reason":"unload"'))
            return
        self._launch(name, request)
        window = self.loaded[name]
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

    def _launch(self, name: str, request: Request) -> None:
        """Load a model, unless it is loaded with just these options."""
        asked = request.json
        given = {key: asked.get("options", {}).get(key) for key in LAUNCH_OPTIONS}
        options = {key: value for key, value in given.items() if value is not None}
        options["num_ctx"] = min(options.get("num_ctx") or self._default(), self.trained or 10**9)
        options["shift"] = asked.get("shift", True)
        if self.runners.get(name) != options:
            self.loads.append(Load(name, options, request, anew=name in self.runners))
            self.runners[name] = options

    def _default(self) -> int:
        chosen = re.search(r"^num_ctx\s+(\d+)", self.modelfile, re.MULTILINE)
        return int(chosen[1]) if chosen else DEFAULT_WINDOW

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


def ask_as_a_bare_client(server: OllamaDouble, model: str, window: int | None = None) -> None:
    """Chat as a program does that knows nothing of ours, with a `num_ctx` or with none."""
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "Hi"}]}
    if window:
        body["options"] = {"num_ctx": window}
    asked = urllib.request.Request(f"{server.url}/api/chat", compact(body).encode())
    with urllib.request.urlopen(asked) as reply:
        reply.read()


def kept_of(window: int) -> int:
    """How many tokens Ollama leaves of a prompt that is too long: half the window, plus two."""
    return window // 2 + 2


def _full(name: str) -> str:
    return name if ":" in name else f"{name}:latest"
