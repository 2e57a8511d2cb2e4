"""Translates exceptions of the SDK and errors in batch results into `spadework.errors`."""

from __future__ import annotations

from contextlib import suppress

import anthropic

from spadework.backends.failure_causes import LONGEST_SAID
from spadework.errors import (
    AuthFailed,
    BackendError,
    BackendUnavailable,
    BadReply,
    ContextExceeded,
    CutStream,
    DeadlinePassed,
    ModelUnknown,
    Overloaded,
    RequestRejected,
    Unreachable,
)
from spadework.util.untrusted_text import display_key, quote_foreign, server_wrote

BACKEND = "claude"
_KEY_HINT = "see to the key in ANTHROPIC_API_KEY or claude_api.api_key_file"
_LATER = "resume the run later"
_BY_TYPE: dict[str, tuple[type[BackendError], str]] = {
    "authentication_error": (AuthFailed, _KEY_HINT),
    "permission_error": (AuthFailed, "the key may not use this model or workspace"),
    "billing_error": (RequestRejected, "see to the credit in the Claude Console"),
    "not_found_error": (ModelUnknown, "see to the model's name"),
    "rate_limit_error": (Overloaded, _LATER),
    "overloaded_error": (Overloaded, _LATER),
    "timeout_error": (BackendUnavailable, _LATER),
    "api_error": (BackendUnavailable, _LATER),
    "request_too_large": (ContextExceeded, "give it less material"),
    "invalid_request_error": (RequestRejected, ""),
}
_BY_STATUS: dict[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
_SERVER_FAULT = 500


def translated(error: Exception, model: str) -> BackendError:
    """Turn an error of the SDK, or of the HTTP client below it, into one of ours."""
    match error:
        case anthropic.APIStatusError():
            return _of_status(error, model)
        case anthropic.APIResponseValidationError():
            said = quote_foreign(str(error), LONGEST_SAID)
            return BadReply(f"not a reply of the API: {said}", backend=BACKEND, model=model)
        case anthropic.APITimeoutError():
            return DeadlinePassed("no reply in time", backend=BACKEND, model=model, hint=_LATER)
        case anthropic.APIConnectionError():
            cause = error.__cause__ or error
            text = f"no connection: {quote_foreign(str(cause) or type(cause).__name__)}"
            hint = "see to the network or the proxy, then resume the run"
            return Unreachable(text, backend=BACKEND, model=model, hint=hint)
        case anthropic.APIError():  # an `error` event in mid-stream
            return of_type(_type_of(error), str(error), model)
    said = quote_foreign(str(error) or type(error).__name__)
    text = f"the stream ended before the reply did: {said}"
    return CutStream(text, backend=BACKEND, model=model, hint=_LATER)


def of_type(kind: str, message: str, model: str) -> BackendError:
    """Make the error that an error's type of the API stands for."""
    found, hint = _BY_TYPE.get(kind, (RequestRejected, ""))
    said = server_wrote(message, LONGEST_SAID)
    return found(f"{said} [{display_key(kind)}]", backend=BACKEND, model=model, hint=hint)


def _of_status(error: anthropic.APIStatusError, model: str) -> BackendError:
    status = error.status_code
    message = error.api_message or f"HTTP status {status}"
    if error.request_id:
        message += f" (request {error.request_id})"
    kind = error.type or _BY_STATUS.get(status, "")
    if not kind:
        kind = "api_error" if status >= _SERVER_FAULT else "invalid_request_error"
    made = of_type(kind, message, model)
    if isinstance(made, Overloaded):
        with suppress(KeyError, ValueError):
            made.retry_after = float(error.response.headers["retry-after"])
    return made


def _type_of(error: anthropic.APIError) -> str:
    body = error.body
    inner = body.get("error") if isinstance(body, dict) else None
    kind = inner.get("type") if isinstance(inner, dict) else None
    return str(kind or "api_error")
