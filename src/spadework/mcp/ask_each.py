"""`ask_each`: one question to many files or texts, as an MCP tool."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from spadework.config.call_arguments import EACH, CallArguments, properties_of, required_by
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
from spadework.mcp.table_results import Shown, fits_a_screen, table_result
from spadework.mcp.tool_arguments import object_schema, parse_arguments
from spadework.mcp.tool_results import concealed_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mcp_types import CallToolResult

    from spadework.engine.batch.runner import Items
    from spadework.engine.batch.table import Table
    from spadework.engine.engine import Engine
    from spadework.engine.job import Job, Listener, Outcome, Session

ASK_EACH = "ask_each"
DEFAULT_TOOL = "ask_local_llama"
DESCRIPTION = (
    "Ask a local model the same question about each of many files or texts, in parallel: "
    "classify, extract, summarize one by one. Returns a table; a long one goes to a file in the "
    "project, and you get its path, the counts and what failed. The same call again asks only what "
    "is missing or changed."
)
_EXAMPLE = {"prompt": "Which queue?", "files": ["tickets/*.md"], "labels": ["billing", "bug"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arguments(CallArguments):
    prompt: str = field(metadata={EACH: "The question, the same for each."})
    items: tuple[str, ...] = field(default=(), metadata={EACH: "Or texts: each is an item."})
    tool: str = field(
        default=DEFAULT_TOOL, metadata={EACH: f"Whose models answer; {DEFAULT_TOOL} if none."}
    )
    save_to: str = field(default="", metadata={EACH: "A .jsonl or .csv in the project."})


SCHEMA = object_schema(properties_of(_Arguments, EACH), required_by(_Arguments))


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
    call = _Arguments(**parse_arguments(ASK_EACH, SCHEMA, _EXAMPLE, arguments))
    tool = engine.find_tool(call.tool, session.project)
    job = EachJob(
        tool=call.tool,
        arguments={tool.first_argument: call.prompt},
        items=call.items,
        **call.shared(),
    )
    save_to = call.save_to
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
