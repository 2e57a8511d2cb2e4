"""The Python API checks what it is given before any model is asked."""

from pathlib import Path

import pytest

import spadework
from spadework import ArgumentError, Spadework
from spadework.errors import ConfigError, DaemonError

CONFIG = """
[backends.koala]
kind = "openai"
url = "{url}"

[tools.sort]
use_for = "sorting"
labels = ["yes", "no"]
models = ["koala/llama3-local"]
"""


@pytest.fixture
def project(tmp_path, monkeypatch, openai_double):
    openai_double.plays(reply="Three lines.", prompt_tokens=120, completion_tokens=4)
    (tmp_path / "config.toml").write_text(CONFIG.format(url=openai_double.url))
    monkeypatch.setenv("SPADEWORK_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("SPADEWORK_DATA", str(tmp_path / "data"))
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "notes.md").write_text("first line\n")
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("wrong", [0, -1, True, 1.5, "many"])
def test_a_max_tokens_that_is_no_count_is_refused(project, openai_double, wrong):
    with pytest.raises(ArgumentError, match="max_tokens is"):
        spadework.ask("Hi", max_tokens=wrong)
    assert openai_double.chats == []


def test_a_string_of_files_is_not_taken_as_a_list_of_letters(project):
    with pytest.raises(ArgumentError, match="files: expected a list, got") as raised:
        spadework.ask("Hi", files="notes.md")
    assert raised.value.hint == "files=['notes.md']"


def test_a_string_of_roots_is_not_taken_as_the_root_folder(project):
    with pytest.raises(ArgumentError, match="roots: expected a list, got"):
        Spadework(roots=str(project))


def test_files_may_be_paths(project, openai_double):
    assert spadework.ask("Hi", files=[Path("notes.md")]) == "Three lines."
    assert "first line" in openai_double.chats[0].json["messages"][-1]["content"]


def test_files_that_are_no_paths_are_refused(project):
    with pytest.raises(ArgumentError, match="files: expected paths, got"):
        spadework.ask("Hi", files=[1])


async def test_ask_inside_a_running_loop_says_what_to_use_instead(project):
    with pytest.raises(RuntimeError, match="use `async with"):
        spadework.ask("Hi")


def test_a_root_or_a_project_that_is_absent_is_refused(project):
    with pytest.raises(ArgumentError, match="root '/nope' is not a folder"):
        Spadework(roots=["/nope"])
    with pytest.raises(ArgumentError, match="project '/nope' is not a folder"):
        Spadework(project="/nope")


def test_an_unknown_tool_is_answered_with_the_nearest(project):
    with pytest.raises(ArgumentError, match="unknown tool 'ask_local_lama'") as raised:
        spadework.ask("Hi", tool="ask_local_lama")
    assert raised.value.hint.startswith("did you mean ask_local_llama? the tools: ")


async def test_the_raw_label_is_not_streamed(project, openai_double):
    openai_double.plays(reply='"yes"', prompt_tokens=120)
    pieces = []
    async with Spadework() as opened:
        answer = await opened.ask("Is it?", tool="sort", on_text=pieces.append)
    assert (answer.text, pieces) == ("yes", [])


async def test_a_daemon_that_must_run_and_does_not_is_an_error_at_the_first_call(
    project, openai_double
):
    async with Spadework(daemon=True) as opened:
        with pytest.raises(DaemonError, match="no daemon runs") as raised:
            await opened.ask("Hi")
        with pytest.raises(DaemonError, match="no daemon runs"):
            await opened.models()
    assert "spadework daemon start" in raised.value.hint
    assert openai_double.requests == []


@pytest.mark.parametrize("daemon", [None, False])
async def test_without_a_daemon_the_work_is_done_here_batch_work_too(project, daemon):
    async with Spadework(daemon=daemon) as opened:
        assert (await opened.ask("Hi", batch=True)).text == "Three lines."
        assert len(await opened.models()) == 2


async def test_a_mistake_is_told_before_a_daemon_is_looked_for(project):
    async with Spadework(daemon=True) as opened:
        with pytest.raises(ArgumentError, match="unknown tool"):
            await opened.ask("Hi", tool="nobody")


def test_a_wrong_config_is_told_at_once(project, tmp_path):
    (tmp_path / "config.toml").write_text("[backends.koala]\n")
    with pytest.raises(ConfigError):
        Spadework()


async def test_labels_and_a_schema_give_a_label_and_a_value(project, openai_double):
    async with Spadework() as opened:
        openai_double.plays(reply="bug", prompt_tokens=120)
        heard = []
        answer = await opened.ask("Which?", labels=["wish", "bug"], on_text=heard.append)
        assert (answer.text, answer.confidence, answer.unsure, heard) == ("bug", None, False, [])
        openai_double.plays(reply='{"a": [1]}', prompt_tokens=120)
        answer = await opened.ask("What?", schema={"type": "object"}, on_text=heard.append)
        assert (answer.value, answer.text, heard) == ({"a": [1]}, '{"a":[1]}', [])


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"labels": "bug"}, "labels: expected a list, got"),
        ({"labels": ["a", 1]}, "labels: expected strings, got"),
        ({"schema": "object"}, "schema: expected a mapping, got"),
        ({"schema": {"type": 1}}, "the schema is wrong at type"),
    ],
)
async def test_a_form_that_is_none_is_refused(project, openai_double, form, said):
    async with Spadework() as opened:
        with pytest.raises(ArgumentError, match=said):
            await opened.ask("Which?", **form)
    assert openai_double.chats == []
