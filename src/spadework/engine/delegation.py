"""Runs one delegation, from a job to an answer or a hand-back."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from spadework.engine.answer_cache import question_of
from spadework.engine.attempt import AttemptContext, Limits, out_of_time, run_attempt
from spadework.engine.candidates import candidates, patterns_of, split_by_clearance, worth_listing
from spadework.engine.failure_policy import is_advice, is_refused_for_now
from spadework.engine.job import UNSURE, Answer, Attempt, Figures, HandBack, Listener, Progress
from spadework.engine.job_inputs import (
    check_arguments,
    confidential_reason,
    digest,
    notes_on,
    private_reason,
    read_material,
)
from spadework.engine.llm_judge import apply_judge
from spadework.engine.map_reduce.map_reduce import answer_in_parts
from spadework.engine.outgoing_text import refuse_secrets, texts_of_job
from spadework.engine.patience import Patience, outlast
from spadework.engine.prepared_job import prepare
from spadework.engine.response_format import response_format_of
from spadework.engine.scheduling.preference import preference_groups
from spadework.engine.scheduling.slot_requests import SlotRequest
from spadework.engine.thread_pools import CHECKING
from spadework.engine.trust_policy import TrustPolicy
from spadework.errors import (
    CheckFailed,
    ContextExceeded,
    DeadlinePassed,
    Overloaded,
    PrivateRefused,
    SpadeworkError,
    TrustRefused,
)
from spadework.references.reader import Material
from spadework.util.untrusted_text import display_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from spadework.backends.base import ModelInfo
    from spadework.config.models import Config
    from spadework.engine.answer_cache import AnswerCache
    from spadework.engine.job import Job, Outcome, Session
    from spadework.engine.model_catalog import Catalog
    from spadework.engine.prepared_job import PreparedJob
    from spadework.engine.queue import Queue
    from spadework.engine.scheduling.slot_manager import Slot
    from spadework.engine.scheduling.snapshot import QueuePosition
    from spadework.engine.tools import Tool
    from spadework.storage.ledger import Pace


@dataclass(slots=True)
class Delegation:
    """A job in progress; collects the fields of its ledger row as they become known."""

    job: Job
    session: Session
    tool: Tool
    config: Config
    catalog: Catalog
    queue: Queue
    memory: AnswerCache
    pace: Callable[[str], Pace | None]
    listener: Listener
    on_failure: Callable[[str, SpadeworkError], None]
    on_private_failure: Callable[[str, SpadeworkError], None]
    patience: Patience
    config_problem: str = ""
    started: float = field(default_factory=time.monotonic)
    tries: list[Attempt] = field(default_factory=list)
    hint: str = ""
    bytes_read: int = 0
    ticket: str = field(default_factory=lambda: uuid.uuid4().hex)
    """The id of the next request for a slot; it stays while a server has too many of them."""
    prefix: str = ""
    too_small: dict[str, int] = field(default_factory=dict)
    """The windows, in tokens, of models that the material did not fit into."""
    clearance: TrustPolicy = field(default_factory=lambda: TrustPolicy("", ()))
    """What the job may be sent to; nothing but local models until its material is known."""
    material: Material = field(default_factory=lambda: Material((), ()))
    has_no_secrets: list[bool] = field(default_factory=list)
    """Filled once the texts were searched, for all that is asked on behalf of the job."""
    _unsure: Answer | None = None

    async def run(self) -> Outcome:
        """Do the job.

        Raises:
            ArgumentError: a required argument is missing, or one is not known.
            ReferenceRefused: a reference may not be read; no model was asked.
            ConfigError: a model's backend is not configured.
        """
        check_arguments(self.tool, self.job)
        form = await CHECKING.run(response_format_of, self.tool.config, self.job)
        confidential = await confidential_reason(self.session, self.config, self.config_problem)
        private = private_reason(self.job, Material((), ()), confidential)
        self.clearance = TrustPolicy.of(self.tool, private, confidential=bool(confidential))
        material = self.material = await self._read()
        self.clearance = replace(
            self.clearance,
            private=private_reason(self.job, material, confidential),
            confidential=bool(confidential) or any(one.confidential for one in material.sources),
        )
        work = prepare(self.tool.config, self.job, form, material)
        self.prefix = digest(material)
        names = await self._candidates()
        question = question_of(self.tool.config, self.job, work.messages, self._max_tokens)
        if (
            self.job.remember
            and not self.job.fresh
            and (known := await self.memory.find(names, question))
        ):
            return self._marked(self._known(known))
        outcome = await self.answered(names, work)
        if isinstance(outcome, HandBack) and self.too_small and self.tool.config.max_parts:
            outcome = await answer_in_parts(self, work, self.too_small, outcome)
        if self.job.remember and isinstance(outcome, Answer):
            await self.memory.keep(question, outcome)
        return self._marked(outcome)

    def _marked(self, outcome: Outcome) -> Outcome:
        """Say of an answer that it was made of something private, and where it was processed."""
        if not self.clearance.private or not isinstance(outcome, Answer):
            return outcome
        notes = outcome.notes
        if self.clearance.confidential:
            notes = (
                *notes,
                f"confidential: processed by {display_name(outcome.model)}, a local model",
            )
        return replace(outcome, private=True, notes=notes)

    async def answered(self, names: list[str], work: PreparedJob) -> Outcome:
        """Ask the models in order until one gives an answer that passes the checks."""
        allowed = names
        while names:
            asked: list[str] = []
            try:
                answer = await self._ask_one_of(names, asked, work)
                return await apply_judge(self, answer, allowed, work)
            except SpadeworkError as error:
                if not error.another_model_may_cure:
                    raise
                names = self._left_after(error, names, asked) or await outlast(self, allowed)
                work = work.after(error) if is_advice(error) else work
        if self._unsure:
            return replace(self._unsure, tries=tuple(self.tries))
        return self._hand_back()

    def _known(self, found: Answer) -> Answer:
        """An answer that was given before, with the figures of this call."""
        figures = self._complete(Figures(), len(found.text.encode()))
        return replace(found, figures=figures, tries=tuple(self.tries))

    @property
    def _max_tokens(self) -> int:
        return self.job.max_tokens or self.tool.config.max_tokens

    @property
    def deadline(self) -> float:
        """When the job must be done, on the clock of `time.monotonic`."""
        return self.started + self.tool.config.deadline

    def seconds_left(self) -> float:
        """Seconds until the job's deadline."""
        return max(0.0, self.deadline - time.monotonic())

    def elapsed(self) -> float:
        """Seconds since the job came in."""
        return time.monotonic() - self.started

    async def _read(self) -> Material:
        if self.job.files:
            self.listener.progress(Progress("reading", f"reading {', '.join(self.job.files)}"))
        material = await read_material(self.job, self.session, self.config, self.deadline)
        texts = sum(len(text.encode()) for text in self.job.texts.values())
        self.bytes_read = material.bytes + texts
        return material

    def _patterns(self) -> tuple[str, ...]:
        return patterns_of(self.job.models or self.tool.config.models, self.catalog.backends)

    async def _candidates(self) -> list[str]:
        """Name the models that may answer, in order; none if the servers take too long."""
        while True:
            try:
                async with asyncio.timeout(self.seconds_left()):
                    names = worth_listing(self.clearance, self.catalog)
                    found, self.tries = await candidates(
                        self._patterns(), names, self.catalog.models
                    )
                    allowed = await self.cleared(found)
            except TimeoutError:
                self._note("", out_of_time(", ".join(self._patterns()), ""))
                return []
            if allowed or not await outlast(self, [one.model for one in self.tries]):
                return allowed

    async def cleared(self, found: Mapping[str, ModelInfo | None]) -> list[str]:
        """Leave out models that may not have this; a refusal of one that was wanted is a try."""
        names, refused = await split_by_clearance(found, self.clearance, self.catalog)
        is_expected = names and not (self.job.models or self.tool.config.models)
        for name, error in refused:
            if not (is_expected and isinstance(error, TrustRefused | PrivateRefused)):
                self._note_failure(name, error, temporary=error.is_temporary)
        return names

    async def _ask_one_of(
        self,
        names: list[str],
        asked: list[str],
        work: PreparedJob,
    ) -> Answer:
        """Wait for a slot of one of these models and ask it; its name is noted in `asked`."""
        async with self.queue.slot(self.request(names), self.tell_place) as slot:
            asked.append(str(slot.model))
            self._note_passed_over(names[: names.index(asked[0])])
            if slot.cold:
                about = f", about {slot.swap:.0f} s" if slot.swap >= 1 else ""
                loading = f"{display_name(str(slot.model))} is being loaded{about}"
                self.listener.progress(Progress("loading", loading))
            return await self._ask(slot, work)

    def request(self, names: Sequence[str]) -> SlotRequest:
        """What the queue is asked for: a slot of one of these models."""
        trust = {name: self.catalog.last_trust(name) for name in names}
        return SlotRequest(
            id=self.ticket,
            session=self.session.name,
            tiers=preference_groups(names, trust),
            kind=self.job.kind,
            prefix=self.prefix,
            deadline=self.deadline,
            tool=self.tool.name,
        )

    def tell_place(self, place: QueuePosition) -> None:
        """Tell the listener where in the queue this job stands."""
        about = f", about {place.seconds:.0f} s" if place.seconds >= 1 else ""
        model = display_name(str(place.model))
        message = f"place {place.position} in the queue for {model}{about}"
        self.listener.progress(Progress("waiting", message))

    def _left_after(self, error: SpadeworkError, names: list[str], asked: list[str]) -> list[str]:
        """Note a failure; name the models that may still be asked."""
        if not asked:  # the queue refused them all
            self._note_refusal(error, names)
            return []
        (name,) = asked
        if isinstance(error, DeadlinePassed):
            self._note(name, error)
            return []
        if is_refused_for_now(error) and self.patience.waits_its_turn(name):
            return names  # in its place in the queue, with the same ticket
        self.ticket = uuid.uuid4().hex
        if isinstance(error, ContextExceeded) and error.window is not None:
            self.too_small[name] = error.window
        temporary = self.patience.outlasts(name, error, self.queue.answers_of(name))
        self._note_failure(name, error, temporary=temporary)
        return [other for other in names if other != name]

    def _note_refusal(self, error: SpadeworkError, names: list[str]) -> None:
        if isinstance(error, Overloaded) or not self._note_passed_over(names):
            self._note(names[0], error)

    def _note_passed_over(self, names: list[str]) -> bool:
        """Note each model that is set aside as tried, once; tell whether there was one."""
        refusals = {name: self.queue.refusal_of(name) for name in names}
        tried = {one.model for one in self.tries}
        for name, refusal in refusals.items():
            if refusal and name not in tried:
                self._note(name, refusal, temporary=refusal.is_temporary)
        return any(refusals.values())

    async def _ask(self, slot: Slot, work: PreparedJob) -> Answer:
        tool = self.tool.config
        info = await self.cleared_model(str(slot.model))
        limits = self.limits(self._max_tokens)
        backend, _ = self.catalog.find(str(slot.model))
        asking = AttemptContext(work.messages, work.demand, limits, tool.temperature)
        checked, figures = await run_attempt(backend, info, asking, self.listener, slot.first_token)
        notes = [info.note] if info.note else []
        notes += [*notes_on(work.material), *checked.notes]
        answer = Answer(
            text=checked.text,
            model=info.id,
            figures=self._complete(figures, len(checked.text.encode())),
            tries=tuple(self.tries),
            notes=tuple(notes),
            value=checked.value,
            confidence=checked.confidence,
            checks=checked.checks,
        )
        self._check_confidence(answer)
        return answer

    async def cleared_model(self, model_id: str) -> ModelInfo:
        """Describe the model that is about to be sent something, if it may be.

        Raises:
            PrivateRefused: something of the job is private and the model is not local.
            TrustRefused: the model is not local, and not listed.
            SecretRefused: the model is not local, and there is a key or a password in the job.
            DeadlinePassed: the server did not say in time what the model is.
        """
        try:
            async with asyncio.timeout(self.seconds_left()):
                info = await self.catalog.describe(model_id)
        except TimeoutError:
            backend, _, model = model_id.partition("/")
            raise out_of_time(backend, model) from None
        self.clearance.require(info)
        if info.trust != "local" and not self.has_no_secrets:
            texts = texts_of_job(self.job, self.material, self.tool.config.labels)
            await CHECKING.run(refuse_secrets, texts)
            self.has_no_secrets.append(True)
        return info

    def limits(self, max_tokens: int) -> Limits:
        """How long the next answer may be, in tokens and in seconds."""
        left = self.seconds_left()
        timeout = self.tool.config.timeout
        return Limits(max_tokens, min(timeout, left), of_call=left < timeout)

    def _check_confidence(self, answer: Answer) -> None:
        """Keep the surest label that is not sure enough, for the case that no model is."""
        least = self.tool.config.least_confidence
        if answer.confidence is None or answer.confidence >= least:
            return
        said = f"{answer.text!r} is more probable than the next label by {answer.confidence:.2f}"
        failure = CheckFailed("confidence", f"{said}; the tool wants {least:g}")
        before = self._unsure.confidence if self._unsure else None
        if before is None or answer.confidence > before:
            note = f"most probable: {answer.text} ({answer.confidence:.2f}, {least:g} is wanted)"
            self._unsure = replace(answer, text=UNSURE, unsure=True, notes=(note, *answer.notes))
        raise failure

    def _note_failure(self, name: str, error: SpadeworkError, *, temporary: bool) -> None:
        self.catalog.forget(name)
        note = self.on_private_failure if self.clearance.private else self.on_failure
        note(name, error)
        self._note(name, error, temporary=temporary)

    def _note(self, name: str, error: SpadeworkError, *, temporary: bool = False) -> None:
        self.hint = error.hint or self.hint
        check = error.check if isinstance(error, CheckFailed) else ""
        self.tries.append(Attempt(name, type(error).__name__, str(error), check, temporary))
        self.listener.progress(Progress("next-model", str(self.tries[-1])))

    def _hand_back(self) -> HandBack:
        tries = tuple(self.tries)
        if not tries:
            tries = (
                Attempt("", "ModelUnknown", f"no model matches {', '.join(self._patterns())}"),
            )
            self.hint = self.hint or "`spadework models` lists what there is"
        return HandBack(self.tool.name, tries, self._complete(Figures(), 0), self.hint)

    def _complete(self, figures: Figures, bytes_returned: int) -> Figures:
        return replace(
            figures,
            seconds=self.elapsed(),
            bytes_read=self.bytes_read,
            bytes_returned=bytes_returned,
        )
