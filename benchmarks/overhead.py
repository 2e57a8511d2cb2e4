"""What the engine and an MCP call add to a bare request with the openai client.

The same request goes to the same fast fake server three ways, in one run: straight with the openai
client, through the engine in this process, and through an MCP client over stdio. Targets: at most
3 ms more a call (median), and with 32 at once at least 60% of the bare client's calls a second.

    python benchmarks/overhead.py [CALLS]
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mcp import Client
from mcp.client.stdio import StdioServerParameters
from openai import AsyncOpenAI

from journeyman import Journeyman

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

PROMPT = "Say something short."
SYSTEM = "You are terse."
AT_ONCE = 32
MOST_ADDED_MS = 3.0
LEAST_SHARE = 0.60

CONFIG = """
[backends.fake]
kind = "openai"
url = "{url}"

[tools.ask_local_llama]
use_for = "benchmarks"
models = ["fake/fake"]
system = "{system}"
"""


@contextmanager
def fake_server() -> Iterator[str]:
    """Run the fake server in a process of its own."""
    program = [sys.executable, str(Path(__file__).parent / "fake_server.py")]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.communicate("")


async def open_ways(
    stack: AsyncExitStack, url: str, folder: Path
) -> dict[str, Callable[[], Awaitable[None]]]:
    """Open the three ways to make the same request."""
    config = folder / "config.toml"
    config.write_text(CONFIG.format(url=url, system=SYSTEM), encoding="utf-8")
    os.environ["JOURNEYMAN_CONFIG"] = str(config)
    os.environ["JOURNEYMAN_DATA"] = str(folder / "data")
    return {
        "openai client": await _direct(stack, url),
        "engine": await _engine(stack, folder),
        "MCP over stdio": await _mcp(stack, folder),
    }


async def _direct(stack: AsyncExitStack, url: str) -> Callable[[], Awaitable[None]]:
    client = await stack.enter_async_context(AsyncOpenAI(base_url=f"{url}/v1", api_key="none"))

    async def call() -> None:
        stream = await client.chat.completions.create(
            model="fake",
            messages=[
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": PROMPT},
            ],
            max_tokens=1024,
            temperature=0.2,
            stream=True,
            stream_options={"include_usage": True},
        )
        text = ""
        async for chunk in stream:
            if chunk.choices:
                text += chunk.choices[0].delta.content or ""
        assert text.endswith("pieces.")

    return call


async def _engine(stack: AsyncExitStack, folder: Path) -> Callable[[], Awaitable[None]]:
    journeyman = await stack.enter_async_context(Journeyman(project=folder))

    async def call() -> None:
        answer = await journeyman.ask(PROMPT)
        assert answer.text.endswith("pieces.")

    return call


async def _mcp(stack: AsyncExitStack, folder: Path) -> Callable[[], Awaitable[None]]:
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "journeyman", "mcp"],
        env=dict(os.environ) | {"CLAUDE_PROJECT_DIR": str(folder)},
    )
    client = await stack.enter_async_context(Client(server))

    async def call() -> None:
        result = await client.call_tool("ask_local_llama", {"prompt": PROMPT})
        assert not result.is_error, result

    return call


async def one_at_a_time(
    ways: dict[str, Callable[[], Awaitable[None]]], calls: int
) -> dict[str, float]:
    """Median milliseconds of a call; the ways take turns, so that noise hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(calls):
        for name, call in ways.items():
            started = time.perf_counter()
            await call()
            times[name].append((time.perf_counter() - started) * 1000)
    return {name: statistics.median(taken) for name, taken in times.items()}


async def many_at_once(call: Callable[[], Awaitable[None]], calls: int) -> float:
    """Calls a second with 32 workers."""
    left = iter(range(calls))

    async def worker() -> None:
        for _ in left:
            await call()

    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return calls / (time.perf_counter() - started)


async def main() -> None:
    """Measure and print."""
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(fake_server())
        ways = await open_ways(stack, url, folder)
        for call in ways.values():
            for _ in range(20):
                await call()
        medians = await one_at_a_time(ways, calls)
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(3):
            for name, call in ways.items():
                rates[name].append(await many_at_once(call, calls * 3))
    throughput = {name: statistics.median(measured) for name, measured in rates.items()}
    base_ms, base_rate = medians["openai client"], throughput["openai client"]
    print(f"{'':<16}{'ms a call':>10}{'added ms':>10}{'calls/s at 32':>15}{'share':>8}")
    for name in ways:
        print(
            f"{name:<16}{medians[name]:>10.2f}{medians[name] - base_ms:>10.2f}"
            f"{throughput[name]:>15.0f}{throughput[name] / base_rate:>8.0%}"
        )
    added = medians["MCP over stdio"] - base_ms
    share = throughput["MCP over stdio"] / base_rate
    print(f"\nadded by an MCP call: {added:.2f} ms (target: at most {MOST_ADDED_MS:g})")
    print(f"share of the bare client's calls/s: {share:.0%} (target: at least {LEAST_SHARE:.0%})")


if __name__ == "__main__":
    asyncio.run(main())
