"""Estimates the calls and the cost of a run by executing it without asking a model.

The pipeline's functions are called with some of the items. Each call is noted and answered with
something of the right form. A step is not called: what it returns is made up by its annotation.

The tokens of what would go to Claude are counted by the API itself where there is a key, which
costs nothing. They are guessed from the bytes where there is none, and wherever the API must not
see them: of an item that is private, or that could become so by what a dry run cannot know: a step,
or a file that is not there yet.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, get_type_hints

from pydantic import TypeAdapter

from spadework.engine.job import UNSURE, Answer, Figures
from spadework.errors import ClaudeAbsent, SpadeworkError
from spadework.pipelines.calls import made_by
from spadework.pipelines.claude_api.request import estimate_of
from spadework.pipelines.definition import find_pipeline
from spadework.pipelines.durable.run_services import ClaudeAccess, RunServices, request_of
from spadework.pipelines.item_privacy import Branch, ItemPrivacy, check_for_claude
from spadework.pipelines.items import ItemResult, Reply
from spadework.pipelines.store.runs import Runs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from spadework.config.models import Config
    from spadework.pipelines.calls import ModelCall
    from spadework.pipelines.claude_api.request import ClaudeRequest
    from spadework.pipelines.items import Item
    from spadework.pipelines.store.database import Database
    from spadework.pipelines.store.records import Run

SAMPLE = 20
"""How many items are walked through."""
_WORDS = 100
"""How long the answers of local models are taken to be where they are prose."""
_BYTES_PER_TOKEN = 4
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class RunEstimate:
    """The calls and the cost of a run, estimated.

    Args:
        items: how many items there are.
        looked_at: how many of them were walked through; the rest is taken to be like them.
        local_calls: calls of local models by tool.
        claude_calls: calls of Claude.
        input_tokens: what they would read.
        input_usd: what reading that costs.
        most_usd: the same with the longest replies.
        counted: all tokens were counted by the API; else they are a guess by the bytes, in whole
            or in part.
        steps: the steps that were not called; what they ask is not in the figures.
        stands_in: why a local model would answer instead of Claude; empty if none would.
        problems: what could not be walked through.
    """

    items: int
    looked_at: int
    local_calls: Mapping[str, int]
    claude_calls: int = 0
    input_tokens: int = 0
    input_usd: float = 0.0
    most_usd: float = 0.0
    counted: bool = False
    stands_in: str = ""
    steps: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class _Noted:
    """The calls recorded so far."""

    local: Counter[str] = field(default_factory=Counter)
    claude: list[tuple[ClaudeRequest, _Calls]] = field(default_factory=list)
    steps: dict[str, None] = field(default_factory=dict)
    problems: dict[str, None] = field(default_factory=dict)


async def estimate(
    config: Config, database: Database, run: Run, items: Sequence[Item]
) -> RunEstimate:
    """Walk through a run without asking a model, and without calling a step.

    Raises:
        ArgumentError: the pipeline does not load.
        ConfigError: what is set as the key must not be used.
        BackendError: the API could not count.
    """
    claude = ClaudeAccess(config, database)
    try:
        shut = claude.why_shut(run)
        pipeline = find_pipeline(run.pipeline)
        services = RunServices(config, Runs(database), claude)
        sample = items[:SAMPLE]
        each, end = _Noted(), _Noted()
        rows = [ItemResult(one.number, one.name, private=one.private) for one in items]
        private, unknown = False, len(sample) < len(items)
        for place, item in enumerate(sample):
            calls = _Calls(services, run, pipeline.name, each)
            if item.private or await services.find_private(item.files, run):
                calls.privacy.mark()
            value = await _called(calls, pipeline.each, item)
            private, unknown = private or calls.private, unknown or calls.unknown
            rows[place] = ItemResult(item.number, item.name, value=value, private=calls.private)
        if (finish := pipeline.end) is not None:
            rows[len(sample) :] = [
                replace(one, value=rows[place % len(sample)].value)
                for place, one in enumerate(rows[len(sample) :])
            ]
            calls = _Calls(services, run, finish.__name__, end, unknown=unknown)
            if private or any(one.private for one in rows):
                calls.privacy.mark()
            await _called(calls, finish, rows)
        return await _sum(claude, run, len(items), len(sample), each, end, shut)
    finally:
        await claude.close()


async def _called(calls: _Calls, function: Callable[[Any], Awaitable[Any]], given: Any) -> Any:
    try:
        with made_by(calls):
            return await function(given)
    except SpadeworkError as error:
        calls.noted.problems[str(error)] = None
    except Exception as error:  # noqa: BLE001 - it may not like what stands for an answer
        calls.noted.problems[f"{calls.name}: {type(error).__name__}: {error}"] = None
    return None


async def _sum(
    claude: ClaudeAccess, run: Run, items: int, looked_at: int, each: _Noted, end: _Noted, shut: str
) -> RunEstimate:
    share = items / looked_at
    local = Counter({tool: round(count * share) for tool, count in each.local.items()})
    read, read_usd, most_usd, counted = 0.0, 0.0, 0.0, not shut
    for noted, times in ((each, share), (end, 1.0)):
        # Only now, since what comes after a call can make its item private too.
        may_count = [one for one, calls in noted.claude if not shut and calls.may_be_counted]
        guessed = [one for one, calls in noted.claude if shut or not calls.may_be_counted]
        counted = counted and not guessed
        guesses = [(one, one.bytes // _BYTES_PER_TOKEN) for one in guessed]
        parts = [estimate_of(guesses, batch=run.options.batch)]
        if may_count:
            parts.append(await claude.service.estimate(may_count, batch=run.options.batch))
        for part in parts:
            read += part.input_tokens * times
            read_usd += part.input_usd * times
            most_usd += part.most_usd * times
    return RunEstimate(
        items=items,
        looked_at=looked_at,
        local_calls=dict(local + end.local),
        claude_calls=round(len(each.claude) * share) + len(end.claude),
        input_tokens=round(read),
        input_usd=read_usd,
        most_usd=most_usd,
        counted=counted,
        stands_in=shut if not (each.claude or end.claude) else "",
        steps=tuple(each.steps | end.steps),
        problems=tuple(each.problems | end.problems),
    )


@dataclass(slots=True)
class _Calls:
    """Records each call of one item and answers it with a placeholder in the right format."""

    services: RunServices
    run: Run
    name: str
    noted: _Noted
    unknown: bool = False
    """Whether something that a dry run does not do could make it private."""
    privacy: ItemPrivacy = field(default_factory=ItemPrivacy)
    branch: Branch = field(default_factory=Branch)

    @property
    def private(self) -> bool:
        return self.privacy.private

    @property
    def may_be_counted(self) -> bool:
        """Whether the API may see what this item asks."""
        return not (self.private or self.unknown)

    def for_item(self, item: Item) -> _Calls:
        if item.private:
            self.privacy.mark()
        return self

    def setting(self, name: str, default: str) -> str:
        return self.run.options.settings.get(name, default)

    def mark_private(self) -> None:
        self.privacy.mark()

    async def ask(self, call: ModelCall) -> Answer:
        found = self.services.find_tool(call.tool, self.run)
        await self._look_at(call.files)
        self.noted.local[call.tool] += 1
        answer = Answer("word " * _WORDS, call.tool, Figures(), private=self.private)
        if call.labels or found.config.labels:
            return replace(answer, text=UNSURE, unsure=True, confidence=0.0, checks=("label",))
        if call.schema is not None:
            return replace(answer, text="{}", value=example(call.schema), checks=("json",))
        return answer

    async def _look_at(self, files: Sequence[str]) -> None:
        found = await self.privacy.look(self.services.find_private(files, self.run))
        if found:
            self.privacy.mark()
        self.unknown = self.unknown or found is None

    async def claude(self, call: ModelCall) -> Reply:
        shut = self.services.why_no_claude(self.run)
        await self._look_at(call.files)
        if shut and call.instead:
            self.noted.local[call.instead] += 1
            return Reply("word " * _WORDS, call.instead, stood_in=True, note=shut)
        with self.privacy.waiting(self.branch):
            await self.privacy.settled()
        check_for_claude(self.name, private=self.private)
        if not self.run.options.uses_claude:
            raise ClaudeAbsent(f"step {self.name!r} would not be answered: {shut}")
        session = self.services.session_of(self.run)
        request = await request_of(self.name, call, session, self.services.config)
        self.noted.claude.append((request, self))
        return Reply("word " * _WORDS, request.model)

    async def step(self, function: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        del arguments
        self.noted.steps[function.__name__] = None
        self.unknown = True
        return returned_by(function)


def returned_by(function: Callable[..., Any]) -> Any:
    """Make up what a step returns, by its annotation: a text where that says nothing."""
    try:
        kind = get_type_hints(function).get("return", Any)
        if kind in {Any, object}:
            return "word " * _WORDS
        schema = TypeAdapter(kind).json_schema()
    except Exception:  # noqa: BLE001 - whatever the user's own annotation raises
        return "word " * _WORDS
    return "word " * _WORDS if schema.get("type") == "string" else example(schema)


def example(schema: Mapping[str, Any], depth: int = 0) -> Any:
    """Something that follows a simple JSON Schema, so that a function can go on with it."""
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    if choices := [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]:
        return example(choices[0], depth + 1)
    if kind == "object" or "properties" in schema:
        properties = schema.get("properties", {})
        return {name: example(one, depth + 1) for name, one in properties.items()}
    if kind == "array":
        inner = schema.get("items")
        return [example(inner, depth + 1)] if isinstance(inner, dict) and depth < _DEEPEST else []
    return {"string": "word", "integer": 1, "number": 1.0, "boolean": True}.get(str(kind))
