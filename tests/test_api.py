"""The Python API checks what it is given before any model is asked."""

from pathlib import Path

import pytest

import journeyman
from journeyman import ArgumentError, Journeyman

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
    monkeypatch.setenv("JOURNEYMAN_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("JOURNEYMAN_DATA", str(tmp_path / "data"))
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "notes.md").write_text("first line\n")
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("wrong", [0, -1, True, 1.5, "many"])
def test_a_max_tokens_that_is_no_count_is_refused(project, openai_double, wrong):
    with pytest.raises(ArgumentError, match="max_tokens is"):
        journeyman.ask("Hi", max_tokens=wrong)
    assert openai_double.chats == []


def test_a_string_of_files_is_not_taken_as_a_list_of_letters(project):
    with pytest.raises(ArgumentError, match="files is a list") as raised:
        journeyman.ask("Hi", files="notes.md")
    assert raised.value.hint == "files=['notes.md']"


def test_a_string_of_roots_is_not_taken_as_the_root_folder(project):
    with pytest.raises(ArgumentError, match="roots is a list"):
        Journeyman(roots=str(project))


def test_files_may_be_paths(project, openai_double):
    assert journeyman.ask("Hi", files=[Path("notes.md")]) == "Three lines."
    assert "first line" in openai_double.chats[0].json["messages"][-1]["content"]


def test_files_that_are_no_paths_are_refused(project):
    with pytest.raises(ArgumentError, match="files holds what is no path"):
        journeyman.ask("Hi", files=[1])


async def test_ask_inside_a_running_loop_says_what_to_use_instead(project):
    with pytest.raises(RuntimeError, match="use `async with"):
        journeyman.ask("Hi")


def test_a_root_or_a_project_that_is_absent_is_refused(project):
    with pytest.raises(ArgumentError, match="root '/nope' is no folder"):
        Journeyman(roots=["/nope"])
    with pytest.raises(ArgumentError, match="project '/nope' is no folder"):
        Journeyman(project="/nope")


def test_an_unknown_tool_is_answered_with_the_nearest(project):
    with pytest.raises(ArgumentError, match="there is no tool 'ask_local_lama'") as raised:
        journeyman.ask("Hi", tool="ask_local_lama")
    assert raised.value.hint.startswith("did you mean ask_local_llama? the tools: ")


async def test_the_raw_label_is_not_streamed(project, openai_double):
    openai_double.plays(reply='"yes"', prompt_tokens=120)
    pieces = []
    async with Journeyman() as opened:
        answer = await opened.ask("Is it?", tool="sort", on_text=pieces.append)
    assert (answer.text, pieces) == ("yes", [])
