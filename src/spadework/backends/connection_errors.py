"""Explains why a connection failed.

`httpx` and `httpx2` name their exceptions alike, so the names are compared: that needs neither.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from spadework.backends.http_clients import shown_url
from spadework.backends.retry_transport import HUNG_UP
from spadework.util.untrusted_text import quote_foreign

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spadework.backends.base import BackendSettings


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
