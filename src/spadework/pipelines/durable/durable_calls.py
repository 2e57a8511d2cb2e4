"""The durable calls of one item: how a run implements `ask`, `claude` and `step`."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from spadework.engine.candidates import patterns_of
from spadework.engine.job import Answer, HandBack, Job
from spadework.errors import (
    BudgetReached,
    ClaudeAbsent,
    ConfigError,
    PrivateRefused,
    RunsUnavailable,
)
from spadework.pipelines.calls import ModelCall
from spadework.pipelines.durable.run_services import for_claude
from spadework.pipelines.durable.workflows import (
    CLAUDE,
    FREE,
    backend_queue,
    make_again,
    result_of_call,
    was_made,
)
from spadework.pipelines.item_privacy import Branch, check_for_claude, may_leave, private_file
from spadework.pipelines.items import Reply
from spadework.remote.messages import load_error, load_outcome
from spadework.util.serialization import decode, encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from spadework.engine.job import Attempt
    from spadework.pipelines.durable.run_services import RunServices
    from spadework.pipelines.item_privacy import ItemPrivacy
    from spadework.pipelines.items import Item
    from spadework.pipelines.store.records import Run

_Found = TypeVar("_Found")
_DIGEST_LENGTH = 16


class RunStopped(BaseException):
    """The run stops; the item continues when the run is resumed.

    No `Exception`: a pipeline's `except Exception` would make a result of it.
    """


class DurableCalls:
    """Makes the calls of one item, or of a run's end.

    Args:
        services: what this process works with.
        run: the run.
        number: the item's number; 0 for the end.
        step: what messages call it: the name of the pipeline's function.
        privacy: whether the item is private; nothing of it goes to a cloud model then.
        within: the kept step that makes the calls; its calls are told from others like them.
        branch: that step as others of the item see it.
    """

    def __init__(
        self,
        services: RunServices,
        run: Run,
        number: int,
        step: str,
        *,
        privacy: ItemPrivacy,
        within: str = "",
        branch: Branch | None = None,
    ) -> None:
        self._services = services
        self._run = run
        self._number = number
        self._step = step
        self._privacy = privacy
        self._branch = branch or Branch()
        self._within = within
        self._stepping = asyncio.Lock()
        self._made: Counter[str] = Counter()
        self.models: list[str] = []
        self.cost_usd = 0.0
        self.ended: BaseException | None = None
        """Why the run ends here, whatever the pipeline's function makes of it."""

    @property
    def private(self) -> bool:
        """Whether the item is private by now."""
        return self._privacy.private

    def for_item(self, item: Item) -> DurableCalls:
        """Make the calls of a pipeline that is called with an item; it is one with this one."""
        if item.private:
            self._privacy.mark()
        return self

    def setting(self, name: str, default: str) -> str:
        """What the run was given by `--set NAME=VALUE`."""
        return self._run.options.settings.get(name, default)

    def mark_private(self) -> None:
        """Keep what the item asks from now on from cloud models."""
        self._privacy.mark()

    async def ask(self, call: ModelCall) -> Answer:
        """Delegate one piece of work to local models."""
        found = self._services.find_tool(call.tool, self._run)
        job = Job(
            tool=call.tool,
            arguments={found.first_argument: call.prompt, **call.arguments},
            files=call.files,
            texts=call.texts,
            max_tokens=call.max_tokens,
            kind="batch",
            labels=call.labels,
            schema=call.schema,
        )
        await self._look_at(job.files)
        wanted = (call.model,) if call.model else found.config.models
        patterns = patterns_of(wanted, self._services.backends)
        if may_leave(self._services.config, patterns):
            await self._privacy.settled_for_ask(self._branch)
        outcome = await self._ask_in_order(job, patterns)
        if isinstance(outcome, Answer):
            self.models.append(outcome.model)
            if outcome.private and not self.private:  # its files changed since they were looked at
                self._privacy.mark()
                await self._keep_privacy()
            return outcome
        raise outcome.error

    async def _look_at(self, files: Sequence[str]) -> str | None:
        """Find out whether a call's files are private before anything is asked of them.

        Returns:
            The one that is, if that was not known of the item before.
        """
        found = None
        if files and not self.private:
            finding = self._services.find_private(files, self._run)
            if found := await self._privacy.look(self._guarded(finding)):
                self._privacy.mark()
        await self._keep_privacy()
        return found

    async def _keep_privacy(self) -> None:
        await self._guarded(self._privacy.keep())

    async def _guarded(self, doing: Awaitable[_Found]) -> _Found:
        """Do something with the runs' database; if it is away the item goes on later."""
        try:
            return await doing
        except RunsUnavailable as lost:
            self.ended = lost
            raise
        except SQLAlchemyError as lost:
            self.ended = self._services.runs.database.unusable(lost)
            raise self.ended from lost

    async def _ask_in_order(self, job: Job, patterns: Sequence[str]) -> Answer | HandBack:
        """Ask one backend after another, each by its own queue, so that its limit holds.

        A backend that is away is waited for only where no other one can answer.
        """
        own: dict[str, list[str]] = {}
        for pattern in patterns:
            own.setdefault(pattern.partition("/")[0], []).append(pattern)
        if not own:
            raise ConfigError(f"{job.tool}: no backend is configured", hint="`spadework setup`")
        tries: tuple[Attempt, ...] = ()
        for backend, models in own.items():
            here = replace(job, models=tuple(models), patient=len(own) == 1)
            outcome = await self._ask_backend(backend, here, tries)
            if isinstance(outcome, Answer):
                return outcome
            tries = outcome.tries
        away = {one.model.partition("/")[0] for one in tries if one.temporary}
        waited_for = [backend for backend in own if backend in away]
        if len(own) == 1 or not waited_for:
            return outcome
        models = [model for backend in waited_for for model in own[backend]]
        return await self._ask_backend(waited_for[0], replace(job, models=tuple(models)), tries)

    async def _ask_backend(
        self, backend: str, job: Job, before: tuple[Attempt, ...]
    ) -> Answer | HandBack:
        """Ask by a backend's queue; what was tried before is part of the outcome."""
        request = {"ask": encode(replace(job, private=self.private))}
        outcome = load_outcome(await self._result(backend_queue(backend), request))
        return replace(outcome, tries=(*before, *outcome.tries))

    async def claude(self, call: ModelCall) -> Reply:
        """Ask Claude with the user's own key, or the local model that replaces Claude."""
        absent = self._services.why_no_claude(self._run)
        if absent and call.instead:
            return await self._stand_in(call, call.instead, absent)
        asked = for_claude(call, self._services.config.claude_api)
        private = await self._look_at(asked.files)
        with self._privacy.waiting(self._branch):
            await self._privacy.settled()
            await self._keep_privacy()
            request = {"claude": {"step": self._step, "call": encode(asked)}}
            call_id = self._id_of(request)
            await self._check_for_claude(call_id, private)
            if absent:
                raise ClaudeAbsent(
                    f"step {self._step!r} of the pipeline asks Claude: {absent}",
                    hint='set ANTHROPIC_API_KEY, or give the call `instead="ask_local_llama"`',
                )
            queue = FREE if self._run.options.batch else CLAUDE
            result = await self._result(queue, request, call_id)
        reply: Reply = decode(Reply, result, "reply")
        self.models.append(f"claude/{reply.model}")
        self.cost_usd += reply.cost_usd
        return reply

    async def _stand_in(self, call: ModelCall, tool: str, absent: str) -> Reply:
        before = {"instructions": call.system, "shared": call.shared}
        texts = {name: text for name, text in before.items() if text} | dict(call.texts)
        local = ModelCall(call.prompt, tool, call.files, texts, max_tokens=call.max_tokens)
        answer = await self.ask(local)
        await self._services.tell_once(
            self._run.id, f"step {self._step}: {absent}: {answer.model} stood in"
        )
        return Reply(answer.text, answer.model, stood_in=True, note=absent)

    async def _check_for_claude(self, call: str, file: str | None) -> None:
        """Refuse what is private; a reply that came before it was so is still there to be read."""
        try:
            if file:
                raise private_file(self._step, file)
            check_for_claude(self._step, private=self.private)
        except PrivateRefused as refused:
            if await self._guarded(was_made(call)):
                return
            self.ended = refused
            raise

    async def step(self, function: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        """Call a function of the pipeline's file and keep what it returns.

        Steps of one item that run in several processes do not see each other become private, so
        there one follows the other.
        """
        data = {"function": function.__name__, "arguments": list(arguments)}
        async with self._stepping if self._services.runs.database.is_shared else nullcontext():
            await self._keep_privacy()
            request = {"step": data | {"private": self.private}}
            call = self._id_of(request)
            with self._privacy.waiting(self._branch), self._privacy.step(call):
                return await self._result(FREE, request, call)

    def _id_of(self, request: dict[str, Any]) -> str:
        """A call's id: by what it asks and how often that was asked, whatever came between.

        Calls that wait for each other side by side are made in another order after a restart, and
        what was not yet private then may be so now.
        """
        ((kind, data),) = request.items()
        asked = _text({kind: {name: one for name, one in data.items() if name != "private"}})
        digest = sha256(f"{self._within}{asked}".encode()).hexdigest()[:_DIGEST_LENGTH]
        self._made[digest] += 1
        return f"{self._run.id}:{self._number}:{digest}-{self._made[digest]}"

    async def _result(self, queue: str, request: dict[str, Any], call: str = "") -> Any:
        """Make a call, or find what it came to before.

        Raises:
            RunStopped: the run stops.
            SpadeworkError: what the call came to.
        """
        text = _text(request)
        call = call or self._id_of(request)
        while True:
            doing = result_of_call(queue, call, self._run.id, self._number, text)
            result = json.loads(await self._guarded(doing))
            if self._is_of_an_earlier_attempt(result):
                await self._guarded(make_again(queue, call))
                continue
            await self._take_privacy(result)
            if "value" in result:
                self.models += result.get("models", ())
                self.cost_usd += result.get("cost_usd", 0.0)
                return result["value"]
            error = RunStopped() if "stopped" in result else load_error(result["error"])
            if isinstance(error, RunStopped | BudgetReached | PrivateRefused):
                self.ended = error
            raise error

    async def _take_privacy(self, result: dict[str, Any]) -> None:
        """A step that was private makes its item so, whatever came of it."""
        if result.get("private", False) and not self.private:
            self._privacy.mark()
            await self._keep_privacy()

    def _is_of_an_earlier_attempt(self, result: dict[str, Any]) -> bool:
        """Whether a call that came to nothing may be made again, since the run was resumed."""
        return result["attempt"] < self._run.attempt and not result["good"]


def _text(request: dict[str, Any]) -> str:
    return json.dumps(request, sort_keys=True, separators=(",", ":"))
