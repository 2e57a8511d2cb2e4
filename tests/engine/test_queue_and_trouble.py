"""Servers that say nothing, configs that change, deadlines: what a review found in the queue."""

import asyncio
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from held_doubles import HeldLlamaSwap, HeldOpenAI, until

from doubles.asking import DEAD_URL
from doubles.openai_compatible import OpenAIDouble
from doubles.plays import Play
from spadework.engine.discovered_capacity import Capacities
from spadework.engine.job import Answer, HandBack
from spadework.errors import Unreachable

LLAMA, CODE = "koala/llama3-local", "koala/codellama-local"


@pytest.fixture
def mute_url():
    """A machine that is off: whoever connects hears nothing at all, not even a refusal."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        address = listening.getsockname()
        waiting = []
        for _ in range(4):  # fills the backlog, so that further packets are dropped
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(address)
            waiting.append(one)
        yield f"http://127.0.0.1:{address[1]}"
        for one in waiting:
            one.close()


@pytest.fixture
def deaf_url():
    """A server that takes every connection and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def breakers(engine):
    return {one.name: one.state for one in engine.queue.snapshot().breakers}


async def test_a_question_that_is_given_up_tells_all_the_same_that_a_machine_is_off(
    build, mute_url
):
    """It closed the breaker, so that every window's start waited for the connection again."""
    engine = build(koala=mute_url, backend={"connect_timeout": 0.6})
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await engine.catalog.describe(LLAMA)
    assert breakers(engine) == {}
    await until(lambda: breakers(engine) == {"koala": "open"})
    # Another question: the first one may not have told its last asker yet.
    with pytest.raises(Unreachable, match="suspended for another"):
        await engine.catalog.models("koala")


async def test_a_server_that_says_nothing_does_not_hold_up_who_does_not_need_it(
    build, job, session, openai_double, deaf_url
):
    openai_double.plays(prompt_tokens=90)
    engine = build(koala=openai_double.url, deaf=deaf_url, models=[LLAMA, "deaf/x"])
    async with asyncio.timeout(10):
        assert isinstance(await engine.delegate(job(), session), Answer)


@pytest.mark.slow
async def test_the_deadline_counts_before_the_slot_and_for_every_question(
    build, job, session, deaf_url
):
    engine = build(koala=deaf_url, models=[LLAMA], tool={"deadline": 0.5})
    async with asyncio.timeout(10):
        outcomes = await asyncio.gather(*(engine.delegate(job(), session) for _ in range(5)))
    assert all(isinstance(one, HandBack) for one in outcomes)
    every = build(koala=deaf_url, models=["koala/*"], tool={"deadline": 0.5})
    async with asyncio.timeout(10):
        outcome = await every.delegate(job(), session)
    assert outcome.tries[0].code == "deadline-passed"


@pytest.mark.slow
async def test_a_calls_own_deadline_is_no_fault_of_the_models(build, job, session, openai_double):
    openai_double.plays(Play(pieces=("One", *["more"] * 100), pause=0.05, prompt_tokens=90))
    engine = build(koala=openai_double.url, models=[LLAMA, CODE], tool={"deadline": 0.4})
    for _ in range(4):
        outcome = await engine.delegate(job(), session)
        assert [one.code for one in outcome.tries] == ["deadline-passed"]
        assert "raise the tool's deadline" in outcome.hint
    assert breakers(engine) == {}


async def test_a_backend_that_leaves_the_config_serves_the_calls_that_are_under_way(
    build, job, session
):
    with HeldOpenAI() as held, OpenAIDouble() as second:
        held.plays(Play(status=500, body="{}"))
        second.plays(prompt_tokens=90)
        engine = build(koala=held.url, iguana=second.url, models=[LLAMA, "iguana/llama3-local"])
        call = asyncio.ensure_future(engine.delegate(job(), session))
        await until(lambda: held.at_once == 1)
        await engine.reconfigure(engine.config.model_copy(update={"backends": {}}), {})
        held.free.set()
        answer = await call
        assert (answer.model, len(answer.tries)) == ("iguana/llama3-local", 1)
        assert [one.name for one in (await engine.status()).backends] == ["embedded"]


async def test_a_corrected_address_is_asked_at_once(build, job, session, openai_double):
    openai_double.plays(prompt_tokens=90)
    engine = build(koala=DEAD_URL, models=[LLAMA])
    assert isinstance(await engine.delegate(job(), session), HandBack)
    assert breakers(engine) == {"koala": "open"}
    right = engine.config.backends["koala"].model_copy(update={"url": openai_double.url})
    await engine.reconfigure(engine.config.model_copy(update={"backends": {"koala": right}}), {})
    assert isinstance(await engine.delegate(job(), session), Answer)


async def test_what_was_learnt_of_a_server_outlives_a_change_elsewhere(
    build, job, session, openai_double
):
    openai_double.plays(prompt_tokens=90)
    openai_double.props = {"total_slots": 3}
    engine = build(koala=openai_double.url, models=[LLAMA])
    await engine.delegate(job(), session)
    before = engine.catalog.backends["koala"]
    await engine.reconfigure(engine.config.model_copy(update={"roots": []}), {})
    await engine.delegate(job(), session)
    assert engine.catalog.backends["koala"] is before
    assert len(openai_double.asked("/props")) == 1
    assert engine.queue.snapshot().backends[0].slots == 3


async def test_a_replaced_backend_is_closed_when_its_last_user_is_done_not_when_all_are(
    build, job, session, openai_double
):
    openai_double.plays(prompt_tokens=90)
    with HeldOpenAI() as old, HeldOpenAI() as other:
        for double in (old, other):
            double.plays(prompt_tokens=90)
        engine = build(koala=old.url, iguana=other.url, models=[LLAMA])
        first = asyncio.ensure_future(engine.delegate(job(), session))
        await until(lambda: old.at_once == 1)
        new = engine.config.backends["koala"].model_copy(update={"url": openai_double.url})
        backends = engine.config.backends | {"koala": new}
        await engine.reconfigure(engine.config.model_copy(update={"backends": backends}), {})
        later = replace(job(), models=("iguana/llama3-local",))
        second = asyncio.ensure_future(engine.delegate(later, session))
        await until(lambda: other.at_once == 1)
        old.free.set()
        assert isinstance(await first, Answer)
        assert engine._retired == []
        other.free.set()
        assert isinstance(await second, Answer)


async def test_a_model_that_is_suspended_stands_once_among_the_tries(
    build, job, session, openai_double
):
    """It was listed again for each model that was asked after it."""
    openai_double.plays(reply="", prompt_tokens=90)
    engine = build(koala=openai_double.url, dead=DEAD_URL, models=["dead/x", LLAMA, CODE])
    outcome = await engine.delegate(job(), session)
    assert [one.model for one in outcome.tries] == ["dead/x", LLAMA, CODE]


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_a_model_that_went_by_itself_does_not_make_its_server_exclusive(build):
    engine = build(koala=DEAD_URL, kinds={"koala": "ollama"})
    clock = Clock()
    capacities = Capacities(engine.config, engine.catalog.backends, clock)
    capacities.note_loaded("koala", frozenset("a"))
    clock.now = 3600.0
    capacities.note_loaded("koala", frozenset("b"))
    assert not capacities.of("koala").exclusive
    clock.now = 3610.0
    capacities.note_loaded("koala", frozenset("a"))
    assert capacities.of("koala").exclusive
    clock.now = 9999.0
    assert not capacities.of("koala").exclusive, "two that are never asked for never show"


async def test_a_ledger_that_cannot_be_written_is_told_with_the_answer_and_in_the_status(
    build, job, session, openai_double
):
    """It was only in a log that a full disk has no room for either."""
    openai_double.plays(prompt_tokens=90)
    engine = build(koala=openai_double.url, models=[LLAMA])
    engine._ledger_path = Path("/dev/full/ledger.db")
    answer = await engine.delegate(job(), session)
    assert "not recorded: the ledger" in answer.notes[-1]
    assert (await engine.status()).errors[-1].model == "ledger"


@pytest.mark.slow
async def test_a_model_is_shown_as_loading_until_its_first_token(build, job, session):
    with HeldLlamaSwap("a") as swap:
        swap.plays(Play(pieces=("One", "more"), pause=0.5, prompt_tokens=90))
        engine = build(koala=swap.url, kinds={"koala": "llama-swap"})
        call = asyncio.ensure_future(engine.delegate(job(), session))
        await until(lambda: [one.cold for one in engine.queue.snapshot().running] == [True])
        swap.free.set()
        await until(lambda: [one.cold for one in engine.queue.snapshot().running] == [False])
        assert isinstance(await call, Answer)


async def test_the_embedded_engines_slots_are_known_before_it_is_asked(build):
    engine = build()
    (embedded,) = (await engine.status()).backends
    assert embedded.slots == engine.config.embedded.slots == 2


async def test_a_huge_prompt_does_not_hold_up_other_sessions(build, job, session, openai_double):
    """Ten million signs were counted on the event loop: everybody waited."""
    openai_double.plays(prompt_tokens=90)
    engine = build(koala=openai_double.url, models=[LLAMA], windows={"llama3-local": 8192})
    huge = asyncio.ensure_future(engine.delegate(job("word " * 1_000_000), session))
    await asyncio.sleep(0)
    small = await engine.delegate(job("small"), session)
    assert isinstance(small, Answer)
    assert not huge.done()
    assert isinstance(await huge, HandBack)
