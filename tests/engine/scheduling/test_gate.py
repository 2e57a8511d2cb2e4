"""The gate under asyncio: waiting, progress, cancellation, deadlines, verdicts."""

import asyncio
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from virtual_world import request

import spadework.engine.scheduling
from spadework.engine.scheduling.scheduler import Scheduler
from spadework.engine.scheduling.slot_manager import SlotManager
from spadework.engine.scheduling.slot_requests import Capacity, Policy
from spadework.errors import (
    AuthFailed,
    BackendUnavailable,
    CheckFailed,
    CoolingDown,
    CutStream,
    Overloaded,
    Unreachable,
)


def make_gate(policy=None, probe=None, **capacities):
    scheduler = Scheduler(
        capacities or {"box": Capacity(1)},
        policy or Policy(max_suspension=0.0),
        clock=time.monotonic,
        jitter=lambda: 0.0,
    )
    return SlotManager(scheduler, probe)


@asynccontextmanager
async def running(coroutine):
    """Run a coroutine beside the body, which must see it end."""
    task = asyncio.ensure_future(coroutine)
    await asyncio.sleep(0)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def hold(gate, one, release, log=None):
    async with gate.slot(one):
        if log is not None:
            log.append(one.id)
        await release.wait()


def is_empty(gate):
    shown = gate.scheduler.snapshot()
    return not shown.running and not shown.waiting


async def test_a_free_slot_is_had_without_waiting():
    gate, told = make_gate(), []
    async with gate.slot(request("a"), told.append) as slot:
        assert str(slot.model) == "box/llama"
        assert gate.scheduler.snapshot().running[0].id == "a"
    assert is_empty(gate)
    assert told == []


async def test_whoever_waits_is_told_the_place_and_gets_the_slot_when_it_is_free():
    gate, release, told = make_gate(), asyncio.Event(), []

    async def wait():
        async with gate.slot(request("b"), told.append):
            return "had it"

    async with running(hold(gate, request("a"), release)), running(wait()) as waiting:
        assert [place.position for place in told] == [1]
        release.set()
        assert await waiting == "had it"
    assert is_empty(gate)


@pytest.mark.parametrize("steps", range(6))
async def test_cancelled_at_any_step_it_leaves_no_trace_and_the_next_one_goes(steps):
    gate, release, log = make_gate(), asyncio.Event(), []
    async with (
        running(hold(gate, request("a"), release, log)) as first,
        running(hold(gate, request("b"), release, log)) as second,
        running(hold(gate, request("c"), release, log)) as third,
    ):
        if steps % 2:
            release.set()  # so that b is granted while it is cancelled
        else:
            first.cancel()
        for _ in range(steps):
            await asyncio.sleep(0)
        second.cancel()
        release.set()
        await third
    assert log[0] == "a"
    assert log[-1] == "c"
    assert is_empty(gate)


async def test_a_callback_that_fails_leaves_no_trace():
    gate, release = make_gate(), asyncio.Event()

    def fail(_):
        raise RuntimeError("the client is gone")

    async with running(hold(gate, request("a"), release)):
        with pytest.raises(RuntimeError, match="the client is gone"):
            async with gate.slot(request("b"), fail):
                pass
        assert not gate.scheduler.snapshot().waiting


async def test_past_its_deadline_the_wait_ends_in_an_error():
    gate, release = make_gate(), asyncio.Event()
    async with running(hold(gate, request("a"), release)):
        with pytest.raises(Overloaded, match="box/llama: no slot in 0 s"):
            async with gate.slot(request("b", deadline=time.monotonic() + 0.05)):
                pass


async def test_a_full_queue_is_an_error_that_says_how_many_wait():
    gate, release = make_gate(Policy(max_waiting=1)), asyncio.Event()
    first, second = (hold(gate, request(name), release) for name in "ab")
    async with running(first), running(second):
        with pytest.raises(Overloaded, match="busy, 1 waiting, about 20 seconds") as caught:
            async with gate.slot(request("c")):
                pass
        assert caught.value.retry_after == pytest.approx(20.0)
        assert caught.value.hint


async def test_a_taken_id_disturbs_nobody():
    gate, release = make_gate(), asyncio.Event()
    async with running(hold(gate, request("a"), release)):
        with pytest.raises(ValueError, match="'a' is there already"):
            async with gate.slot(request("a")):
                pass
        assert [one.id for one in gate.scheduler.snapshot().running] == ["a"]


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def breaker_states(gate):
    return [one.state for one in gate.scheduler.snapshot().breakers]


async def fail_with(gate, error, request_id="a", *, first_token=False):
    async def ask():
        async with gate.slot(request(request_id)) as slot:
            if first_token:
                slot.first_token()
            raise error

    with pytest.raises(type(error)):
        await ask()


AT_BOX = {"backend": "box", "model": "llama"}


@pytest.mark.parametrize(
    ("error", "suspended"),
    [
        (Unreachable("nothing answers", **AT_BOX), ["box"]),
        (BackendUnavailable("this model fails", **AT_BOX), []),
        (CoolingDown("suspended", retry_after=30.0, **AT_BOX), ["box/llama"]),
        (Overloaded("too many requests", retry_after=7.0, **AT_BOX), ["box/llama"]),
        (CutStream("broke off", **AT_BOX), []),
        (AuthFailed("this window's key was refused", **AT_BOX), []),
        (CheckFailed("empty", "nothing came"), []),
    ],
)
async def test_an_error_says_who_is_suspended(error, suspended):
    gate = make_gate()
    await fail_with(gate, error)
    assert [one.name for one in gate.scheduler.snapshot().breakers] == suspended
    assert is_empty(gate)


async def test_a_cooldown_that_was_told_is_kept():
    gate = make_gate()
    await fail_with(gate, CoolingDown("suspended", retry_after=30.0, **AT_BOX))
    (breaker,) = gate.scheduler.snapshot().breakers
    assert breaker.reopens_in == pytest.approx(30.0, abs=1.0)
    with pytest.raises(BackendUnavailable, match=r"suspended for another \d+ s after a failure"):
        async with gate.slot(request("b")):
            pass


@pytest.mark.parametrize("first_token", [True, False])
async def test_a_backend_that_answers_is_not_dead_however_often_a_model_fails(first_token):
    gate = make_gate()
    for number in range(3):
        error = BackendUnavailable("fell silent", **AT_BOX)
        await fail_with(gate, error, f"{number}", first_token=first_token)
    assert [one.name for one in gate.scheduler.snapshot().breakers] == ["box/llama"]


@pytest.mark.parametrize(
    "answer", [None, AuthFailed("refused", **AT_BOX), BackendUnavailable("500", **AT_BOX)]
)
async def test_when_a_cooldown_is_over_a_probe_goes_by_itself_and_any_answer_is_life(answer):
    probed = []

    async def probe(backend):
        probed.append(backend)
        if answer:
            raise answer

    gate = make_gate(Policy(cooldown=0.5), probe=probe)
    await fail_with(gate, Unreachable("nothing answers", **AT_BOX))
    with pytest.raises(BackendUnavailable, match="suspended for another"):
        async with gate.slot(request("too early")):
            pass
    await until(lambda: breaker_states(gate) == [])
    assert probed == ["box"]
    async with asyncio.timeout(5), gate.slot(request("next")):
        pass


async def test_a_probe_that_finds_nothing_hands_back_what_waits():
    async def probe(_):
        raise Unreachable("nothing answers", **AT_BOX)

    gate = make_gate(Policy(cooldown=0.02), probe=probe)
    await fail_with(gate, Unreachable("nothing answers", **AT_BOX))
    await until(lambda: breaker_states(gate) == ["half-open"])
    with pytest.raises(BackendUnavailable, match="suspended for another"):
        async with asyncio.timeout(5), gate.slot(request("next")):
            pass


async def test_a_gate_that_is_closed_leaves_no_probe_under_way():
    started, ended = asyncio.Event(), asyncio.Event()

    async def probe(_):
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    gate = make_gate(Policy(cooldown=0.01), probe=probe)
    await fail_with(gate, Unreachable("nothing answers", **AT_BOX))
    await until(lambda: breaker_states(gate) == ["half-open"])
    async with running(hold(gate, request("next"), asyncio.Event())):
        await started.wait()
        await gate.close()
        assert ended.is_set()


async def test_two_hundred_tasks_of_which_many_are_cancelled_leave_every_slot_free():
    gate = make_gate(box=Capacity(4))
    most = 0

    async def work(number):
        nonlocal most
        async with gate.slot(request(f"{number}", session=f"w{number % 4}")) as slot:
            slot.first_token()
            most = max(most, len(gate.scheduler.snapshot().running))
            for _ in range(number % 5):
                await asyncio.sleep(0)

    tasks = [asyncio.ensure_future(work(number)) for number in range(200)]
    for number, task in enumerate(tasks):
        if number % 3 == 0:
            await asyncio.sleep(0)
            task.cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(one) for one in ends} == {type(None), asyncio.CancelledError}
    assert most == 4
    assert is_empty(gate)


def test_the_core_knows_neither_asyncio_nor_the_clock_nor_chance():
    folder = Path(spadework.engine.scheduling.__file__).parent
    for file in folder.glob("*.py"):
        text = file.read_text()
        if file.name != "slot_manager.py":
            assert not {"import asyncio", "import time", "import random"} & set(text.splitlines())
