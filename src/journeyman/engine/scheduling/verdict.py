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
    Unreachable,
)

if TYPE_CHECKING:
    from journeyman.engine.scheduling.values import Refused

_OF_THE_MODEL = (BackendUnavailable, BadReply, CutStream, ModelUnknown, Overloaded)


def verdict_on(error: Exception) -> Failed:
    """Say whose fault an error is.

    Only a machine that no connection can be made to is set aside as a whole: where anything
    answers, another model there may do. A refused key is the request's own fault: another session
    may bring a better one. So is an answer that fails its checks.
    """
    retry_after = error.retry_after if isinstance(error, Overloaded) else None
    if isinstance(error, Unreachable):
        return Failed("backend", str(error))
    if isinstance(error, _OF_THE_MODEL):
        return Failed("model", str(error), retry_after)
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
