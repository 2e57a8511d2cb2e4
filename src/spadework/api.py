"""The public Python API: the same engine as the MCP tools and the command line."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from spadework.config.loader import load_config
from spadework.engine.job import Answer, Job, Listener, Session
from spadework.errors import ArgumentError
from spadework.references.roots import current_folder
from spadework.remote.remote_engine import RemoteEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from spadework.backends.base import ModelInfo
    from spadework.engine.batch.table import BatchProgress, Table
    from spadework.engine.job import Outcome, Progress

DEFAULT_TOOL = "ask_local_llama"


class Spadework:
    """Delegates work to local models; use it as an async context manager.

    If the daemon of this config runs, it does the work, so that one queue serves this process and
    every Claude Code window; else this process does it. That is settled at the first call.

    Args:
        config: the config file; the user's own by default.
        project: the folder that relative references start from; the current one by default.
        roots: further folders that may be read.
        session: what the ledger calls this caller.
        daemon: None: work by the daemon if it runs; False: never; True: it must run.

    Raises:
        ConfigError: the config file is wrong.
        ArgumentError: the project or a root is not a folder.
    """

    def __init__(
        self,
        *,
        config: str | Path | None = None,
        project: str | Path | None = None,
        roots: Sequence[str | Path] = (),
        session: str = "python",
        daemon: bool | None = None,
    ) -> None:
        self._session = Session(
            project=_folder("project", project) if project is not None else current_folder(),
            roots=tuple(_folder("root", root) for root in _listed("roots", roots)),
            name=session,
        )
        file = Path(config) if config is not None else None
        self._engine = RemoteEngine(load_config(file).config, file, daemon=daemon)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._engine.close()

    async def ask(
        self,
        prompt: str,
        *,
        files: Sequence[str | os.PathLike[str]] = (),
        texts: Mapping[str, str] | None = None,
        tool: str = DEFAULT_TOOL,
        arguments: Mapping[str, str] | None = None,
        model: str | None = None,
        max_tokens: int | None = None,
        batch: bool = False,
        labels: Sequence[str] = (),
        schema: Mapping[str, Any] | None = None,
        private: bool = False,
        on_progress: Callable[[Progress], None] | None = None,
        on_text: Callable[[str], None] | None = None,
    ) -> Answer:
        """Delegate one piece of work and return its checked answer.

        Args:
            prompt: the tool's first required argument.
            files: references: paths, folders, globs, `path:START-END`, `git:diff`.
            texts: further material by name.
            tool: the tool's name.
            arguments: the tool's other arguments by name.
            model: `backend/model` or a pattern, instead of the tool's own list.
            max_tokens: the longest answer in tokens.
            batch: one of many that nobody waits for: it stands back behind questions.
            labels: the answer is one of these; `Answer.confidence` says how sure the model was.
            schema: a JSON Schema that the answer follows; it is then in `Answer.value`.
            private: only local models may see any of it.
            on_progress: called for each step; must not block.
            on_text: given the raw pieces of the reply as they come, thinking included; not with
                labels or a schema, whose reply is neither before it is checked.

        Raises:
            HandedBack: no model gave an answer that passes the checks.
            ReferenceRefused: a reference may not be read.
            ArgumentError: the tool is unknown, or its arguments are wrong.
            ConfigError: a model's backend is not configured, or its key cannot be read.
            DaemonError: the daemon must run and does not, or it ended in mid-call.
        """
        found = self._engine.find_tool(tool, self._session.project)
        job = Job(
            tool=tool,
            arguments={found.first_argument: prompt, **(arguments or {})},
            files=tuple(_references(files)),
            texts=texts or {},
            max_tokens=_checked_limit(max_tokens),
            models=(model,) if model else (),
            kind="batch" if batch else "interactive",
            labels=tuple(_texts("labels", labels)),
            schema=_checked_schema(schema),
            private=private,
        )
        quiet = Listener()
        is_prose = not (labels or schema is not None or found.config.labels)
        hear = on_text if on_text and is_prose else quiet.text
        listener = Listener(on_progress or quiet.progress, hear)
        outcome = await self._engine.delegate(job, self._session, listener)
        if isinstance(outcome, Answer):
            return outcome
        raise outcome.error

    async def ask_each(
        self,
        prompt: str,
        *,
        files: Sequence[str | os.PathLike[str]] = (),
        items: Sequence[str] = (),
        labels: Sequence[str] = (),
        schema: Mapping[str, Any] | None = None,
        tool: str = DEFAULT_TOOL,
        arguments: Mapping[str, str] | None = None,
        model: str | None = None,
        max_tokens: int | None = None,
        fresh: bool = False,
        private: bool = False,
        on_step: Callable[[BatchProgress], None] | None = None,
    ) -> Table:
        """Ask the same question about each of many files or texts.

        A failed item costs the others nothing: its row says why. What was answered before is not
        asked again, so a call that was cancelled goes on where it was.

        Args:
            prompt: the tool's first required argument.
            files: references; every file that they stand for is an item.
            items: or texts; each is an item.
            labels: each answer is one of these.
            schema: each answer is JSON of this schema.
            tool: the tool's name.
            arguments: the tool's other arguments by name.
            model: `backend/model` or a pattern, instead of the tool's own list.
            max_tokens: the longest answer in tokens.
            fresh: ask anew what was answered before.
            private: only local models may see any of it.
            on_step: told after each item; must not block.

        Raises:
            ReferenceRefused: a reference stands for nothing, or is refused as a whole.
            ArgumentError: the tool is unknown, its arguments are wrong, or `items` is empty.
            ConfigError: a model's backend is not configured.
            DaemonError: the daemon must run and does not, or it ended in mid-call.
        """
        from spadework.engine.batch.runner import ask_each, items_of  # noqa: PLC0415 - heavy
        from spadework.engine.batch.table import EachJob  # noqa: PLC0415 - as above

        found = self._engine.find_tool(tool, self._session.project)
        job = EachJob(
            tool=tool,
            arguments={found.first_argument: prompt, **(arguments or {})},
            files=tuple(_references(files)),
            items=tuple(_texts("items", items)),
            labels=tuple(_texts("labels", labels)),
            schema=_checked_schema(schema),
            max_tokens=_checked_limit(max_tokens),
            models=(model,) if model else (),
            fresh=fresh,
            private=private,
        )
        config = self._engine.config
        listed = await items_of(job, self._session, config)

        async def delegate(one: Job, listener: Listener) -> Outcome:
            return await self._engine.delegate(one, self._session, listener)

        return await ask_each(
            delegate,
            job,
            listed.items,
            listed.left_out,
            at_once=config.each.at_once,
            hear=on_step or (lambda _: None),
        )

    async def models(self) -> tuple[ModelInfo, ...]:
        """List every model of every backend that answers now.

        Raises:
            DaemonError: the daemon must run and does not, or it ended in mid-call.
        """
        return (await self._engine.survey({})).models


def ask(
    prompt: str,
    *,
    files: Sequence[str | os.PathLike[str]] = (),
    tool: str = DEFAULT_TOOL,
    model: str | None = None,
    max_tokens: int | None = None,
    config: str | Path | None = None,
    project: str | Path | None = None,
) -> str:
    """Delegate one piece of work and return the answer's text; see `Spadework.ask`.

    Raises:
        HandedBack: no model gave an answer that passes the checks.
        SpadeworkError: whatever else `Spadework.ask` raises.
        RuntimeError: called inside a running event loop; use `Spadework` there.
    """
    if _loop_is_running():
        raise RuntimeError(
            "spadework.ask waits, so it cannot be called inside a running event loop; "
            "there use `async with spadework.Spadework() as j: await j.ask(…)`"
        )

    async def once() -> str:
        async with Spadework(config=config, project=project) as spadework:
            answer = await spadework.ask(
                prompt, files=files, tool=tool, model=model, max_tokens=max_tokens
            )
            return answer.text

    return asyncio.run(once())


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _folder(name: str, path: str | os.PathLike[str]) -> Path:
    folder = Path(path)
    if not folder.is_dir():
        raise ArgumentError(
            f"{name} {str(path)!r} is not a folder", hint="name a folder that exists"
        )
    return folder


def _listed(name: str, items: Sequence[str | os.PathLike[str]]) -> Sequence[str | os.PathLike[str]]:
    if isinstance(items, str | bytes | os.PathLike):
        raise ArgumentError(
            f"{name}: expected a list, got {items!r}", hint=f"{name}=[{str(items)!r}]"
        )
    return items


def _references(files: Sequence[str | os.PathLike[str]]) -> list[str]:
    try:
        return [os.fspath(file) for file in _listed("files", files)]
    except TypeError:
        raise ArgumentError(
            f"files: expected paths, got {files!r}", hint="pass a list of strings or paths"
        ) from None


def _texts(name: str, items: Sequence[str]) -> Sequence[str]:
    _listed(name, items)
    for item in items:
        if not isinstance(item, str):
            raise ArgumentError(
                f"{name}: expected strings, got {item!r}", hint="pass a list of strings"
            )
    return items


def _checked_schema(schema: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if schema is not None and not isinstance(schema, Mapping):
        hint = 'such as {"type": "object", "properties": {"name": {"type": "string"}}}'
        raise ArgumentError(f"schema: expected a mapping, got {type(schema).__name__}", hint=hint)
    return schema


def _checked_limit(max_tokens: int | None) -> int | None:
    if max_tokens is None:
        return None
    if isinstance(max_tokens, bool) or not isinstance(max_tokens, int) or max_tokens < 1:
        raise ArgumentError(
            f"max_tokens is {max_tokens!r}", hint="expected an integer of at least 1, or None"
        )
    return max_tokens
