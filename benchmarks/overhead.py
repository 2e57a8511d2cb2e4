"""What the engine, an MCP call and the daemon add to a bare request with the openai client.

The same request goes to the same fast fake server in four ways, in one run: straight with the
openai client, through the engine in this process, through an MCP client over stdio with everything
in one process, and through the shim and the daemon. Targets: over stdio at most 3 ms more a call
than the bare client (median), and with 32 at once at least 60% of its calls a second; through shim
and daemon at most 2 ms more than in one process; and with 64 calls at once to a server that takes
500 ms for each at least 90% of the bare client's calls a second.

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
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from mcp import Client
from mcp.client.stdio import StdioServerParameters
from openai import AsyncOpenAI

import fake_server
from spadework import Spadework

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Ways = dict[str, Callable[[], Awaitable[None]]]

PROMPT = "Say something short."
SYSTEM = "You are terse."
DIRECT, ENGINE, ONE_PROCESS, DAEMON = (
    "openai client",
    "engine",
    "MCP, one process",
    "MCP, shim+daemon",
)
AT_ONCE = 32
SLOW_AT_ONCE = 64
SLOW_MS = 500
MOST_ADDED_MS = 3.0
MOST_ADDED_LATER_MS = 2.0
LEAST_SHARE = 0.60
LEAST_SHARE_OF_SLOW = 0.90

# A user whose server takes more at once than the 32 that is assumed says so.
CONFIG = """
[backends.fake]
kind = "openai"
url = "{url}"
slots = 64

[tools.ask_local_llama]
use_for = "benchmarks"
models = ["fake/fake"]
system = "{system}"
"""


async def open_ways(stack: AsyncExitStack, url: str, folder: Path) -> Ways:
    """Open the ways to make the same request; the daemon ends with the stack."""
    _configure(url, folder)
    stop = [sys.executable, "-m", "spadework", "daemon", "stop"]
    environment = dict(os.environ)
    stack.callback(subprocess.run, stop, env=environment, check=True, stdout=subprocess.DEVNULL)
    return {
        DIRECT: await _direct(stack, url),
        ENGINE: await _engine(stack, folder),
        ONE_PROCESS: await _mcp(stack, folder, "--in-process"),
        DAEMON: await _mcp(stack, folder),
    }


def _configure(url: str, folder: Path) -> None:
    folder.mkdir()
    config = folder / "config.toml"
    config.write_text(CONFIG.format(url=url, system=SYSTEM), encoding="utf-8")
    os.environ["SPADEWORK_CONFIG"] = str(config)
    os.environ["SPADEWORK_DATA"] = str(folder / "data")
    (folder / "run").mkdir(mode=0o700)
    os.environ["XDG_RUNTIME_DIR"] = str(folder / "run")


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
    spadework = await stack.enter_async_context(Spadework(project=folder, daemon=False))

    async def call() -> None:
        answer = await spadework.ask(PROMPT)
        assert answer.text.endswith("pieces.")

    return call


async def _mcp(stack: AsyncExitStack, folder: Path, *options: str) -> Callable[[], Awaitable[None]]:
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "spadework", "mcp", *options],
        env=dict(os.environ) | {"CLAUDE_PROJECT_DIR": str(folder)},
    )
    client = await stack.enter_async_context(Client(server))

    async def call() -> None:
        result = await client.call_tool("ask_local_llama", {"prompt": PROMPT})
        assert not result.is_error, result

    return call


async def one_at_a_time(ways: Ways, calls: int) -> dict[str, float]:
    """Median milliseconds of a call; the ways take turns, so that noise hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(calls):
        for name, call in ways.items():
            started = time.perf_counter()
            await call()
            times[name].append((time.perf_counter() - started) * 1000)
    return {name: statistics.median(taken) for name, taken in times.items()}


async def many_at_once(ways: Ways, at_once: int, calls: int, rounds: int) -> dict[str, float]:
    """Median calls a second with so many workers, over rounds in which the ways take turns."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, call in ways.items():
            rates[name].append(await _rate(call, at_once, calls))
    return {name: statistics.median(measured) for name, measured in rates.items()}


async def _rate(call: Callable[[], Awaitable[None]], at_once: int, calls: int) -> float:
    left = iter(range(calls))

    async def worker() -> None:
        for _ in left:
            await call()

    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(at_once)))
    return calls / (time.perf_counter() - started)


async def measure(
    calls: int, folder: Path
) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """Milliseconds of a call, calls a second at 32, and calls a second at 64 to a slow server."""
    async with AsyncExitStack() as stack:
        ways = await open_ways(stack, stack.enter_context(fake_server.running()), folder / "fast")
        for call in ways.values():
            for _ in range(20):
                await call()
        medians = await one_at_a_time(ways, calls)
        rates = await many_at_once(ways, AT_ONCE, calls * 3, rounds=3)
    async with AsyncExitStack() as stack:
        url = stack.enter_context(fake_server.running(SLOW_MS))
        ways = await open_ways(stack, url, folder / "slow")
        for call in ways.values():
            await call()
        slow_rates = await many_at_once(ways, SLOW_AT_ONCE, SLOW_AT_ONCE * 6, rounds=3)
    return medians, rates, slow_rates


def main() -> None:
    """Measure and print."""
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    with tempfile.TemporaryDirectory() as folder:
        medians, rates, slow = asyncio.run(measure(calls, Path(folder)))
    print(
        f"{'':<18}{'ms a call':>10}{'added ms':>10}{'calls/s at 32':>15}{'share':>7}"
        f"{'calls/s at 64, slow':>21}{'share':>7}"
    )
    for name in medians:
        print(
            f"{name:<18}{medians[name]:>10.2f}{medians[name] - medians[DIRECT]:>10.2f}"
            f"{rates[name]:>15.0f}{rates[name] / rates[DIRECT]:>7.0%}"
            f"{slow[name]:>21.1f}{slow[name] / slow[DIRECT]:>7.0%}"
        )
    added = medians[ONE_PROCESS] - medians[DIRECT]
    by_daemon = medians[DAEMON] - medians[ONE_PROCESS]
    print(
        f"\nadded by an MCP call in one process: {added:.2f} ms (target: at most {MOST_ADDED_MS})"
    )
    print(
        f"added to that by shim and daemon: {by_daemon:.2f} ms "
        f"(target: at most {MOST_ADDED_LATER_MS})"
    )
    for name in (ONE_PROCESS, DAEMON):
        share = rates[name] / rates[DIRECT]
        print(f"{name}, share of calls/s at 32: {share:.0%} (target: at least {LEAST_SHARE:.0%})")
    share = slow[DAEMON] / slow[DIRECT]
    print(
        f"{DAEMON}, share of calls/s at 64 with {SLOW_MS} ms each: {share:.0%} "
        f"(target: at least {LEAST_SHARE_OF_SLOW:.0%})"
    )


if __name__ == "__main__":
    main()
