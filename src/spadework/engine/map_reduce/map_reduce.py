"""Map-reduce over material that exceeds every context window: plan, read, merge, answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from spadework.checks.answer_check import AnswerRequirements, GroundingContext, Passage
from spadework.engine.job import Answer, Attempt, Figures, HandBack, Progress
from spadework.engine.map_reduce.chunk_plan import (
    ChunkPlan,
    answer_tokens,
    as_source,
    plan_refusal,
    sources_of,
)
from spadework.engine.map_reduce.chunk_reader import Reader, end_messages
from spadework.engine.map_reduce.steps import MapReduceSteps, make_plan, splitter
from spadework.engine.prompt_messages import CITING, DATA_NOTICE, PreparedJob, ResponseFormat
from spadework.errors import BackendError, ContextExceeded
from spadework.references.reader import Material

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from spadework.backends.base import Message
    from spadework.engine.delegation_context import DelegationContext
    from spadework.engine.job import Outcome
    from spadework.engine.model_chain import ModelChain
    from spadework.references.material import Source

_OF_NOTES = frozenset({"quotation", "citation"})


class PartFailed(Exception):
    """No model took notes on a part that pass the checks."""

    def __init__(self, hand_back: HandBack) -> None:
        super().__init__(hand_back.reason)
        self.hand_back = hand_back


async def answer_in_parts(
    chain: ModelChain, work: PreparedJob, windows: Mapping[str, int], handed_back: HandBack
) -> Outcome:
    """Read the material part by part, and answer from the notes.

    Args:
        chain: the question that did not fit.
        work: what it comes to, with all its material.
        windows: those of the models, in tokens, in the order in which they are asked.
        handed_back: what the caller gets if this cannot be done either.
    """
    model, window = next(iter(windows.items()))
    context, steps = chain.trace.context, MapReduceSteps(chain)
    sources = sources_of(context, work)
    try:
        plan, count, around = await make_plan(steps, work, model, window, sources)
    except BackendError as error:
        return _add(handed_back, Attempt.failed(model, error), error.hint)
    if plan is None:
        return handed_back
    if refusal := plan_refusal(plan, context):
        return _add(handed_back, *refusal)
    models = [name for name, size in windows.items() if size >= window]
    spent: list[Figures] = []
    reader = _reader(steps, work, models, plan, count, dict(sources), spent)
    try:
        notes = await reader.read(window - around - answer_tokens(context, window))
    except PartFailed as failure:
        return _add(handed_back, *_of_part(failure.hand_back))
    except ContextExceeded as error:
        return _add(handed_back, Attempt.failed(model, error), error.hint)
    end = _work_of_end(context, work, plan, notes)
    return _completed(await steps.reduce_step(models, end), plan, spent)


def _reader(
    steps: MapReduceSteps,
    work: PreparedJob,
    models: Sequence[str],
    plan: ChunkPlan,
    count: Callable[[str], int],
    sources: Mapping[str, Source],
    spent: list[Figures],
) -> Reader:
    """Make who reads the parts; what each takes is added to `spent`."""
    least = len(plan.parts) + 1
    context = steps.chain.trace.context
    listener = context.listener
    listener.progress(Progress("reading", str(plan), done=0, of=least))

    async def ask(messages: tuple[Message, ...], about: tuple[Source, ...], notes: str) -> str:
        outcome = await _noted(steps, models, _map_job(messages, about, notes, work), plan)
        spent.append(outcome.figures)
        return outcome.text

    def tell(done: int) -> None:
        of = max(least, done + 1)
        listener.progress(Progress("reading", f"step {done} of {of}: {plan}", 0, done, of))

    return Reader(plan, work.requirements.given.task, sources, count, ask, tell, splitter(context))


async def _noted(
    steps: MapReduceSteps, models: Sequence[str], job: PreparedJob, plan: ChunkPlan
) -> Answer:
    """Take notes.

    Raises:
        ContextExceeded: it does not fit after all.
        PartFailed: no model took notes that pass the checks.
    """
    outcome = await steps.map_step(models, job, plan.sizes.notes)
    if isinstance(outcome, HandBack) and outcome.tries[-1].check in _OF_NOTES:
        # The answer itself is held against the material; a note may quote amiss.
        lenient = replace(job, requirements=replace(job.requirements, content=False))
        outcome = await steps.map_step(models, lenient, plan.sizes.notes)
    if isinstance(outcome, Answer):
        return outcome
    if any(one.code == ContextExceeded.code for one in outcome.tries):
        raise ContextExceeded("a part does not fit", backend=plan.model.partition("/")[0])
    raise PartFailed(outcome)


def _map_job(
    messages: tuple[Message, ...], about: tuple[Source, ...], notes: str, work: PreparedJob
) -> PreparedJob:
    """Notes are held against what they were taken from."""
    requirements = work.requirements
    given = GroundingContext(requirements.given.task, _passages(about), (notes,) if notes else ())
    own = AnswerRequirements(
        given=given, content=requirements.content, notices=(DATA_NOTICE, CITING)
    )
    return PreparedJob(messages, Material(about, ()), own, messages)


def _work_of_end(
    context: DelegationContext, work: PreparedJob, plan: ChunkPlan, notes: str
) -> PreparedJob:
    """The answer is held against the material itself, and judged by the notes."""
    tool = context.tool.config
    form = ResponseFormat(work.requirements.labels, work.requirements.schema)
    task = work.requirements.given.task
    asked = f"{task}\n\n{form.instruction}" if form.instruction else task
    messages = end_messages(tool.system, len(plan.parts), asked, notes or "(nothing was found)")
    material = replace(work.material, sources=(as_source("notes", notes or "\n"),))
    return PreparedJob(messages, material, work.requirements, messages)


def _passages(sources: Sequence[Source]) -> tuple[Passage, ...]:
    return tuple(Passage(one.path, one.text, one.first_line, one.last_line) for one in sources)


def _completed(outcome: Outcome, plan: ChunkPlan, spent: Sequence[Figures]) -> Outcome:
    """Add what the parts took, and say that it was read in parts."""
    if not isinstance(outcome, Answer):
        return outcome
    figures = outcome.figures
    for one in spent:
        figures = replace(figures.with_more(one), seconds=figures.seconds)
    # The time to the first token was that of the last step alone.
    figures = replace(figures, first_token_seconds=None)
    note = f"read in {len(plan.parts)} parts; the answer is from notes on them"
    return replace(outcome, figures=figures, notes=(*outcome.notes, note))


def _add(handed_back: HandBack, one: Attempt, hint: str) -> HandBack:
    return replace(handed_back, tries=(*handed_back.tries, one), hint=hint or handed_back.hint)


def _of_part(failed: HandBack) -> tuple[Attempt, str]:
    last = failed.tries[-1]
    return replace(last, message=f"on one of the parts: {last.message}"), failed.hint
