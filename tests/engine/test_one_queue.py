"""The one queue before real doubles: slots, fairness, swaps, dead machines, deadlines, status."""

import asyncio
from dataclasses import replace

import pytest
from held_doubles import HeldLlamaSwap, HeldOllama, HeldOpenAI, until

from doubles.asking import DEAD_URL
from doubles.openai_compatible import OpenAIDouble
from doubles.plays import Play
from spadework.engine.job import Answer, HandBack, Job, Listener
from spadework.mcp.tool_results import survey_result

LLAMA, CODE = "koala/llama3-local", "koala/codellama-local"


@pytest.fixture
def held():
    with HeldOpenAI() as double:
        double.plays(prompt_tokens=90)
        yield double
        double.free.set()


def waiting(engine):
    return sum(one.count for one in engine.queue.snapshot().waiting)


def running(engine):
    return len(engine.queue.snapshot().running)


@pytest.fixture
async def start():
    """Start delegations beside the test; the ones left are cancelled."""
    tasks = []

    def begin(engine, job, session, listener=None):
        task = asyncio.ensure_future(engine.delegate(job, session, listener))
        tasks.append(task)
        return task

    yield begin
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_no_more_run_at_once_than_the_server_says_it_has_slots(
    build, job, session, held, start
):
    held.props = {"total_slots": 2}
    engine = build(koala=held.url, models=[LLAMA])
    tasks = [start(engine, job(f"{number}"), session) for number in range(7)]
    await until(lambda: held.at_once == 2 and waiting(engine) == 5)
    held.free.set()
    assert all(isinstance(one, Answer) for one in await asyncio.gather(*tasks))
    assert held.most == 2
    assert len(held.asked("/props")) == 1


async def test_the_configs_slots_go_before_the_servers(build, job, session, held, start):
    held.props = {"total_slots": 2}
    engine = build(koala=held.url, models=[LLAMA], backend={"slots": 1})
    tasks = [start(engine, job(f"{number}"), session) for number in range(3)]
    await until(lambda: held.at_once == 1 and waiting(engine) == 2)
    held.free.set()
    await asyncio.gather(*tasks)
    assert held.most == 1


async def test_a_limit_of_one_model_leaves_the_other_its_slots(build, job, session, held, start):
    engine = build(koala=held.url, backend={"model_slots": {"llama3-local": 1}})
    tasks = [start(engine, replace(job(f"{n}"), models=(LLAMA,)), session) for n in range(3)]
    tasks += [start(engine, replace(job(f"c{n}"), models=(CODE,)), session) for n in range(3)]
    await until(lambda: held.at_once == 4 and waiting(engine) == 2)
    held.free.set()
    await asyncio.gather(*tasks)


async def test_ollama_is_asked_for_one_answer_of_a_model_at_a_time(build, job, session, start):
    with HeldOllama("llama3-local") as ollama:
        ollama.plays(prompt_tokens=90)
        engine = build(koala=ollama.url, kinds={"koala": "ollama"}, models=[LLAMA])
        tasks = [start(engine, job(f"{number}"), session) for number in range(3)]
        await until(lambda: ollama.at_once == 1 and waiting(engine) == 2)
        ollama.free.set()
        await asyncio.gather(*tasks)
        assert ollama.most == 1


async def test_a_windows_many_calls_do_not_starve_anothers_question(
    build, job, session, held, start
):
    engine = build(koala=held.url, models=[LLAMA], backend={"slots": 1})
    many = [start(engine, job(f"many{n}"), replace(session, name="many")) for n in range(20)]
    await until(lambda: waiting(engine) == 19)
    one = start(engine, job("question"), replace(session, name="one"))
    await until(lambda: waiting(engine) == 20)
    held.free.set()
    await asyncio.gather(*many, one)
    assert held.order.index("question") <= 2


async def test_questions_go_before_batch_work(build, job, session, held, start):
    engine = build(koala=held.url, models=[LLAMA], backend={"slots": 1})
    batch = [start(engine, job(f"batch{n}", kind="batch"), session) for n in range(5)]
    await until(lambda: waiting(engine) == 4)
    questions = [start(engine, job(f"question{n}"), session) for n in range(3)]
    await until(lambda: waiting(engine) == 7)
    held.free.set()
    await asyncio.gather(*batch, *questions)
    assert [one.rstrip("0123456789") for one in held.order[1:4]] == ["question"] * 3


async def test_what_waits_for_a_server_of_one_model_is_grouped_by_model(build, job, session, start):
    with HeldLlamaSwap("a", "b", "c") as swap:
        swap.plays(prompt_tokens=90)
        engine = build(koala=swap.url, kinds={"koala": "llama-swap"}, backend={"slots": 1})
        tasks = [
            start(engine, replace(job(f"{n}"), models=(f"koala/{'abc'[n % 3]}",)), session)
            for n in range(15)
        ]
        await until(lambda: waiting(engine) == 14)
        swap.free.set()
        await asyncio.gather(*tasks)
        assert len(swap.loads) == 3
        assert engine.queue.snapshot().backends[0].swaps == 2


async def test_a_server_that_shows_two_models_at_once_is_not_taken_for_exclusive(
    build, job, session, start
):
    with HeldLlamaSwap("a", "b") as swap:
        swap.plays(prompt_tokens=90)
        swap.ready, swap.starting = "a", "b"
        engine = build(koala=swap.url, kinds={"koala": "llama-swap"})
        tasks = [
            start(engine, replace(job(f"{n}"), models=(f"koala/{'ab'[n % 2]}",)), session)
            for n in range(4)
        ]
        await until(lambda: swap.at_once == 4)
        swap.free.set()
        await asyncio.gather(*tasks)


async def test_a_dead_machine_is_asked_once_and_not_by_every_call(build, job, session):
    engine = build(koala=DEAD_URL, models=[LLAMA])
    first = await engine.delegate(job(), session)
    port = int(DEAD_URL.rpartition(":")[2])
    assert isinstance(first, HandBack)
    outcomes = await asyncio.gather(*(engine.delegate(job(), session) for _ in range(20)))
    assert all("suspended for another" in one.reason for one in outcomes)
    (shown,) = engine.queue.snapshot().breakers
    assert (shown.name, shown.state) == ("koala", "open")
    assert str(port) in shown.reason
    survey = await engine.survey({})
    assert "suspended for another" in str(survey.failed[0])


@pytest.mark.slow  # the cooldown of a dead machine is five seconds
async def test_a_machine_that_comes_back_is_found_by_a_probe_and_loads_nothing(
    build, job, session, free_port
):
    engine = build(koala=f"http://127.0.0.1:{free_port}", models=[LLAMA])
    assert isinstance(await engine.delegate(job(), session), HandBack)
    revived = OpenAIDouble()
    revived.port = free_port
    with revived as double:
        double.plays(prompt_tokens=90)
        assert isinstance(await engine.delegate(job(), session), HandBack)
        assert double.requests == []
        await until(lambda: not engine.queue.snapshot().breakers, seconds=20)
        assert [one.path for one in double.requests] == ["/v1/models"]
        assert isinstance(await engine.delegate(job(), session), Answer)


@pytest.mark.slow  # a question waits ten seconds for its turn
async def test_a_question_waits_its_turn_at_a_server_that_has_too_many_but_not_for_ever(
    build, job, session, openai_double
):
    busy = Play(status=429, body='{"error":{"message":"slow down"}}', headers={"Retry-After": "1"})
    openai_double.plays(busy, Play(reply="Now.", prompt_tokens=90))
    engine = build(koala=openai_double.url, models=[LLAMA])
    answer = await engine.delegate(job(), session)
    assert (answer.text, answer.tries) == ("Now.", ())
    openai_double.plays(busy)
    outcome = await engine.delegate(job(), session)
    assert isinstance(outcome, HandBack)
    assert outcome.tries[0].code == "overloaded"
    assert 4 < len(openai_double.chats) < 15  # once a second, for ten seconds


async def test_a_server_that_is_busy_for_long_leads_to_the_next_model(
    build, job, session, openai_double
):
    busy = Play(status=429, body='{"error":{"message":"no"}}', headers={"Retry-After": "60"})
    openai_double.plays(busy, model="llama3-local")
    openai_double.plays(Play(reply="Here.", prompt_tokens=90), model="codellama-local")
    engine = build(koala=openai_double.url, models=[LLAMA, CODE])
    for _ in range(2):
        answer = await engine.delegate(job(), session)
        assert (answer.text, len(answer.tries)) == ("Here.", 1)
    assert "suspended for another" in answer.tries[0].message
    assert [one.json["model"] for one in openai_double.chats].count("llama3-local") == 1


async def test_who_waits_past_the_deadline_is_handed_back_with_the_time_it_would_take(
    build, job, session, held, start
):
    tool = {"deadline": 0.5}
    engine = build(koala=held.url, models=[LLAMA], backend={"slots": 1}, tool=tool)
    patient = Job(tool="ask_coding_model", arguments={"question": "first"}, models=(LLAMA,))
    first = start(engine, patient, session)
    await until(lambda: held.at_once == 1)
    outcome = await engine.delegate(job("late"), session)
    assert "no slot in" in outcome.reason
    first.cancel()


async def test_a_full_queue_hands_back_at_once_and_says_how_long_it_is(
    build, job, session, held, start
):
    engine = build(koala=held.url, models=[LLAMA], backend={"slots": 1}, queue={"max_waiting": 2})
    for number in range(3):
        start(engine, job(f"{number}"), session)
    await until(lambda: waiting(engine) == 2)
    outcome = await engine.delegate(job("one too many"), session)
    assert isinstance(outcome, HandBack)
    assert "busy, 2 waiting, about " in outcome.reason


async def test_who_waits_is_told_the_place_and_that_a_model_is_loaded(build, job, session, start):
    told = []
    with HeldLlamaSwap("a", "b") as swap:
        swap.plays(prompt_tokens=90)
        engine = build(koala=swap.url, kinds={"koala": "llama-swap"})
        first = start(engine, replace(job("first"), models=("koala/a",)), session)
        await until(lambda: swap.at_once == 1)
        listener = Listener(progress=told.append)
        second = start(engine, replace(job("second"), models=("koala/b",)), session, listener)
        await until(lambda: waiting(engine) == 1)
        swap.free.set()
        await asyncio.gather(first, second)
    stages = [one.stage for one in told]
    assert stages[:3] == ["waiting", "loading", "asking"]
    assert told[0].message.startswith("place 1 in the queue for koala/b")
    assert told[1].message == "koala/b is being loaded, about 10 s"


async def test_a_cancelled_call_frees_its_slot_and_its_place(build, job, session, held, start):
    engine = build(koala=held.url, models=[LLAMA], backend={"slots": 1})
    first, second = start(engine, job("first"), session), start(engine, job("second"), session)
    await until(lambda: held.at_once == 1 and waiting(engine) == 1)
    second.cancel()
    await until(lambda: waiting(engine) == 0)
    first.cancel()
    assert await asyncio.to_thread(held.chats[0].wait_until_left)
    await until(lambda: running(engine) == 0)


async def test_the_status_tells_what_runs_what_waits_and_what_failed(
    build, job, session, held, start
):
    engine = build(koala=held.url, dead=DEAD_URL, models=["dead/x", LLAMA], backend={"slots": 1})
    for number in range(3):
        start(engine, job(f"{number}"), replace(session, name=f"w{number % 2}"))
        await until(lambda: held.at_once == 1)  # so that the first one is w0's
    await until(lambda: waiting(engine) == 2)
    status = await engine.status()
    koala = next(one for one in status.backends if one.name == "koala")
    assert (koala.kind, koala.slots, koala.running, koala.waiting) == ("openai", 1, 1, 2)
    (active,) = status.running
    assert (active.session, active.tool, active.model) == ("w0", "ask_local_llama", LLAMA)
    assert sum(one.count for one in status.waiting) == 2
    assert [(one.name, one.state) for one in status.breakers] == [("dead", "open")]


async def test_the_status_tells_the_models_that_are_loaded(build, job, session):
    with HeldLlamaSwap("a", "b") as swap:
        swap.free.set()
        swap.plays(prompt_tokens=90)
        engine = build(koala=swap.url, kinds={"koala": "llama-swap"})
        await engine.delegate(replace(job(), models=("koala/b",)), session)
        status = await engine.status()
        assert status.backends[0].loaded == ("b",)
        swap.plays(Play(status=500, body='{"error":"boom"}'))
        await engine.delegate(replace(job(), models=("koala/b",)), session)
        assert "boom" in (await engine.status()).errors[-1].message


async def test_a_changed_config_changes_the_slots_of_what_waits(build, job, session, held, start):
    engine = build(koala=held.url, models=[LLAMA], backend={"slots": 1})
    tasks = [start(engine, job(f"{number}"), session) for number in range(4)]
    await until(lambda: held.at_once == 1 and waiting(engine) == 3)
    koala = engine.config.backends["koala"].model_copy(update={"slots": 3})
    await engine.reconfigure(engine.config.model_copy(update={"backends": {"koala": koala}}), {})
    await until(lambda: held.at_once == 3)
    held.free.set()
    await asyncio.gather(*tasks)


async def test_the_same_document_goes_to_the_server_that_has_read_it(build, job, session):
    with OpenAIDouble("m") as first, OpenAIDouble("m") as second:
        for double in (first, second):
            double.plays(prompt_tokens=90)
        engine = build(koala=first.url, iguana=second.url, models=["iguana/m", "koala/m"])
        await engine.delegate(replace(job("?", "notes.md"), models=("koala/m",)), session)
        for _ in range(3):
            await engine.delegate(job("What?", "notes.md"), session)
        assert (len(first.chats), len(second.chats)) == (4, 0)
        await engine.delegate(job("What?", "long.txt"), session)
        assert len(second.chats) == 1


async def test_the_list_of_models_tells_what_each_has_to_do(build, job, session, held, start):
    engine = build(koala=held.url, models=[LLAMA], backend={"slots": 1})
    for number in range(3):
        start(engine, job(f"{number}"), session)
    await until(lambda: waiting(engine) == 2)
    survey = await engine.survey({})
    assert survey.states == {LLAMA: "1 running, 2 waiting"}
    assert "; 1 running, 2 waiting" in survey_result(survey, "").content[0].text


async def test_a_model_that_is_loaded_already_is_asked_before_another_one(
    build, job, session, start
):
    """Ollama names `llama3-local` in full: what it holds must be known again."""
    with HeldOllama("llama3-local", "codellama-local") as ollama:
        ollama.plays(prompt_tokens=90)
        ollama.free.set()
        alone = {"exclusive": True}
        engine = build(koala=ollama.url, kinds={"koala": "ollama"}, backend=alone)
        await engine.delegate(replace(job(), models=(CODE,)), session)
        await until(lambda: not engine.queue._tasks)
        assert len(ollama.asked("/api/ps")) >= 2
        await engine.delegate(replace(job(), models=(CODE,)), session)
        backend = engine.queue.snapshot().backends[0]
        assert (backend.loaded, backend.swaps) == (("codellama-local",), 0)
