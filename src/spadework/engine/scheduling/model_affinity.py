"""Model affinity: groups requests by model, since an exclusive backend swaps models slowly."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVED_FOR_EACH_SECOND_OF_SWAP = 4.0


def least_turn(swap: float) -> float:
    """Seconds that a model keeps its backend while something waits for it, its swap included.

    Without it, a backlog longer than `max_wait` would be served with a swap for every few
    requests; with it, at most a fifth of the time goes into swaps, whatever the load.
    """
    return swap * (1 + SERVED_FOR_EACH_SECOND_OF_SWAP)


def model_to_serve(
    loaded: str | None,
    standing_back: Mapping[str, float],
    *,
    idle: bool,
    due_since: float,
    in_its_least_turn: bool,
) -> str | None:
    """Choose the model that the next slot goes to.

    Args:
        loaded: the model that the backend holds.
        standing_back: every model with waiting requests, and since when none was served.
        idle: whether nothing runs on the backend; a swap then cuts nothing off.
        due_since: a model that has stood back since this time or longer has waited long enough.
        in_its_least_turn: whether the loaded model's turn is too young to be ended.

    Returns:
        The loaded model while something waits for it and no other one's turn has come; else the
        one that has stood back longest, once nothing runs; else None.
    """
    others = {name: since for name, since in standing_back.items() if name != loaded}
    longest = min(others, key=lambda name: others[name], default=None)
    if loaded in standing_back:
        is_due = longest is not None and others[longest] <= due_since
        if in_its_least_turn or not is_due:
            return loaded
    return longest if idle else None
