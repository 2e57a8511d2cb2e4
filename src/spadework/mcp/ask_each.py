"""`ask_each`: one question to many files or texts, as an MCP tool."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from spadework.engine.batch.runner import ask_each, items_of
from spadework.engine.batch.table import (
    BatchProgress,
    EachJob,
    checked_place,
    default_name,
    write_table,
)
from spadework.engine.job import Progress
from spadework.errors import ArgumentError
from spadework.mcp.ask_each_schema import ASK_EACH, DEFAULT_TOOL, EXAMPLE, SCHEMA
from spadework.mcp.table_results import Shown, fits_a_screen, table_result
from spadework.mcp.tool_arguments import check_against
from spadework.mcp.tool_results import concealed_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mcp_types import CallToolResult

    from spadework.engine.batch.runner import Items
    from spadework.engine.batch.table import Table
    from spadework.engine.engine import Engine
    from spadework.engine.job import Job, Listener, Outcome, Session


@dataclass(frozen=True, slots=True)
class EachCall:
    """A call that is ready to run: its arguments are right and its items known."""

    engine: Engine
    session: Session
    job: EachJob
    items: Items
    save_to: str

    async def run(self, tell: Callable[[str], None]) -> CallToolResult:
        """Ask, and turn the table into a result; `tell` is called with the progress."""
        return await self._run(lambda step: tell(str(step)))

    async def run_inline(self, note: Callable[[Progress], None]) -> CallToolResult:
        """Ask, and turn the table into a result; `note` is called at each step."""
        return await self._run(
            lambda step: note(Progress("item", str(step), done=step.done, of=step.of))
        )

    async def _run(self, hear: Callable[[BatchProgress], None]) -> CallToolResult:
        async def delegate(job: Job, listener: Listener) -> Outcome:
            return await self.engine.delegate(job, self.session, listener)

        table = await ask_each(
            delegate,
            self.job,
            self.items.items,
            self.items.left_out,
            at_once=self.engine.config.each.at_once,
            hear=hear,
        )
        return table_result(concealed_table(table, self.session.conceal), self._saved(table))

    def _saved(self, table: Table) -> Shown:
        """Write the table where it was asked for, or where it is more than a screen."""
        if self.session.localize:
            return Shown(file="", shares_disk=False)
        if not self.save_to and fits_a_screen(table):
            return Shown(file="")
        name = self.save_to or default_name(self.job)
        write_table(table, checked_place(name, self.session.project))
        return Shown(file=name)


async def prepare(engine: Engine, session: Session, arguments: Mapping[str, Any]) -> EachCall:
    """Check a call and list its items, before any model is asked.

    Raises:
        ArgumentError: an argument is wrong, or there is nothing to ask about.
        ReferenceRefused: a reference may not be read or stands for nothing.
        ConfigError: the project's file is wrong.
    """
    check_against(ASK_EACH, SCHEMA, EXAMPLE, arguments)
    name = arguments.get("tool", DEFAULT_TOOL)
    tool = engine.find_tool(name, session.project)
    job = EachJob(
        tool=name,
        arguments={tool.first_argument: arguments["prompt"]},
        files=tuple(arguments.get("files", ())),
        items=tuple(arguments.get("items", ())),
        labels=tuple(arguments.get("labels", ())),
        schema=arguments.get("schema"),
        max_tokens=arguments.get("max_tokens"),
    )
    save_to = arguments.get("save_to", "")
    if save_to and session.localize:
        raise ArgumentError(
            "save_to: the server does not see your disk", hint="leave it out, and ask for less"
        )
    if save_to:
        checked_place(save_to, session.project)
    items = await items_of(job, session, engine.config)
    return EachCall(engine, _of_items(session, items), job, items, save_to)


def _of_items(session: Session, items: Items) -> Session:
    """The session for single items, which lie in known roots."""
    return replace(session, roots=items.roots or session.roots, ask_roots=None)
