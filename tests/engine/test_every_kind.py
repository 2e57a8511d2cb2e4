"""The one path before every kind of server; their errors end in the next model or a hand-back."""

import pytest

from doubles.asking import DEAD_URL
from doubles.litellm import LOCAL, LiteLLMDouble
from doubles.llama_swap import LlamaSwapDouble
from doubles.ollama import OllamaDouble
from doubles.openai_compatible import OpenAIDouble
from doubles.plays import Play
from spadework.engine.job import Answer, HandBack


def litellm(*models):
    return LiteLLMDouble(dict.fromkeys(models, LOCAL))


def new_llama_swap(*models):
    return LlamaSwapDouble(*models, form="2026-08")


@pytest.fixture(params=["openai", "litellm", "ollama", "llama-swap", "llama-swap of 2026-08"])
def server(request):
    doubles = {
        "openai": OpenAIDouble,
        "litellm": litellm,
        "ollama": OllamaDouble,
        "llama-swap": LlamaSwapDouble,
        "llama-swap of 2026-08": new_llama_swap,
    }
    with doubles[request.param]("llama3-local", "codellama-local") as double:
        double.kind = request.param.removesuffix(" of 2026-08")
        double.tag = ":latest" if request.param == "ollama" else ""
        yield double


async def test_a_file_is_answered_from(build, job, session, server):
    server.plays(reply="Three lines.", prompt_tokens=90)
    engine = build(koala=server.url, kinds={"koala": server.kind}, models=["koala/llama3-local"])
    answer = await engine.delegate(job("How many lines?", "notes.md"), session)
    assert isinstance(answer, Answer)
    assert answer.text == "Three lines."
    assert answer.figures.prompt_tokens == 90


async def test_thinking_is_no_part_of_the_answer(build, job, session, server):
    server.plays(reply="<think>or so</think>Yes.", thinking="hm", prompt_tokens=90)
    engine = build(koala=server.url, kinds={"koala": server.kind}, models=["koala/llama3-local"])
    assert (await engine.delegate(job(), session)).text == "Yes."


async def test_every_model_of_the_backend_is_tried_in_its_order(build, job, session, server):
    server.plays(Play(reply="", prompt_tokens=90), model=f"llama3-local{server.tag}")
    server.plays(Play(reply="Here.", prompt_tokens=90), model=f"codellama-local{server.tag}")
    engine = build(koala=server.url, kinds={"koala": server.kind})
    answer = await engine.delegate(job(), session)
    assert (answer.text, len(answer.tries)) == ("Here.", 1)


@pytest.mark.parametrize(
    "play",
    [
        Play(reply="Half an ans", finish="length", prompt_tokens=90),
        Play(reply="Hello there, welcome.", cut_after=450),
        Play(error_after=2),
        Play(status=500, body='{"error":"boom"}'),
        Play(reply="", prompt_tokens=90),
    ],
)
async def test_what_goes_wrong_ends_at_the_next_machine(build, job, session, server, play):
    server.plays(play)
    with OpenAIDouble("codellama-local") as second:
        second.plays(reply="From the second.", prompt_tokens=90)
        engine = build(
            koala=server.url,
            iguana=second.url,
            kinds={"koala": server.kind},
            models=["koala/llama3-local", "iguana/codellama-local"],
        )
        answer = await engine.delegate(job(), session)
        assert answer.text == "From the second."
        assert [one.model for one in answer.tries] == ["koala/llama3-local"]


async def test_an_unknown_model_is_named_with_what_to_do(build, job, session):
    with OllamaDouble("llama3-local") as ollama:
        engine = build(koala=ollama.url, kinds={"koala": "ollama"}, models=["koala/nope"])
        outcome = await engine.delegate(job(), session)
    assert isinstance(outcome, HandBack)
    assert outcome.tries[0].code == "model-unknown"
    assert "ollama pull nope" in outcome.reason


async def test_an_old_ollama_that_cuts_silently_is_caught(build, job, session):
    """As recorded: it answers 200 and prompt_eval_count is half the window plus two."""
    with OllamaDouble("llama3-local", truncates_silently=True) as ollama:
        engine = build(
            koala=ollama.url,
            kinds={"koala": "ollama"},
            windows={"llama3-local": 32_768},  # more than that model has: 8192
            models=["koala/llama3-local"],
        )
        outcome = await engine.delegate(job("What?", "long.txt"), session)
    assert isinstance(outcome, HandBack)
    assert "the server read 4098 tokens" in outcome.reason
    assert "truncated the prompt without reporting it" in outcome.reason


async def test_three_dead_machines_are_three_reasons(build, job, session):
    engine = build(
        a=DEAD_URL,
        b=DEAD_URL,
        c=DEAD_URL,
        kinds={"a": "litellm", "b": "ollama", "c": "llama-swap"},
        models=["a/x", "b/x", "c/x"],
    )
    outcome = await engine.delegate(job(), session)
    assert [one.code for one in outcome.tries] == ["unreachable"] * 3
