"""`spadework pipeline new`: a script that works at once, its tests, nothing overwritten."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spadework.cli.app import app
from spadework.errors import ArgumentError, HandedBack, PrivateRefused
from spadework.pipelines import Item, ask, claude, pipeline, setting, step
from spadework.pipelines.testing import answering

BIN = Path(sys.executable).parent


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new(*arguments):
    return CliRunner().invoke(app, ["pipeline", "new", *arguments])


def test_it_writes_a_script_and_its_tests_and_says_how_to_run_them(folder):
    told = new("sort-mail").output
    assert sorted(one.name for one in folder.iterdir()) == ["sort_mail.py", "test_sort_mail.py"]
    assert "run it:  spadework pipeline run sort_mail.py INPUTS --out results.jsonl\n" in told
    assert "test it: pytest test_sort_mail.py\n" in told
    assert "for your README:\n- `sort_mail.py`: " in told


def test_json_says_what_was_written_and_a_dry_run_writes_nothing(folder):
    assert "async def sort_mail(" in new("sort-mail", "--dry-run").output
    assert list(folder.iterdir()) == []
    told = json.loads(new("sort-mail.py", "--json").output)
    assert told["script"] == "sort_mail.py"
    assert (folder / told["test"]).is_file()


@pytest.mark.parametrize("there", ["sort_mail.py", "test_sort_mail.py"])
def test_it_overwrites_nothing(folder, there):
    (folder / there).write_text("mine")
    assert isinstance(new("sort-mail").exception, ArgumentError)
    assert [(one.name, one.read_text()) for one in folder.iterdir()] == [(there, "mine")]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("3x", "letters, digits"),
        ("a b", "letters, digits"),
        ("", "letters, digits"),
        ("../", "letters, digits"),
        ("ä", "letters, digits"),
        ("x" * 33, "longer than"),
        ("class", "something else to Python"),
        ("test-me", "something else to Python"),
        ("json", "hide another json"),
        ("spadework", "hide another spadework"),
        ("absent/x", "no such folder: "),
    ],
)
def test_a_name_that_cannot_be_is_refused_with_the_reason(folder, name, why):
    error = new(name).exception
    assert isinstance(error, ArgumentError)
    assert why in str(error)
    assert list(folder.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sort-mail", "a", "z" * 32])
def test_what_it_writes_passes_its_tests_and_every_checker(folder, name):
    new(name)
    module = name.replace("-", "_")
    rules = ["--isolated", "--target-version=py311", "--line-length=100"]
    of_code = ["--select=ALL", "--ignore=D203,D213,COM812,CPY,INP001"]
    for command in (
        ["pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", f"test_{module}.py"],
        ["mypy", "--strict", f"{module}.py", f"test_{module}.py"],
        ["ruff", "format", "--check", *rules, "."],
        ["ruff", "check", *rules, *of_code, f"{module}.py"],
        ["ruff", "check", *rules, *of_code, "--extend-ignore=S101,D103", f"test_{module}.py"],
    ):
        done = subprocess.run(
            [BIN / command[0], *command[1:]],
            capture_output=True, text=True, check=False,
            env=dict(os.environ, MYPY_CACHE_DIR=str(folder / "cache")),
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


async def test_calls_outside_of_a_run_say_how_to_start_one():
    for doing in (lambda: ask("ask_local_llama", "?"), lambda: claude("?"), lambda: _kept("a")):
        with pytest.raises(ArgumentError, match="works inside a pipeline's run"):
            await doing()
    with pytest.raises(ArgumentError, match="works inside a pipeline's run"):
        setting("labels")


@step
async def _kept(text):
    return [text]


async def test_a_test_is_answered_in_the_form_that_a_run_holds_answers_to():
    schema = {"type": "object", "required": ["a"]}
    with answering(ask={"b": 1}):
        with pytest.raises(HandedBack, match="does not fit: 'a' is a required property"):
            await ask("ask_local_llama", "?", schema=schema)
        with pytest.raises(HandedBack, match="none of x, y"):
            await ask("ask_local_llama", "?", labels=["x", "y"])
        assert await _kept("a") == ["a"]
        with pytest.raises(PrivateRefused):
            await claude("?", private=True)
        assert setting("labels", "none") == "none"


@pytest.mark.parametrize("turned", [False, True])
async def test_a_test_is_told_where_a_run_would_refuse_what_is_private(turned):
    with answering():
        calls = [ask("ask_local_llama", "?", private=True), claude("?")]
        done = await asyncio.gather(*(calls[::-1] if turned else calls), return_exceptions=True)
        assert [type(one) for one in done].count(PrivateRefused) == 1
        with pytest.raises(PrivateRefused):
            await claude("?")
    with answering() as asked:
        assert (await ask("ask_local_llama", "?", private=True)).private
        with pytest.raises(PrivateRefused):
            await _judging("a")
        assert len(asked) == 1


async def test_each_item_of_a_test_is_as_private_as_it_is():
    with answering(claude="Fine."):
        with pytest.raises(PrivateRefused):
            await _judge(Item(1, "x", text="x", private=True))
        assert await _judge(Item(2, "y", text="y")) == "Fine."


@step
async def _judging(text):
    return (await claude(text)).text


@pipeline
async def _judge(item):
    return (await claude("?", texts=item.texts)).text


async def test_answers_may_be_made_from_the_call():
    with answering(ask=lambda call: call.prompt.upper(), settings={"a": "b"}) as asked:
        assert (await ask("any_tool", "why", files=Item(1, "x", path="/x").files)).text == "WHY"
        assert setting("a") == "b"
    assert (asked[0].tool, asked[0].files) == ("any_tool", ("/x",))
