"""The calls of one item, each durable: what `ask`, `claude` and `step` stand for in a run."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from journeyman.engine.candidates import patterns_of
from journeyman.engine.values import Answer, HandBack, Job
from journeyman.errors import BudgetReached, ClaudeAbsent, ConfigError, PrivateRefused
from journeyman.pipelines.durable.workflows import (
    CLAUDE,
    FREE,
    backend_queue,
    make_again,
    result_of_call,
)
from journeyman.pipelines.values import Reply
from journeyman.remote.coding import decode, encode
from journeyman.remote.messages import error_of, outcome_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from journeyman.config.pipelines import ClaudeApiConfig
    from journeyman.pipelines.durable.stage import Stage
    from journeyman.pipelines.store.values import Run

_DIGEST_LENGTH = 16


class Stopped(BaseException):
    """The run stops; the item goes on when it is resumed.

    No `Exception`: a pipeline's `except Exception` would make a result of it.
    """


class DurableCalls:
    """Makes the calls of one item, or of a run's end.

    Args:
        stage: what this process works with.
        run: the run.
        number: the item's number; 0 for the end.
        step: what messages call it: the name of the pipeline's function.
        private: nothing of it goes to a cloud model; so it is once an answer was made of
            something private.
        within: the kept step that makes the calls; its calls are told from others like them.
    """

    def __init__(
        self, stage: Stage, run: Run, number: int, step: str, *, private: bool, within: str = ""
    ) -> None:
        self._stage = stage
        self._run = run
        self._number = number
        self._step = step
        self.private = private
        self._within = within
        self._made: Counter[str] = Counter()
        self.models: list[str] = []
        self.cost_usd = 0.0
        self.ended: BaseException | None = None
        """Why the run ends here, whatever the pipeline's function makes of it."""

    def setting(self, name: str, default: str) -> str:
        """What the run was given by `--set NAME=VALUE`."""
        return self._run.options.settings.get(name, default)

    async def ask(
        self,
        tool: str,
        prompt: str,
        *,
        files: Sequence[str] = (),
        texts: Mapping[str, str] | None = None,
        arguments: Mapping[str, str] | None = None,
        model: str | None = None,
        max_tokens: int | None = None,
        labels: Sequence[str] = (),
        schema: Mapping[str, Any] | None = None,
        private: bool = False,
    ) -> Answer:
        """Delegate one piece of work to local models."""
        found = self._stage.find_tool(tool, self._run)
        job = Job(
            tool=tool,
            arguments={found.first_argument: prompt, **(arguments or {})},
            files=tuple(files),
            texts=dict(texts or {}),
            max_tokens=max_tokens,
            kind="batch",
            labels=tuple(labels),
            schema=schema,
            private=private or self.private,
        )
        outcome = await self._ask_in_order(job, (model,) if model else tuple(found.config.models))
        if isinstance(outcome, Answer):
            self.models.append(outcome.model)
            self.private = self.private or outcome.private
            return outcome
        raise outcome.error

    async def _ask_in_order(self, job: Job, wanted: Sequence[str]) -> Answer | HandBack:
        """Ask one backend after another, each by its own queue, so that its limit holds."""
        patterns = patterns_of(wanted, self._stage.backends)
        failed: HandBack | None = None
        for backend in dict.fromkeys(one.partition("/")[0] for one in patterns):
            own = tuple(one for one in patterns if one.partition("/")[0] == backend)
            request = {"ask": encode(replace(job, models=own))}
            result = await self._result(backend_queue(backend), request)
            outcome = outcome_of(result)
            tries = failed.tries if failed else ()
            if isinstance(outcome, Answer):
                return replace(outcome, tries=(*tries, *outcome.tries))
            failed = replace(outcome, tries=(*tries, *outcome.tries))
        if failed is None:
            raise ConfigError(f"{job.tool}: no backend is configured", hint="`journeyman setup`")
        return failed

    async def claude(
        self,
        prompt: str,
        *,
        model: str | None = None,
        system: str = "",
        shared: str = "",
        files: Sequence[str] = (),
        texts: Mapping[str, str] | None = None,
        max_tokens: int | None = None,
        instead: str | None = None,
        private: bool = False,
    ) -> Reply:
        """Ask Claude with the user's own key, or the local model that stands in."""
        absent = self._stage.why_no_claude(self._run)
        if absent and instead:
            before = {"instructions": system, "shared": shared}
            material = {name: text for name, text in before.items() if text} | dict(texts or {})
            answer = await self.ask(
                instead, prompt, files=files, texts=material, max_tokens=max_tokens, private=private
            )
            await self._stage.tell_once(
                self._run.id, f"step {self._step}: {absent}: {answer.model} stood in"
            )
            return Reply(answer.text, answer.model, stood_in=True, note=absent)
        if private or self.private:
            self.ended = PrivateRefused(
                f"step {self._step!r} of the pipeline: what is private does not go to Claude",
                hint="use a local model there, or run with --no-claude",
            )
            raise self.ended
        if absent:
            raise ClaudeAbsent(
                f"step {self._step!r} of the pipeline asks Claude: {absent}",
                hint='set ANTHROPIC_API_KEY, or give the call `instead="ask_local_llama"`',
            )
        data = claude_data(
            self._stage.config.claude_api,
            step=self._step,
            prompt=prompt,
            model=model,
            system=system,
            shared=shared,
            files=files,
            texts=texts,
            max_tokens=max_tokens,
        )
        queue = FREE if self._run.options.batch else CLAUDE
        result = await self._result(queue, {"claude": data})
        reply: Reply = decode(Reply, result, "reply")
        self.models.append(f"claude/{reply.model}")
        self.cost_usd += reply.cost_usd
        return reply

    async def step(self, function: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        """Call a function of the pipeline's file and keep what it returns."""
        data = {"function": function.__name__, "arguments": list(arguments)}
        return await self._result(FREE, {"step": data | {"private": self.private}})

    def _id_of(self, request: str) -> str:
        """A call's id: by what it asks and how often that was asked, whatever came between.

        Calls that wait for each other side by side are made in another order after a restart.
        """
        digest = sha256(f"{self._within}{request}".encode()).hexdigest()[:_DIGEST_LENGTH]
        self._made[digest] += 1
        return f"{self._run.id}:{self._number}:{digest}-{self._made[digest]}"

    async def _result(self, queue: str, request: dict[str, Any]) -> Any:
        """Make a call, or find what it came to before.

        Raises:
            Stopped: the run stops.
            JourneymanError: what the call came to.
        """
        text = json.dumps(request, sort_keys=True, separators=(",", ":"))
        call = self._id_of(text)
        while True:
            try:
                said = await result_of_call(queue, call, self._run.id, self._number, text)
                result = json.loads(said)
                if self._is_of_an_earlier_attempt(result):
                    await make_again(queue, call)
                    continue
            except SQLAlchemyError as lost:
                self.ended = self._stage.runs.unusable(lost)
                raise self.ended from lost
            if "value" in result:
                self.models += result.get("models", ())
                self.private = self.private or result.get("private", False)
                self.cost_usd += result.get("cost_usd", 0.0)
                return result["value"]
            error = Stopped() if "stopped" in result else error_of(result["error"])
            if isinstance(error, Stopped | BudgetReached | PrivateRefused):
                self.ended = error
            raise error

    def _is_of_an_earlier_attempt(self, result: dict[str, Any]) -> bool:
        """Whether a call that came to nothing may be made again, since the run was resumed."""
        return result["attempt"] < self._run.attempt and not result["good"]


def claude_data(
    config: ClaudeApiConfig,
    *,
    step: str,
    prompt: str,
    model: str | None,
    system: str,
    shared: str,
    files: Sequence[str],
    texts: Mapping[str, str] | None,
    max_tokens: int | None,
) -> dict[str, Any]:
    """Write a question to Claude as a call keeps it; references are read when it is made."""
    return {
        "step": step,
        "prompt": prompt,
        "model": model or config.model,
        "system": system,
        "shared": shared,
        "files": list(files),
        "texts": dict(texts or {}),
        "max_tokens": max_tokens or config.max_tokens,
    }
