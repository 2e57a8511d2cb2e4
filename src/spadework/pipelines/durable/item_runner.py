"""Does the items, calls and ends of runs: what the durable workflows of this process execute."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from spadework.engine.job import Answer, Job
from spadework.engine.patience import Outages
from spadework.errors import (
    ArgumentError,
    BudgetReached,
    ConfigError,
    DaemonError,
    HandedBack,
    PipelineError,
    PrivateRefused,
    RunsUnavailable,
    SpadeworkError,
)
from spadework.pipelines.calls import ModelCall
from spadework.pipelines.definition import find_pipeline
from spadework.pipelines.durable.dbos_engine import under_way
from spadework.pipelines.durable.durable_calls import DurableCalls, RunStopped
from spadework.pipelines.durable.run_services import RunServices
from spadework.pipelines.durable.user_code import call_alone, is_cancelled, plain_json
from spadework.pipelines.durable.workflows import enqueue_end, enqueue_item
from spadework.pipelines.item_privacy import ItemPrivacy, check_for_claude, private_file
from spadework.pipelines.items import ItemResult
from spadework.remote.messages import error_data, outcome_data
from spadework.remote.remote_engine import RemoteEngine
from spadework.util.serialization import decode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from spadework.config.models import Config
    from spadework.pipelines.durable.run_services import ClaudeAccess
    from spadework.pipelines.store.records import Run, State
    from spadework.pipelines.store.runs import Runs

log = logging.getLogger(__name__)

# These are wrong for every item alike, or a promise would be broken: the run ends.
_OF_ALL = (ArgumentError, ConfigError, DaemonError, PipelineError, PrivateRefused)


class ItemRunner(RunServices):
    """Runs items, their calls, and the ends of runs; one for each process.

    Args:
        config: the user's config.
        runs: where runs are kept.
        claude: asks Claude, or says why it cannot be asked.
    """

    def __init__(self, config: Config, runs: Runs, claude: ClaudeAccess) -> None:
        super().__init__(config, runs, claude)
        self._engine = RemoteEngine(config)
        self._outages: WeakValueDictionary[str, Outages] = WeakValueDictionary()
        """What the calls of each run wait for; kept by these calls."""
        self._tasks: dict[str, set[asyncio.Task[Any]]] = {}
        self._privacy: WeakValueDictionary[tuple[str, int], ItemPrivacy] = WeakValueDictionary()

    async def close(self) -> None:
        """Close the engine and the connections to Claude."""
        await self._engine.close()
        await self._claude.close()

    def spent_usd(self, run: str) -> float:
        """What a run has spent so far."""
        return self._claude.spent_usd(run)

    def away_from(self, run: str) -> str:
        """What a run waits for, where a server is away; empty otherwise."""
        outages = self._outages.get(run)
        return outages.current if outages else ""

    async def privacy_of(self, run: str, number: int) -> ItemPrivacy:
        """Whether an item is private, or the end of a run; one object for all who ask here."""
        key = (run, number)
        known = self._privacy.get(key)
        if known is not None:
            return known
        private = await asyncio.to_thread(self.runs.became_private, run, number)

        async def keep() -> None:
            await asyncio.to_thread(self.runs.keep_private, run, number)

        return self._privacy.setdefault(key, ItemPrivacy(private=private, keep=keep))

    def cancel(self, run: str) -> None:
        """Stop what this process does for a run."""
        for task in tuple(self._tasks.get(run, ())):
            task.cancel()

    def cancel_all(self) -> None:
        """Stop whatever this process does."""
        for run in self.active:
            self.cancel(run)

    @property
    def active(self) -> list[str]:
        """The runs that this process does something for."""
        return [run for run, tasks in self._tasks.items() if tasks]

    async def do_item(self, run_id: str, number: int) -> None:
        """Do an item, unless it has its row or the run does not go on."""
        run = await asyncio.to_thread(self.runs.find, run_id)
        item, has_row = await asyncio.to_thread(self.runs.item, run_id, number)
        if run.state != "running" or has_row:
            return

        privacy = await self.privacy_of(run_id, number)
        if item.private or await self.find_private(item.files, run):
            privacy.mark()
        await privacy.keep()

        try:
            pipeline = find_pipeline(run.pipeline)
        except SpadeworkError as reason:
            await self._end_run(run, reason)
            return
        calls = DurableCalls(self, run, number, pipeline.name, privacy=privacy)
        doing = self._call(calls, run_id, f"item {number}", lambda: pipeline.each(item))
        try:
            value, error = await self._tracked(run_id, doing), ""
        except RunsUnavailable:
            raise  # nothing is lost: the run driver queues the item again
        except _OF_ALL as reason:
            await self._end_run(run, reason)
            return
        except RunStopped:
            return
        except SpadeworkError as reason:
            value, error = None, why(reason)
        row = ItemResult(
            number,
            item.name,
            value=value,
            error=error,
            models=tuple(dict.fromkeys(calls.models)),
            cost_usd=calls.cost_usd,
            private=privacy.private,
            repeated=await asyncio.to_thread(self.runs.repeated, run_id, number),
        )
        if await asyncio.to_thread(self.runs.finish_item, run_id, row):
            await self.all_done(run)

    async def put_in_queues(self, run: Run, items: str) -> int:
        """Put whatever is neither done nor in a queue into one; returns how much that was.

        Args:
            run: the run.
            items: the queue of its items.
        """
        waiting = await asyncio.to_thread(self.runs.waiting, run.id)
        there = await under_way(run.id)
        if not waiting:
            if 0 not in there:
                await self.all_done(run)
            return int(0 not in there)
        missing = [number for number in waiting if number not in there]
        for number in missing:
            await enqueue_item(items, run.id, number, run.attempt)
        return len(missing)

    async def all_done(self, run: Run) -> None:
        """Every item has its row: the end is done, or there is none."""
        if find_pipeline(run.pipeline).end is None:
            await asyncio.to_thread(self.runs.change, run.id, state="done")
        else:
            await enqueue_end(run.id, run.attempt)

    async def do_end(self, run_id: str) -> None:
        """Call the pipeline's `finish` with every row."""
        run = await asyncio.to_thread(self.runs.find, run_id)
        if run.state != "running":
            return
        try:
            finish = find_pipeline(run.pipeline).end
        except SpadeworkError as reason:
            await self._end_run(run, reason)
            return
        if finish is None:
            await asyncio.to_thread(self.runs.change, run_id, state="done")
            return
        rows = await asyncio.to_thread(lambda: list(self.runs.rows(run_id)))
        privacy = await self.privacy_of(run_id, 0)
        if any(row.private for row in rows):
            privacy.mark()
        await privacy.keep()
        name = finish.__name__
        calls = DurableCalls(self, run, 0, name, privacy=privacy)
        doing = self._call(calls, run_id, name, lambda: finish(rows), prefix=f"{name}: ")
        try:
            value = await self._tracked(run_id, doing)
        except RunStopped:
            return
        except RunsUnavailable:
            raise
        except SpadeworkError as reason:
            await self._end_run(run, reason)
        else:
            await asyncio.to_thread(self.runs.change, run_id, state="done", value=value)

    async def _end_run(self, run: Run, reason: SpadeworkError) -> None:
        """Stop a run; it can be resumed once the reason is gone."""
        state: State = "budget" if isinstance(reason, BudgetReached) else "failed"
        hint = f" ({reason.hint})" if reason.hint else ""
        await asyncio.to_thread(self.runs.change, run.id, state=state, error=why(reason) + hint)
        await self.tell_once(run.id, f"stopped: {why(reason)}")

    async def do_call(self, call: str, run_id: str, number: int, request: str) -> str:
        """Make one call; what it came to is JSON with "value", "error" or "stopped"."""
        run = await asyncio.to_thread(self.runs.find, run_id)
        said: dict[str, Any] = {"attempt": run.attempt, "good": False}
        if run.state != "running" or await asyncio.to_thread(self.runs.has_row, run_id, number):
            return json.dumps(said | {"stopped": True})
        try:
            match json.loads(request):
                case {"ask": data}:
                    value, good = await self._ask(run, number, data)
                case {"claude": data}:
                    value, good = await self._ask_claude(run, number, call, data), True
                case {"step": data}:
                    value, good = await self._step(run, number, call, data, said), True
                case _:
                    raise PipelineError(f"unknown call {call}: this version does not support it")
            said |= {"value": value, "good": good}
        except RunStopped:
            said["stopped"] = True
        except SpadeworkError as error:
            said["error"] = error_data(error)
        return json.dumps(said)

    async def _is_private(self, run: str, number: int) -> bool:
        """Whether an item is private by now, in whatever process it became so."""
        here = self._privacy.get((run, number))
        if here is not None and here.private:
            return True
        return await asyncio.to_thread(self.runs.became_private, run, number)

    async def _ask_claude(self, run: Run, number: int, call: str, data: dict[str, Any]) -> Any:
        step: str = data["step"]
        asked: ModelCall = decode(ModelCall, data["call"], "call")

        async def check() -> None:
            check_for_claude(step, private=await self._is_private(run.id, number))

        if found := await self.find_private(asked.files, run):
            raise private_file(step, found)
        return await self._claude.ask(run, self.session_of(run), call, step, asked, check)

    async def _ask(self, run: Run, number: int, data: object) -> tuple[Any, bool]:
        job: Job = decode(Job, data, "job")
        if not job.private and await self._is_private(run.id, number):
            job = replace(job, private=True)
        outages = self._outages.setdefault(run.id, Outages())
        with outages.listener() as listener:
            try:
                outcome = await self._engine.delegate(job, self.session_of(run), listener)
            except DaemonError as reason:  # it ended in mid-call: by another one, or here
                await self.tell_once(run.id, f"a call is made again: {reason}")
                outcome = await self._engine.delegate(job, self.session_of(run), listener)
        return outcome_data(outcome), isinstance(outcome, Answer)

    async def _step(
        self, run: Run, number: int, call: str, data: dict[str, Any], said: dict[str, Any]
    ) -> Any:
        """Do a step; adds to `said` which models it asked, at what cost, and if it is private."""
        pipeline = find_pipeline(run.pipeline)
        function = pipeline.each.__globals__.get(data["function"])
        original = getattr(function, "original", None)
        if original is None:
            raise PipelineError(f"the pipeline has no step {data['function']!r} any more")
        name = data["function"]
        privacy = await self.privacy_of(run.id, number)
        if data["private"]:
            privacy.mark()
        await privacy.keep()
        with privacy.step(call) as branch:
            calls = DurableCalls(
                self, run, number, name, privacy=privacy, within=call, branch=branch
            )
            what = f"step {name}" + (f" of item {number}" if number else "")
            try:
                return await self._call(calls, run.id, what, lambda: original(*data["arguments"]))
            finally:
                said |= {
                    "models": calls.models,
                    "cost_usd": calls.cost_usd,
                    "private": calls.private,
                }

    async def _call(
        self,
        calls: DurableCalls,
        run: str,
        what: str,
        function: Callable[[], Awaitable[Any]],
        prefix: str = "",
    ) -> Any:
        """Call the user's own code; what it raises goes to the run's log, with its lines.

        Raises:
            SpadeworkError: what one of its calls raised, or what it raised itself in one line.
        """
        try:
            return plain_json(await call_alone(calls, function))
        except SpadeworkError:
            raise
        except Exception as reason:
            lines = "".join(traceback.format_exception(reason)).strip()
            await asyncio.to_thread(self.runs.tell, run, f"{what} failed:\n{lines}")
            raise SpadeworkError(f"{prefix}{type(reason).__name__}: {reason}") from reason

    async def _tracked(self, run: str, doing: Awaitable[Any]) -> Any:
        """Do something that `cancel` stops; the workflow itself then ends as if stopped."""
        task = asyncio.ensure_future(doing)
        tasks = self._tasks.setdefault(run, set())
        tasks.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            if task.cancelled() and not is_cancelled():
                raise RunStopped from None
            raise
        finally:
            tasks.discard(task)


def why(error: SpadeworkError) -> str:
    """An error in one line; of a hand-back also what the last model came to."""
    if isinstance(error, HandedBack) and error.tries:
        return f"{error}: {error.tries[-1]}"
    return str(error)
