"""What a durable run costs beside a bare asyncio loop, and how it grows.

Every item is one `ask`, answered by a fake server. The baseline is a bare loop in one process that
makes the same calls by the same engine, so many at once, and keeps nothing. Time is that of the
whole command less that of a run with one item, so starting Python counts in neither.

(a) overhead: milliseconds for each item, on SQLite and Postgres, with a server that answers at
    once; and the same with a model of half a second, where it shows what that means in practice.
(b) growth: 100, 1,000 and 10,000 items on SQLite. Target: an item of 10,000 costs at most 1.5 times
    what one of 1,000 costs, so growth is linear.
(c) workers: 1, 2 and 4 processes on one Postgres, a model of half a second, 8 items at once each.

    python benchmarks/pipelines.py [--markdown] [--items 100,1000,10000] [--without-postgres]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import fake_server
from spadework.config.models import Config
from spadework.engine.engine import Engine
from spadework.engine.job import Answer, Job, Session

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_GROWTH = 1.5
SLOW = 500.0
AT_ONCE = 32
OVERHEAD_ITEMS = 500
SLOW_ITEMS = 256
WORKER_ITEMS = 320
WORKER_AT_ONCE = 8
PROMPT = "Say what it is."
PIPELINE = f"""
from spadework.pipelines import Item, ask, pipeline

@pipeline
async def describe(item: Item) -> str:
    answer = await ask("ask_local_llama", "{PROMPT}", texts=item.texts)
    return answer.text
"""
CONFIG = """
[backends.fake]
kind = "openai"
url = "{url}"
slots = 64

[tools.ask_local_llama]
models = ["fake/fake"]
"""


@dataclass
class Place:
    """A folder with a config and the pipeline."""

    folder: Path
    url: str

    def __post_init__(self) -> None:
        """Write both."""
        (self.folder / "config.toml").write_text(CONFIG.format(url=self.url))
        (self.folder / "describe.py").write_text(PIPELINE)

    @property
    def environment(self) -> dict[str, str]:
        """Only what this benchmark made."""
        return os.environ | {
            "SPADEWORK_CONFIG": str(self.folder / "config.toml"),
            "SPADEWORK_DATA": str(self.folder / "data"),
            "XDG_RUNTIME_DIR": str(self.folder),
        }

    def run(self, items: int, at_once: int, *more: str) -> float:
        """Run the pipeline by the command; returns the seconds, or ends if an item failed."""
        lines = "".join(f"thing {number}\n" for number in range(items))
        command = [sys.executable, "-m", "spadework", "pipeline", "run", "describe.py", "-"]
        command += ["--concurrency", str(at_once), "--json", "--out", f"{time.time_ns()}.jsonl"]
        began = time.monotonic()
        done = subprocess.run(
            [*command, *more],
            cwd=self.folder,
            env=self.environment,
            input=lines,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - began
        if done.returncode or json.loads(done.stdout)["done"] != items:
            raise SystemExit(f"a run failed: {done.stderr}")
        return seconds

    def per_item(self, items: int, at_once: int, *more: str) -> float:
        """Milliseconds for each item."""
        return (self.run(items, at_once, *more) - self.run(1, at_once, *more)) / items * 1000

    @contextmanager
    def worker(self, engine: str, at_once: int) -> Iterator[None]:
        """Have a worker beside the run's own process."""
        command = [sys.executable, "-m", "spadework", "worker", "--engine", engine]
        with subprocess.Popen(
            [*command, "--concurrency", str(at_once)],
            cwd=self.folder,
            env=self.environment,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            process.stderr.readline()
            try:
                yield
            finally:
                process.terminate()
                process.communicate()


async def bare_loop(url: str, items: int, at_once: int, folder: Path) -> float:
    """Make the same calls by the same engine and keep nothing; milliseconds for each item."""
    config = Config.model_validate(
        {
            "backends": {"fake": {"kind": "openai", "url": url, "slots": 64}},
            "tools": {"ask_local_llama": {"models": ["fake/fake"]}},
            "ledger": {"path": folder / "bare.db"},
        }
    )
    session = Session(folder, name="benchmark")
    async with Engine.from_config(config, {}) as engine:
        limit = asyncio.Semaphore(at_once)

        async def one(number: int) -> None:
            arguments = {"prompt": PROMPT}
            job = Job("ask_local_llama", arguments, texts={"item": f"thing {number}"}, kind="batch")
            async with limit:
                outcome = await engine.delegate(job, session)
            if not isinstance(outcome, Answer):
                raise SystemExit(outcome.reason)

        await one(0)
        began = time.monotonic()
        await asyncio.gather(*map(one, range(items)))
        return (time.monotonic() - began) / items * 1000


@contextmanager
def _place(milliseconds: float) -> Iterator[Place]:
    with (
        tempfile.TemporaryDirectory(prefix="j-", ignore_cleanup_errors=True) as folder,
        fake_server.running(milliseconds, "A thing.") as url,
    ):
        yield Place(Path(folder), url)


@contextmanager
def _postgres() -> Iterator[object]:
    """Start the real Postgres that the tests use."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from real.postgres import (  # type: ignore[import-not-found] # noqa: PLC0415 - of the tests
        postgres_server,
    )

    with postgres_server() as server:
        yield server


def overhead(server: object | None) -> list[list[str]]:
    """Measure (a): a row for each kind of server and engine."""
    rows = []
    for name, milliseconds, items in (
        ("answers at once", 0.0, OVERHEAD_ITEMS),
        ("answers in 500 ms", SLOW, SLOW_ITEMS),
    ):
        with _place(milliseconds) as place, ExitStack() as stack:
            bare = asyncio.run(bare_loop(place.url, items, AT_ONCE, place.folder))
            measured = {"bare loop": bare, "SQLite": place.per_item(items, AT_ONCE)}
            if server is not None:
                url = stack.enter_context(server.fresh_database())  # type: ignore[attr-defined] # tests' own
                measured["Postgres"] = place.per_item(items, AT_ONCE, "--engine", url)
        rows += [
            [name, engine, f"{one:.1f} ms", f"{one - bare:+.1f} ms", f"{one / bare:.2f}"]
            for engine, one in measured.items()
        ]
    return rows


def growth(sizes: list[int]) -> tuple[list[list[str]], float]:
    """Measure (b): a row for each size, and the last one's cost over the one before."""
    costs = []
    for size in sizes:
        with _place(0.0) as place:
            costs.append(place.per_item(size, AT_ONCE))
    rows = [
        [f"{size:,}", f"{cost * size / 1000:.1f} s", f"{cost:.1f} ms"]
        for size, cost in zip(sizes, costs, strict=True)
    ]
    return rows, costs[-1] / costs[-2] if len(costs) > 1 else 1.0


def workers(server: object) -> list[list[str]]:
    """Measure (c): a row for each number of processes."""
    rows, first = [], 0.0
    for count in (1, 2, 4):
        with _place(SLOW) as place, ExitStack() as stack:
            url = stack.enter_context(server.fresh_database())  # type: ignore[attr-defined] # tests' own
            for _ in range(count - 1):
                stack.enter_context(place.worker(url, WORKER_AT_ONCE))
            cost = place.per_item(WORKER_ITEMS, WORKER_AT_ONCE, "--engine", url)
        by_second = 1000 / cost
        first = first or by_second
        best = count * WORKER_AT_ONCE / (SLOW / 1000)
        rows.append(
            [str(count), f"{by_second:.1f}", f"{by_second / first:.2f}", f"{by_second / best:.0%}"]
        )
    return rows


def show(headers: list[str], rows: list[list[str]], *, markdown: bool) -> None:
    """Print a table."""
    if markdown:
        print(" | ".join(["", *headers, ""]).strip())
        print("|" + " --- |" * len(headers))
        for row in rows:
            print(" | ".join(["", *row, ""]).strip())
    else:
        widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
        for row in (headers, *rows):
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
    print()


def main() -> None:
    """Measure everything and print the tables."""
    reader = argparse.ArgumentParser(description="What a durable run costs, and how it grows.")
    reader.add_argument("--markdown", action="store_true")
    reader.add_argument("--items", default="100,1000,10000", help="sizes for the growth")
    reader.add_argument("--without-postgres", action="store_true")
    chosen = reader.parse_args()
    with ExitStack() as stack:
        server = None if chosen.without_postgres else stack.enter_context(_postgres())
        rows = overhead(server)
        show(["the model", "engine", "an item", "more", "ratio"], rows, markdown=chosen.markdown)
        rows, ratio = growth([int(size) for size in chosen.items.split(",")])
        show(["items", "all", "an item"], rows, markdown=chosen.markdown)
        print(f"growth: an item of the largest run costs {ratio:.2f} times one of the run before")
        print(f"target: at most {MOST_GROWTH} {'met' if ratio <= MOST_GROWTH else 'MISSED'}\n")
        if server is not None:
            headers = ["processes", "items/s", "times one", "of the model's own pace"]
            show(headers, workers(server), markdown=chosen.markdown)


if __name__ == "__main__":
    main()
