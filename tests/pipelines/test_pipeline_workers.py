"""Several workers on one Postgres: they share the work, and the living do what the dead left."""

import json
import signal
import threading
import time
from collections import Counter

import pytest

from doubles.openai_compatible import OpenAIDouble

WAIT = 90.0
ITEMS = 300

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class CountingDouble(OpenAIDouble):
    """Knows how many chats it had at once; each waits until `go` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.now = 0
        self.most = 0

    async def chat(self, request, wire):
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            while not self.go.is_set():
                await wire.rest(0.02)
                if request.left.is_set():
                    return
            await wire.rest(0.01)
            await super().chat(request, wire)
        finally:
            self.now -= 1


@pytest.fixture
def openai_double():
    with CountingDouble() as server:
        yield server


@pytest.fixture
def workers(place, postgres_url):
    """Start workers of the engine; every one that is left is ended."""
    started = []

    def start():
        process = place.start("worker", "--engine", postgres_url, "--concurrency", "8")
        started.append(process)
        line = process.stderr.readline()
        assert line.startswith("working as "), line
        return process, line.split()[2].rstrip(";")

    yield start
    for process in started:
        process.kill()
        process.communicate()


def until(condition):
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def logs_of(place, run, url):
    done = place.run("pipeline", "logs", run, "--engine", url, "--json")
    return [json.loads(line)["text"] for line in done.stdout.splitlines()]


def test_the_living_worker_does_what_the_killed_one_left(place, workers, postgres_url):
    dying, name = workers()
    workers()
    place.items(ITEMS)
    wanted = ["pipeline", "run", "describe.py", "items.jsonl", "--run", "two", "--out", "out.jsonl"]
    wanted += ["--engine", postgres_url, "--concurrency", "8"]
    driver = place.start(*wanted, "--json")
    until(lambda: place.double.now >= 8)
    place.double.go.set()
    until(lambda: len(set(place.asked())) > ITEMS / 4)
    place.double.go.clear()
    until(lambda: place.double.now >= 8)
    dying.kill()
    place.double.go.set()
    out, err = driver.communicate(timeout=WAIT)
    assert driver.returncode == 0, err
    told = json.loads(out)
    assert (told["done"], told["failed"]) == (ITEMS, 0)
    assert Counter(row["number"] for row in place.rows()) == Counter(range(1, ITEMS + 1))
    repeats = Counter(place.asked()).total() - ITEMS
    assert repeats <= told["repeated"] <= 16
    # The cause, not the time: somebody saw that it gave no sign of life, and handed its work on.
    assert any(f"the process {name} ended" in line for line in logs_of(place, "two", postgres_url))


def test_a_worker_that_falls_silent_is_taken_for_dead(place, workers, postgres_url):
    """As one on a machine that is gone: its process cannot be looked for, only its silence."""
    silent, name = workers()
    place.items(12)
    wanted = [
        "pipeline",
        "run",
        "describe.py",
        "items.jsonl",
        "--run",
        "mute",
        "--out",
        "out.jsonl",
    ]
    wanted += ["--engine", postgres_url, "--concurrency", "2"]
    with place.start(*wanted) as driver:
        until(lambda: place.double.now >= 4)
        silent.send_signal(signal.SIGSTOP)
        place.double.go.set()
        assert driver.wait(WAIT) == 0, driver.stderr.read()
    assert sorted(row["number"] for row in place.rows()) == list(range(1, 13))
    assert any(f"the process {name} ended" in line for line in logs_of(place, "mute", postgres_url))


def test_three_processes_keep_to_the_slots_of_one_backend(place, workers, postgres_url):
    place.configure(slots=2)
    workers()
    workers()
    place.items(40)
    wanted = ["pipeline", "run", "describe.py", "items.jsonl", "--engine", postgres_url]
    with place.start(*wanted, "--out", "out.jsonl", "--concurrency", "8") as driver:
        until(lambda: place.double.now >= 2)
        place.double.go.set()
        assert driver.wait(WAIT) == 0
    assert place.double.most == 2
    assert len(place.rows()) == 40


def test_workers_finish_a_run_whose_own_process_died(place, workers, postgres_url):
    workers()
    place.items(30)
    wanted = [
        "pipeline",
        "run",
        "describe.py",
        "items.jsonl",
        "--run",
        "left",
        "--out",
        "out.jsonl",
    ]
    wanted += ["--engine", postgres_url]
    with place.start(*wanted) as driver:
        until(lambda: place.double.now >= 1)
        driver.kill()
    place.double.go.set()

    def state():
        done = place.run("pipeline", "show", "left", "--engine", postgres_url, "--json")
        return json.loads(done.stdout)["state"]

    until(lambda: state() == "done")
    asked = len(place.double.chats)
    done = place.run("pipeline", "resume", "left", "--engine", postgres_url)
    assert done.returncode == 0, done.stderr
    assert len(place.rows()) == 30
    assert (place.folder / "out.report.md").read_text() == "30 rows: A thing.\n"
    assert len(place.double.chats) == asked, "the results are written; nobody is asked again"


def test_a_worker_that_is_told_to_stop_hands_its_work_on(place, workers, postgres_url):
    stopping, _ = workers()
    place.items(30)
    wanted = [
        "pipeline",
        "run",
        "describe.py",
        "items.jsonl",
        "--run",
        "stop",
        "--out",
        "out.jsonl",
    ]
    wanted += ["--engine", postgres_url]
    with place.start(*wanted) as driver:
        until(lambda: place.double.now >= 2)
        stopping.send_signal(signal.SIGTERM)
        assert stopping.wait(WAIT) == 143
        place.double.go.set()
        assert driver.wait(WAIT) == 0
    assert len(place.rows()) == 30
    assert place.run("pipeline", "show", "stop", "--engine", postgres_url).returncode == 0


def test_a_worker_on_sqlite_is_refused_in_one_line(place):
    done = place.run("worker")
    assert done.returncode == 2
    assert done.stderr.startswith("error: workers need a Postgres")
    assert len(done.stderr.splitlines()) == 2
