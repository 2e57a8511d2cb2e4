"""Server outages that several delegations wait for; each is shown once for all of them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from spadework.engine.job import Listener

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def _ignore() -> None:
    """Take no notice."""


class Outages:
    """The outages that delegations of one batch wait for.

    Args:
        on_change: called when a delegation begins to wait, waits on, or goes on; must not block.
    """

    def __init__(self, on_change: Callable[[], None] = _ignore) -> None:
        self._on_change = on_change
        self._waiting: dict[object, str] = {}

    @property
    def current(self) -> str:
        """The message of the delegation that has waited longest; empty if none waits."""
        return next(iter(self._waiting.values()), "")

    @contextmanager
    def listener(self) -> Iterator[Listener]:
        """Make the listener of one delegation, which waits for nothing any more in the end."""
        delegation = object()

        def note(what: str) -> None:
            if what:
                self._waiting[delegation] = what
                self._on_change()
            elif self._waiting.pop(delegation, None) is not None:
                self._on_change()

        try:
            yield Listener(away=note)
        finally:
            note("")
