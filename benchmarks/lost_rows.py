"""What 400 rows cost before servers that lose requests, refuse them or go away.

`ask_each` of the Python API in this process, and a bare asyncio loop over the `openai` SDK that
tries each failed request again (after 0.5 s, at most 200 times); both with 32 at once, each before
a double of its own in a process of its own, after a first request that imports all they need. Five
servers: one that hangs up on every tenth request of a kept connection, one whose gateway answers
every tenth with an empty 502, one that refuses the eleventh request with 429, one that goes away
for 4 s in the middle, and one that is steady.
Targets: no row lost, and at most 1.10 times the seconds of the bare loop.

An answer takes a second, as a short one of a local model does: what a row costs in processor time
is what overhead.py measures.

    python benchmarks/lost_rows.py [ROWS [MILLISECONDS_PER_ANSWER]]
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openai import AsyncOpenAI, OpenAIError

from spadework import Spadework

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

ROWS = 400
MILLISECONDS = 1000.0
AT_ONCE = 32
RETRIES = 200
PAUSE = 0.5
MOST_OF_BARE = 1.10
TESTS = Path(__file__).parents[1] / "tests"
PROMPT = "What is it?"
SYSTEM = "You are terse."
CONFIG = """
[backends.koala]
kind = "openai"
url = "{url}"

[tools.ask_local_llama]
models = ["koala/llama3-local"]
system = "{system}"
"""


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one run: the seconds, the rows answered, and the chats that the server saw."""

    seconds: float
    answered: int
    chats: int


def scenarios(rows: int) -> dict[str, dict[str, Any]]:
    """What goes wrong, as the double takes it."""
    return {
        "hangs up": {"keep_alive": 5, "hangs_up_every": 10},
        "empty 502": {"fails_every": 10},
        "429 over 10": {"limit": 10},
        "away for 4 s": {"leaves_at": {rows // 2: 4.0}},
        "steady": {},
    }


@contextmanager
def double(wanted: dict[str, Any], seen: dict[str, int]) -> Iterator[str]:
    """Run the double; gives its address, and in the end what it saw."""
    with subprocess.Popen(
        [sys.executable, "-m", "doubles.openai_compatible", json.dumps(wanted)],
        cwd=TESTS,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            seen.update(json.loads(server.communicate("")[0]))


async def ours(url: str, items: list[str]) -> tuple[float, int]:
    """Ask about all items with `ask_each`; returns the seconds and how many were answered."""
    with tempfile.TemporaryDirectory(prefix="jm-", dir="/tmp") as name:
        folder = Path(name)
        (folder / "config.toml").write_text(CONFIG.format(url=url, system=SYSTEM), "utf-8")
        os.environ["SPADEWORK_CONFIG"] = str(folder / "config.toml")
        os.environ["SPADEWORK_DATA"] = str(folder / "data")
        async with Spadework(project=folder, daemon=False) as spadework:
            await spadework.ask(PROMPT)
            began = time.monotonic()
            table = await spadework.ask_each(PROMPT, items=items)
            seconds = time.monotonic() - began
    for row in table.failed[:3]:
        print(f"lost: {row.item}: {row.error}")
    return seconds, len(table.rows) - len(table.failed)


async def bare(url: str, items: list[str]) -> tuple[float, int]:
    """Ask about all items with the SDK alone; returns as `ours`."""
    pending = iter(items)
    answers: dict[str, str] = {}
    async with AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:

        async def ask(item: str) -> str:
            messages: Any = [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": f"{PROMPT}\n\n{item}"},
            ]
            stream = await client.chat.completions.create(
                model="llama3-local",
                messages=messages,
                max_tokens=1024,
                temperature=0.2,
                stream=True,
                stream_options={"include_usage": True},
            )
            text, finish = "", None
            async for chunk in stream:
                for choice in chunk.choices:
                    text += choice.delta.content or ""
                    finish = choice.finish_reason or finish
            if finish is None:
                raise OpenAIError("the stream ended before the reply did")
            return text

        async def work() -> None:
            for item in pending:
                for _ in range(RETRIES):
                    try:
                        answers[item] = await ask(item)
                    # A stream that breaks off raises what the SDK's HTTP library does.
                    except Exception:  # noqa: BLE001 - as such loops do
                        await asyncio.sleep(PAUSE)
                    else:
                        break

        await ask("")
        began = time.monotonic()
        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        return time.monotonic() - began, len(answers)


def measure(
    way: Callable[[str, list[str]], Awaitable[tuple[float, int]]],
    trouble: dict[str, Any],
    rows: int,
    milliseconds: float,
) -> Run:
    """Run one way before a double of its own."""
    items = [f"item {number}" for number in range(rows)]
    seen: dict[str, int] = {}

    async def run(url: str) -> tuple[float, int]:
        return await way(url, items)

    with double({**trouble, "delay": milliseconds / 1000}, seen) as url:
        seconds, answered = asyncio.run(run(url))
    return Run(seconds, answered, seen["chats"])


def main(rows: int, milliseconds: float) -> None:
    """Measure every scenario and print it."""
    logging.getLogger("spadework").setLevel(logging.ERROR)
    print(f"{rows} rows, {AT_ONCE} at once, {milliseconds:g} ms an answer; load at first", end=" ")
    print(f"{os.getloadavg()[0]:.1f}")
    print(
        f"{'server':<14}|{'bare: rows':>11}{'seconds':>9}{'chats':>7} |"
        f"{'ours: rows':>11}{'seconds':>9}{'chats':>7} |{'ratio':>7}"
    )
    worst, lost = 0.0, 0
    for name, trouble in scenarios(rows).items():
        theirs = measure(bare, trouble, rows, milliseconds)
        mine = measure(ours, trouble, rows, milliseconds)
        ratio = mine.seconds / theirs.seconds
        worst, lost = max(worst, ratio), lost + rows - mine.answered
        print(
            f"{name:<14}|{theirs.answered:>11}{theirs.seconds:>9.1f}{theirs.chats:>7} |"
            f"{mine.answered:>11}{mine.seconds:>9.1f}{mine.chats:>7} |{ratio:>7.2f}",
            flush=True,
        )
    print(f"rows lost: {lost} (target: 0)")
    print(f"highest ratio: {worst:.2f} (target: at most {MOST_OF_BARE:.2f})")


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else ROWS,
        float(sys.argv[2]) if len(sys.argv) > 2 else MILLISECONDS,
    )
