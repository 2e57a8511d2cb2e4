"""A cache of answers, keyed by the content of the request."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from spadework.checks.reply_checks import VERSION
from spadework.engine.job import Answer, Figures
from spadework.engine.thread_pools import CACHE
from spadework.errors import CacheError
from spadework.storage.answer_store import AnswerStore, cache_path, key_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spadework.backends.base import Message
    from spadework.config.models import CacheConfig, ToolConfig
    from spadework.engine.job import Job

log = logging.getLogger(__name__)

_NO_MATTER = frozenset({"use_for", "avoid_for", "models", "timeout", "deadline"})
"""What of a tool's config does not change its answers."""


class AnswerCache:
    """Finds and keeps answers; where the cache cannot be used it does neither, and says so once.

    Args:
        config: whether to, and how much.
    """

    def __init__(self, config: CacheConfig) -> None:
        self._config = config
        self._cache: AnswerStore | None = None
        self._told = False

    def reconfigure(self, config: CacheConfig) -> None:
        """Take a changed config."""
        if config != self._config:
            self.close()
            self._config, self._told = config, False

    async def find(self, models: Iterable[str], question: Any) -> Answer | None:
        """Find what one of the models, the first that did, answered before.

        Args:
            models: `backend/model` names in order.
            question: as `question_of` makes it.
        """
        if not self._config.enabled:
            return None
        return await CACHE.run(self._find, tuple(models), question)

    async def keep(self, question: Any, answer: Answer) -> None:
        """Keep a model's answer."""
        if self._config.enabled:
            await CACHE.run(self._keep, question, answer)

    def close(self) -> None:
        """Close the file."""
        if self._cache:
            self._cache.close()
            self._cache = None

    def _find(self, models: tuple[str, ...], question: Any) -> Answer | None:
        try:
            cache = self._open()
            for model in models:
                if kept := cache.find(key_of(VERSION, model, question)):
                    return _answer(model, kept)
        except CacheError as failure:
            self._tell(failure)
        return None

    def _keep(self, question: Any, answer: Answer) -> None:
        kept = {name: getattr(answer, name) for name in _KEPT}
        kept |= {"notes": list(answer.notes), "checks": list(answer.checks)}
        try:
            self._open().keep(key_of(VERSION, answer.model, question), kept)
        except CacheError as failure:
            self._tell(failure)

    def _open(self) -> AnswerStore:
        if self._cache is None:
            self._cache = AnswerStore(cache_path(), self._config.max_bytes)
        return self._cache

    def _tell(self, failure: CacheError) -> None:
        if not self._told:
            self._told = True
            log.warning("%s", failure)


_KEPT = ("text", "value", "confidence", "unsure")


def question_of(
    tool: ToolConfig, job: Job, messages: tuple[Message, ...], max_tokens: int
) -> dict[str, Any]:
    """All that an answer depends on, except the model."""
    shared = {name: value for name, value in job.shared().items() if name != "files"}
    return shared | {
        "tool": tool.model_dump(mode="json", exclude=set(_NO_MATTER)),
        "messages": [[message.role, message.content] for message in messages],
        "max_tokens": max_tokens,
    }


def _answer(model: str, kept: dict[str, Any]) -> Answer | None:
    text = kept.get("text")
    if not isinstance(text, str):
        return None
    return Answer(
        text=text,
        model=model,
        figures=Figures(),
        notes=tuple(map(str, kept.get("notes", ()))),
        checks=tuple(map(str, kept.get("checks", ()))),
        value=kept.get("value"),
        confidence=kept.get("confidence"),
        unsure=bool(kept.get("unsure")),
        known=True,
    )
