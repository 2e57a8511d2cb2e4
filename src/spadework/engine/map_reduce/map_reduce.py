"""Map-reduce over material that exceeds every context window: plan, read, merge, answer."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from spadework.checks.answer_check import AnswerRequirements, GroundingContext, Passage
from spadework.engine.job import Answer, Attempt, Figures, HandBack, Progress
from spadework.engine.map_reduce.chunk_plan import (
    ChunkPlan,
    counter,
    density,
    estimate_seconds,
    make_parts,
    share_out,
)
from spadework.engine.map_reduce.chunk_reader import Reader
from spadework.engine.map_reduce.prompts import end_messages, part_messages
from spadework.engine.map_reduce.steps import MapReduceSteps
from spadework.engine.prepared_job import PreparedJob
from spadework.engine.prompt_messages import CITING, DATA_NOTICE
from spadework.engine.response_format import ResponseFormat
from spadework.engine.thread_pools import READING
from spadework.errors import BackendError, ContextExceeded
from spadework.references.cancellation import Cancellation, OutOfTime
from spadework.references.material import Source
from spadework.references.reader import Material

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from spadework.backends.base import Message
    from spadework.engine.delegation_context import DelegationContext
    from spadework.engine.job import Outcome
    from spadework.engine.map_reduce.chunk_reader import Split
    from spadework.engine.model_chain import ModelChain
    from spadework.references.splitting import Part

_SAMPLES = 8
_SAMPLE_CHARACTERS = 6000
_SHORTEST_ANSWER = 64
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
    sources = _sources_of(context, work)
    try:
        plan, count, around = await _planned(steps, work, model, window, sources)
    except BackendError as error:
        return _add(handed_back, Attempt(model, type(error).__name__, str(error)), error.hint)
    if plan is None:
        return handed_back
    if refusal := _refusal(plan, context):
        return _add(handed_back, *refusal)
    models = [name for name, size in windows.items() if size >= window]
    spent: list[Figures] = []
    reader = _reader(steps, work, models, plan, count, dict(sources), spent)
    try:
        notes = await reader.read(window - around - _answer_tokens(context, window))
    except PartFailed as failure:
        return _add(handed_back, *_of_part(failure.hand_back))
    except ContextExceeded as error:
        return _add(handed_back, Attempt(model, type(error).__name__, str(error)), error.hint)
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
        outcome = await _noted(steps, models, _work_aside(messages, about, notes, work), plan)
        spent.append(outcome.figures)
        return outcome.text

    def tell(done: int) -> None:
        of = max(least, done + 1)
        listener.progress(Progress("reading", f"step {done} of {of}: {plan}", 0, done, of))

    return Reader(plan, work.requirements.given.task, sources, count, ask, tell, _splitter(context))


async def _noted(
    steps: MapReduceSteps, models: Sequence[str], aside: PreparedJob, plan: ChunkPlan
) -> Answer:
    """Take notes.

    Raises:
        ContextExceeded: it does not fit after all.
        PartFailed: no model took notes that pass the checks.
    """
    outcome = await steps.map_step(models, aside, plan.sizes.notes)
    if isinstance(outcome, HandBack) and outcome.tries[-1].check in _OF_NOTES:
        # The answer itself is held against the material; a note may quote amiss.
        lenient = replace(aside, requirements=replace(aside.requirements, content=False))
        outcome = await steps.map_step(models, lenient, plan.sizes.notes)
    if isinstance(outcome, Answer):
        return outcome
    if any(one.kind == ContextExceeded.__name__ for one in outcome.tries):
        raise ContextExceeded("a part does not fit", backend=plan.model.partition("/")[0])
    raise PartFailed(outcome)


def _sources_of(context: DelegationContext, work: PreparedJob) -> tuple[tuple[str, Source], ...]:
    """The files, and further texts as if they were files, by their paths."""
    texts = (_as_source(name, text) for name, text in context.job.texts.items())
    return tuple((one.path, one) for one in (*work.material.sources, *texts) if one.text)


def _as_source(name: str, text: str) -> Source:
    lines = text.count("\n") + (not text.endswith("\n"))
    return Source(name, text, 1, lines, lines, len(text.encode(errors="replace")), "utf-8", False)


async def _planned(
    steps: MapReduceSteps,
    work: PreparedJob,
    model: str,
    window: int,
    sources: Sequence[tuple[str, Source]],
) -> tuple[ChunkPlan | None, Callable[[str], int], int]:
    """Measure samples with the model's own tokenizer, and split."""
    context, task = steps.chain.trace.context, work.requirements.given.task
    samples = _samples([source for _, source in sources])
    around = part_messages(1, 1, task, ())
    chats = [around, *(part_messages(1, 1, task, (sample,)) for sample in samples)]
    first, *counts = await steps.count(model, chats)
    sizes = share_out(window, first.tokens)
    if sizes is None or not samples:
        return None, len, 0
    measured = [
        (one.tokens - first.tokens, len(sample.text))
        for one, sample in zip(counts, samples, strict=True)
    ]
    count = counter(density(measured, exact=first.exact))
    try:
        parts = await _splitter(context)([source for _, source in sources], sizes.material, count)
    except OutOfTime:
        return None, len, 0
    size = sum(source.bytes for _, source in sources)
    plan = ChunkPlan(model, sizes, len(sources), size, parts)
    if pace := context.services.pace(model):
        slots = context.services.queue.slots_of(model)
        tokens = sum(count(source.text) for _, source in sources)
        seconds = estimate_seconds(tokens, len(parts), sizes, slots, pace)
        plan = replace(plan, seconds=seconds)
    return plan, count, first.tokens


def _splitter(context: DelegationContext) -> Split:
    """Return what splits as `make_parts` does, in a thread: a grammar may take seconds."""
    client = context.session.client or context.session.name
    deadline = time.monotonic() + context.seconds_left()

    async def split(
        sources: Sequence[Source], size: int, count: Callable[[str], int]
    ) -> tuple[tuple[Part, ...], ...]:
        return await READING.run(Cancellation(client, deadline), make_parts, sources, size, count)

    return split


def _samples(sources: Sequence[Source]) -> list[Source]:
    """The beginnings of some of the sources, spread over all of them."""
    step = max(1, len(sources) // _SAMPLES)
    chosen = sources[::step][:_SAMPLES]
    cut = (source.text[:_SAMPLE_CHARACTERS] for source in chosen)
    return [
        replace(source, text=text, last_line=source.first_line + text.count("\n"))
        for source, text in zip(chosen, cut, strict=True)
    ]


def _refusal(plan: ChunkPlan, context: DelegationContext) -> tuple[Attempt, str] | None:
    """Say why a plan is not begun; None if it is."""
    most = context.tool.config.max_parts
    hint = "name fewer files, or line ranges such as path:1-200"
    if len(plan.parts) > most:
        said = f"that is {plan}; at most {most} parts are read"
        return Attempt(plan.model, "TooManyParts", said), f"{hint}; or raise the tool's max_parts"
    left = context.seconds_left()
    if plan.seconds is not None and plan.seconds > left:
        said = f"that is {plan}; {left:.0f} s are left for the call"
        return Attempt(plan.model, "TooLong", said), f"{hint}; or raise the tool's deadline"
    return None


def _answer_tokens(context: DelegationContext, window: int) -> int:
    """What is kept free for the answer from the notes."""
    wanted = context.max_tokens
    return max(_SHORTEST_ANSWER, min(wanted, window // 3))


def _work_aside(
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
    material = replace(work.material, sources=(_as_source("notes", notes or "\n"),))
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
