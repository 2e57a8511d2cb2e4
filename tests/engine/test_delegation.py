"""The one path, driven against doubles over real HTTP."""

import asyncio
import re
import subprocess
from dataclasses import replace

import pytest
from engine_rows import CODE, LLAMA, rows

from doubles.asking import DEAD_URL
from doubles.openai_compatible import OpenAIDouble
from doubles.plays import Play
from spadework.engine.job import Answer, HandBack, Job, Listener
from spadework.errors import ArgumentError, ConfigError, ReferenceRefused

pytestmark = pytest.mark.usefixtures("honest_count")


def git(folder, *arguments):
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True)


def prompt_of(request):
    return request.json["messages"][-1]["content"]


async def test_a_job_with_files_is_answered_and_recorded(
    build, job, session, openai_double, tmp_path
):
    openai_double.plays(reply="Three lines.", prompt_tokens=90, completion_tokens=4)
    engine = build(koala=openai_double.url, models=[LLAMA])
    answer = await engine.delegate(job("How many lines?", "notes.md"), session)
    assert isinstance(answer, Answer)
    assert (answer.text, answer.model) == ("Three lines.", LLAMA)
    assert (answer.figures.prompt_tokens, answer.figures.completion_tokens) == (90, 4)
    assert answer.figures.bytes_read == 34
    assert answer.figures.bytes_returned == len("Three lines.")
    assert 0 < answer.figures.first_token_seconds <= answer.figures.seconds
    [row] = rows(tmp_path)
    assert (row.outcome, row.tool, row.model, row.session) == (
        "answered",
        "ask_local_llama",
        LLAMA,
        "test",
    )
    assert (row.prompt_tokens, row.completion_tokens, row.bytes_read) == (90, 4, 34)
    assert row.tries == ()


async def test_the_model_gets_the_file_fenced_and_numbered(build, job, session, openai_double):
    engine = build(koala=openai_double.url, models=[LLAMA])
    await engine.delegate(job("What?", "notes.md:2-3"), session)
    [chat] = openai_double.chats
    assert "File notes.md (lines 2-3 of 3):\n```\n2| second line\n3| third line\n```" in prompt_of(
        chat
    )
    assert chat.json["stream"] is True


async def test_the_next_model_is_tried_when_one_fails(build, job, session, openai_double, tmp_path):
    openai_double.plays(reply="", model="llama3-local")
    openai_double.plays(reply="Here.", model="codellama-local")
    engine = build(koala=openai_double.url, models=[LLAMA, CODE])
    answer = await engine.delegate(job(), session)
    assert (answer.text, answer.model) == ("Here.", CODE)
    [attempt] = answer.tries
    assert (attempt.model, attempt.code) == (LLAMA, "check-failed")
    [row] = rows(tmp_path)
    assert row.model == CODE
    assert "empty answer" in row.tries[0]


@pytest.mark.parametrize(
    ("play", "said"),
    [
        (Play(reply=""), "empty answer"),
        (Play(reply="", thinking="hm"), "only thinking came, no answer"),
        (Play(reply="<think>hm</think>"), "only thinking came, no answer"),
        (Play(reply="Once upon", finish="length"), "cut off at 1024 tokens"),
        (Play(reply="No.", finish="content_filter"), 'the server wrote: "content_filter"'),
        (Play(cut_after=150), "hung up"),
        (Play(ends_after=400), "the stream ended before the reply did"),
        (Play(status=500, body="boom"), "boom"),
        (Play(body="<html>", content_type="text/html"), "text/html"),
    ],
)
async def test_at_the_end_of_the_list_stands_a_hand_back_that_says_why(
    build, job, session, openai_double, tmp_path, play, said
):
    openai_double.plays(play)
    engine = build(koala=openai_double.url, models=[LLAMA])
    outcome = await engine.delegate(job(), session)
    assert isinstance(outcome, HandBack)
    assert said in outcome.reason
    assert LLAMA in outcome.reason
    first, *_ = outcome.reason.split("\n")
    assert first.endswith("Do this piece of work yourself.")
    assert [row.outcome for row in rows(tmp_path)] == ["handed-back"]


async def test_a_dead_machine_leads_to_the_next_one(build, job, session, openai_double):
    engine = build(dead=DEAD_URL, koala=openai_double.url, models=["dead/x", LLAMA])
    answer = await engine.delegate(job(), session)
    assert answer.model == LLAMA
    assert answer.tries[0].code == "unreachable"


async def test_a_list_of_nothing_means_every_model_of_the_backends(
    build, job, session, openai_double
):
    openai_double.plays(reply="", model="llama3-local")
    engine = build(koala=openai_double.url)
    answer = await engine.delegate(job(), session)
    assert answer.model == CODE


async def test_a_pattern_means_the_models_that_it_matches(build, job, session, openai_double):
    engine = build(koala=openai_double.url, models=["koala/code*"])
    assert (await engine.delegate(job(), session)).model == CODE


async def test_a_pattern_that_matches_nothing_is_handed_back(build, job, session, openai_double):
    engine = build(koala=openai_double.url, models=["koala/gpt*"])
    outcome = await engine.delegate(job(), session)
    assert isinstance(outcome, HandBack)
    assert "no model matches koala/gpt*" in outcome.reason


async def test_a_backend_that_cannot_list_is_named_in_the_hand_back(build, job, session):
    engine = build(dead=DEAD_URL)
    outcome = await engine.delegate(job(), session)
    assert isinstance(outcome, HandBack)
    assert "dead" in outcome.reason


async def test_a_job_may_name_its_model(build, job, session, openai_double):
    engine = build(koala=openai_double.url, models=[LLAMA])
    assert (await engine.delegate(job(models=(CODE,)), session)).model == CODE


async def test_an_unknown_backend_is_an_error_that_names_the_known_ones(
    build, job, session, openai_double
):
    engine = build(koala=openai_double.url)
    with pytest.raises(ConfigError) as caught:
        await engine.delegate(job(models=("koaal/x",)), session)
    assert "embedded, koala" in caught.value.hint


async def test_a_refused_reference_fails_the_call_before_any_model_is_asked(
    build, job, session, openai_double, project, tmp_path
):
    (project / ".env").write_text("TOKEN=1")
    engine = build(koala=openai_double.url, models=[LLAMA])
    with pytest.raises(ReferenceRefused, match="credential-file"):
        await engine.delegate(job("What?", "notes.md", ".env"), session)
    assert openai_double.chats == []
    [row] = rows(tmp_path)
    assert row.outcome == "refused"
    assert "credential-file" in row.error


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tool": "ask_nobody"}, "unknown tool 'ask_nobody'"),
        ({"arguments": {}}, "'prompt' is missing"),
        ({"arguments": {"prompt": "  "}}, "'prompt' is missing or empty"),
        ({"arguments": {"prompt": "x", "colour": "red"}}, "unknown argument 'colour'"),
    ],
)
async def test_a_wrong_job_is_one_clear_line(build, job, session, openai_double, changes, said):
    engine = build(koala=openai_double.url)
    with pytest.raises(ArgumentError, match=said):
        await engine.delegate(replace(job(), **changes), session)


async def test_labels_constrain_the_model_and_are_checked(build, job, session, openai_double):
    openai_double.plays(reply='"Bug"')
    engine = build(koala=openai_double.url, models=[LLAMA], tool={"labels": ["bug", "wish"]})
    assert (await engine.delegate(job(), session)).text == "bug"
    [chat] = openai_double.chats
    assert chat.json["response_format"]["json_schema"]["schema"]["enum"] == ["bug", "wish"]


async def test_private_files_do_not_go_to_the_cloud(build, job, session):
    with OpenAIDouble() as cloud, OpenAIDouble() as local:
        cloud.plays(prompt_tokens=90)
        local.plays(prompt_tokens=90)
        engine = build(
            cloud=cloud.url,
            local=local.url,
            models=["cloud/llama3-local", "local/llama3-local"],
            trusts={"cloud": "cloud"},
            private=["notes*"],
        )
        answer = await engine.delegate(job("What?", "notes.md"), session)
        assert answer.model == "local/llama3-local"
        assert answer.tries[0].code == "private-refused"
        assert cloud.requests == []
        assert (await engine.delegate(job("What?", "long.txt:1-2"), session)).model.startswith(
            "cloud/"
        )


async def test_nothing_of_a_private_job_goes_to_the_cloud_and_no_cloud_judges_it(build, session):
    with OpenAIDouble() as cloud, OpenAIDouble() as local:
        local.plays(prompt_tokens=90)
        engine = build(
            cloud=cloud.url,
            local=local.url,
            models=["cloud/llama3-local", "local/llama3-local"],
            trusts={"cloud": "cloud"},
            tool={"verify": "second-model"},
        )
        private = Job("ask_local_llama", {"prompt": "My secret?"}, texts={"a": "b"}, private=True)
        answer = await engine.delegate(private, session)
        assert answer.model == "local/llama3-local"
        assert "no second model judged this" in answer.notes[0]
        only = replace(private, models=("cloud/llama3-local",))
        refused = await engine.delegate(only, session)
        assert [one.code for one in refused.tries] == ["private-refused"]
        assert cloud.requests == []


async def test_the_ledger_names_the_run_that_a_job_was_done_for(
    build, job, session, openai_double, tmp_path
):
    engine = build(koala=openai_double.url, models=[LLAMA])
    await engine.delegate(job(), replace(session, run="run-1"))
    assert [row.run for row in rows(tmp_path)] == ["run-1"]


async def test_cancelling_stops_the_model_and_is_recorded(
    build, job, session, openai_double, tmp_path
):
    openai_double.plays(Play(hangs_after=1))
    engine = build(koala=openai_double.url, models=[LLAMA])
    answering = asyncio.Event()

    def notice(progress):
        if progress.stage == "asking":
            answering.set()

    task = asyncio.create_task(engine.delegate(job(), session, Listener(progress=notice)))
    await answering.wait()
    while not openai_double.chats:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(openai_double.chats[0].wait_until_left)
    assert [row.outcome for row in rows(tmp_path)] == ["cancelled"]


async def test_speed_is_measured_without_what_failed_before(build, job, session, openai_double):
    """A fallback from a slow model made the fast one look slow."""
    slow = Play(reply="", delay=0.5, prompt_tokens=90)
    openai_double.plays(slow, model="llama3-local")
    openai_double.plays(
        Play(reply="a b c d e f", pause=0.01, prompt_tokens=90), model="codellama-local"
    )
    engine = build(koala=openai_double.url, models=[LLAMA, CODE])
    answer = await engine.delegate(job(), session)
    assert answer.figures.seconds > 0.5
    assert answer.figures.answering_seconds < 0.5
    assert engine.measured_speed(CODE) > 10


async def test_an_error_of_ours_is_recorded_too(build, job, session, openai_double, tmp_path):
    engine = build(koala=openai_double.url, models=[LLAMA])

    def breaks(progress):
        raise RuntimeError("a listener broke")

    with pytest.raises(RuntimeError):
        await engine.delegate(job(), session, Listener(progress=breaks))
    [row] = rows(tmp_path)
    assert (row.outcome, row.error) == ("failed", "a listener broke")


async def test_progress_and_text_are_told_as_they_come(build, job, session, openai_double):
    openai_double.plays(reply="One two three.", thinking="hm", prompt_tokens=90)
    engine = build(koala=openai_double.url, models=[LLAMA])
    stages, pieces = [], []
    listener = Listener(progress=lambda one: stages.append(one.stage), text=pieces.append)
    await engine.delegate(job("What?", "notes.md"), session, listener)
    assert "".join(pieces) == "One two three."
    assert list(dict.fromkeys(stages)) == ["reading", "asking", "answering"]


async def test_a_full_disk_for_the_ledger_does_not_cost_the_answer(
    build, job, session, openai_double, tmp_path, caplog
):
    (tmp_path / "ledger.db").mkdir()
    engine = build(koala=openai_double.url, models=[LLAMA])
    assert isinstance(await engine.delegate(job(), session), Answer)
    assert "not recorded" in caplog.text


async def test_files_that_were_left_out_are_named_with_the_answer(
    build, job, session, openai_double, project
):
    (project / "photo.bin").write_bytes(b"\x00" * 100)
    openai_double.plays(reply="Words.", prompt_tokens=60_000)
    engine = build(koala=openai_double.url, models=[LLAMA])
    answer = await engine.delegate(job("What?", "."), session)
    assert any("photo.bin" in note and "binary" in note for note in answer.notes)


async def test_an_empty_file_that_was_named_is_told_of(build, job, session, openai_double, project):
    (project / "empty.txt").write_text("")
    engine = build(koala=openai_double.url, models=[LLAMA])
    answer = await engine.delegate(job("What?", "notes.md", "empty.txt"), session)
    assert "empty: empty.txt" in answer.notes


@pytest.mark.parametrize("content", ["", "\n \n"])
async def test_a_call_whose_references_are_all_empty_asks_no_model(
    build, job, session, openai_double, project, content
):
    git(project, "init", "-q")
    git(project, "add", ".")
    (project / "empty.txt").write_text(content)
    engine = build(koala=openai_double.url, models=[LLAMA])
    for files, says in [
        (["git:diff"], "nothing unstaged; for staged changes use git:diff --staged"),
        (["git:diff -- notes.md"], "nothing unstaged in these paths; for staged changes use"),
        (["empty.txt"], "empty.txt: it is empty"),
        (
            ["empty.txt", "git:diff"],
            "all references of the call are empty: empty.txt (empty), git:",
        ),
    ]:
        with pytest.raises(ReferenceRefused, match=re.escape(says)) as raised:
            await engine.delegate(job("What changed?", *files), session)
        assert raised.value.rule == "empty"
        assert "\n" not in str(raised.value)
    git(project, "commit", "-qm", "All")
    with pytest.raises(ReferenceRefused, match="nothing staged; for unstaged changes use git:diff"):
        await engine.delegate(job("What changed?", "git:diff --staged"), session)
    with pytest.raises(ReferenceRefused, match="no difference"):
        await engine.delegate(job("What changed?", "git:diff HEAD HEAD"), session)
    assert openai_double.chats == []


async def test_with_other_material_an_empty_reference_is_only_named(
    build, job, session, openai_double, project
):
    (project / "empty.txt").write_text("")
    engine = build(koala=openai_double.url, models=[LLAMA])
    asked = replace(job("What?", "empty.txt"), texts={"standard input": "three lines"})
    answer = await engine.delegate(asked, session)
    assert "empty: empty.txt" in answer.notes
    blank = replace(asked, texts={"standard input": " \n"})
    with pytest.raises(ReferenceRefused):
        await engine.delegate(blank, session)


async def test_the_client_is_asked_for_folders_only_when_a_reference_needs_them(
    build, job, session, openai_double, tmp_path
):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "other.md").write_text("text")
    asked = []

    async def ask():
        asked.append(1)
        return (elsewhere,)

    offering = replace(session, ask_roots=ask)
    engine = build(koala=openai_double.url, models=[LLAMA])
    assert isinstance(await engine.delegate(job("What?", "notes.md"), offering), Answer)
    assert asked == []
    assert isinstance(
        await engine.delegate(job("What?", str(elsewhere / "other.md")), offering), Answer
    )
    assert asked == [1]
    with pytest.raises(ReferenceRefused):
        await engine.delegate(job("What?", "/etc/hostname"), offering)


async def test_a_changed_config_is_taken_up_while_calls_run(
    build, job, session, openai_double, tmp_path
):
    openai_double.plays(Play(pause=0.05))
    engine = build(koala=openai_double.url, models=[LLAMA])
    task = asyncio.create_task(engine.delegate(job(), session))
    while not openai_double.chats:
        await asyncio.sleep(0.01)
    changed = engine.config.model_copy(
        update={
            "tools": {
                "ask_local_llama": engine.config.tools["ask_local_llama"].model_copy(
                    update={"models": [CODE]}
                )
            }
        }
    )
    await engine.reconfigure(changed, environ={})
    assert (await engine.delegate(job(), session)).model == CODE
    assert (await task).model == LLAMA


async def test_a_changed_config_does_not_restart_the_embedded_engine(build, openai_double):
    engine = build(koala=openai_double.url)
    embedded = engine.catalog.backends["embedded"]
    await engine.reconfigure(engine.config.model_copy(update={"backends": {}}), environ={})
    assert engine.catalog.backends == {"embedded": embedded}
    smaller = engine.config.embedded.model_copy(update={"context": 1024})
    await engine.reconfigure(engine.config.model_copy(update={"embedded": smaller}), environ={})
    assert engine.catalog.backends["embedded"] is not embedded


async def test_a_project_may_add_tools_and_they_stay_on_local_backends(
    build, session, openai_double, project
):
    (project / ".spadework.toml").write_text(
        '[tools.sort_ticket]\nuse_for = "tickets"\nlabels = ["bug", "wish"]\n'
    )
    openai_double.plays(reply="bug")
    with OpenAIDouble() as cloud:
        engine = build(cloud=cloud.url, koala=openai_double.url, trusts={"cloud": "cloud"})
        ticket = Job(tool="sort_ticket", arguments={"prompt": "It crashes."})
        answer = await engine.delegate(ticket, session)
        assert (answer.text, answer.model) == ("bug", LLAMA)
        assert cloud.requests == []
