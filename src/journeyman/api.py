"""The public Python API: the same engine as the MCP tools and the command line."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Self

from journeyman.config.load import load_config
from journeyman.engine.values import Answer, Job, Listener, Session
from journeyman.errors import ArgumentError, HandedBack
from journeyman.remote.engine import RemoteEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from journeyman.backends.base import ModelInfo
    from journeyman.engine.values import Progress

DEFAULT_TOOL = "ask_local_llama"


class Journeyman:
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
        ArgumentError: the project or a root is no folder.
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
            on_progress: told of each step; must not block.
            on_text: given the raw pieces of the reply as they come, thinking included; not with
                a tool that has labels, whose reply is no label before it is checked.

        Raises:
            HandedBack: no model gave an answer that passes the checks.
            ReferenceRefused: a reference may not be read.
            ArgumentError: there is no such tool, or its arguments are wrong.
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
        )
        quiet = Listener()
        hear = quiet.text if on_text is None or found.config.labels else on_text
        listener = Listener(on_progress or quiet.progress, hear)
        outcome = await self._engine.delegate(job, self._session, listener)
        if isinstance(outcome, Answer):
            return outcome
        raise HandedBack(
            f"no model of {tool} gave an answer that passes the checks",
            tries=tuple(str(one) for one in outcome.tries),
            hint=outcome.hint,
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
    """Delegate one piece of work and return the answer's text; see `Journeyman.ask`.

    Raises:
        HandedBack: no model gave an answer that passes the checks.
        JourneymanError: whatever else `Journeyman.ask` raises.
        RuntimeError: called inside a running event loop; use `Journeyman` there.
    """
    if _loop_is_running():
        raise RuntimeError(
            "journeyman.ask waits, so it cannot be called inside a running event loop; "
            "there use `async with journeyman.Journeyman() as j: await j.ask(…)`"
        )

    async def once() -> str:
        async with Journeyman(config=config, project=project) as journeyman:
            answer = await journeyman.ask(
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


def current_folder() -> Path:
    """Return the folder that relative references start from.

    Raises:
        ArgumentError: it was deleted.
    """
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise ArgumentError(
            "the current folder does not exist any more", hint="go to a folder that does"
        ) from None


def _folder(name: str, path: str | os.PathLike[str]) -> Path:
    folder = Path(path)
    if not folder.is_dir():
        raise ArgumentError(f"{name} {str(path)!r} is no folder", hint="name a folder that exists")
    return folder


def _listed(name: str, items: Sequence[str | os.PathLike[str]]) -> Sequence[str | os.PathLike[str]]:
    if isinstance(items, str | bytes | os.PathLike):
        raise ArgumentError(f"{name} is a list, not {items!r}", hint=f"{name}=[{str(items)!r}]")
    return items


def _references(files: Sequence[str | os.PathLike[str]]) -> list[str]:
    try:
        return [os.fspath(file) for file in _listed("files", files)]
    except TypeError:
        raise ArgumentError(
            f"files holds what is no path: {files!r}", hint="a list of strings or paths"
        ) from None


def _checked_limit(max_tokens: int | None) -> int | None:
    if max_tokens is None:
        return None
    if isinstance(max_tokens, bool) or not isinstance(max_tokens, int) or max_tokens < 1:
        raise ArgumentError(
            f"max_tokens is {max_tokens!r}", hint="a whole number from 1 on, or None"
        )
    return max_tokens
