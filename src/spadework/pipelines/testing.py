"""Tests a pipeline without a model: set the answers of its calls, and inspect the calls.

    def test_a_title_is_kept() -> None:
        with answering(ask={"title": "A"}) as asked:
            assert asyncio.run(describe(Item(1, "a.md", text="…"))) == {"title": "A"}
        assert asked[0].texts == {"item": "…"}

The answers are held to the form that the call asks for, as in a run: one of its labels, or JSON by
its schema. Nothing private goes to Claude: neither an item that is private, nor what a call says is
so, nor what the same item asks after that. Each call of a pipeline begins a new item.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from spadework.engine.job import Answer, Figures
from spadework.errors import HandedBack
from spadework.pipelines.calls import made_by
from spadework.pipelines.item_privacy import Branch, ItemPrivacy, check_for_claude
from spadework.pipelines.items import Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from spadework.pipelines.calls import ModelCall
    from spadework.pipelines.items import Item

MODEL = "test/model"


@contextmanager
def answering(
    *,
    ask: object = "An answer.",
    claude: object = "A reply.",
    confidence: float | None = None,
    settings: Mapping[str, str] | None = None,
    private: bool = False,
) -> Iterator[list[ModelCall]]:
    """Answer the calls of a pipeline's functions.

    Args:
        ask: what a local model answers: a text, a label, or what an answer by schema holds; a
            function of a `ModelCall` that returns that; an error that is raised.
        claude: the same for Claude: a text, or a whole `Reply`, such as one that stood in.
        confidence: how sure a label is.
        settings: what `--set` gives.
        private: whether the item is private.

    Yields:
        The calls that were made, in order.
    """
    asked: list[ModelCall] = []
    made = _Made(ask, claude, confidence, settings or {}, asked, ItemPrivacy(private=private))
    with made_by(made):
        yield asked


@dataclass(frozen=True, slots=True)
class _Made:
    """Answers the calls of a test."""

    local: object
    remote: object
    confidence: float | None
    settings: Mapping[str, str]
    asked: list[ModelCall]
    privacy: ItemPrivacy
    branch: Branch = field(default_factory=Branch)

    def for_item(self, item: Item) -> _Made:
        private = self.privacy.private or item.private
        return replace(self, privacy=ItemPrivacy(private=private), branch=Branch())

    def setting(self, name: str, default: str) -> str:
        return self.settings.get(name, default)

    def mark_private(self) -> None:
        self.privacy.mark()

    async def ask(self, call: ModelCall) -> Answer:
        answer = self._answer(call, self._said(call, self.local))
        return replace(answer, private=self.privacy.private)

    async def claude(self, call: ModelCall) -> Reply:
        with self.privacy.waiting(self.branch):
            await self.privacy.settled()
        check_for_claude("claude", private=self.privacy.private)
        said = self._said(call, self.remote)
        return said if isinstance(said, Reply) else Reply(str(said), MODEL)

    async def step(self, function: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        given = json.loads(json.dumps(arguments))
        with (
            self.privacy.waiting(self.branch),
            self.privacy.step(str(id(given))) as branch,
            made_by(replace(self, branch=branch)),
        ):
            return json.loads(json.dumps(await function(*given)))

    def _said(self, call: ModelCall, answer: object) -> object:
        self.asked.append(call)
        said = answer(call) if callable(answer) else answer
        if isinstance(said, BaseException):
            raise said
        return said

    def _answer(self, call: ModelCall, said: object) -> Answer:
        if call.schema is not None:
            for problem in Draft202012Validator(call.schema).iter_errors(said):
                raise HandedBack(f"the answer of the test does not fit: {problem.message}")
            text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
            return Answer(text, MODEL, Figures(), value=said, checks=("json",))
        if call.labels:
            if said not in call.labels:
                raise HandedBack(f"the answer of the test is none of {', '.join(call.labels)}")
            return Answer(
                str(said), MODEL, Figures(), confidence=self.confidence, checks=("label",)
            )
        return Answer(str(said), MODEL, Figures())
