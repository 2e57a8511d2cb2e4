"""The functions that a pipeline may call: `ask`, `claude`, `step` and `setting`.

`ask` and `claude` are plain functions that return coroutines: what a call says of its privacy holds
from the moment it is written down, before it or any other one beside it begins.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping  # noqa: TC003 - `decode` reads the annotations
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from spadework.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence

    from spadework.engine.job import Answer
    from spadework.pipelines.items import Item, Reply

Params = ParamSpec("Params")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class ModelCall:
    """What one `ask` or `claude` was given; see there for the fields.

    `tool` is empty for a call of Claude; `system`, `shared` and `instead` are of `claude` alone,
    `arguments`, `labels` and `schema` of `ask`.
    """

    prompt: str
    tool: str = ""
    files: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)
    model: str | None = None
    max_tokens: int | None = None
    labels: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None
    system: str = ""
    shared: str = ""
    instead: str | None = None
    private: bool = False


class Calls(Protocol):
    """The implementation of the calls: a run, or a test of a pipeline."""

    def for_item(self, item: Item) -> Calls:
        """Who makes the calls of a pipeline that is called with an item."""

    def setting(self, name: str, default: str) -> str:
        """What the run was given by `--set NAME=VALUE`."""

    def mark_private(self) -> None:
        """Keep what the item asks from now on from cloud models."""

    async def ask(self, call: ModelCall) -> Answer:
        """Delegate one piece of work to local models."""

    async def claude(self, call: ModelCall) -> Reply:
        """Ask Claude with the user's own key."""

    async def step(self, function: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        """Call a function once and keep what it returns."""


CONTEXT: ContextVar[Calls] = ContextVar("spadework_calls")
"""Who makes the calls of what runs now."""


@contextmanager
def made_by(calls: Calls) -> Iterator[None]:
    """Have the calls of what runs inside this block made by somebody."""
    token = CONTEXT.set(calls)
    try:
        yield
    finally:
        CONTEXT.reset(token)


def _calls(name: str, *, private: bool = False) -> Calls:
    calls = CONTEXT.get(None)
    if calls is None:
        raise ArgumentError(
            f"{name}() works inside a pipeline's run",
            hint="start it by `spadework pipeline run`; in tests use spadework.pipelines.testing",
        )
    if private:
        calls.mark_private()
    return calls


def ask(
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
) -> Coroutine[Any, Any, Answer]:
    """Delegate one piece of work to local models and return its checked answer.

    Args:
        tool: the tool's name, such as `ask_local_llama`.
        prompt: the tool's first required argument.
        files: references: paths, folders, globs, `path:START-END`, `git:diff`.
        texts: further material by name.
        arguments: the tool's other arguments by name.
        model: `backend/model` or a pattern, instead of the tool's own list.
        max_tokens: the longest answer in tokens.
        labels: the answer is one of these; `Answer.confidence` says how sure the model was.
        schema: a JSON Schema that the answer follows; it is then in `Answer.value`.
        private: it goes to local models only, and so does all that this item asks from now on.

    Raises:
        HandedBack: no model gave an answer that passes the checks.
        ReferenceRefused: a reference may not be read.
        ArgumentError: the tool is unknown, or its arguments are wrong; ends the run.
        ConfigError: a model's backend is not configured; ends the run.
    """
    call = ModelCall(
        prompt,
        tool,
        files=tuple(files),
        texts=dict(texts or {}),
        arguments=dict(arguments or {}),
        model=model,
        max_tokens=max_tokens,
        labels=tuple(labels),
        schema=schema,
        private=private,
    )
    return _calls("ask", private=private).ask(call)


def claude(
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
) -> Coroutine[Any, Any, Reply]:
    """Ask Claude by the API, with the key in `ANTHROPIC_API_KEY`.

    Args:
        prompt: the question.
        model: the model's name as the API has it; the config's by default.
        system: who Claude is to be.
        shared: a long beginning that many calls have in common; the API caches it.
        files: references that are read here and sent.
        texts: further material by name.
        max_tokens: the longest reply in tokens.
        instead: the tool whose local model answers without a key, or with `--no-claude`;
            `Reply.stood_in` then says so.
        private: it never goes to Claude, nor does what this item asks from now on.

    Raises:
        PrivateRefused: something private would be sent; nothing is, and the run ends.
        BudgetReached: the call could pass the run's budget; the run stops and can be resumed.
        ClaudeAbsent: the key is missing and `instead` is not given; ends the run unless caught.
        ConfigError: what is set as the key must not be used; ends the run.
        BackendError: the API failed for good.
    """
    call = ModelCall(
        prompt,
        model=model,
        system=system,
        shared=shared,
        files=tuple(files),
        texts=dict(texts or {}),
        max_tokens=max_tokens,
        instead=instead,
        private=private,
    )
    return _calls("claude", private=private).claude(call)


def step(function: Callable[Params, Awaitable[Result]]) -> Callable[Params, Awaitable[Result]]:
    """Make an async function of the pipeline's file one whose result is kept.

    It is not called again for the same item and arguments after a restart. Arguments and result
    are what JSON has. Whatever it raises, its caller gets a SpadeworkError that tells of it.
    """

    @functools.wraps(function)
    async def kept(*arguments: Params.args, **named: Params.kwargs) -> Result:
        if named:
            raise ArgumentError(
                f"{function.__name__} is a step: give its arguments by place, not by name"
            )
        result: Result = await _calls(function.__name__).step(function, *arguments)
        return result

    kept.original = function  # type: ignore[attr-defined] # where a worker finds it by name
    return kept


def setting(name: str, default: str = "") -> str:
    """Return what the run was given by `--set NAME=VALUE`."""
    return _calls("setting").setting(name, default)
