"""The engine, called by the MCP server, the CLI and the API; owns backends and ledger."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from spadework.backends.registry import open_backends
from spadework.config.api_keys import window_keys
from spadework.config.models import EMBEDDED
from spadework.engine.answer_cache import AnswerCache
from spadework.engine.candidates import list_models, patterns_of, unusable
from spadework.engine.delegation import Delegation
from spadework.engine.delegation_context import Services
from spadework.engine.job import Answer, Figures, Listener, Postponed
from spadework.engine.model_catalog import Catalog
from spadework.engine.model_inventory import ModelInventory
from spadework.engine.queue import Queue
from spadework.engine.scheduling.status import ErrorStatus
from spadework.engine.tools import all_tools, find_tool, local_only_tools
from spadework.errors import BackendError, LedgerError, ReferenceRefused
from spadework.references import memory_budget
from spadework.storage.ledger import Ledger, LedgerEntry, ledger_path
from spadework.util.untrusted_text import display_name, one_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path
    from typing import Self

    from spadework.backends.base import Backend, ModelInfo
    from spadework.config.models import Config
    from spadework.engine.job import Job, Outcome, Session
    from spadework.engine.scheduling.status import StatusReport
    from spadework.engine.tools import Tool
    from spadework.errors import SpadeworkError
    from spadework.storage.ledger import LedgerOutcome, Pace

    Found = TypeVar("Found")

log = logging.getLogger(__name__)

_ERRORS_REMEMBERED = 20
_WITHHELD = "withheld: it was about something private"
_LONGEST_ERROR = 3000  # characters
_SECONDS_FOR_STATUS = 2.0


def _noting_failure(model: ModelInfo, failing: Mapping[str, str]) -> ModelInfo:
    """Add how a model's server failed when it was last asked, where the server does not say so."""
    if model.failed or model.loaded:
        return model
    return replace(model, failed=failing.get(display_name(model.id), ""))


class Engine:
    """Delegates jobs to models. One per process; sessions share it.

    Use it as an async context manager: leaving it ends the embedded engine's child and closes
    every connection.

    Args:
        config: the user's config.
        backends: the backends by name, the embedded one included.
        ledger: where the record goes; it is opened at the first delegation.
    """

    def __init__(self, config: Config, backends: Mapping[str, Backend], ledger: Path) -> None:
        self.config = config
        self.queue = Queue(config, backends)
        self.catalog = Catalog(backends, self.queue.ask)
        self._answer_cache = AnswerCache(config.cache)
        self._errors: deque[ErrorStatus] = deque(maxlen=_ERRORS_REMEMBERED)
        self._ledger_path = ledger
        self._ledger: Ledger | None = None
        self.config_problem = ""
        """Why the config file, as it is now, cannot be used: then only local models are asked."""
        self._running = 0
        self._retired: list[tuple[Backend, set[object]]] = []
        """Backends removed from the config that running calls may still use."""
        self._users: set[object] = set()

    @classmethod
    def from_config(cls, config: Config, environ: Mapping[str, str] | None = None) -> Self:
        """Build an engine with the backends that the config names.

        Raises:
            ConfigError: a key's file cannot be read.
        """
        environment = os.environ if environ is None else environ
        memory_budget.configure(config.references.max_memory_bytes)
        return cls(config, open_backends(config, environment), ledger_path(config))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the backends and the ledger."""
        await self.queue.close()
        for backend in (*(one for one, _ in self._retired), *self.catalog.backends.values()):
            await backend.close()
        self._answer_cache.close()
        if self._ledger:
            self._ledger.close()
            self._ledger = None

    async def reconfigure(self, config: Config, environ: Mapping[str, str] | None = None) -> None:
        """Take a changed config; delegations under way finish with the old one.

        Raises:
            ConfigError: a key's file cannot be read; the old config stays.
        """
        old = self.catalog.backends
        opened = open_backends(config, os.environ if environ is None else environ, old)
        gone = [one for name, one in old.items() if opened.get(name) is not one]
        self._retired += [(one, set(self._users)) for one in gone]
        self.config, self.catalog = config, Catalog(opened, self.queue.ask)
        self.queue.reconfigure(config, opened)
        self._answer_cache.reconfigure(config.cache)
        memory_budget.configure(config.references.max_memory_bytes)
        await self._close_retired()

    def tools(self, project: Path) -> dict[str, Tool]:
        """Every tool of a session by name: the user's, then what its project adds.

        Raises:
            ConfigError: the project's file is wrong.
        """
        return all_tools(project, self.config)

    def find_tool(self, name: str, project: Path) -> Tool:
        """Find a tool by name; a project's broken file does not hide the user's tools.

        Raises:
            ArgumentError: the tool is unknown.
            ConfigError: it could only be the project's, and its file is wrong.
        """
        return find_tool(name, project, self.config)

    async def survey(self, tools: Mapping[str, Tool]) -> ModelInventory:
        """List every model of every backend now, and which of these tools use it."""
        backends = self.catalog.backends
        async with self._using_backends():
            models, failed = await list_models(
                backends, lambda name: self.queue.ask(name, backends[name].models)
            )
        if len(backends) > 1:  # who has servers may well do without the demonstration model
            failed = [one for one in failed if one.model != EMBEDDED]
        failing = self._recorded(lambda ledger: ledger.failing()) or {}
        return ModelInventory(
            models=tuple(_noting_failure(model, failing) for model in models),
            failed=tuple(failed),
            patterns={
                name: patterns_of(one.config.models, backends) for name, one in tools.items()
            },
            states=self.queue.snapshot().by_model(),
            local_only=local_only_tools(tools),
            warnings=tuple(
                f"{name}: {said}" for name, one in backends.items() if (said := unusable(one))
            ),
        )

    def measured_speed(self, model_id: str) -> float | None:
        """Tokens per second of a model's recent answers; None before the first."""
        return self._recorded(lambda ledger: ledger.speed(model_id))

    def measured_pace(self, model_id: str) -> Pace | None:
        """How fast a model read and wrote lately; None before its first answer."""
        return self._recorded(lambda ledger: ledger.pace(model_id))

    def _recorded(self, question: Callable[[Ledger], Found | None]) -> Found | None:
        """Ask the ledger, if there is one; one that cannot be read says nothing."""
        if self._ledger is None and not self._ledger_path.exists():
            return None
        try:
            return question(self._open_ledger())
        except LedgerError as failure:
            log.warning("%s", failure)
            return None

    async def delegate(
        self, job: Job, session: Session, listener: Listener | None = None
    ) -> Outcome:
        """Do one job, or hand it back. Cancelling the task stops the model.

        Raises:
            ArgumentError: the tool is unknown, or its arguments are wrong.
            ReferenceRefused: a reference may not be read; no model was asked.
            ConfigError: a model's backend is not configured, or the project's file is wrong.
        """
        services = Services(
            self.config,
            self.catalog,
            self.queue,
            self._answer_cache,
            self.measured_pace,
            self._note_error,
            self._note_kind,
            self.config_problem,
        )
        tool = self.find_tool(job.tool, session.project)
        delegation = Delegation(services, job, session, tool, listener or Listener())
        keys = window_keys.set(session.keys or window_keys.get())
        self._running += 1
        try:
            async with self._using_backends():
                return await self._run(delegation)
        finally:
            self._running -= 1
            window_keys.reset(keys)

    async def _run(self, delegation: Delegation) -> Outcome:
        """Run a delegation and record how it ended, whatever happens."""
        try:
            outcome = await delegation.run()
        except asyncio.CancelledError:
            self._record(delegation, "cancelled")
            raise
        except ReferenceRefused as error:
            self._record(delegation, "refused", error=str(error))
            raise
        except Postponed:
            raise
        except Exception as error:
            self._record(delegation, "failed", error=str(error))
            raise
        else:
            if not isinstance(outcome, Answer):
                self._record(delegation, "handed-back", figures=outcome.figures)
                return outcome
            problem = self._record(delegation, "answered", answer=outcome)
            return replace(outcome, notes=(*outcome.notes, problem)) if problem else outcome

    async def status(self) -> StatusReport:
        """How everything stands: the queue, the servers that answer, the last failures."""
        backends = self.catalog.backends
        async with self._using_backends():
            answers = await asyncio.gather(*map(self._loaded, backends))
        loaded = dict(zip(backends, answers, strict=True))
        report = self.queue.snapshot()
        return replace(
            report,
            backends=tuple(
                replace(one, kind=backends[one.name].kind, loaded=loaded[one.name])
                for one in report.backends
                if one.name in backends
            ),
            breakers=tuple(
                one for one in report.breakers if one.name.partition("/")[0] in backends
            ),
            errors=tuple(self._errors),
        )

    async def _loaded(self, backend: str) -> tuple[str, ...] | None:
        try:
            async with asyncio.timeout(_SECONDS_FOR_STATUS):
                names = await self.catalog.loaded(backend)
        except (BackendError, TimeoutError):
            return None  # the breakers and the errors tell
        return None if names is None else tuple(sorted(names))

    @property
    def running(self) -> int:
        """How many delegations are under way, those that wait included."""
        return self._running

    def _note_error(self, model: str, error: SpadeworkError) -> None:
        self._errors.append(ErrorStatus(time.time(), model, type(error).__name__, str(error)))

    def _note_kind(self, model: str, error: SpadeworkError) -> None:
        """Remember a failure of something private: what kind it was, and no words of it."""
        self._errors.append(ErrorStatus(time.time(), model, type(error).__name__, _WITHHELD))

    @asynccontextmanager
    async def _using_backends(self) -> AsyncIterator[None]:
        """Keep the backends of now open for the body, whatever the config says meanwhile."""
        user = object()
        self._users.add(user)
        try:
            yield
        finally:
            self._users.discard(user)
            for _, users in self._retired:
                users.discard(user)
            await self._close_retired()

    async def _close_retired(self) -> None:
        unused = [one for one, users in self._retired if not users]
        self._retired = [(one, users) for one, users in self._retired if users]
        for backend in unused:
            await backend.close()

    def _record(
        self,
        delegation: Delegation,
        outcome: LedgerOutcome,
        *,
        answer: Answer | None = None,
        figures: Figures | None = None,
        error: str = "",
    ) -> str:
        """Write the ledger's row. A full disk must not cost the user the answer: it is logged."""
        figures = answer.figures if answer else figures or Figures()
        context = delegation.context
        withheld = bool(context.trust_policy.private)
        entry = LedgerEntry(
            at=time.time(),
            session=context.session.name,
            tool=context.tool.name,
            model=answer.model if answer else "",
            outcome=outcome,
            prompt_tokens=figures.prompt_tokens,
            completion_tokens=figures.completion_tokens,
            first_token_seconds=figures.first_token_seconds,
            answering_seconds=figures.answering_seconds,
            seconds=context.elapsed(),
            bytes_read=delegation.bytes_read,
            bytes_returned=figures.bytes_returned,
            tries=tuple(one.without_words if withheld else str(one) for one in delegation.attempts),
            failures=tuple((one.model, one.code) for one in delegation.attempts),
            error=_WITHHELD if error and withheld else one_line(error, _LONGEST_ERROR),
            confidence=answer.confidence if answer else None,
            checks=answer.checks if answer else (),
            run=context.session.run,
        )
        try:
            self._open_ledger().record(entry)
        except LedgerError as failure:
            log.warning("not recorded: %s", failure)
            self._note_error("ledger", failure)
            return f"not recorded: {failure}"
        return ""

    def _open_ledger(self) -> Ledger:
        if self._ledger is None:
            self._ledger = Ledger(self._ledger_path)
        return self._ledger
