"""A run that is killed again and again has every result once, and repeats what was in flight."""

import json
import random
import sys
import time
from collections import Counter
from dataclasses import replace

import pytest

from doubles.plays import Play

ITEMS = 600
KILLS = 10
SLOTS = 16
WAIT = 180.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def until(process, condition):
    """Look again and again until something is so; the process must live meanwhile."""
    deadline = time.monotonic() + WAIT
    while not condition():
        if process.poll() is not None:
            raise AssertionError(f"it ended first: {process.stderr.read()}")
        assert time.monotonic() < deadline
        time.sleep(0.005)


def kill_at_random_moments(place, arguments, items, seed):
    """Kill the run ten times, each time when so many requests have reached the server."""
    moments = sorted(random.Random(seed).sample(range(1, items), KILLS))
    sys.stdout.write(f"seed {seed}: killed at {moments}\n")
    for moment in moments:
        process = place.start(*arguments)
        with process:
            try:
                until(process, lambda moment=moment: len(place.double.requests) >= moment)
            finally:
                process.kill()


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_a_run_that_is_killed_ten_times_has_each_result_once(place, engine, request):
    more = ["--engine", request.getfixturevalue("postgres_url")] if engine == "postgres" else []
    place.configure(slots=SLOTS)
    place.items(ITEMS)
    wanted = ["pipeline", "run", "describe.py", "items.jsonl", "--run", "killed", *more]
    wanted += ["--out", "out.jsonl", "--concurrency", "48"]
    seed = random.randrange(10_000)
    kill_at_random_moments(place, wanted, ITEMS, seed)

    done = place.run_apart(*wanted, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["state"], told["done"], told["failed"]) == ("done", ITEMS, 0)
    rows = place.rows()
    assert Counter(row["number"] for row in rows) == Counter(range(1, ITEMS + 1))
    assert all(row["value"] == "A thing." for row in rows)
    assert (place.folder / "out.report.md").read_text() == f"{ITEMS} rows: A thing.\n"

    asked = Counter(place.asked())
    assert set(asked) == set(range(1, ITEMS + 1))
    repeats = asked.total() - ITEMS
    sys.stdout.write(f"{repeats} calls were repeated, {told['repeated']} told\n")
    # Each kill repeats at most what was in flight, and the run says of each that it was.
    assert repeats <= told["repeated"] <= KILLS * SLOTS
    assert sum(row["repeated"] for row in rows) == told["repeated"]

    again = place.run_apart(*wanted)
    assert again.returncode == 0, again.stderr
    assert place.rows() == rows
    assert Counter(place.asked()) == asked, "the same id twice is one run"


def test_a_run_that_is_killed_at_its_end_does_the_end_alone(place):
    place.items(20)
    place.write(
        "describe.py", (place.folder / "describe.py").read_text().replace("How many", "<end>")
    )
    wanted = ["pipeline", "run", "describe.py", "items.jsonl", "--run", "end", "--out", "out.jsonl"]

    def ends():
        return sum(b"<end>" in one.body for one in tuple(place.double.requests))

    place.double.plays(reply="A thing.", prompt_tokens=120, completion_tokens=4)
    with place.start(*wanted) as process:
        try:
            until(process, lambda: ends() == 1)
        finally:
            process.kill()
    done = place.run_apart(*wanted)
    assert done.returncode == 0, done.stderr
    assert Counter(place.asked()) == Counter(range(1, 21))
    assert ends() in {1, 2}
    assert (place.folder / "out.report.md").read_text() == "20 rows: A thing.\n"
    assert len(place.rows()) == 20


def test_a_call_that_two_processes_died_with_is_told_twice(place):
    place.items(1)
    whole = Play(prompt_tokens=120, completion_tokens=4)
    hangs = replace(whole, hangs_after=1)
    place.double.plays(hangs, hangs, whole)
    wanted = ["pipeline", "run", "describe.py", "items.jsonl", "--run", "twice"]
    wanted += ["--out", "out.jsonl"]
    for kill in (1, 2):
        with place.start(*wanted) as process:
            try:
                until(process, lambda kill=kill: len(place.asked()) == kill)
            finally:
                process.kill()
    done = place.run_apart(*wanted)
    assert done.returncode == 0, done.stderr
    assert place.asked() == [1, 1, 1]
    assert [row["repeated"] for row in place.rows()] == [2]
