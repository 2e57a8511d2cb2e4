"""How soon a cancelled request frees its slot in the embedded engine, and what that costs.

Requests to the real engine are cancelled while the model reads a long prompt and while it answers;
the engine's own /slots then tells when the slot is free. Targets: within 0.5 s in both cases, and
at least 85% of the reading speed of the largest batches. Speed is in tokens per second of CPU time,
which other work on the machine disturbs least. The largest batches are those that were used before.

    python benchmarks/cancelling.py [TIMES]
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spadework.backends.base import ChatRequest, Message
from spadework.backends.embedded import LlamaServer
from spadework.config.models import EmbeddedConfig
from spadework.embedded.demo_model import DEMO_SHA256, install_demo_model
from spadework.embedded.model_file import DEMO_NAME, demo_model_file, threads_of
from spadework.embedded.model_store import has_digest
from spadework.embedded.server_process import BATCH_TOKENS, FLASH_ATTENTION, WorkerSettings
from spadework.util.paths import DATA_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

CACHE = Path(__file__).parents[1] / ".cache" / "data"
TARGET_SECONDS = 0.5
TARGET_SHARE = 0.85
LARGEST_BATCH = 256
WAYS = [(LARGEST_BATCH, True), (64, True), (32, True), (32, False), (16, False)]  # ours among them
START_SECONDS = 60
READ_WORDS = 700
LONG_WORDS = 2500
WORDS = ["apple", "house", "river", "stone", "cloud", "door", "green", "seven", "walk", "lamp"]
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Measured:
    """What one way of running the engine gave; seconds, and tokens per second of CPU time."""

    reading: list[float] = field(default_factory=list)
    answering: list[float] = field(default_factory=list)
    speeds: list[float] = field(default_factory=list)


class Engine:
    """The engine's worker under settings of its own."""

    def __init__(self, process: subprocess.Popen[bytes], socket: Path, seed: int) -> None:
        self._process = process
        self._socket = socket
        self._random = random.Random(seed)
        self.server = LlamaServer(socket)

    async def until_ready(self) -> None:
        """Wait until the model is loaded."""
        async with asyncio.timeout(START_SECONDS):
            while True:
                with suppress(OSError):
                    if b" 200 " in (await self._get("/health")).partition(b"\r\n")[0]:
                        return
                await asyncio.sleep(0.05)

    async def speed(self) -> float:
        """Read a prompt; return the tokens per second of CPU time."""
        asked = self._request(self._words(READ_WORDS), max_tokens=1)
        began, tokens = self._cpu_seconds(), 0
        async for chunk in self.server.chat(asked):
            tokens = (chunk.usage and chunk.usage.prompt_tokens) or tokens
        return tokens / (self._cpu_seconds() - began)

    async def seconds_to_free(self, *, answering: bool) -> float:
        """Cancel a request while it reads its prompt or answers; return the seconds until free."""
        begun = asyncio.Event()
        prompt = "Tell a very long story of " + self._words(4 if answering else LONG_WORDS)

        async def ask() -> None:
            async for chunk in self.server.chat(self._request(prompt, max_tokens=1500)):
                if chunk.text:
                    begun.set()

        task = asyncio.create_task(ask())
        if answering:
            await begun.wait()
        await self._until(busy=True)
        await asyncio.sleep(self._random.uniform(0.1, 0.6))  # anywhere in a batch
        if task.done() or begun.is_set() is not answering:
            raise SystemExit("the request was over before it could be cancelled")
        task.cancel()
        cancelled = time.monotonic()
        with suppress(asyncio.CancelledError):
            await task
        await self._until(busy=False)
        return time.monotonic() - cancelled

    async def _until(self, *, busy: bool) -> None:
        while await self._is_busy() is not busy:  # noqa: ASYNC110 - the engine tells no events
            await asyncio.sleep(0.005)

    async def _is_busy(self) -> bool:
        slots: list[dict[str, Any]] = json.loads(
            (await self._get("/slots")).partition(b"\r\n\r\n")[2]
        )
        return any(slot["is_processing"] for slot in slots)

    async def _get(self, path: str) -> bytes:
        reader, writer = await asyncio.open_unix_connection(self._socket)
        writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        reply = await reader.read()
        writer.close()
        await writer.wait_closed()
        return reply

    def _request(self, prompt: str, max_tokens: int) -> ChatRequest:
        return ChatRequest(DEMO_NAME, (Message("user", prompt),), max_tokens, temperature=0.8)

    def _words(self, count: int) -> str:
        # never the same twice: the engine would remember what it has read
        return " ".join(self._random.choice(WORDS) for _ in range(count))

    def _cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


@contextmanager
def running(model: Path, batch: int, flash_attention: bool) -> Iterator[Engine]:
    """Run the worker with a batch size."""
    with tempfile.TemporaryDirectory(prefix="jm-", dir="/tmp") as folder:
        socket = Path(folder) / "engine.sock"
        settings = WorkerSettings(
            model=str(model),
            name=DEMO_NAME,
            socket=str(socket),
            context=4096,
            slots=1,
            threads=threads_of(EmbeddedConfig()),
            batch=batch,
            flash_attention=flash_attention,
        )
        command = [sys.executable, "-m", "spadework.embedded.server_process", settings.to_json()]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            yield Engine(process, socket, seed=batch)
        finally:
            process.kill()
            with process:
                pass


async def measure(engine: Engine, times: int) -> Measured:
    """Measure one way of running the engine."""
    await engine.until_ready()
    await engine.speed()  # the first one warms up
    measured = Measured()
    for _ in range(3):
        measured.speeds.append(await engine.speed())
    for _ in range(times):
        measured.reading.append(await engine.seconds_to_free(answering=False))
        measured.answering.append(await engine.seconds_to_free(answering=True))
    await engine.server.close()
    return measured


def demo_model() -> Path:
    """Return the demonstration model: the user's own, else one fetched into `.cache/`."""
    if not has_digest(demo_model_file(), DEMO_SHA256):
        os.environ[DATA_VARIABLE] = str(CACHE)
        return install_demo_model()
    return demo_model_file()


def median_and_max(seconds: list[float]) -> str:
    """Write both, and whether all are within the target."""
    within = "ok" if max(seconds) <= TARGET_SECONDS else "--"
    return f"{statistics.median(seconds):>8.3f}{max(seconds):>7.3f} {within:<3}"


async def main(times: int) -> None:
    """Measure and print."""
    model = demo_model()
    print(f"{times} cancellations each; seconds until /slots shows the slot free: median, max")
    print(f"{'batch':>5}  {'flash':<6}{'while reading':>18} {'while answering':>18}{'speed':>8}")
    best = share = 0.0
    for batch, flash in WAYS:
        with running(model, batch, flash) as engine:
            got = await measure(engine, times)
        speed = statistics.median(got.speeds)
        best = best or speed
        ours = ""
        if (batch, flash) == (BATCH_TOKENS, FLASH_ATTENTION):
            ours, share = "  <- ours", speed / best
        print(
            f"{batch:>5}  {'on' if flash else 'off':<6}{median_and_max(got.reading)}"
            f"{median_and_max(got.answering)}{speed:>8.0f}{speed / best:>7.0%}{ours}",
            flush=True,
        )
    print(f"\ntargets: {TARGET_SECONDS} s, {TARGET_SHARE:.0%}; load {os.getloadavg()[0]:.1f}")
    print(f"ours reads at {share:.0%} of the speed of batches of {LARGEST_BATCH} tokens")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10))
