"""What batch work waits for, and what it does not."""

import asyncio
import time
from dataclasses import replace

import pytest
from held_doubles import until

from doubles.asking import DEAD_URL
from doubles.plays import Play
from spadework.config.models import Config
from spadework.engine.job import Answer, HandBack, Listener
from spadework.engine.patience import MOST_BREAKS, MOST_OF_ITS_OWN, Patience
from spadework.errors import (
    BackendUnavailable,
    CutStream,
    DeadlinePassed,
    ModelUnknown,
    Overloaded,
    Unreachable,
)

LLAMA, CODE = "koala/llama3-local", "koala/codellama-local"
NAMES = {"backend": "koala", "model": "llama3-local"}
LOADING = Play(status=503, body='{"error":{"message":"Loading model","code":503}}')
BROKEN = Play(status=500, body='{"error":{"message":"boom","code":500}}')
GOOD = Play(reply="Fine.", prompt_tokens=90)


def patience(*, is_batch=True, seconds=1800.0):
    return Patience(time.monotonic() + seconds, is_batch)


def rows(engine, job, session, count=1, **more):
    jobs = (replace(job(f"row {number}"), kind="batch", **more) for number in range(count))
    return [asyncio.ensure_future(engine.delegate(one, session)) for one in jobs]


def test_a_request_that_fails_where_others_are_answered_is_to_blame_itself():
    one = patience()
    away = BackendUnavailable("502", **NAMES)
    away.is_temporary = True
    outcomes = [one.is_recoverable(LLAMA, away, answers) for answers in range(MOST_OF_ITS_OWN + 2)]
    assert outcomes == [True] * (MOST_OF_ITS_OWN + 1) + [False]


def test_an_outage_alone_is_outlasted_however_often_it_shows():
    one = patience()
    away = BackendUnavailable("still loading", **NAMES)
    away.is_temporary = True
    assert all(one.is_recoverable(LLAMA, away, 7) for _ in range(500))


def test_a_request_that_breaks_its_server_each_time_is_given_up():
    one = patience()
    outcomes = [one.is_recoverable(LLAMA, CutStream("broke off", **NAMES), 0) for _ in range(30)]
    assert outcomes.count(True) == min(MOST_OF_ITS_OWN, MOST_BREAKS)


def test_a_servers_limit_is_no_fault_of_the_request():
    one = patience()
    refusals = (Overloaded("429", **NAMES, retry_after=60.0) for _ in range(100))
    assert all(one.is_recoverable(LLAMA, error, number) for number, error in enumerate(refusals))


@pytest.mark.parametrize("kind", [ModelUnknown, DeadlinePassed, BackendUnavailable])
def test_what_does_not_pass_by_itself_is_not_waited_for(kind):
    assert not patience().is_recoverable(LLAMA, kind("no", **NAMES), 0)


def test_a_question_says_what_is_temporary_but_waits_for_none_of_it():
    assert patience(is_batch=False).is_recoverable(LLAMA, Unreachable("no", **NAMES), 0)


@pytest.mark.slow
async def test_a_row_outlasts_a_model_that_loads_and_asks_in_pauses(
    build, job, session, openai_double
):
    openai_double.plays(*[LOADING] * 8, GOOD)
    engine = build(koala=openai_double.url, models=[LLAMA])
    (answer,) = await asyncio.gather(*rows(engine, job, session))
    assert isinstance(answer, Answer)
    assert answer.tries == ()
    assert len(openai_double.chats) == 9


async def test_a_list_that_cannot_be_had_yet_is_asked_for_in_pauses(
    build, job, session, openai_double
):
    openai_double.plays(GOOD)
    entries, openai_double.entries = openai_double.entries, "not yet"
    engine = build(koala=openai_double.url, models=["koala/*"])
    plain, openai_double.answer = openai_double.answer, None

    async def loading(request, wire):
        if request.path == "/v1/models" and openai_double.entries == "not yet":
            await wire.send(LOADING.body, status=503)
        else:
            await plain(request, wire)

    openai_double.answer = loading
    told = []
    row = replace(job("row"), kind="batch")
    asking = asyncio.ensure_future(engine.delegate(row, session, Listener(away=told.append)))
    await until(lambda: len(told) >= 3)
    asked = len(openai_double.asked("/v1/models"))
    openai_double.entries = entries
    assert isinstance(await asking, Answer)
    assert asked <= len(told) + 2
    assert "waiting for koala, at most" in told[0]
    assert told[-1] == ""


@pytest.mark.slow
async def test_a_model_that_has_answered_before_is_waited_for_and_one_that_never_did_is_not(
    build, job, session, openai_double
):
    openai_double.plays(BROKEN)
    engine = build(koala=openai_double.url, models=[LLAMA])
    first = await asyncio.gather(*rows(engine, job, session, 6))
    assert all(isinstance(one, HandBack) for one in first)
    other = build(koala=openai_double.url, models=[LLAMA])
    openai_double.plays(GOOD, BROKEN, BROKEN, BROKEN, GOOD)
    assert isinstance((await asyncio.gather(*rows(other, job, session)))[0], Answer)
    await asyncio.gather(*rows(other, job, session, 3))  # it is suspended now
    assert isinstance((await asyncio.gather(*rows(other, job, session)))[0], Answer)


async def test_an_outage_is_waited_for_once_and_not_for_each_row_again(build, job, session):
    engine = build(koala=DEAD_URL, models=[LLAMA], queue={"patience": 1.0})
    begun = time.monotonic()
    (first,) = await asyncio.gather(*rows(engine, job, session))
    waited = time.monotonic() - begun
    assert isinstance(first, HandBack)
    assert waited >= 1.0
    told = []
    for number in range(5):
        row = replace(job(f"late {number}"), kind="batch")
        listener = Listener(away=lambda what: told.append(what) if what else None)
        assert isinstance(await engine.delegate(row, session, listener), HandBack)
    # The outage was noticed a moment after the first row began: the next may wait for the rest.
    assert len(told) <= 1


async def test_a_backend_that_is_configured_anew_is_not_waited_for_under_its_old_address(
    build, job, session, openai_double
):
    engine = build(koala=DEAD_URL, models=[LLAMA])
    told = []
    row = replace(job("row"), kind="batch")
    asking = asyncio.ensure_future(engine.delegate(row, session, Listener(away=told.append)))
    await until(lambda: told)
    data = engine.config.model_dump(exclude_unset=True)
    data["backends"]["koala"]["url"] = openai_double.url
    await engine.reconfigure(Config.model_validate(data))
    assert isinstance(await asking, HandBack)
    openai_double.plays(GOOD)
    assert isinstance((await asyncio.gather(*rows(engine, job, session)))[0], Answer)


@pytest.mark.slow
async def test_a_limit_that_says_when_to_come_back_loses_no_row(build, job, session, openai_double):
    busy = Play(status=429, body='{"error":{"message":"slow down"}}', headers={"Retry-After": "0"})
    openai_double.plays(*[busy] * 6, GOOD)
    engine = build(koala=openai_double.url, models=[LLAMA])
    answers = await asyncio.gather(*rows(engine, job, session, 4))
    assert all(isinstance(one, Answer) for one in answers)


async def test_money_that_is_spent_does_not_come_back_by_waiting(
    build, job, session, openai_double
):
    body = '{"error":{"message":"You exceeded your quota","code":"insufficient_quota"}}'
    openai_double.plays(Play(status=429, body=body), model="llama3-local")
    openai_double.plays(GOOD, model="codellama-local")
    engine = build(koala=openai_double.url, models=[LLAMA, CODE])
    (answer,) = await asyncio.gather(*rows(engine, job, session))
    assert answer.model == CODE
