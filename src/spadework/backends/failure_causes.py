"""Reads why a request failed: off the body of an error reply, or off a broken connection.

The shapes of bodies are from real servers: `{"error": {…}}` (OpenAI, LiteLLM, llama.cpp, vLLM),
`{"error": "text"}` (Ollama, llama-swap), that text being JSON itself (Ollama passing on its
runner's words), `{"detail": …}` (FastAPI) and plain text. A connection's exceptions are known by
their names: `httpx2` and the libraries below it each have their own.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from spadework.backends.http_clients import shown_url
from spadework.backends.retry_transport import HUNG_UP
from spadework.util.untrusted_text import quote_foreign, server_wrote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spadework.backends.base import BackendSettings

LONGEST_SAID = 160
"""Characters of a server's words in a message: the libraries in front of it need half of them."""
_LONGEST_READ = 16_000  # characters; an error has its reason in its beginning

_ADVICE = re.compile(r"(?:stack trace:|Traceback \(|LiteLLM: model group ).*", re.DOTALL)
_TOKENS = re.compile(
    r"(?:request \(|requested |resulted in |request has |keep the first )(\d{1,9})"
    r" (?:input )?tokens|Given: (\d{1,9}) `inputs`"
)
_WINDOW = re.compile(
    r"(?:context size \(|maximum context length (?:is |of )|context length of only )(\d{1,9})"
)
_TOO_LONG = re.compile(
    r"exceed_context_size_error|context_length_exceeded|ContextWindowExceededError"
    r"|exceeds the available context size|maximum context length|context length of only"
    r"|longer than the context length|`inputs` tokens \+ `max_new_tokens` must be"
)
_KEY = re.compile(r"\b(?:sk|pk|gsk|hf|ghp|xai|nvapi)[-_][\w*.-]{4,}|(?<=Bearer )\S+")


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """The words of an error reply.

    `type` and `code` are the server's own words, empty where it has none. `tokens` is the size
    of the prompt and `window` that of the context, in tokens, None where they are not told.
    """

    text: str
    type: str = ""
    code: str = ""
    tokens: int | None = None
    window: int | None = None

    @property
    def is_too_long(self) -> bool:
        """Whether the prompt did not fit the model's window."""
        return bool(_TOO_LONG.search(f"{self.type} {self.code} {self.text}"))

    def says(self, pattern: str) -> bool:
        """Whether its type, code or text has the pattern, in any case."""
        return bool(re.search(pattern, f"{self.type} {self.code} {self.text}", re.IGNORECASE))

    def quoted(self, key: str | None) -> str:
        """Return the text for a message: quoted, one line, short, without keys."""
        text = without_keys(_ADVICE.sub("", self.text[:_LONGEST_READ]), key)
        return server_wrote(text, LONGEST_SAID) if text.strip() else "the server gives no reason"


def without_keys(text: str, key: str | None) -> str:
    """Strike keys from what a server wrote: it may have quoted the one that it was given."""
    return _KEY.sub("***", text.replace(key, "***") if key else text)


def read_error_body(body: object) -> ErrorBody:
    """Read a reply's body: its text, or what a client library has already parsed of it."""
    said = _parsed(body)
    while isinstance(said, dict):
        inner = next((said[key] for key in ("error", "detail") if said.get(key)), None)
        if inner is None:
            return _of_fields(said)
        said = _parsed(inner)
    text = (said if isinstance(said, str) else _written(said))[:_LONGEST_READ]
    return ErrorBody(text, tokens=_size(_TOKENS, text), window=_size(_WINDOW, text))


def _of_fields(said: dict[str, Any]) -> ErrorBody:
    message = said.get("message")
    text = (message if isinstance(message, str) else _written(said))[:_LONGEST_READ]
    tokens, window = said.get("n_prompt_tokens"), said.get("n_ctx")
    return ErrorBody(
        text,
        type=_word(said.get("type")),
        code=_word(said.get("code")),
        tokens=tokens if isinstance(tokens, int) else _size(_TOKENS, text),
        window=window if isinstance(window, int) else _size(_WINDOW, text),
    )


def _written(said: object) -> str:
    try:
        return json.dumps(said, default=str)
    except (ValueError, RecursionError):
        return "an error that is nested too deeply to be shown"


def _word(said: object) -> str:
    return str(said)[:LONGEST_SAID] if isinstance(said, str | int) else ""


def _parsed(body: object) -> object:
    if not isinstance(body, str) or not body.lstrip().startswith("{"):
        return body
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body


def _size(pattern: re.Pattern[str], text: str) -> int | None:
    match = pattern.search(text)
    return int(next(filter(None, match.groups()))) if match else None


@dataclass(frozen=True, slots=True)
class ConnectionFailure:
    """What went wrong, and what to do about it where that is not the usual: start the server.

    `connected` says whether there was a connection before it broke; `lost`, whether that broke
    before any of an answer came. `lasts` says that it takes somebody to change it.
    """

    what: str
    hint: str = ""
    connected: bool = True
    lost: bool = False
    lasts: bool = False


_NO_CONNECTION = {"ConnectError", "ConnectTimeout", "ProxyError"}
# Class names in the chain of causes -> words; the first line that fits is taken.
_CAUSES = (
    (
        {"ConnectTimeout"},
        ConnectionFailure("no connection to {url} within {connect_timeout:g} s"),
    ),
    (
        {"ReadTimeout", "WriteTimeout"},
        ConnectionFailure(
            "{url} took the request and then fell silent",
            "if the model is slow, raise `first_token_timeout` or, in mid-reply, `idle_timeout` "
            "in {section}",
        ),
    ),
    (
        {"gaierror"},
        ConnectionFailure(
            "the host of {url} is not known",
            "see whether `url` in {section} is spelled right and its host is known here",
        ),
    ),
    (
        {"SSLError"},
        ConnectionFailure(
            "no secure connection to {url}: {reason}",
            "see whether `url` in {section} should be http:// or https://",
            lasts=True,
        ),
    ),
    (
        {"ConnectionRefusedError", "FileNotFoundError"},
        ConnectionFailure("nothing answers at {url} (connection refused)"),
    ),
    (
        {"ProxyError"},
        ConnectionFailure(
            "no way to {url} through the proxy of the environment: {reason}",
            "see whether HTTPS_PROXY and NO_PROXY are right",
        ),
    ),
    (
        {"ConnectError"},
        ConnectionFailure("{url} cannot be reached: {reason}"),
    ),
    (
        {"TimeoutError"},
        ConnectionFailure("{url} does not answer in time"),
    ),
    (
        {"NetworkError", "RemoteProtocolError", "ConnectionError"},
        ConnectionFailure("{url} hung up", lost=True),
    ),
)
_LONGEST_REASON = 120


def connection_failure(
    links: Sequence[BaseException], settings: BackendSettings
) -> ConnectionFailure | None:
    """Explain a chain of exceptions; None if the connection was not what failed."""
    names = {cls.__name__ for link in links for cls in type(link).__mro__}
    if "RemoteProtocolError" in names and not _hung_up(links):
        return None  # something answers, but it does not speak HTTP
    for causes, broken in _CAUSES:
        if names & causes:
            words = {
                "url": shown_url(settings.url),
                "section": f"[backends.{settings.name}]",
                "connect_timeout": settings.connect_timeout,
                "reason": _reason(links),
            }
            what, hint = broken.what.format(**words), broken.hint.format(**words)
            return replace(broken, what=what, hint=hint, connected=not names & _NO_CONNECTION)
    return None


def is_unsendable_key(links: Sequence[BaseException]) -> bool:
    """Whether the request was never sent because the key is not a valid header value."""
    return any(
        type(link).__name__ == "LocalProtocolError"
        or (isinstance(link, UnicodeEncodeError) and link.encoding == "ascii")
        for link in links
    )


def _hung_up(links: Sequence[BaseException]) -> bool:
    return any(words in str(link) for link in links for words in HUNG_UP)


def _reason(links: Sequence[BaseException]) -> str:
    """Quote the deepest cause that has words: a server may have a part in them."""
    said = next((str(link) for link in reversed(links) if str(link)), "")
    return quote_foreign(said, _LONGEST_REASON)
