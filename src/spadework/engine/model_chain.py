"""Asks the models of a tool's list in order, until one gives an answer that passes the checks.

What a failed attempt means for later ones is decided here as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from spadework.engine.attempt import AttemptContext, run_attempt
from spadework.engine.job import UNSURE, Answer, Figures, Progress
from spadework.engine.job_inputs import notes_on
from spadework.engine.llm_judge import apply_judge
from spadework.errors import (
    CheckFailed,
    ContextExceeded,
    CoolingDown,
    DeadlinePassed,
    Overloaded,
    SpadeworkError,
)
from spadework.util.untrusted_text import display_name

if TYPE_CHECKING:
    from spadework.engine.attempt_trace import AttemptTrace
    from spadework.engine.job import Outcome
    from spadework.engine.prompt_messages import PreparedJob
    from spadework.engine.scheduling.slot_manager import Slot


@dataclass(slots=True)
class ModelChain:
    """One prepared job on its way from model to model.

    Args:
        trace: where each attempt is recorded.
        bytes_read: the size of the job's material, for the figures of the answer.
    """

    trace: AttemptTrace
    bytes_read: int = 0
    _unsure: Answer | None = None

    async def run(self, names: list[str], work: PreparedJob) -> Outcome:
        """Ask the models in order; hand back if none gives an answer that passes.

        Args:
            names: the models that may be asked.
            work: what they are asked.
        """
        allowed = names
        while names:
            asked: list[str] = []
            try:
                answer = await self._ask_one_of(names, asked, work)
                return await apply_judge(self.trace, answer, allowed, work)
            except SpadeworkError as error:
                if not error.retry_on_next_model:
                    raise
                names = self._left_after(error, names, asked)
                names = names or await self.trace.wait_for_recovery(allowed)
                work = work.after(error) if is_advice(error) else work
        if self._unsure:
            return replace(self._unsure, tries=tuple(self.trace.attempts))
        return self.trace.hand_back(self.complete(Figures(), 0))

    def complete(self, figures: Figures, bytes_returned: int) -> Figures:
        """Add the time and the bytes of the whole job to the figures of its last attempt."""
        return replace(
            figures,
            seconds=self.trace.context.elapsed(),
            bytes_read=self.bytes_read,
            bytes_returned=bytes_returned,
        )

    async def _ask_one_of(self, names: list[str], asked: list[str], work: PreparedJob) -> Answer:
        """Wait for a slot of one of these models and ask it; its name is added to `asked`."""
        context, request = self.trace.context, self.trace.slot_request(names)
        async with context.services.queue.slot(request, context.report_position) as slot:
            asked.append(str(slot.model))
            self.trace.record_suspended(names[: names.index(asked[0])])
            if slot.cold:
                about = f", about {slot.swap:.0f} s" if slot.swap >= 1 else ""
                loading = f"{display_name(str(slot.model))} is being loaded{about}"
                context.listener.progress(Progress("loading", loading))
            return await self._ask(slot, work)

    def _left_after(self, error: SpadeworkError, names: list[str], asked: list[str]) -> list[str]:
        """Record a failure; return the models that may still be asked."""
        if not asked:  # the queue refused them all
            if isinstance(error, Overloaded) or not self.trace.record_suspended(names):
                self.trace.record(names[0], error)
            return []
        (name,) = asked
        if isinstance(error, DeadlinePassed):
            self.trace.record(name, error)
            return []
        if is_refused_for_now(error) and self.trace.patience.waits_its_turn(name):
            return names  # in its place in the queue, with the same ticket
        self.trace.leave_queue()
        if isinstance(error, ContextExceeded) and error.window is not None:
            self.trace.too_small[name] = error.window
        answers = self.trace.context.services.queue.answers_of(name)
        temporary = self.trace.patience.is_recoverable(name, error, answers)
        self.trace.record_failure(name, error, temporary=temporary)
        return [other for other in names if other != name]

    async def _ask(self, slot: Slot, work: PreparedJob) -> Answer:
        context = self.trace.context
        info = await context.permitted_model(str(slot.model))
        limits = context.limits(context.max_tokens)
        backend, _ = context.services.catalog.find(str(slot.model))
        temperature = context.tool.config.temperature
        asking = AttemptContext(work.messages, work.requirements, limits, temperature)
        checked, figures = await run_attempt(
            backend, info, asking, context.listener, slot.first_token
        )
        notes = [info.note] if info.note else []
        notes += [*notes_on(work.material), *checked.notes]
        answer = Answer(
            text=checked.text,
            model=info.id,
            figures=self.complete(figures, len(checked.text.encode())),
            tries=tuple(self.trace.attempts),
            notes=tuple(notes),
            value=checked.value,
            confidence=checked.confidence,
            checks=checked.checks,
        )
        self._check_confidence(answer)
        return answer

    def _check_confidence(self, answer: Answer) -> None:
        """Keep the surest label that is not sure enough, for the case that no model is."""
        least = self.trace.context.tool.config.least_confidence
        if answer.confidence is None or answer.confidence >= least:
            return
        said = f"{answer.text!r} is more probable than the next label by {answer.confidence:.2f}"
        failure = CheckFailed("confidence", f"{said}; the tool wants {least:g}")
        before = self._unsure.confidence if self._unsure else None
        if before is None or answer.confidence > before:
            note = f"most probable: {answer.text} ({answer.confidence:.2f}, {least:g} is wanted)"
            self._unsure = replace(answer, text=UNSURE, unsure=True, notes=(note, *answer.notes))
        raise failure


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
