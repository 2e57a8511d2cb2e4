"""Labels and schemas in the one path: constrained, checked, mended once, sure or marked unsure."""

import pytest
from engine_rows import CODE, LLAMA, rows

from doubles.ollama import OllamaDouble
from doubles.openai_compatible import OpenAIDouble
from doubles.plays import Play
from spadework.engine.job import Answer, HandBack
from spadework.errors import ArgumentError

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name"],
}
SURE = Play(pieces=("bug",), chances=({"bug": 0.9, "wish": 0.1},), prompt_tokens=90)
TORN = Play(pieces=("bug",), chances=({"bug": 0.55, "wish": 0.45},), prompt_tokens=90)


async def test_a_schema_of_the_call_constrains_the_model_and_closes_its_objects(
    build, job, session, openai_double
):
    openai_double.plays(reply='{"name": "Ada", "age": 36}', prompt_tokens=200)
    engine = build(koala=openai_double.url, models=[LLAMA])
    answer = await engine.delegate(job("Who?", schema=PERSON), session)
    assert (answer.value, answer.text) == ({"name": "Ada", "age": 36}, '{"name":"Ada","age":36}')
    assert {"json", "schema"} <= set(answer.checks)
    [chat] = openai_double.chats
    asked = chat.json["response_format"]["json_schema"]
    assert asked == {
        "name": "answer",
        "schema": {**PERSON, "additionalProperties": False},
        "strict": True,
    }
    assert "logprobs" not in chat.json
    assert '"additionalProperties":false' in chat.json["messages"][-1]["content"]


async def test_labels_of_the_call_go_before_the_tool_s_own(build, job, session, openai_double):
    openai_double.plays(SURE)
    engine = build(koala=openai_double.url, models=[LLAMA], tool={"labels": ["yes", "no"]})
    answer = await engine.delegate(job("Which?", labels=("wish", "bug")), session)
    assert answer.text == "bug"
    assert answer.confidence == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema": PERSON, "labels": ("a", "b")}, "exclude each other"),
        ({"schema": {"type": "objec"}}, "the schema is wrong at type"),
        ({"labels": ("a", "A")}, "there twice"),
    ],
)
async def test_a_wrong_form_is_one_clear_error_and_no_model_is_asked(
    build, job, session, openai_double, changes, said
):
    engine = build(koala=openai_double.url, models=[LLAMA])
    with pytest.raises(ArgumentError, match=said):
        await engine.delegate(job("Who?", **changes), session)
    assert openai_double.chats == []


async def test_an_answer_is_mended_once_by_the_model_that_gave_it(
    build, job, session, openai_double, tmp_path
):
    openai_double.plays(
        Play(reply='{"age": 36}', prompt_tokens=200, completion_tokens=5),
        Play(reply='{"name": "Ada"}', prompt_tokens=300, completion_tokens=6),
    )
    engine = build(koala=openai_double.url, models=[LLAMA, CODE])
    answer = await engine.delegate(job("Who?", schema=PERSON), session)
    assert (answer.value, answer.model, answer.tries) == ({"name": "Ada"}, LLAMA, ())
    assert any(
        "mended once" in note and 'must have the keys ["name"]' in note for note in answer.notes
    )
    assert (answer.figures.prompt_tokens, answer.figures.completion_tokens) == (500, 11)
    [row] = rows(tmp_path)
    assert row.completion_tokens == 11


async def test_a_label_that_is_none_is_mended_too(build, job, session, openai_double):
    openai_double.plays(Play(reply="It is a bug, I think."), Play(reply="bug"))
    openai_double.plays(
        Play(reply="It is a bug, I think.", prompt_tokens=90),
        Play(reply="bug", prompt_tokens=90),
    )
    engine = build(koala=openai_double.url, models=[LLAMA])
    answer = await engine.delegate(job("Which?", labels=("wish", "bug")), session)
    assert (answer.text, len(openai_double.chats)) == ("bug", 2)
    assert answer.confidence is None


async def test_an_unsure_label_goes_on_to_the_next_model(
    build, job, session, openai_double, tmp_path
):
    openai_double.plays(TORN, model="llama3-local")
    openai_double.plays(SURE, model="codellama-local")
    tool = {"least_confidence": 0.5}
    engine = build(koala=openai_double.url, models=[LLAMA, CODE], tool=tool)
    answer = await engine.delegate(job("Which?", labels=("wish", "bug")), session)
    assert (answer.text, answer.model, answer.unsure) == ("bug", CODE, False)
    assert [one.check for one in answer.tries] == ["confidence"]
    [row] = rows(tmp_path)
    assert row.confidence == pytest.approx(0.8)
    assert "label" in row.checks


async def test_where_no_model_is_sure_the_answer_is_marked_and_not_guessed(
    build, job, session, openai_double, tmp_path
):
    openai_double.plays(TORN)
    tool = {"least_confidence": 0.5}
    engine = build(koala=openai_double.url, models=[LLAMA, CODE], tool=tool)
    answer = await engine.delegate(job("Which?", labels=("wish", "bug")), session)
    assert isinstance(answer, Answer)
    assert (answer.text, answer.unsure) == ("unsure", True)
    assert answer.confidence == pytest.approx(0.1)
    assert answer.notes[0] == "most probable: bug (0.10, 0.5 is wanted)"
    assert len(answer.tries) == 2
    assert rows(tmp_path)[0].outcome == "answered"


async def test_a_server_that_tells_no_probabilities_gives_no_confidence_and_no_alarm(
    build, job, session, openai_double
):
    openai_double.plays(reply="bug", prompt_tokens=90)
    engine = build(koala=openai_double.url, models=[LLAMA], tool={"least_confidence": 0.9})
    answer = await engine.delegate(job("Which?", labels=("wish", "bug")), session)
    assert (answer.text, answer.confidence, answer.unsure) == ("bug", None, False)


async def test_a_server_that_refuses_to_tell_probabilities_is_asked_without_from_then_on(
    build, job, session, openai_double
):
    openai_double.plays(reply="bug", unbidden="logprobs", prompt_tokens=90)
    engine = build(koala=openai_double.url, models=[LLAMA])
    for _ in range(2):
        answer = await engine.delegate(job("Which?", labels=("wish", "bug")), session)
        assert answer.text == "bug"
    told = ["logprobs" in chat.json for chat in openai_double.chats]
    assert told == [True, False, False]
    assert all("response_format" in chat.json for chat in openai_double.chats)


async def test_ollama_constrains_by_its_format_and_tells_probabilities(build, job, session):
    with OllamaDouble("llama3-local") as ollama:
        ollama.plays(SURE)
        engine = build(koala=ollama.url, kinds={"koala": "ollama"}, models=[LLAMA])
        answer = await engine.delegate(job("Which?", labels=("wish", "bug")), session)
        assert answer.confidence == pytest.approx(0.8)
        [chat] = ollama.chats
        assert chat.json["format"] == {"type": "string", "enum": ["wish", "bug"]}
        assert (chat.json["logprobs"], chat.json["top_logprobs"]) == (True, 20)
        ollama.plays(reply='{"name": "Ada"}', prompt_tokens=200)
        answer = await engine.delegate(job("Who?", schema=PERSON), session)
        assert ollama.chats[-1].json["format"]["additionalProperties"] is False
        assert answer.value == {"name": "Ada"}


async def test_verify_none_leaves_it_at_what_makes_an_answer_whole(
    build, job, session, openai_double
):
    said = "As an AI model, I say: see notes.md:99."
    openai_double.plays(reply=said, prompt_tokens=90)
    engine = build(koala=openai_double.url, models=[LLAMA], tool={"verify": "none"})
    answer = await engine.delegate(job("What?", "notes.md"), session)
    assert (answer.text, answer.checks) == (
        said,
        ("silent-truncation", "cut-off", "unfinished", "empty"),
    )
    openai_double.plays(reply="", prompt_tokens=90)
    assert isinstance(await engine.delegate(job("What?", "notes.md"), session), HandBack)


JUDGED = {"verify": "second-model"}
YES = Play(reply='{"reason": "It says so.", "supported": true}', prompt_tokens=400)
NO = Play(reply='{"reason": "There are three lines.", "supported": false}', prompt_tokens=400)
ANSWER = Play(reply="Two lines.", prompt_tokens=90)
BETTER = Play(reply="Three lines.", prompt_tokens=120)


async def test_a_second_model_is_shown_material_task_and_answer(build, job, session, openai_double):
    openai_double.plays(ANSWER, model="llama3-local")
    openai_double.plays(YES, model="codellama-local")
    engine = build(koala=openai_double.url, models=[LLAMA, CODE], tool=JUDGED)
    answer = await engine.delegate(job("How many lines?", "notes.md"), session)
    assert (answer.text, answer.model) == ("Two lines.", LLAMA)
    assert answer.checks[-1] == "second-model"
    judge = openai_double.chats[-1].json
    assert judge["model"] == "codellama-local"
    told = judge["messages"][-1]["content"]
    assert "2| second line" in told
    assert "Task:\n```\nHow many lines?\n```" in told
    assert "Answer:\n```\nTwo lines.\n```" in told
    assert judge["response_format"]["json_schema"]["schema"]["required"] == ["reason", "supported"]


async def test_an_objection_goes_to_the_next_model_with_its_reason(
    build, job, session, openai_double
):
    openai_double.plays(ANSWER, YES, model="llama3-local")
    openai_double.plays(NO, BETTER, model="codellama-local")
    engine = build(koala=openai_double.url, models=[LLAMA, CODE], tool=JUDGED)
    answer = await engine.delegate(job("How many lines?", "notes.md"), session)
    assert (answer.text, answer.model) == ("Three lines.", CODE)
    [attempt] = answer.tries
    assert (attempt.model, attempt.check) == (LLAMA, "second-model")
    assert "There are three lines." in attempt.message
    asked = openai_double.chats[2].json["messages"][-1]["content"]
    assert "An earlier answer was rejected" in asked
    assert "There are three lines." in asked


async def test_a_named_judge_judges_though_it_is_in_no_list(build, job, session, openai_double):
    with OpenAIDouble("wise") as wise:
        wise.plays(NO)
        openai_double.plays(ANSWER)
        tool = JUDGED | {"verify_model": "wise/wise"}
        engine = build(koala=openai_double.url, wise=wise.url, models=[LLAMA], tool=tool)
        outcome = await engine.delegate(job("How many lines?", "notes.md"), session)
    assert isinstance(outcome, HandBack)
    assert 'wise/wise objects: the model wrote: "There are three lines."' in outcome.reason


async def test_without_another_model_the_answer_says_that_nobody_judged_it(
    build, job, session, openai_double
):
    openai_double.plays(ANSWER)
    engine = build(koala=openai_double.url, models=[LLAMA], tool=JUDGED)
    answer = await engine.delegate(job("How many lines?", "notes.md"), session)
    assert f"no second model judged this: there is none but {LLAMA}" in answer.notes
    assert "second-model" not in answer.checks


async def test_a_judge_that_fails_costs_nobody_the_answer(build, job, session, openai_double):
    openai_double.plays(ANSWER, model="llama3-local")
    openai_double.plays(reply="Hard to say.", prompt_tokens=400, model="codellama-local")
    engine = build(koala=openai_double.url, models=[LLAMA, CODE], tool=JUDGED)
    answer = await engine.delegate(job("How many lines?", "notes.md"), session)
    assert answer.text == "Two lines."
    assert any("no second model judged this" in note for note in answer.notes)


async def test_private_material_is_judged_by_no_cloud(build, job, session, openai_double):
    with OpenAIDouble("wise") as cloud:
        openai_double.plays(ANSWER)
        engine = build(
            koala=openai_double.url,
            cloud=cloud.url,
            trusts={"cloud": "cloud"},
            private=["notes*"],
            models=[LLAMA],
            tool=JUDGED | {"verify_model": "cloud/wise"},
        )
        answer = await engine.delegate(job("How many lines?", "notes.md"), session)
        assert cloud.requests == []
    assert any("no second model judged this" in note for note in answer.notes)
