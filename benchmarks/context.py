"""What Claude sees of a delegated job, beside what it would have read itself.

Five jobs on this repository, through a real MCP client over stdio, before a fake model server whose
every answer has some 900 characters. Counted in bytes: the call, the result as the client gets it,
and a fifth of the list of tools with the instructions. Beside it: the files, or what git shows,
that Claude would have read to do the same. Target: one question about a hundred files at most 2%.

    python benchmarks/context.py [--markdown]
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp import Client
from mcp.client.stdio import StdioServerParameters

import fake_server
from spadework.mcp.tool_results import FIGURES_KEY

if TYPE_CHECKING:
    from mcp_types import CallToolResult

ROOT = Path(__file__).parents[1]
MOST_SHARE = 0.02
FILES = 100
ANSWER = (
    "The files describe one program in layers. The lowest layer holds the errors and the "
    "settings, and nothing in it knows of what stands above. Over it lie the parts that talk "
    "to servers, each with a file of its own behind the same small protocol, then what reads "
    "the material and what examines the replies. The middle joins them into a single path "
    "that every request takes, with a waiting line before the machines. On top there are "
    "several entrances that hold no logic: a command for the shell, a library for programs, "
    "and the connection for assistants. Names follow the same words everywhere, so that a "
    "reader finds the place for a change by its name alone. Most functions are short, and the "
    "reasons for odd choices stand beside them in a line. What is slow is imported only where "
    "it is needed, which keeps the start short. Tests sit in folders with the names of the "
    "parts that they examine."
)
CONFIG = """
[backends.fake]
kind = "ollama"
url = "{url}"
slots = 8
windows = {{ fake = 400000 }}

[tools.ask_local_llama]
models = ["fake/fake"]

[tools.ask_coding_model]
models = ["fake/fake"]
"""


@dataclass(frozen=True, slots=True)
class Work:
    """A job: what is called, and the bytes that it takes the place of."""

    name: str
    tool: str
    arguments: dict[str, Any]
    read: int


def jobs() -> list[Work]:
    """The five jobs."""
    sources = sorted((ROOT / "src").rglob("*.py"))[:FILES]
    names = [path.relative_to(ROOT).as_posix() for path in sources]
    if len(names) < FILES:
        raise SystemExit(f"there are no {FILES} files")
    folder = ROOT / "src" / "spadework" / "engine"
    log = subprocess.run(["git", "log", "-20"], cwd=ROOT, capture_output=True, check=True).stdout
    docs = sorted((ROOT / "docs").glob("*.md"))
    page = ROOT / "docs" / "configuration.md"
    engine = sorted(folder.glob("*.py"))
    return [
        Work(
            f"one question about {FILES} files",
            "ask_each",
            {"prompt": "What does this file do, in one paragraph?", "files": _patterns(names)},
            _size(sources),
        ),
        Work(
            "summary of a folder of documents",
            "ask_local_llama",
            {"prompt": "Summarize what this documentation covers.", "files": ["docs/*.md"]},
            _size(docs),
        ),
        Work(
            "first reading of a package",
            "ask_coding_model",
            {
                "question": "How do these modules work together?",
                "files": ["src/spadework/engine/*.py"],
            },
            _size(engine),
        ),
        Work(
            "what the last commits did",
            "ask_local_llama",
            {"prompt": "Summarize what these commits changed.", "files": ["git:log -20"]},
            len(log),
        ),
        Work(
            "a question to one long page",
            "ask_local_llama",
            {"prompt": "Which keys bound the waiting?", "files": ["docs/configuration.md"]},
            _size([page]),
        ),
    ]


def _patterns(names: list[str]) -> list[str]:
    """Name a hundred files in a few patterns, as a caller would; what is left, one by one."""
    folders = dict.fromkeys(name.rpartition("/")[0] for name in names)
    wanted, patterns = set(names), []
    for folder in folders:
        here = {path.as_posix() for path in Path(ROOT).glob(f"{folder}/*.py")}
        inside = {str(Path(one).relative_to(ROOT)) for one in here}
        patterns += [f"{folder}/*.py"] if inside <= wanted else sorted(inside & wanted)
    return patterns


def _size(files: list[Path]) -> int:
    return sum(path.stat().st_size for path in files)


def _seen(result: CallToolResult) -> int:
    if result.structured_content is not None:
        return len(json.dumps(result.structured_content).encode())
    return sum(len(getattr(block, "text", "").encode()) for block in result.content)


async def measure(url: str, folder: Path) -> list[tuple[Work, int, int]]:
    """Do the jobs; returns each with the bytes of its call and its result, and of the tools."""
    (folder / "config.toml").write_text(CONFIG.format(url=url))
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "spadework", "mcp", "--in-process"],
        env=dict(os.environ)
        | {
            "SPADEWORK_CONFIG": str(folder / "config.toml"),
            "SPADEWORK_DATA": str(folder / "data"),
            "CLAUDE_PROJECT_DIR": str(ROOT),
        },
        cwd=str(ROOT),
    )
    found = []
    async with Client(server) as client:
        listed = (await client.list_tools()).tools
        tools = sum(len(one.model_dump_json(by_alias=True, exclude_none=True)) for one in listed)
        tools += len((client.instructions or "").encode())
        for work in jobs():
            result = await client.call_tool(work.tool, work.arguments)
            if result.is_error:
                raise SystemExit(f"{work.name}: {result.content}")
            call = len(json.dumps({"name": work.tool, "arguments": work.arguments}).encode())
            if work.tool == "ask_each" and result.meta:
                assert result.meta[FIGURES_KEY]["items"] == FILES, result.meta
            found.append((work, call + _seen(result), tools))
    return found


def main() -> None:
    """Measure and print."""
    with fake_server.running(answer=ANSWER) as url, tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(url, Path(folder)))
    markdown = "--markdown" in sys.argv
    if markdown:
        print(
            "| job | bytes it would have read | bytes Claude sees | share |\n|---|---:|---:|---:|"
        )
    else:
        print(f"{'job':<36}{'would have read':>17}{'sees':>8}{'share':>8}")
    for work, seen, tools in found:
        together = seen + tools // len(found)
        share = together / work.read
        if markdown:
            print(f"| {work.name} | {work.read:,} | {together:,} | {share:.1%} |")
        else:
            print(f"{work.name:<36}{work.read:>17,}{together:>8,}{share:>8.1%}")
    first, seen, tools = found[0]
    share = (seen + tools // len(found)) / first.read
    told = "met" if share <= MOST_SHARE else "missed"
    if not markdown:
        print(f"\na hundred files: {share:.2%} (target: at most {MOST_SHARE:.0%}: {told})")


if __name__ == "__main__":
    main()
