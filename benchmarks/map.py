"""What many items cost beside a bare loop, and what a large input costs in memory.

(a) 200 short documents are sorted into two labels by the embedded engine: by `ask_each`, through
its queue and checks, and by a bare asyncio loop with the same number of requests at once that sends
the very same requests straight to the same engine. Each document is another one for each way, so
that the engine's cache of prompts helps neither. Target: at least 95% of its throughput.

(b) A daemon reads 5 MB in parts, with a fake server that answers at once: planned, read, merged as
a tree. Target: at most 200 MB more than the idle daemon, its helper processes included.

    python benchmarks/map.py [DOCUMENTS]
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import fake_server
from cancelling import demo_model
from spadework.backends.base import ChatRequest
from spadework.checks.labels import ALTERNATIVES, label_schema
from spadework.config.models import Config
from spadework.engine.batch.runner import ask_each, items_of
from spadework.engine.batch.table import EachJob
from spadework.engine.engine import Engine
from spadework.engine.job import Job, Session
from spadework.engine.prompt_messages import ResponseFormat, build_messages
from spadework.util.paths import DATA_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spadework.engine.job import Listener, Outcome

LEAST_SHARE = 0.95
MOST_MEGABYTES = 200.0
SLOTS = 4
ROUNDS = 2
WORDS = [
    "apple",
    "house",
    "river",
    "stone",
    "cloud",
    "door",
    "green",
    "seven",
    "walk",
    "lamp",
    "paper",
    "salt",
]
LABELS = ("a list", "a story")
QUESTION = "Is this a list or a story?"
LARGE_FILES = 3
LARGE_BYTES = 1_700_000
CONFIG = """
[backends.fake]
kind = "ollama"
url = "{url}"
slots = 4

[tools.ask_local_llama]
models = ["fake/fake"]
max_parts = 5000
"""


def documents(count: int, seed: int) -> list[str]:
    """Make short texts that nothing else has read."""
    chance = random.Random(seed)
    return [" ".join(chance.choice(WORDS) for _ in range(60)) + "\n" for _ in range(count)]


async def by_ask_each(engine: Engine, texts: list[str], folder: Path) -> float:
    """Ask about all of them; returns the seconds."""
    session = Session(project=folder, name="benchmark")
    job = EachJob(
        "sort", {"prompt": QUESTION}, items=tuple(texts), max_tokens=16, fresh=True, labels=LABELS
    )

    async def delegate(one: Job, listener: Listener) -> Outcome:
        return await engine.delegate(one, session, listener)

    listed = await items_of(job, session, engine.config)
    began = time.monotonic()
    table = await ask_each(
        delegate, job, listed.items, at_once=engine.config.each.at_once, hear=lambda _: None
    )
    seconds = time.monotonic() - began
    if table.failed:
        raise SystemExit(f"{len(table.failed)} failed: {table.failed[0].error}")
    return seconds


async def by_bare_loop(engine: Engine, texts: list[str]) -> float:
    """Send the same requests straight to the engine, so many at once; returns the seconds."""
    backend, model = engine.catalog.find("embedded/smollm2")
    tool = engine.config.tools["sort"]
    limit = asyncio.Semaphore(SLOTS)

    async def one(text: str) -> None:
        messages = build_messages(
            tool, {"prompt": QUESTION}, (), {"item": text}, ResponseFormat(LABELS)
        )
        request = ChatRequest(
            model, messages, 16, tool.temperature, label_schema(LABELS), alternatives=ALTERNATIVES
        )
        async with limit, aclosing(backend.chat(request)) as chunks:
            async for _ in chunks:
                pass

    began = time.monotonic()
    await asyncio.gather(*map(one, texts))
    return time.monotonic() - began


async def throughput(count: int, folder: Path) -> float:
    """Print (a); returns the share of the bare loop's throughput."""
    config = Config.model_validate(
        {
            "embedded": {"model": Path(demo_model()), "slots": SLOTS, "context": 1024},
            "tools": {"sort": {"use_for": "sorting", "models": ["embedded/*"], "temperature": 0.0}},
            "ledger": {"path": folder / "ledger.db"},
        }
    )
    ours: list[float] = []
    bare: list[float] = []
    async with Engine.from_config(config, {}) as engine:
        await by_bare_loop(engine, documents(2 * SLOTS, seed=1))  # loads the model
        for turn in range(ROUNDS):
            bare.append(await by_bare_loop(engine, documents(count, seed=10 + turn)))
            ours.append(await by_ask_each(engine, documents(count, seed=20 + turn), folder))
    share = min(bare) / min(ours)
    print(f"(a) {count} documents, {SLOTS} slots of the embedded engine, best of {ROUNDS}")
    print(f"bare loop  {min(bare):>7.1f} s {count / min(bare):>7.1f} documents/s")
    print(f"ask_each   {min(ours):>7.1f} s {count / min(ours):>7.1f} documents/s")
    print(f"share {share:.1%} (target: at least {LEAST_SHARE:.0%})")
    return share


def megabytes(pid: int) -> float:
    """The resident memory of a process and of all below it."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(
                line.split(":", 1) for line in status.read_text().splitlines() if ":" in line
            )
        except OSError:
            continue
        if int(fields["Pid"]) == pid or int(fields["PPid"]) == pid:
            total += int(fields.get("VmRSS", "0 kB").split()[0])
    return total / 1000


@contextmanager
def most_memory(pid: int) -> Iterator[list[float]]:
    """Note the memory while the body runs; the last entry is the most."""
    seen = [megabytes(pid)]
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            seen.append(max(seen[-1], megabytes(pid)))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield seen
    finally:
        over.set()
        looking.join()


def memory(folder: Path) -> float:
    """Print (b); returns the megabytes over the idle daemon."""
    chance = random.Random(3)
    large = folder / "large"
    large.mkdir()
    for number in range(LARGE_FILES):
        lines = []
        size = 0
        while size < LARGE_BYTES:
            lines.append(" ".join(chance.choice(WORDS) for _ in range(12)) + ".")
            size += len(lines[-1]) + 1
        (large / f"{number}.txt").write_text("\n".join(lines) + "\n")
    with fake_server.running() as url:
        (folder / "config.toml").write_text(CONFIG.format(url=url))
        environment = dict(os.environ) | {
            "SPADEWORK_CONFIG": str(folder / "config.toml"),
            DATA_VARIABLE: str(folder / "data"),
            "XDG_RUNTIME_DIR": str(folder),
        }

        def run(*arguments: str) -> str:
            done = subprocess.run(
                [sys.executable, "-m", "spadework", *arguments],
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise SystemExit(done.stdout + done.stderr)
            return done.stdout

        run("daemon", "start")
        try:
            run("ask", "Say something.")
            pid = int(json.loads(run("daemon", "status", "--json"))["pid"])
            with most_memory(pid) as seen:
                began = time.monotonic()
                told = json.loads(run("ask", "What is in it?", "-f", "large/", "--json"))
                seconds = time.monotonic() - began
        finally:
            run("daemon", "stop")
    more = seen[-1] - seen[0]
    read = told["figures"]["bytes_read"] / 1e6
    print(f"\n(b) {read:.1f} MB in {LARGE_FILES} files: {told['notes'][-1]}; {seconds:.0f} s")
    print(f"idle daemon {seen[0]:.0f} MB, most {seen[-1]:.0f} MB: {more:.0f} MB more", end=" ")
    print(f"({more / MOST_MEGABYTES:.0%} of the target of {MOST_MEGABYTES:.0f} MB)")
    return more


def main(count: int) -> None:
    """Measure and print both."""
    with tempfile.TemporaryDirectory(prefix="jm-", dir="/tmp") as folder:
        share = asyncio.run(throughput(count, Path(folder)))
        more = memory(Path(folder))
    met = share >= LEAST_SHARE and more <= MOST_MEGABYTES
    print(f"\ntargets met: {'yes' if met else 'no'}; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
