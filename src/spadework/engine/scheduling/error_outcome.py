"""Maps an exception to a health outcome, and a refusal of the scheduler to an exception."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spadework.engine.scheduling.slot_requests import Failed
from spadework.errors import (
    BackendError,
    BackendUnavailable,
    BadReply,
    CoolingDown,
    CutStream,
    ModelUnknown,
    Overloaded,
    SpadeworkError,
    Unreachable,
)

if TYPE_CHECKING:
    from spadework.engine.scheduling.slot_requests import Refused, Scope

_OF_THE_MODEL = (BackendUnavailable, BadReply, CoolingDown, CutStream, ModelUnknown)


def verdict_on(error: Exception) -> Failed:
    """Say whose fault an error is.

    Only a machine that no connection can be made to is suspended as a whole: where anything
    answers, another model there may do. A refused key is the request's own fault: another session
    may bring a better one. So is an answer that fails its checks. A server that has too many
    requests is sound.
    """
    retry_after = error.retry_after if isinstance(error, Overloaded) else None
    temporary = isinstance(error, SpadeworkError) and error.is_temporary
    return Failed(_scope_of(error), str(error), retry_after, temporary)


def _scope_of(error: Exception) -> Scope:
    if isinstance(error, Unreachable):
        return "backend"
    if isinstance(error, _OF_THE_MODEL):
        return "model"
    return "concurrency" if isinstance(error, Overloaded) else "request"


def error_of(refused: Refused) -> BackendError:
    """Make a refusal an error of the tree: `Overloaded`, or `BackendUnavailable` if suspended."""
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
