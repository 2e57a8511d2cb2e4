"""The trace of one chain of attempts: which models were tried, how they failed, what remains.

Batch work waits here for servers that are away, as long as its patience lasts.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spadework.engine.candidates import split_by_trust
from spadework.engine.hand_back_reasons import NO_MODEL
from spadework.engine.job import Attempt, Figures, HandBack, Progress
from spadework.engine.scheduling.slot_requests import SlotRequest, preference_groups
from spadework.errors import PrivateRefused, SpadeworkError, TrustRefused
from spadework.util.untrusted_text import display_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spadework.backends.base import ModelInfo
    from spadework.engine.delegation_context import DelegationContext
    from spadework.engine.patience import Patience


@dataclass(slots=True)
class AttemptTrace:
    """What happened so far to one question that goes from model to model.

    A delegation has one; each step of a map-reduce has its own.
    """

    context: DelegationContext
    patience: Patience
    patterns: tuple[str, ...] = ()
    """The models that were wanted, as the tool's list names them."""
    prefix_digest: str = ""
    """A digest of what the prompt begins with; empty if no server has read it."""
    attempts: list[Attempt] = field(default_factory=list)
    hint: str = ""
    too_small: dict[str, int] = field(default_factory=dict)
    """The windows, in tokens, of models that the material did not fit into."""
    _ticket: str = field(default_factory=lambda: uuid.uuid4().hex)

    def slot_request(self, names: Sequence[str]) -> SlotRequest:
        """Build the request for a slot of one of these models; it keeps its place if repeated."""
        context, catalog = self.context, self.context.services.catalog
        trust = {name: catalog.last_trust(name) for name in names}
        return SlotRequest(
            id=self._ticket,
            session=context.session.name,
            tiers=preference_groups(names, trust),
            kind=context.job.kind,
            prefix_digest=self.prefix_digest,
            deadline=context.deadline,
            tool=context.tool.name,
        )

    def leave_queue(self) -> None:
        """Give up the place in the queue: the next request waits anew."""
        self._ticket = uuid.uuid4().hex

    async def permitted_models(self, found: Mapping[str, ModelInfo | None]) -> list[str]:
        """Return the models that may have this; record the others that were asked for by name."""
        context = self.context
        names, refused = await split_by_trust(found, context.trust_policy, context.services.catalog)
        by_name = context.job.models or context.tool.config.models
        is_expected = names and not by_name
        for name, error in refused:
            if not (is_expected and isinstance(error, TrustRefused | PrivateRefused)):
                self.record_failure(name, error, temporary=error.is_temporary)
        return names

    def record(self, name: str, error: SpadeworkError, *, temporary: bool = False) -> None:
        """Add an attempt to the trace and report it to the listener."""
        self.hint = error.hint or self.hint
        self.attempts.append(Attempt.failed(name, error, temporary=temporary))
        self.context.listener.progress(Progress("next-model", str(self.attempts[-1])))

    def record_failure(self, name: str, error: SpadeworkError, *, temporary: bool) -> None:
        """Add an attempt that failed; what is known of the model is looked up again."""
        services = self.context.services
        services.catalog.forget(name)
        is_private = self.context.trust_policy.private
        note = services.on_private_failure if is_private else services.on_failure
        note(name, error)
        self.record(name, error, temporary=temporary)

    def record_suspended(self, names: list[str]) -> bool:
        """Record each model that is suspended, once; return whether there is one."""
        refusals = {name: self.context.services.queue.refusal_of(name) for name in names}
        recorded = {one.model for one in self.attempts}
        for name, refusal in refusals.items():
            if refusal and name not in recorded:
                self.record(name, refusal, temporary=refusal.is_temporary)
        return any(refusals.values())

    async def wait_for_recovery(self, names: Sequence[str]) -> list[str]:
        """Wait for those of these that are away for a while; name them once one is back.

        Args:
            names: models, or backends whose models could not be listed. Failed attempts on them
                are forgotten once one is back.
        """
        context, patience = self.context, self.patience
        queue = context.services.queue
        away = {one.model for one in self.attempts if one.temporary} & set(names)
        waited_for = [name for name in names if name in away]
        until = min(patience.until, context.deadline)
        if not patience.is_batch or not waited_for or not self._are_held(waited_for):
            return []

        def tell(name: str, why: str) -> None:
            left = max(0.0, until - time.monotonic())
            said = f"waiting for {display_name(name)}, at most {left:.0f} s more: {why}"
            context.listener.progress(Progress("away", said))
            context.listener.away(said)

        if not all(queue.refusal_of(name) for name in waited_for):
            left = until - time.monotonic()
            if left <= 0:
                return []
            tell(waited_for[0], self.attempts[-1].message)
            await asyncio.sleep(min(left, patience.next_pause()))
        is_back = await queue.wait_for_any(waited_for, until, tell)
        context.listener.away("")
        if not is_back or not self._are_held(waited_for):
            return []
        self.attempts = [one for one in self.attempts if one.model not in away]
        return waited_for

    def _are_held(self, names: Sequence[str]) -> bool:
        """Tell whether the config still means these servers: it may have changed meanwhile."""
        services = self.context.services
        backends = (services.catalog.backends.get(name.partition("/")[0]) for name in names)
        return all(backend is not None and services.queue.holds(backend) for backend in backends)

    def hand_back(self, figures: Figures) -> HandBack:
        """Build the hand-back of a question that no model answered."""
        attempts = tuple(self.attempts)
        if not attempts:
            said = f"no model matches {', '.join(self.patterns)}"
            attempts = (Attempt("", NO_MODEL, said),)
            self.hint = self.hint or "`spadework models` lists what there is"
        return HandBack(self.context.tool.name, attempts, figures, self.hint)
