"""A thousand calls while servers lie and die and windows are killed: nothing hangs or leaks."""

import asyncio
import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter, deque
from pathlib import Path

import pytest
from chaos_window import Killed, Window

from doubles.openai_compatible import OpenAIDouble
from doubles.plays import Play

CALLS = 1000
WINDOWS = 8
AT_ONCE_IN_A_WINDOW = 4
DEADLINE = 20.0
SLACK = 40.0
"""Seconds beyond the deadline that a busy machine may take to notice it."""

GOOD = Play(reply="All is well.", prompt_tokens=90)
PLAYS = {
    "good": [GOOD],
    "stalls": [Play(hangs_after=2), Play(delay=60.0), GOOD],
    "cuts": [Play(cut_after=300), Play(ends_after=400), Play(error_after=2), GOOD],
    "garbles": [Play(raw=b"data: {nonsense\n\n"), Play(raw=b"\x00\xff\xfe" * 50), GOOD],
    "refuses": [
        Play(status=401, body='{"error":{"message":"who are you?"}}'),
        Play(status=404, body='{"error":{"message":"model not found"}}'),
        Play(status=429, body='{"error":{"message":"later"}}', headers={"Retry-After": "1"}),
        Play(status=500, body="<html>boom</html>", content_type="text/html"),
        GOOD,
    ],
    "lies": [
        Play(reply="", prompt_tokens=90),
        Play(reply="Half an ans", finish="length", prompt_tokens=90),
        Play(reply="x" * 400_000, prompt_tokens=90),
        Play(finish=None, prompt_tokens=90),
        GOOD,
    ],
    "mortal": [GOOD],
}
TOOLS = {
    **{f"ask_{name}": [f"{name}/m", "good/m"] for name in PLAYS if name != "good"},
    "ask_alone": ["stalls/m"],
    "ask_long": ["refuses/m", "lies/m", "mortal/m", "cuts/m"],
    "ask_embedded": ["embedded/*", "mortal/m"],
    "ask_good": ["good/m"],
}


class Servers:
    """The doubles; `mortal` is killed and comes back at the same address."""

    def __init__(self, chance):
        self._chance = chance
        self._open = {name: self._start(name) for name in PLAYS}
        self.urls = {name: double.url for name, double in self._open.items()}

    def kill(self):
        if double := self._open.pop("mortal", None):
            double.__exit__()

    def revive(self):
        self._open["mortal"] = self._start("mortal", int(self.urls["mortal"].rpartition(":")[2]))

    def close(self):
        for double in self._open.values():
            double.__exit__()

    def _start(self, name, port=0):
        double = OpenAIDouble("m")
        double.port = port
        double.plays(*(self._chance.choice(PLAYS[name]) for _ in range(CALLS)))
        return double.__enter__()


def config_text(urls):
    parts = []
    for name, url in urls.items():
        parts.append(f'[backends.{name}]\nkind = "openai"\nurl = "{url}"\nconnect_timeout = 1.0')
        parts.append("first_token_timeout = 1.5\nidle_timeout = 1.5\nslots = 4")
    for name, models in TOOLS.items():
        parts.append(f'[tools.{name}]\nuse_for = "chaos"\nmodels = {json.dumps(models)}')
        parts.append(f"timeout = 10.0\ndeadline = {DEADLINE}")
        if name == "ask_embedded":  # short answers: the real engine is slow, and here it is shared
            parts.append('labels = ["well", "ill"]')
    return "\n".join(parts)


@pytest.fixture
def environment(tmp_path, data_with_demo, runtime_folder):
    """A home of its own, in which a daemon finds the real embedded engine's toy model."""
    return os.environ | {
        "XDG_RUNTIME_DIR": str(runtime_folder),
        "SPADEWORK_CONFIG": str(tmp_path / "config.toml"),
        "SPADEWORK_DATA": str(data_with_demo),
    }


def command(environment, *arguments):
    program = [sys.executable, "-m", "spadework", *arguments]
    return subprocess.run(program, env=environment, capture_output=True, text=True, check=False)


async def status(environment):
    shown = await asyncio.to_thread(command, environment, "status", "--json")
    return json.loads(shown.stdout)


def workers_of(daemon):
    """Find the embedded engine's processes: children of the daemon."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            if f"PPid:\t{daemon}\n" in status.read_text():
                found.append(int(status.parent.name))
    return found


async def make_trouble(servers, environment, chance):
    """Kill and revive what can die, until cancelled."""
    while True:
        await asyncio.sleep(chance.uniform(0.5, 2.0))
        await asyncio.to_thread(servers.kill)
        await asyncio.sleep(chance.uniform(0.5, 3.0))
        await asyncio.to_thread(servers.revive)
        if chance.random() < 0.3:
            for worker in workers_of((await status(environment))["daemon"]["pid"]):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)


async def work(window, calls, issued, ends):
    """Make calls until there are none left, or the window is killed."""
    while calls and not window.closing:
        tool, prompt = calls.popleft()
        issued[tool] += 1
        started = time.monotonic()
        try:
            async with asyncio.timeout(DEADLINE + SLACK):
                message = await window.call(tool, prompt)
        except Killed:
            ends["killed"] += 1
            return
        assert time.monotonic() - started < DEADLINE + SLACK
        result = message["result"]
        text = result["content"][0]["text"]
        assert text
        ends["handed back" if result.get("isError") else "answered"] += 1
        if result.get("isError"):
            assert text.startswith("Not done"), text


async def session(number, calls, folder, environment, chance, issued, ends):
    """One user: windows one after another, each killed or closed in the end."""
    while calls:
        window = Window(folder, environment)
        await window.open()
        work_of_all = asyncio.gather(
            *(work(window, calls, issued, ends) for _ in range(AT_ONCE_IN_A_WINDOW))
        )
        if number % 2:
            await asyncio.sleep(chance.uniform(0.5, 3.0))
            await window.kill()
            await work_of_all
        else:
            await work_of_all
            await window.close()


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_whatever_dies_every_call_ends_once_and_no_slot_is_lost(tmp_path, environment):
    chance = random.Random(20261124)
    servers = Servers(chance)
    (tmp_path / "config.toml").write_text(config_text(servers.urls))
    issued, ends = Counter(), Counter()
    trouble = None
    try:
        started = await asyncio.to_thread(command, environment, "daemon", "start")
        assert started.returncode == 0, started.stderr
        daemon = (await status(environment))["daemon"]["pid"]
        trouble = asyncio.ensure_future(make_trouble(servers, environment, chance))
        tools = [chance.choice(list(TOOLS)) for _ in range(CALLS)]
        calls = [(tool, f"Say that all is well, number {n}.") for n, tool in enumerate(tools)]
        shares = [deque(calls[number::WINDOWS]) for number in range(WINDOWS)]
        await asyncio.gather(
            *(
                session(number, share, tmp_path, environment, chance, issued, ends)
                for number, share in enumerate(shares)
            )
        )
        shown = await settled(environment)
    finally:
        if trouble:
            trouble.cancel()
            await asyncio.gather(trouble, return_exceptions=True)
        await asyncio.to_thread(servers.close)
    assert sum(issued.values()) == CALLS
    assert ends["answered"] + ends["handed back"] + ends["killed"] == CALLS
    assert ends["answered"] > 0
    assert ends["killed"] > 0
    assert all(one["running"] == one["waiting"] == 0 for one in shown["backends"])
    with sqlite3.connect(Path(environment["SPADEWORK_DATA"]) / "ledger.db") as ledger:
        rows = ledger.execute("SELECT tool, count(*) FROM delegations GROUP BY tool").fetchall()
        by_embedded = "SELECT count(*) FROM delegations WHERE model LIKE 'embedded/%'"
        (embedded,) = ledger.execute(by_embedded).fetchone()
        outcomes = "SELECT outcome, count(*) FROM delegations GROUP BY outcome"
        ended = dict(ledger.execute(outcomes).fetchall())
    assert dict(rows) == dict(issued), "a call has no row of its own, or more than one"
    assert embedded > 0, "the real engine had nothing to do"
    assert ended["cancelled"] > 0
    assert ended.keys() <= {"answered", "handed-back", "cancelled"}
    assert shown["daemon"]["pid"] == daemon, "the daemon died"


async def settled(environment):
    """Wait until nothing runs or waits any more; return the status then."""
    async with asyncio.timeout(DEADLINE + SLACK):
        while True:
            shown = await status(environment)
            if not shown["running"] and not shown["waiting"]:
                return shown
            await asyncio.sleep(0.2)
