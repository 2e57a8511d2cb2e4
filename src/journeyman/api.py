"""The public Python API: the same engine as the MCP tools and the command line."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Self

from journeyman.config.load import load_config
from journeyman.engine.engine import Engine
from journeyman.engine.values import Answer, Job, Listener, Session
from journeyman.errors import HandedBack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from journeyman.backends.base import ModelInfo
    from journeyman.engine.values import Progress

DEFAULT_TOOL = "ask_local_llama"


class Journeyman:
    """Delegates work to local models; use it as an async context manager.

    Args:
        config: the config file; the user's own by default.
        project: the folder that relative references start from; the current one by default.
        roots: further folders that may be read.
        session: what the ledger calls this caller.

    Raises:
        ConfigError: the config file is wrong.
    """

    def __init__(
        self,
        *,
        config: str | Path | None = None,
        project: str | Path | None = None,
        roots: Sequence[str | Path] = (),
        session: str = "python",
    ) -> None:
        loaded = load_config(Path(config) if config is not None else None)
        self._engine = Engine.from_config(loaded.config)
        self._session = Session(
            project=Path(project) if project is not None else Path.cwd(),
            roots=tuple(Path(root) for root in roots),
            name=session,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._engine.close()

    async def ask(
        self,
        prompt: str,
        *,
        files: Sequence[str] = (),
        texts: Mapping[str, str] | None = None,
        tool: str = DEFAULT_TOOL,
        arguments: Mapping[str, str] | None = None,
        model: str | None = None,
        max_tokens: int | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        on_text: Callable[[str], None] | None = None,
    ) -> Answer:
        """Delegate one piece of work and return its checked answer.

        Args:
            prompt: the tool's first required argument.
            files: references: paths, folders, globs, `path:START-END`.
            texts: further material by name.
            tool: the tool's name.
            arguments: the tool's other arguments by name.
            model: `backend/model` or a pattern, instead of the tool's own list.
            max_tokens: the longest answer in tokens.
            on_progress: told of each step; must not block.
            on_text: given the raw pieces of the reply as they come, thinking included.

        Raises:
            HandedBack: no model gave an answer that passes the checks.
            ReferenceRefused: a reference may not be read.
            ArgumentError: there is no such tool, or its arguments are wrong.
            ConfigError: a model's backend is not configured.
        """
        first = self._engine.find_tool(tool, self._session.project).first_argument
        job = Job(
            tool=tool,
            arguments={first: prompt, **(arguments or {})},
            files=tuple(files),
            texts=texts or {},
            max_tokens=max_tokens,
            models=(model,) if model else (),
        )
        quiet = Listener()
        listener = Listener(on_progress or quiet.progress, on_text or quiet.text)
        outcome = await self._engine.delegate(job, self._session, listener)
        if isinstance(outcome, Answer):
            return outcome
        raise HandedBack(
            f"no model of {tool} gave an answer that passes the checks",
            tries=tuple(str(one) for one in outcome.tries),
            hint=outcome.hint,
        )

    async def models(self) -> tuple[ModelInfo, ...]:
        """List every model of every backend that answers now."""
        return (await self._engine.survey({})).models


def ask(
    prompt: str,
    *,
    files: Sequence[str] = (),
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

    async def once() -> str:
        async with Journeyman(config=config, project=project) as journeyman:
            answer = await journeyman.ask(
                prompt, files=files, tool=tool, model=model, max_tokens=max_tokens
            )
            return answer.text

    return asyncio.run(once())
