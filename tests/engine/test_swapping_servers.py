"""A server that holds one model at a time, on the real queue: slots, and questions in a batch."""

import asyncio
from dataclasses import replace

import pytest
from held_doubles import HeldLlamaSwap, until

from spadework.engine.job import Answer, Listener

A, B = "koala/a", "koala/b"


@pytest.fixture
def swap():
    with HeldLlamaSwap("a", "b") as double:
        double.plays(prompt_tokens=90)
        yield double
        double.free.set()


def running(engine):
    return len(engine.queue.snapshot().running)


def batch(engine, job, session, count):
    rows = (replace(job(f"row{number}"), models=(A,), kind="batch") for number in range(count))
    return [asyncio.ensure_future(engine.delegate(row, session)) for row in rows]


async def test_a_model_is_loaded_by_two_requests_and_then_gets_as_many_as_it_has_slots(
    build, job, session, swap
):
    swap.slots = 3
    swap.plays(prompt_tokens=90, delay=0.05)
    engine = build(koala=swap.url, kinds={"koala": "llama-swap"})
    rows = batch(engine, job, session, 20)
    await until(lambda: swap.at_once == 2)
    assert running(engine) == 2
    swap.free.set()
    assert all(isinstance(one, Answer) for one in await asyncio.gather(*rows))
    assert 2 < swap.most <= 3


async def test_a_model_whose_server_does_not_tell_its_slots_gets_the_usual_number(
    build, job, session, swap
):
    swap.slots, swap.ready = None, "a"
    engine = build(koala=swap.url, kinds={"koala": "llama-swap"})
    rows = batch(engine, job, session, 20)
    await until(lambda: swap.at_once == 8)
    swap.free.set()
    await asyncio.gather(*rows)
    assert swap.most == 8


async def test_the_configs_slots_take_precedence_over_the_models_own(build, job, session, swap):
    swap.ready = "a"
    engine = build(koala=swap.url, kinds={"koala": "llama-swap"}, backend={"slots": 5})
    rows = batch(engine, job, session, 20)
    await until(lambda: swap.at_once == 5)
    swap.free.set()
    await asyncio.gather(*rows)
    assert swap.most == 5


async def test_a_question_to_another_model_interrupts_a_batch_once_and_the_batch_goes_on(
    build, job, session, swap
):
    swap.ready = "a"
    engine = build(koala=swap.url, kinds={"koala": "llama-swap"})
    rows = batch(engine, job, session, 30)
    await until(lambda: swap.at_once == 2)
    told = []
    question = replace(job("question"), models=(B,))
    asking = asyncio.ensure_future(
        engine.delegate(question, session, Listener(progress=told.append))
    )
    await until(lambda: any(one.stage == "waiting" for one in told))
    swap.free.set()
    answer = await asking
    after = len(swap.models)
    await asyncio.gather(*rows)
    assert isinstance(answer, Answer)
    assert swap.models.index("b") == 2, "only what ran when it came was served before it"
    assert after < 10, "it was not held up by the batch"
    assert swap.models.count("a") == 30
    assert swap.loads == ["b", "a"]
    assert "place 1 in the queue for koala/b" in told[0].message
    loading = next(one for one in told if one.stage == "loading")
    assert "about" in loading.message


async def test_a_second_question_waits_for_its_patience(build, job, session, swap):
    swap.ready = "a"
    queue = {"interactive_patience": 1000.0}
    engine = build(koala=swap.url, kinds={"koala": "llama-swap"}, queue=queue)
    rows = batch(engine, job, session, 30)
    await until(lambda: swap.at_once == 2)
    first = asyncio.ensure_future(engine.delegate(replace(job("one"), models=(B,)), session))
    await until(lambda: sum(one.count for one in engine.queue.snapshot().waiting) == 29)
    swap.free.set()
    await first
    await until(lambda: swap.models[-1] == "a")  # the batch goes on
    second = await engine.delegate(replace(job("two"), models=(B,)), session)
    await asyncio.gather(*rows)
    assert isinstance(second, Answer)
    assert swap.models[-1] == "b", "it came after the whole batch"
    assert swap.loads == ["b", "a", "b"]
