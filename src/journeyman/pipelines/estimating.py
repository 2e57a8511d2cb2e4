"""What a run would ask and cost, found out by walking through it without asking a model.

The pipeline's functions are called with some of the items. Each call is noted and answered with
something of the right form. The tokens of what would go to Claude are counted by the API itself
where there is a key, which costs nothing; without one they are guessed from the bytes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from journeyman.engine.tools import find_tool
from journeyman.engine.values import UNSURE, Answer, Figures, Session
from journeyman.errors import ClaudeAbsent, JourneymanError
from journeyman.pipelines.calls import CONTEXT
from journeyman.pipelines.claude_api.prices import Tokens, cost_of, worst_case
from journeyman.pipelines.durable.calling import claude_data
from journeyman.pipelines.durable.claude_side import ClaudeSide, request_of
from journeyman.pipelines.finding import find_pipeline
from journeyman.pipelines.values import Reply, Row

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from journeyman.config.models import Config
    from journeyman.pipelines.claude_api.request import ClaudeRequest
    from journeyman.pipelines.store.database import Database
    from journeyman.pipelines.store.values import Run
    from journeyman.pipelines.values import Item

SAMPLE = 20
"""How many items are walked through."""
_WORDS = 100
"""How long the answers of local models are taken to be where they are prose."""
_BYTES_PER_TOKEN = 4
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run would ask and cost.

    Args:
        items: how many items there are.
        looked_at: how many of them were walked through; the rest is taken to be like them.
        local_calls: calls of local models by tool.
        claude_calls: calls of Claude.
        input_tokens: what they would read.
        input_usd: what reading that costs.
        most_usd: the same with the longest replies.
        counted: the tokens were counted by the API; else they are a guess by the bytes.
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
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class _Noted:
    """What was asked so far."""

    local: Counter[str] = field(default_factory=Counter)
    claude: list[ClaudeRequest] = field(default_factory=list)
    problems: dict[str, None] = field(default_factory=dict)


async def estimate(config: Config, database: Database, run: Run, items: Sequence[Item]) -> Estimate:
    """Walk through a run without asking a model.

    Raises:
        ArgumentError: the pipeline does not load.
        ConfigError: what stands in the key's place must not be used.
        BackendError: the API could not count.
    """
    claude = ClaudeSide(config, database)
    try:
        shut = claude.why_shut(run)
        pipeline = find_pipeline(run.pipeline)
        sample = items[:SAMPLE]
        each, end = _Noted(), _Noted()
        rows = [Row(one.number, one.name, private=one.private) for one in items]
        for place, item in enumerate(sample):
            calls = _Calls(config, run, pipeline.name, each, shut, private=item.private)
            value = await _walk(calls, pipeline.each, item)
            rows[place] = Row(item.number, item.name, value=value, private=item.private)
        if (finish := pipeline.end) is not None:
            rows[len(sample) :] = [
                Row(one.number, one.name, value=rows[place % len(sample)].value)
                for place, one in enumerate(items[len(sample) :])
            ]
            private = any(one.private for one in items)
            calls = _Calls(config, run, finish.__name__, end, shut, private=private)
            await _walk(calls, finish, rows)
        return await _sum(claude, run, len(items), len(sample), each, end, shut)
    finally:
        await claude.close()


async def _walk(calls: _Calls, function: Callable[[Any], Awaitable[Any]], given: Any) -> Any:
    token = CONTEXT.set(calls)
    try:
        return await function(given)
    except JourneymanError as error:
        calls.noted.problems[str(error)] = None
    except Exception as error:  # noqa: BLE001 - it may not like what stands for an answer
        calls.noted.problems[f"{calls.name}: {type(error).__name__}: {error}"] = None
    finally:
        CONTEXT.reset(token)
    return None


async def _sum(
    claude: ClaudeSide, run: Run, items: int, looked_at: int, each: _Noted, end: _Noted, shut: str
) -> Estimate:
    share = items / looked_at
    local = Counter({tool: round(count * share) for tool, count in each.local.items()})
    read, read_usd, most_usd = 0.0, 0.0, 0.0
    for noted, times in ((each, share), (end, 1.0)):
        tokens, usd, most = await _cost(claude, noted.claude, batch=run.options.batch, shut=shut)
        read, read_usd, most_usd = (
            read + tokens * times,
            read_usd + usd * times,
            most_usd + most * times,
        )
    return Estimate(
        items=items,
        looked_at=looked_at,
        local_calls=dict(local + end.local),
        claude_calls=round(len(each.claude) * share) + len(end.claude),
        input_tokens=round(read),
        input_usd=read_usd,
        most_usd=most_usd,
        counted=not shut,
        stands_in=shut if not (each.claude or end.claude) else "",
        problems=tuple(each.problems | end.problems),
    )


async def _cost(
    claude: ClaudeSide, requests: Sequence[ClaudeRequest], *, batch: bool, shut: str
) -> tuple[int, float, float]:
    """Tokens to read, what they cost, and the most with the replies."""
    if not requests:
        return 0, 0.0, 0.0
    if not shut:
        found = await claude.gate.estimate(requests, batch=batch)
        return found.input_tokens, found.input_usd, found.most_usd
    tokens, usd, most = 0, 0.0, 0.0
    for one in requests:
        guess = one.bytes // _BYTES_PER_TOKEN
        tokens += guess
        usd += float(cost_of(one.model, Tokens(guess, 0), batch=batch))
        cached = bool(one.shared)
        most += float(worst_case(one.model, guess, one.max_tokens, cached=cached, batch=batch))
    return tokens, usd, most


@dataclass(slots=True)
class _Calls:
    """Notes each call and answers it with something of the right form."""

    config: Config
    run: Run
    name: str
    noted: _Noted
    shut: str
    private: bool

    def setting(self, name: str, default: str) -> str:
        return self.run.options.settings.get(name, default)

    async def ask(
        self,
        tool: str,
        prompt: str,
        *,
        labels: Sequence[str] = (),
        schema: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> Answer:
        del prompt
        found = find_tool(tool, Path(self.run.options.project), self.config)
        self.noted.local[tool] += 1
        if labels or found.config.labels:
            return Answer(UNSURE, tool, Figures(), unsure=True, confidence=0.0, checks=("label",))
        if schema is not None:
            return Answer("{}", tool, Figures(), value=example(schema), checks=("json",))
        return Answer("word " * _WORDS, tool, Figures())

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
        if self.shut and instead:
            self.noted.local[instead] += 1
            return Reply("word " * _WORDS, instead, stood_in=True, note=self.shut)
        if private or self.private:
            raise JourneymanError(f"step {self.name!r} would be refused: it is private")
        if not self.run.options.uses_claude:
            raise ClaudeAbsent(f"step {self.name!r} would not be answered: {self.shut}")
        data = claude_data(
            self.config.claude_api,
            step=self.name,
            prompt=prompt,
            model=model,
            system=system,
            shared=shared,
            files=files,
            texts=texts,
            max_tokens=max_tokens,
        )
        session = Session(Path(self.run.options.project), name="pipeline")
        request = await request_of(data, session, self.config)
        self.noted.claude.append(request)
        return Reply("word " * _WORDS, request.model)

    async def step(self, function: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        return await function(*arguments)


def example(schema: Mapping[str, Any], depth: int = 0) -> Any:
    """Something that follows a simple JSON Schema, so that a function can go on with it."""
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    if kind == "object" or "properties" in schema:
        properties = schema.get("properties", {})
        return {name: example(one, depth + 1) for name, one in properties.items()}
    if kind == "array":
        inner = schema.get("items")
        return [example(inner, depth + 1)] if isinstance(inner, dict) and depth < _DEEPEST else []
    return {"string": "word", "integer": 1, "number": 1.0, "boolean": True}.get(str(kind))
