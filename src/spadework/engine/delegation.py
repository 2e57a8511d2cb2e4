"""Runs one delegation, from a job to an answer or a hand-back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from spadework.engine.answer_cache import question_of
from spadework.engine.attempt import out_of_time
from spadework.engine.attempt_trace import AttemptTrace
from spadework.engine.candidates import candidates, patterns_of, worth_listing
from spadework.engine.delegation_context import DelegationContext
from spadework.engine.job import Answer, Figures, HandBack, Progress
from spadework.engine.job_inputs import (
    check_arguments,
    confidential_reason,
    prefix_digest,
    private_reason,
    read_material,
)
from spadework.engine.map_reduce.map_reduce import answer_in_parts
from spadework.engine.model_chain import ModelChain
from spadework.engine.patience import Patience
from spadework.engine.prompt_messages import prepare, response_format_of
from spadework.engine.thread_pools import CHECKING
from spadework.engine.trust_policy import TrustPolicy
from spadework.references.reader import Material
from spadework.util.untrusted_text import display_name

if TYPE_CHECKING:
    from spadework.engine.delegation_context import Services
    from spadework.engine.job import Attempt, Job, Listener, Outcome, Session
    from spadework.engine.tools import Tool


class Delegation:
    """A job in progress; it collects the fields of its ledger row as they become known.

    Args:
        services: what the engine lends.
        job: what is wanted.
        session: who wants it.
        tool: the tool that the job names.
        listener: receives the progress.
    """

    def __init__(
        self, services: Services, job: Job, session: Session, tool: Tool, listener: Listener
    ) -> None:
        self.context = DelegationContext(services, job, session, tool, listener)
        patterns = patterns_of(job.models or tool.config.models, services.catalog.backends)
        patience = Patience.of_job(job, services.config.queue.patience)
        self._trace = AttemptTrace(self.context, patience, patterns)
        self._chain = ModelChain(self._trace)

    @property
    def attempts(self) -> list[Attempt]:
        """What was tried so far."""
        return self._trace.attempts

    @property
    def bytes_read(self) -> int:
        """The size of the material that was read, in bytes."""
        return self._chain.bytes_read

    async def run(self) -> Outcome:
        """Do the job.

        Raises:
            ArgumentError: a required argument is missing, or one is not known.
            ReferenceRefused: a reference may not be read; no model was asked.
            ConfigError: a model's backend is not configured.
        """
        context, job, tool = self.context, self.context.job, self.context.tool
        cache = context.services.answer_cache
        check_arguments(tool, job)
        form = await CHECKING.run(response_format_of, tool.config, job)
        await self._decide_trust()
        work = prepare(tool.config, job, form, context.material)
        self._trace.prefix_digest = prefix_digest(context.material)
        names = await self._candidates()
        question = question_of(tool.config, job, work.messages, context.max_tokens)
        if job.use_cache and not job.fresh and (known := await cache.find(names, question)):
            return self._marked(self._known(known))
        outcome = await self._chain.run(names, work)
        if isinstance(outcome, HandBack) and self._trace.too_small and tool.config.max_parts:
            outcome = await answer_in_parts(self._chain, work, self._trace.too_small, outcome)
        if job.use_cache and isinstance(outcome, Answer):
            await cache.keep(question, outcome)
        return self._marked(outcome)

    async def _decide_trust(self) -> None:
        """Read the material, and decide from it what the job may be sent to."""
        context = self.context
        services, job = context.services, context.job
        confidential = await confidential_reason(
            context.session, services.config, services.config_problem
        )
        private = private_reason(job, Material((), ()), confidential)
        trust_policy = TrustPolicy.of(context.tool, private, confidential=bool(confidential))
        context.trust_policy = trust_policy
        material = context.material = await self._read()
        context.trust_policy = replace(
            trust_policy,
            private=private_reason(job, material, confidential),
            confidential=bool(confidential) or any(one.confidential for one in material.sources),
        )

    async def _read(self) -> Material:
        context, job = self.context, self.context.job
        if job.files:
            context.listener.progress(Progress("reading", f"reading {', '.join(job.files)}"))
        config = context.services.config
        material = await read_material(job, context.session, config, context.deadline)
        texts = sum(len(text.encode()) for text in job.texts.values())
        self._chain.bytes_read = material.bytes + texts
        return material

    async def _candidates(self) -> list[str]:
        """Name the models that may answer, in order; none if the servers take too long."""
        context, trace = self.context, self._trace
        catalog = context.services.catalog
        while True:
            try:
                async with asyncio.timeout(context.seconds_left()):
                    names = worth_listing(context.trust_policy, catalog)
                    found, trace.attempts = await candidates(trace.patterns, names, catalog.models)
                    allowed = await trace.permitted_models(found)
            except TimeoutError:
                trace.record("", out_of_time(", ".join(trace.patterns), ""))
                return []
            if allowed or not await trace.wait_for_recovery([one.model for one in trace.attempts]):
                return allowed

    def _known(self, found: Answer) -> Answer:
        """Return an answer that was given before, with the figures of this call."""
        figures = self._chain.complete(Figures(), len(found.text.encode()))
        return replace(found, figures=figures, tries=tuple(self._trace.attempts))

    def _marked(self, outcome: Outcome) -> Outcome:
        """Mark an answer that was made of something private, and say where it was processed."""
        trust_policy = self.context.trust_policy
        if not trust_policy.private or not isinstance(outcome, Answer):
            return outcome
        notes = outcome.notes
        if trust_policy.confidential:
            notes = (
                *notes,
                f"confidential: processed by {display_name(outcome.model)}, a local model",
            )
        return replace(outcome, private=True, notes=notes)
