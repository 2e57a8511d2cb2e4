"""The demonstration: the real server, the MCP SDK's own client, three jobs by reference.

It works on a bare machine: the model is the embedded one, a small demonstration model.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spadework.config.models import EmbeddedConfig
from spadework.embedded.engine import EmbeddedEngine
from spadework.util.paths import CONFIG_VARIABLE, DATA_VARIABLE, data_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mcp import Client
    from mcp_types import CallToolResult

PACKAGE = Path(__file__).parent
# The wheel carries the files; a checkout has them at its root.
CARRIED = PACKAGE / "demo_files"
PROJECT = CARRIED if CARRIED.is_dir() else PACKAGE.parents[1]

CONFIG = """
[tools.ask_local_llama]
use_for = "summaries and simple questions"
max_tokens = 200
temperature = 0.0

[tools.sort_passage]
use_for = "sorting a passage by what kind of text it is"
parameters = { prompt = "What to look at." }
labels = ["legal text", "program code", "recipe"]
max_tokens = 32
temperature = 0.0

[ledger]
path = "LEDGER"
"""


@dataclass(frozen=True, slots=True)
class DemoJob:
    """One job of the demonstration: its title, its tool and the arguments of the call."""

    title: str
    tool: str
    arguments: dict[str, Any]


async def run() -> bool:
    """Run the demonstration and print what happens.

    Returns:
        Whether every job came back with an answer.

    Raises:
        EmbeddedError: the embedded engine or its model is not installed.
    """
    EmbeddedEngine(EmbeddedConfig()).window()
    started = time.monotonic()
    print("The embedded model is SmolLM2-135M, a small demonstration model: it proves the path,")
    print("not the quality. Your own models answer once `spadework setup` has found them.\n")
    with tempfile.TemporaryDirectory(prefix="spadework-demo-") as folder:
        async with _client(Path(folder)) as client:
            listed = await client.list_tools()
            size = len(listed.model_dump_json(by_alias=True, exclude_none=True))
            names = ", ".join(tool.name for tool in listed.tools)
            print(f"Connected over stdio (MCP {client.protocol_version}); {size} bytes of tools:")
            print(f"  {names}\n")
            never_seen = [await _show(client, job) for job in JOBS]
    read = sum(size for size in never_seen if size is not None)
    print(f"{read} bytes of files were read by the model and never seen by the client.")
    print(f"Done in {time.monotonic() - started:.0f} s.")
    return None not in never_seen


JOBS = (
    DemoJob(
        "A summary",
        "ask_local_llama",
        {"prompt": "Summarize this licence in one sentence.", "files": ["LICENSE"]},
    ),
    DemoJob(
        "A question on a passage",
        "ask_local_llama",
        {"prompt": "What is the year of the copyright?", "files": ["LICENSE:3"]},
    ),
    DemoJob(
        "A classification with a fixed set of labels",
        "sort_passage",
        {"prompt": "What kind of text is this?", "files": ["LICENSE"]},
    ),
)


@asynccontextmanager
async def _client(folder: Path) -> AsyncIterator[Client]:
    """Start the server on the package's own files, without leaving a daemon, and connect to it."""
    from mcp import Client  # noqa: PLC0415 - heavy
    from mcp.client.stdio import StdioServerParameters  # noqa: PLC0415 - heavy

    config = folder / "config.toml"
    config.write_text(CONFIG.replace("LEDGER", str(folder / "ledger.db")), encoding="utf-8")
    environment = dict(os.environ) | {
        CONFIG_VARIABLE: str(config),
        DATA_VARIABLE: str(data_folder()),
        "CLAUDE_PROJECT_DIR": str(PROJECT),
    }
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "spadework", "mcp", "--in-process"],
        env=environment,
    )
    async with Client(server) as client:
        yield client


async def _show(client: Client, job: DemoJob) -> int | None:
    """Do one job and print it.

    Returns:
        How many bytes the client never saw; None if the job was handed back.
    """
    from spadework.mcp.tool_results import FIGURES_KEY  # noqa: PLC0415 - beside its use

    print(f"{job.title}: {job.tool}({json.dumps(job.arguments)})")
    result = await client.call_tool(job.tool, job.arguments, progress_callback=_show_progress)
    _clear_progress()
    print("  | " + _text(result).replace("\n", "\n  | "))
    figures = (result.meta or {}).get(FIGURES_KEY, {})
    if result.is_error:
        print()
        return None
    print(
        f"  {figures['model']}: {figures['prompt_tokens']} tokens read, "
        f"{figures['completion_tokens']} written, {figures['seconds']:.1f} s, "
        f"{figures['bytes_read']} bytes by reference, {figures['bytes_returned']} bytes back\n"
    )
    return int(figures["bytes_read"])


def _text(result: CallToolResult) -> str:
    return next(block.text for block in result.content if block.type == "text")


async def _show_progress(progress: float, total: float | None, message: str | None) -> None:
    del progress, total
    if sys.stdout.isatty():
        print(f"\r\x1b[K  … {message}", end="", flush=True)
    else:
        print(f"  … {message}", flush=True)


def _clear_progress() -> None:
    if sys.stdout.isatty():
        print("\r\x1b[K", end="")
