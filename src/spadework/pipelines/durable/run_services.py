"""What this process gives the calls of its runs: config, tools, privacy, access to Claude."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spadework.config.models import EMBEDDED
from spadework.engine.job import Job, Session
from spadework.engine.job_inputs import read_material
from spadework.engine.thread_pools import CHECKING
from spadework.engine.tools import find_tool
from spadework.engine.trust_policy import Text, refuse_secrets, sent_texts
from spadework.errors import ConfigError
from spadework.pipelines.claude_api.access import has_key
from spadework.pipelines.claude_api.budget import Budget
from spadework.pipelines.claude_api.request import ClaudeRequest
from spadework.pipelines.item_privacy import check_for_claude
from spadework.pipelines.private_references import private_reference
from spadework.storage.ledger import Ledger, ledger_path
from spadework.util.serialization import encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from spadework.config.models import Config
    from spadework.config.pipeline_config import ClaudeApiConfig
    from spadework.engine.tools import Tool
    from spadework.pipelines.calls import ModelCall
    from spadework.pipelines.claude_api.service import ClaudeService
    from spadework.pipelines.store.database import Database
    from spadework.pipelines.store.records import Run
    from spadework.pipelines.store.runs import Runs

_SERVICE = "spadework.pipelines.claude_api.service"
SESSION = "pipeline"
NO_KEY = "ANTHROPIC_API_KEY is not set"
NOT_WANTED = "--no-claude was given"


class ClaudeAccess:
    """Sends the Claude calls of pipelines.

    Args:
        config: the user's config.
        database: where calls and spending are kept.
    """

    def __init__(self, config: Config, database: Database) -> None:
        self._config = config
        self._database = database
        self._budget = Budget(database.engine)
        self._ledger: Ledger | None = None
        self._service: ClaudeService | None = None

    @property
    def is_open(self) -> bool:
        """Whether this process can ask Claude."""
        try:
            return has_key(self._config.claude_api)
        except ConfigError:
            return False

    def why_shut(self, run: Run) -> str:
        """Say why a run cannot ask Claude; empty if it can.

        Raises:
            ConfigError: what is set as the key must not be used; no local model hides it.
        """
        if not run.options.uses_claude:
            return NOT_WANTED
        return "" if has_key(self._config.claude_api) else NO_KEY

    def spent_usd(self, run: str) -> float:
        """What a run has spent so far, in US dollars."""
        return self._budget.spent(run).spent_usd

    async def ask(
        self,
        run: Run,
        session: Session,
        call_id: str,
        step: str,
        call: ModelCall,
        check: Callable[[], Awaitable[None]],
    ) -> Any:
        """Ask; the call is recorded, and one that was answered before is not sent again.

        Args:
            run: the run, whose budget holds.
            session: where references start from.
            call_id: the call's id.
            step: the name of the pipeline's function.
            call: what is asked, as `for_claude` made it.
            check: called right before anything is sent; raises PrivateRefused if it may not.

        Returns:
            A `Reply` as JSON has it.

        Raises:
            BudgetReached: it could pass the budget; nothing was sent.
            PrivateRefused: a file or the item is private; nothing was sent.
            ConfigError: the key is missing, or the model has no known price.
            BackendError: the API failed for good.
        """
        request = await request_of(step, call, session, self._config)
        await asyncio.to_thread(import_module, _SERVICE)  # else the SDK holds up every other call
        reply = await self.service.ask(
            run.id,
            call_id,
            step,
            request,
            budget_usd=run.options.budget_usd,
            batch=run.options.batch,
            check=check,
        )
        return encode(reply)

    @property
    def service(self) -> ClaudeService:
        """The service that calls the API.

        Raises:
            ConfigError: the key is missing, or what is set must not be used.
        """
        if self._service is None:
            self._ledger = self._ledger or Ledger(ledger_path(self._config))
            engine = self._database.engine
            service: type[ClaudeService] = import_module(_SERVICE).ClaudeService  # the SDK is heavy
            self._service = service(self._config.claude_api, engine, self._ledger)
        return self._service

    async def close(self) -> None:
        """Close the connections and the ledger."""
        if self._service:
            await self._service.close()
        if self._ledger:
            self._ledger.close()


class RunServices:
    """Answers what a call asks about its run.

    Args:
        config: the user's config.
        runs: where runs are kept.
        claude: asks Claude, or says why it cannot be asked.
    """

    def __init__(self, config: Config, runs: Runs, claude: ClaudeAccess) -> None:
        self.config = config
        self.runs = runs
        self._claude = claude
        self._told: set[tuple[str, str]] = set()

    @property
    def backends(self) -> list[str]:
        """The names of the backends that this process can ask."""
        return [*self.config.backends, EMBEDDED]

    def find_tool(self, name: str, run: Run) -> Tool:
        """Find a tool by name.

        Raises:
            ArgumentError: there is none.
        """
        return find_tool(name, Path(run.options.project), self.config)

    def why_no_claude(self, run: Run) -> str:
        """Say why a run cannot ask Claude; empty if it can."""
        return self._claude.why_shut(run)

    async def find_private(self, references: Sequence[str], run: Run) -> str | None:
        """Find one of the references that leads to something private, as `private_reference` does.

        Raises:
            RunsUnavailable: the database cannot be used.
        """
        outs = await asyncio.to_thread(self.runs.private_outs)
        return await private_reference(references, self.session_of(run), self.config, outs)

    async def tell_once(self, run: str, text: str) -> None:
        """Add a line to a run's log, once in this process."""
        if (run, text) not in self._told:
            self._told.add((run, text))
            await asyncio.to_thread(self.runs.tell, run, text)

    def session_of(self, run: Run) -> Session:
        """Who a run's delegations are made for."""
        options = run.options
        roots = tuple(Path(root) for root in options.roots)
        return Session(Path(options.project), roots, SESSION, run=run.id)


def for_claude(call: ModelCall, config: ClaudeApiConfig) -> ModelCall:
    """A call as it is kept, and found again: with the config's model and longest reply."""
    return replace(
        call,
        model=call.model or config.model,
        max_tokens=call.max_tokens or config.max_tokens,
        instead=None,
        private=False,
    )


async def request_of(step: str, call: ModelCall, session: Session, config: Config) -> ClaudeRequest:
    """Read what the references of a call stand for.

    Raises:
        PrivateRefused: one of them is private.
        SecretRefused: there is a key or a password in it.
        ReferenceRefused: one of them may not be read.
    """
    job = Job("", {}, files=call.files, texts={**call.texts, "shared": call.shared})
    material = await read_material(job, session, config)
    check_for_claude(step, private=False, sources=material.sources)
    asked = [
        Text("the prompt", call.prompt),
        Text("the system prompt", call.system),
        Text("the shared text", call.shared),
    ]
    await CHECKING.run(refuse_secrets, [*asked, *sent_texts(material.sources, call.texts)])
    read = tuple((source.path, source.text) for source in material.sources)
    return ClaudeRequest(
        model=call.model or config.claude_api.model,
        prompt=call.prompt,
        system=call.system,
        shared=call.shared,
        material=(*read, *call.texts.items()),
        max_tokens=call.max_tokens or config.claude_api.max_tokens,
    )
