"""What an error says about the health of a server, and what a refusal is as an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from journeyman.engine.scheduling.values import Failed
from journeyman.errors import (
    BackendError,
    BackendUnavailable,
    BadReply,
    CutStream,
    ModelUnknown,
    Overloaded,
)

if TYPE_CHECKING:
    from journeyman.engine.scheduling.values import Refused

_OF_THE_MODEL = (BadReply, CutStream, ModelUnknown, Overloaded)


def verdict_on(error: Exception, *, had_first_token: bool) -> Failed:
    """Say whose fault an error is.

    A refused key is the request's own: another session may bring a better one. So is an answer
    that fails its checks.

    Args:
        error: what ended the request.
        had_first_token: whether the model had begun to answer: then the backend is not dead.
    """
    if isinstance(error, Overloaded):
        return Failed("model", str(error), error.retry_after)
    if isinstance(error, BackendUnavailable) and not had_first_token:
        return Failed("backend", str(error))
    if isinstance(error, (BackendUnavailable, *_OF_THE_MODEL)):
        return Failed("model", str(error))
    return Failed("request", str(error))


def error_of(refused: Refused) -> BackendError:
    """Make a refusal an error of the tree: `Overloaded`, or `BackendUnavailable` if set aside."""
    backend, model = refused.model
    if refused.why == "unhealthy":
        hint = "ask again then, or start that server"
        return BackendUnavailable(refused.message, backend=backend, model=model, hint=hint)
    return Overloaded(
        refused.message,
        backend=backend,
        model=model,
        hint="ask again later, ask for less at once, or do it yourself",
        retry_after=refused.retry_after,
    )
