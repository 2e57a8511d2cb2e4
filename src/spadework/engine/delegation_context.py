"""What every request of one delegation shares: its services, its limits and its trust policy."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from spadework.engine.attempt import Limits, out_of_time
from spadework.engine.job import Listener, Progress
from spadework.engine.thread_pools import CHECKING
from spadework.engine.trust_policy import TrustPolicy, refuse_secrets, texts_of_job
from spadework.references.reader import Material
from spadework.util.untrusted_text import display_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from spadework.backends.base import ModelInfo
    from spadework.config.models import Config
    from spadework.engine.answer_cache import AnswerCache
    from spadework.engine.job import Job, Session
    from spadework.engine.model_catalog import Catalog
    from spadework.engine.queue import Queue
    from spadework.engine.scheduling.slot_requests import QueuePosition
    from spadework.engine.tools import Tool
    from spadework.errors import SpadeworkError
    from spadework.storage.ledger import Pace


@dataclass(frozen=True, slots=True)
class Services:
    """What the engine lends to a delegation; the same objects for all of them.

    `pace` returns how fast a model was lately, None before its first answer; `on_failure` records
    a failure for the status, `on_private_failure` its kind alone. `config_problem` is why the
    config file cannot be used now, empty if it can.
    """

    config: Config
    catalog: Catalog
    queue: Queue
    answer_cache: AnswerCache
    pace: Callable[[str], Pace | None]
    on_failure: Callable[[str, SpadeworkError], None]
    on_private_failure: Callable[[str, SpadeworkError], None]
    config_problem: str = ""


@dataclass(slots=True)
class DelegationContext:
    """A job with all that its requests to models need; it knows nothing of their replies."""

    services: Services
    job: Job
    session: Session
    tool: Tool
    listener: Listener
    started: float = field(default_factory=time.monotonic)
    trust_policy: TrustPolicy = field(default_factory=lambda: TrustPolicy("", ()))
    """What the job may be sent to; nothing but local models until its material is known."""
    material: Material = field(default_factory=lambda: Material((), ()))
    has_no_secrets: list[bool] = field(default_factory=list)
    """Filled once the texts were searched, for all that is asked on behalf of the job."""

    def for_map_step(self, max_tokens: int) -> DelegationContext:
        """Return the context of a step that takes notes: it is not shown, and not judged."""
        config = self.tool.config
        plain = {"least_confidence": 0.0, "verify": "none" if config.verify == "none" else "checks"}
        return replace(
            self,
            job=replace(self.job, kind="batch", max_tokens=max_tokens),
            tool=replace(self.tool, config=config.model_copy(update=plain)),
            listener=Listener(),
        )

    @property
    def max_tokens(self) -> int:
        """How long an answer may be, in tokens."""
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

    def limits(self, max_tokens: int) -> Limits:
        """How long the next answer may be, in tokens and in seconds."""
        left = self.seconds_left()
        timeout = self.tool.config.timeout
        return Limits(max_tokens, min(timeout, left), of_call=left < timeout)

    def report_position(self, place: QueuePosition) -> None:
        """Report to the listener where in the queue this job is."""
        about = f", about {place.seconds:.0f} s" if place.seconds >= 1 else ""
        model = display_name(str(place.model))
        message = f"place {place.position} in the queue for {model}{about}"
        self.listener.progress(Progress("waiting", message))

    async def permitted_model(self, model_id: str) -> ModelInfo:
        """Describe the model that is about to be sent something, if it may be.

        Raises:
            PrivateRefused: something of the job is private and the model is not local.
            TrustRefused: the model is not local, and not listed.
            SecretRefused: the model is not local, and there is a key or a password in the job.
            DeadlinePassed: the server did not say in time what the model is.
        """
        try:
            async with asyncio.timeout(self.seconds_left()):
                info = await self.services.catalog.describe(model_id)
        except TimeoutError:
            backend, _, model = model_id.partition("/")
            raise out_of_time(backend, model) from None
        self.trust_policy.require(info)
        if info.trust != "local" and not self.has_no_secrets:
            texts = texts_of_job(self.job, self.material, self.tool.config.labels)
            await CHECKING.run(refuse_secrets, texts)
            self.has_no_secrets.append(True)
        return info
