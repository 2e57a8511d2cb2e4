"""Tracks what is private in a run, and decides whether something may be sent to Claude.

Privacy is kept for each item as a whole: what Python makes of an answer cannot be followed. An item
is private if it is marked so, if a call of it is, or if a file that a call names is. From then on
every call of it is private, in every step and process, also after a restart.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from spadework.errors import PrivateRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

    from spadework.config.models import Config
    from spadework.references.material import Source

Result = TypeVar("Result")

_TURNS = 20
"""How often other tasks get a turn before a call goes out: what begins with it must be seen."""


def check_for_claude(step: str, *, private: bool, sources: Iterable[Source] = ()) -> None:
    """Decide whether something may go to Claude; every way there, counting included, asks this.

    Args:
        step: the name of the pipeline's function, for the message.
        private: whether the item or the call is private.
        sources: the files that would be sent.

    Raises:
        PrivateRefused: it may not.
    """
    if private:
        raise PrivateRefused(
            f"step {step!r} of the pipeline: what is private does not go to Claude",
            hint="use a local model there, or run with --no-claude",
        )
    for source in sources:
        if source.private:
            raise private_file(step, source.path)


def private_file(step: str, path: str) -> PrivateRefused:
    """A file that was to go to Claude is private."""
    return PrivateRefused(
        f"step {step!r} of the pipeline: {path} is private and does not go to Claude",
        hint="ask a local model there, or change references.private in the config",
    )


def may_leave(config: Config, patterns: Sequence[str]) -> bool:
    """Whether a call of these models might go to another one than a local model.

    Args:
        config: the user's config.
        patterns: the models, as `backend/model` or patterns.
    """
    return bool({one.partition("/")[0] for one in patterns} & config.backends.keys())


class Branch:
    """A step of an item that is under way, or the item's own function."""

    def __init__(self) -> None:
        self.waits = 0
        """How many calls to Claude, and steps of its own, it waits for."""
        self.asks = 0
        """How many calls of models that need not be local wait to go out."""
        self.users = 0


class ItemPrivacy:
    """Whether an item, or the end of a run, is private; one object for all its steps here.

    Args:
        private: whether it is known to be so from the beginning.
        keep: makes that outlive the process.
    """

    def __init__(
        self, *, private: bool = False, keep: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self.private = private
        self._keep = keep
        self._is_kept = False
        self._looks = 0
        self._steps: dict[str, Branch] = {}
        self._changed = asyncio.Event()

    def mark(self) -> None:
        """Make it private; this cannot be undone."""
        self.private = True
        self._changed.set()

    async def keep(self) -> None:
        """Make it outlive the process that it is private, if it is."""
        if self.private and not self._is_kept and self._keep is not None:
            await self._keep()
            self._is_kept = True

    async def look(self, finding: Awaitable[Result]) -> Result:
        """Wait for a look at what a call names; calls that go out wait for it too."""
        self._looks += 1
        try:
            return await finding
        finally:
            self._looks -= 1
            self._changed.set()

    @contextmanager
    def step(self, call: str) -> Iterator[Branch]:
        """Take part in a step for as long as the context lasts."""
        branch = self._steps.setdefault(call, Branch())
        branch.users += 1
        try:
            yield branch
        finally:
            branch.users -= 1
            if not branch.users:
                self._steps.pop(call, None)
            self._changed.set()

    @contextmanager
    def waiting(self, branch: Branch) -> Iterator[None]:
        """Let others know that a branch waits for Claude or for a step of its own."""
        branch.waits += 1
        self._changed.set()
        try:
            yield
        finally:
            branch.waits -= 1

    async def settled(self) -> None:
        """Wait until nothing that began before, or at the same time, can make it private any more.

        That is: the files of every call are looked at, and every step has ended or waits for Claude
        itself.
        """
        await self._until(lambda: all(one.waits for one in self._steps.values()))

    async def settled_for_ask(self, branch: Branch) -> None:
        """Wait likewise before a model is asked that need not be local.

        Such calls go before those to Claude, for which a step is open as long as it asks: what it
        does with the answer may make the item private.
        """
        branch.asks += 1
        self._changed.set()
        try:
            await self._until(lambda: all(one.waits or one.asks for one in self._steps.values()))
        finally:
            branch.asks -= 1
            self._changed.set()

    async def _until(self, is_settled: Callable[[], bool]) -> None:
        while True:
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            if self.private or (not self._looks and is_settled()):
                return
            self._changed.clear()
            await self._changed.wait()
