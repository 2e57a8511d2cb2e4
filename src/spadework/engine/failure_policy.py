"""Decides what a failed attempt means for later attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spadework.errors import CheckFailed, CoolingDown, Overloaded

if TYPE_CHECKING:
    from spadework.errors import SpadeworkError

# Seconds; with the scatter of cooldowns it stays below the scheduler's `max_suspension`.
_WORTH_ASKING_AGAIN = 4.0
# A failure of the server, or one that another model would not repeat, does not help the next model.
_NO_ADVICE = frozenset({"silent-truncation", "unfinished", "empty", "confidence"})


def is_advice(error: SpadeworkError) -> bool:
    """Tell whether the next model can learn something from a failure."""
    return isinstance(error, CheckFailed) and error.check not in _NO_ADVICE


def is_refused_for_now(error: SpadeworkError) -> bool:
    """Tell whether a server had too many requests, and takes this one in a moment."""
    if not isinstance(error, Overloaded):
        return False
    if error.retry_after is None:
        return not isinstance(error, CoolingDown)
    return error.retry_after <= _WORTH_ASKING_AGAIN
