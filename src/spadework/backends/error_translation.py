"""Translates every failure of a backend into an exception of `spadework.errors`.

The error replies that it knows were recorded from real servers: tests/data/contracts has them.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from spadework.backends.failure_causes import (
    LONGEST_SAID,
    connection_failure,
    is_unsendable_key,
    read_error_body,
    without_keys,
)
from spadework.backends.retry_transport import GATEWAY_ERRORS
from spadework.config.secret_masking import SUBSCRIPTION_PREFIX
from spadework.errors import (
    AuthFailed,
    BackendError,
    BackendUnavailable,
    BadReply,
    ContextExceeded,
    CoolingDown,
    CutStream,
    ModelUnknown,
    Overloaded,
    RequestRejected,
    ServerFailed,
    SpadeworkError,
    Unreachable,
)
from spadework.util.untrusted_text import display_name, quote_foreign

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from spadework.backends.backend_traits import BackendTraits
    from spadework.backends.base import BackendSettings
    from spadework.backends.failure_causes import ErrorBody

Fault = TypeVar("Fault", bound=BackendError)

KEY_REFUSED = "no_db_connection|token_not_found|invalid_api_key|auth_error"
MODEL_UNKNOWN = (
    "invalid model name|no router for requested model|model_not_found"
    "|model .*not found|model .*does not exist"
)
REQUEST_AT_FAULT = (
    "UnsupportedParamsError|invalid format|option .* must be of type"
    "|no model id could be identified"
)
# A model that still loads, and LiteLLM's words for a server behind it that does not answer.
MODEL_AWAY = (
    "loading model|connection ?error|connection refused|cannot connect|connect call failed"
    "|server disconnected|hung up"
)
CANNOT_LOAD = "unable to start process|exited prematurely|health check timed out"
TOO_MANY = "all_deployments_in_cooldown|server busy"
NOTHING_LEFT = "insufficient_quota"
NOT_OFFERED = (404, 405, 501)
LOG_HINT = "that server's own log says more"
LONGEST_WAIT = 3600.0
"""Seconds for which a server's word suspends it: it may be wrong, or made for another purpose."""


class UnexpectedReply(Exception):
    """What came is not of the protocol's shape; it becomes a `BadReply` on its way out.

    Args:
        message: what is wrong with it.
        wrote: what the server wrote, if it says more.
    """

    def __init__(self, message: str, wrote: str = "") -> None:
        super().__init__(message)
        self.wrote = wrote


class ServerError(Exception):
    """An error that a server wrote into a stream that had begun well.

    Args:
        body: what it wrote.
    """

    def __init__(self, body: object) -> None:
        super().__init__("the server reported an error")
        self.body = body


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Whom we asked about what; every fault names it. `model` is empty where none is meant."""

    kind: str
    settings: BackendSettings
    traits: BackendTraits
    model: str = ""

    def fault(self, fault: type[Fault], message: str, hint: str = "") -> Fault:
        """Make an exception that names the backend and the model."""
        return fault(message, backend=self.settings.name, model=self.model, hint=hint)

    @property
    def start_hint(self) -> str:
        """What to do where nothing answers."""
        if self.traits.is_child:
            return self.traits.start_hint
        return f"{self.traits.start_hint}, or correct `url` in [backends.{self.settings.name}]"

    @property
    def log_hint(self) -> str:
        """What to do where something answers, but breaks."""
        return self.traits.start_hint if self.traits.is_child else LOG_HINT


@contextmanager
def translate_errors(asked: RequestContext) -> Iterator[None]:
    """Turn whatever a client library raises inside into one exception of our tree."""
    if (asked.settings.api_key or "").startswith(SUBSCRIPTION_PREFIX):
        what = "the key is the token of a Claude subscription, which is never sent"
        raise asked.fault(AuthFailed, what, asked.settings.key_hint)
    try:
        yield
    except BackendError:
        raise
    # The libraries let through what httpx, json and pydantic raise, and stumble over odd replies.
    except Exception as error:  # noqa: BLE001 - all of it means that the backend failed
        # The cause is left out of tracebacks: a server may have quoted the key in it.
        raise error_from_exception(asked, error) from None


def error_from_exception(
    asked: RequestContext, error: Exception, *, started: bool = False
) -> BackendError:
    """Name what a client library raised; `started` says whether part of a reply had come."""
    links = tuple(chain(error))
    response = response_to(error)
    if response is not None:
        return error_from_response(asked, response.status_code, _text(response), response.headers)
    if said := getattr(error, "body", None):  # a `ServerError`, or the OpenAI SDK's own
        return _error_in_stream(asked, said) if started else error_from_response(asked, None, said)
    if is_unsendable_key(links):
        what = "the key has signs that no key can have"
        return asked.fault(AuthFailed, what, asked.settings.key_hint)
    broken = connection_failure(links, asked.settings)
    if broken is None:
        return _unreadable(asked, error, links)
    if started:
        return asked.fault(
            CutStream, f"the stream broke off: {broken.what}", broken.hint or asked.log_hint
        )
    # The socket of a child goes with its process, and the next request starts another.
    unreachable = not broken.connected and not asked.traits.is_child
    kind = Unreachable if unreachable else BackendUnavailable
    fault = asked.fault(kind, broken.what, broken.hint or asked.start_hint)
    fault.is_temporary = (unreachable and not broken.lasts) or broken.lost
    fault.broke_off = broken.lost
    return fault


def _unreadable(
    asked: RequestContext, error: Exception, links: Sequence[BaseException]
) -> BadReply:
    """Name a reply that a library stumbled over; its complaint has words of the reply in it."""
    odd = next((link for link in links if isinstance(link, UnexpectedReply)), None)
    if odd:
        return bad_reply(asked, str(odd), odd.wrote)
    # An SDK hides behind "Connection error." that a reply is larger than it may be.
    over = next((link for link in links if type(link).__name__ == "DecodingError"), None)
    if over:  # these are our own words
        return bad_reply(asked, str(over) or type(over).__name__)
    said = quote_foreign(without_keys(str(error), asked.settings.api_key), LONGEST_SAID)
    return bad_reply(asked, f"{type(error).__name__} {said}")


def response_to(error: Exception) -> Any:
    """Return the reply that made a client library raise; None if there was none."""
    return getattr(error, "response", None)


def error_from_response(
    asked: RequestContext,
    status: int | None,
    body: object,
    headers: Mapping[str, str] | None = None,
) -> BackendError:
    """Name an error reply.

    Args:
        asked: whom we asked about what.
        status: the HTTP status; None if the error came in a stream that had begun well.
        body: the reply's text, or what a client library has parsed of it.
        headers: the reply's headers.
    """
    said = read_error_body(body)
    quoted = said.quoted(asked.settings.api_key)
    if said.is_too_long:
        return _too_long(asked, said)
    if said.says(TOO_MANY) or (
        status == HTTPStatus.TOO_MANY_REQUESTS and not said.says(NOTHING_LEFT)
    ):
        return _overloaded(asked, said, quoted, headers or {})
    if _is_about_the_key(asked, status, said):
        return _refused_key(asked, said, quoted)
    if status in {None, 400, 404} and said.says(MODEL_UNKNOWN):
        hint = asked.traits.model_hint.format(model=display_name(asked.model))
        hint = f"{hint}; `spadework models` lists what there is"
        return asked.fault(ModelUnknown, f"the backend has no such model; {quoted}", hint)
    if said.says(REQUEST_AT_FAULT):
        return _rejected(asked, said, "the request was refused", quoted)
    return _fault_by_status(asked, status, said, quoted)


def _fault_by_status(
    asked: RequestContext, status: int | None, said: ErrorBody, quoted: str
) -> BackendError:
    if status in NOT_OFFERED or (status and status < HTTPStatus.BAD_REQUEST):
        return bad_reply(asked, f"status {status}", said.text)
    timed_out = status == HTTPStatus.REQUEST_TIMEOUT
    if status and status < HTTPStatus.INTERNAL_SERVER_ERROR and not timed_out:
        return _rejected(asked, said, f"the request was refused ({status})", quoted)
    number = f" ({status})" if status else ""
    if said.says("loading model"):
        what = f"it is still loading the model{number}"
        fault = asked.fault(BackendUnavailable, what, "ask again in a moment")
    else:
        what = f"the server failed{number}; {quoted}"
        fault = asked.fault(ServerFailed, what, asked.log_hint)
    is_away = status in GATEWAY_ERRORS or said.says(MODEL_AWAY)
    fault.is_temporary = is_away and not said.says(CANNOT_LOAD)
    return fault


def _rejected(asked: RequestContext, said: ErrorBody, what: str, quoted: str) -> RequestRejected:
    fault = asked.fault(RequestRejected, f"{what}; {quoted}")
    fault.body = said.text
    return fault


def _error_in_stream(asked: RequestContext, said: object) -> CutStream:
    quoted = read_error_body(said).quoted(asked.settings.api_key)
    return asked.fault(CutStream, f"the stream broke off; {quoted}", asked.log_hint)


def bad_reply(asked: RequestContext, what: str, wrote: str = "") -> BadReply:
    """Name a reply that is not what the protocol says: most often another server's.

    Args:
        asked: whom we asked about what.
        what: what is wrong with it, in our words.
        wrote: the server's words, if they say more.
    """
    if wrote:
        what = f"{what}; {read_error_body(wrote).quoted(asked.settings.api_key)}"
    if asked.traits.is_child:
        return asked.fault(BadReply, f"not the reply of a model server: {what}")
    return asked.fault(
        BadReply,
        f"not the reply of a server of kind {asked.kind!r}: {what}",
        f"see whether `url` and `kind` in [backends.{asked.settings.name}] are right",
    )


def cut_stream(asked: RequestContext) -> CutStream:
    """Name a stream that ended as if all were well, but without the end of the reply."""
    return asked.fault(CutStream, "the stream ended before the reply did", asked.log_hint)


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what led to it; `from None` hides nothing from it.

    It ends before an error of our own tree: that one was being handled when a new one came.
    """
    link: BaseException | None = error
    while link is not None and not isinstance(link, SpadeworkError):
        yield link
        yield from getattr(link, "exceptions", ())
        link = link.__cause__ or link.__context__


def _too_long(asked: RequestContext, said: ErrorBody) -> ContextExceeded:
    size = f"has {said.tokens} tokens" if said.tokens else "is too long"
    window = f"the window of {said.window}" if said.window else "the model's window"
    fault = asked.fault(
        ContextExceeded,
        f"the prompt {size} and does not fit {window}",
        "give it less, or a model with a larger window",
    )
    fault.tokens, fault.window = said.tokens, said.window
    return fault


def _overloaded(
    asked: RequestContext, said: ErrorBody, quoted: str, headers: Mapping[str, str]
) -> Overloaded:
    retry_after = _retry_after(said, headers)
    wait = f"ask again in {retry_after:g} s" if retry_after is not None else "ask again later"
    if said.says("all_deployments_in_cooldown"):
        fault: Overloaded = asked.fault(
            CoolingDown,
            "LiteLLM has suspended the model after failures of the server behind it",
            f"{wait}; see whether that server runs",
        )
    else:
        fault = asked.fault(Overloaded, f"too many requests; {quoted}", wait)
    fault.retry_after = retry_after
    return fault


def _retry_after(said: ErrorBody, headers: Mapping[str, str]) -> float | None:
    """Read when to come back, in seconds: RFC 9110 section 10.2.3, or LiteLLM's words."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value):
        return min(float(value), LONGEST_WAIT)
    if match := re.search(r"try again in (\d{1,9}(?:\.\d{1,9})?) ?s", said.text, re.IGNORECASE):
        return min(float(match[1]), LONGEST_WAIT)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    away = date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)
    return min(LONGEST_WAIT, max(0.0, away.total_seconds()))


def _is_about_the_key(asked: RequestContext, status: int | None, said: ErrorBody) -> bool:
    if status in {401, 403} or said.says(KEY_REFUSED):
        return True
    proxy = asked.traits.proxy_errors
    if proxy is None or asked.settings.api_key:
        return False
    return (status, said.text.strip()) == proxy.no_key


def _refused_key(asked: RequestContext, said: ErrorBody, quoted: str) -> AuthFailed:
    proxy = asked.traits.proxy_errors
    if proxy and proxy.server_behind in said.text:
        what = f"the server behind {proxy.proxy} refused its key; {quoted}"
        hint = f"the key is right, but {proxy.proxy}'s own for the server behind it is not"
        return asked.fault(AuthFailed, what, f"{hint}: fix it there")
    if asked.settings.api_key:
        return asked.fault(AuthFailed, f"the key was refused; {quoted}", asked.settings.key_hint)
    return asked.fault(AuthFailed, f"it wants a key; {quoted}", asked.settings.key_hint)


def _text(response: Any) -> str:
    try:
        return str(response.text)
    except RuntimeError:  # the connection broke before the error's text could be read
        return ""
