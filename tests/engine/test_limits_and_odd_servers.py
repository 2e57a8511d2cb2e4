"""What does not fit, and servers that do not keep to what was asked of them."""

import asyncio
import json

import pytest
from engine_rows import LLAMA, rows

from doubles.openai_compatible import OpenAIDouble
from doubles.plays import Play
from spadework.engine.job import HandBack

pytestmark = pytest.mark.usefixtures("honest_count")


async def test_what_does_not_fit_is_refused_with_count_window_and_what_would_fit(
    build, job, session
):
    with OpenAIDouble(tokenizer="llama.cpp", window=4096) as double:
        engine = build(koala=double.url, models=[LLAMA], tool={"max_parts": 0})
        outcome = await engine.delegate(job("What?", "long.txt"), session)
        assert isinstance(outcome, HandBack)
        assert "tokens (llama.cpp's tokenizer)" in outcome.reason
        assert "the window is 4096, by max_model_len" in outcome.reason
        assert "would fit" in outcome.reason
        assert double.chats == []


async def test_a_server_that_refuses_a_long_prompt_is_explained_the_same_way(
    build, job, session, openai_double
):
    refusal = {
        "error": {
            "code": 400,
            "message": "request (18312 tokens) exceeds the available context size (4096 tokens)",
            "type": "exceed_context_size_error",
            "n_prompt_tokens": 18312,
            "n_ctx": 4096,
        }
    }
    openai_double.plays(status=400, body=json.dumps(refusal))
    engine = build(koala=openai_double.url, models=[LLAMA])
    outcome = await engine.delegate(job("What?", "long.txt"), session)
    assert "18312 tokens (the server's count)" in outcome.reason
    assert "the window is 4096" in outcome.reason
    assert "would fit" in outcome.reason


async def test_a_larger_model_is_asked_where_the_first_is_too_small(build, job, session):
    with OpenAIDouble(window=1024) as small, OpenAIDouble(window=100_000) as large:
        large.plays(reply="Words.", prompt_tokens=26_000)
        engine = build(
            small=small.url, large=large.url, models=["small/llama3-local", "large/llama3-local"]
        )
        answer = await engine.delegate(job("What?", "long.txt"), session)
        assert answer.model == "large/llama3-local"
        assert answer.tries[0].code == "context-exceeded"
        assert small.chats == []


async def test_a_count_is_asked_for_only_where_it_matters(build, job, session):
    with OpenAIDouble(tokenizer="llama.cpp", window=100_000) as double:
        engine = build(koala=double.url, models=[LLAMA])
        await engine.delegate(job(), session)
        assert double.asked("/tokenize") == []
    with OpenAIDouble(tokenizer="llama.cpp", window=40_000) as double:
        double.plays(reply="Words.", prompt_tokens=26_000)
        engine = build(koala=double.url, models=[LLAMA])
        await engine.delegate(job("What?", "long.txt"), session)
        assert len(double.asked("/tokenize")) == 1


async def test_the_answer_gets_the_room_that_the_prompt_leaves(build, job, session):
    with OpenAIDouble(tokenizer="llama.cpp", window=3000) as double:
        double.plays(reply="Words.", prompt_tokens=2400)
        engine = build(koala=double.url, models=[LLAMA])
        text = "word " * 2400
        await engine.delegate(job(text), session)
        [chat] = double.chats
        assert 256 <= chat.json["max_tokens"] < 600


async def test_silent_truncation_is_caught_without_a_tokenizer(build, job, session, openai_double):
    """14,000 words cannot be the 2050 tokens that the server says it read."""
    openai_double.plays(reply="A confident answer.", prompt_tokens=2050)
    engine = build(koala=openai_double.url, models=[LLAMA])
    outcome = await engine.delegate(job("What?", "long.txt"), session)
    assert isinstance(outcome, HandBack)
    assert "truncated the prompt without reporting it" in outcome.reason


async def test_a_server_that_knows_no_schemas_is_asked_without(build, job, session, openai_double):
    openai_double.plays(reply="bug", unbidden="response_format")
    engine = build(koala=openai_double.url, models=[LLAMA], tool={"labels": ["bug", "wish"]})
    assert (await engine.delegate(job(), session)).text == "bug"


async def test_a_model_that_never_ends_is_given_up_at_its_timeout(
    build, job, session, openai_double
):
    openai_double.plays(Play(hangs_after=2))
    engine = build(koala=openai_double.url, models=[LLAMA], tool={"timeout": 0.3})
    outcome = await engine.delegate(job(), session)
    assert isinstance(outcome, HandBack)
    assert "no whole answer within 0.3 s" in outcome.reason
    assert await asyncio.to_thread(openai_double.chats[0].wait_until_left)


async def test_a_server_that_ignores_max_tokens_is_broken_off(build, job, session, openai_double):
    """A reply of 60 MB to a request for 1,024 tokens came back as a good answer."""
    openai_double.plays(pieces=("word " * 1000,) * 100, prompt_tokens=90)
    engine = build(koala=openai_double.url, models=[LLAMA])
    outcome = await engine.delegate(job(max_tokens=100), session)
    assert isinstance(outcome, HandBack)
    assert "long past the 100 tokens" in outcome.reason


@pytest.mark.slow
async def test_a_reply_without_end_in_one_line_is_broken_off(build, job, session, openai_double):
    openai_double.plays(raw=b"data: " + b"x" * 5_000_000 + b"\n\n")
    engine = build(koala=openai_double.url, models=[LLAMA])
    outcome = await engine.delegate(job(), session)
    assert isinstance(outcome, HandBack)
    assert "4000000 bytes" in outcome.reason


async def test_signs_of_life_without_tokens_do_not_count(build, job, session, openai_double):
    """A server that sent `: ping` for ever was waited for until the tool's own timeout."""
    pings = Play(pieces=("",) * 100, pause=0.05, prompt_tokens=90)
    openai_double.plays(pings)
    engine = build(koala=openai_double.url, models=[LLAMA])
    engine.catalog.backends["koala"].first_token_timeout = 0.3
    outcome = await engine.delegate(job(), session)
    assert isinstance(outcome, HandBack)
    assert "nothing came for 0.3 s" in outcome.reason
    assert "raise first_token_timeout" in outcome.reason


async def test_between_tokens_another_limit_counts(build, job, session, openai_double):
    openai_double.plays(Play(pieces=("One", *[""] * 100), pause=0.05, prompt_tokens=90))
    engine = build(koala=openai_double.url, models=[LLAMA])
    engine.catalog.backends["koala"].idle_timeout = 0.3
    outcome = await engine.delegate(job(), session)
    assert "nothing came for 0.3 s" in outcome.reason
    assert "raise idle_timeout" in outcome.reason


async def test_what_comes_after_the_finish_is_no_part_of_the_answer(
    build, job, session, openai_double
):
    event = 'data: {"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":%s}]}\n\n'
    raw = (event % ("One.", "null")) + (event % ("", '"stop"')) + (event % (" Two.", '"length"'))
    openai_double.plays(raw=raw.encode())
    engine = build(koala=openai_double.url, models=[LLAMA])
    assert (await engine.delegate(job(), session)).text == "One."


@pytest.mark.parametrize("count", [-5, 10**30, True, "many", None])
async def test_an_odd_count_of_tokens_costs_nobody_the_answer(
    build, job, session, openai_double, tmp_path, count
):
    """It was an OverflowError in the ledger, and the answer was lost."""
    openai_double.plays(reply="Fine.", prompt_tokens=90, completion_tokens=count)
    engine = build(koala=openai_double.url, models=[LLAMA])
    answer = await engine.delegate(job(), session)
    assert answer.text == "Fine."
    [row] = rows(tmp_path)
    assert row.completion_tokens in {None, 1}
