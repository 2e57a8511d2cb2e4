"""The optional hook says its line where it should, and never stands in the way."""

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
HOOK = ROOT / "plugin" / "hints" / "hooks" / "hint.sh"
KIB = 1024

pytestmark = pytest.mark.slow


def run(data, *, program=(), **environment):
    """Start the hook as the client does; it says its line, or nothing, and always exits 0."""
    kept = {name: value for name, value in os.environ.items() if name != "SPADEWORK_HINTS"}
    done = subprocess.run(
        [*program, str(HOOK)], input=data, env=kept | environment, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


def asked(event, **more):
    return json.dumps(
        {"session_id": "1", "cwd": "/all files", "hook_event_name": event, **more},
        separators=(",", ":"),
        ensure_ascii=False,
    ).encode()


def hint(event, output):
    said = json.loads(output)
    assert list(said) == ["hookSpecificOutput"]
    assert said["hookSpecificOutput"]["hookEventName"] == event
    # A decision would be the client's or the user's to make.
    assert set(said["hookSpecificOutput"]) == {"hookEventName", "additionalContext"}
    return said["hookSpecificOutput"]["additionalContext"]


def at_prompt(prompt, **options):
    return run(asked("UserPromptSubmit", prompt=prompt), **options)


def at_read(path, *, part=None, **options):
    arguments = {"file_path": str(path), **(part or {})}
    return run(asked("PreToolUse", tool_name="Read", tool_input=arguments), **options)


@pytest.fixture
def large(tmp_path):
    path = tmp_path / "große Datei.log"
    path.write_bytes(b"a" * 200 * KIB)
    return path


@pytest.mark.parametrize(
    "prompt",
    [
        "Summarize docs/ for me.",
        "please go through the mails\nand classify them",
        'The "whole codebase" uses tabs: look at every file',
    ],
)
def test_a_prompt_of_bulk_reading_brings_a_reminder(prompt):
    assert "ask_local_llama" in hint("UserPromptSubmit", at_prompt(prompt))


@pytest.mark.parametrize("prompt", ["Mend the parser.", "", '"hook_event_name":"PreToolUse"'])
def test_another_prompt_brings_none(prompt):
    assert at_prompt(prompt) == b""


def test_a_read_of_a_large_file_brings_a_reminder_with_its_size(large):
    assert "this file has 200 KiB" in hint("PreToolUse", at_read(large))


def test_a_part_of_a_large_file_brings_none(large):
    assert at_read(large, part={"offset": 10, "limit": 50}) == b""


def test_a_small_file_a_picture_a_folder_and_a_missing_file_bring_none(large, tmp_path):
    small, picture = tmp_path / "small.txt", tmp_path / "large.png"
    small.write_bytes(b"a" * 63 * KIB)
    shutil.copy(large, picture)
    for path in (small, picture, tmp_path, tmp_path / "missing", Path("/dev/zero")):
        assert at_read(path) == b"", path


@pytest.mark.parametrize(
    ("value", "speaks"),
    [("0", False), ("off", False), ("201", False), ("200", True), ("", True), ("many", True)],
)
def test_the_variable_mutes_it_or_sets_the_size(large, value, speaks):
    assert bool(at_read(large, SPADEWORK_HINTS=value)) == speaks
    assert bool(at_read(large, SPADEWORK_HINTS="9" * 30))


def test_nothing_in_a_prompt_or_a_path_is_run_as_a_command(tmp_path):
    trap = tmp_path / "trap"
    for text in (f"$(touch {trap})", f"`touch {trap}`", f"';touch {trap};'", f"| touch {trap}"):
        at_prompt(f"summarize {text}")
        at_read(tmp_path / text.replace("/", "_"))
        at_read(f"/{text}")
    assert not trap.exists()


def test_a_pasted_megabyte_costs_nothing():
    assert hint("UserPromptSubmit", at_prompt("Summarize this: " + "ä" * KIB * KIB))


@pytest.mark.parametrize("missing", ["head", "wc"])
def test_without_its_helpers_it_says_nothing(large, tmp_path, missing):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in {"head", "wc"} - {missing}:
        (programs / name).symlink_to(shutil.which(name))
    assert at_read(large, PATH=str(programs)) == b""


def test_a_file_that_goes_away_while_it_looks_brings_none(large, tmp_path):
    """A shell's own error has exit code 2, which would block the client."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "head").symlink_to(shutil.which("head"))
    (programs / "wc").write_text("#!/bin/sh\necho no number\n")
    (programs / "wc").chmod(0o755)
    assert at_read(large, PATH=str(programs)) == b""


@given(data=st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_whatever_comes_it_says_nothing_and_exits_0(data):
    assert run(data) == b""


@given(prompt=st.text(max_size=200))
def test_whatever_else_a_prompt_says_the_reminder_is_sound_json(prompt):
    hint("UserPromptSubmit", at_prompt(f"Summarize {prompt}"))


def test_it_runs_under_other_shells(large):
    for shell in filter(None, map(shutil.which, ("bash", "dash", "ksh", "zsh"))):
        assert hint("PreToolUse", at_read(large, program=[shell])), shell


def test_the_file_is_executable_and_plain_sh():
    assert HOOK.stat().st_mode & stat.S_IXUSR
    assert HOOK.read_bytes().startswith(b"#!/bin/sh\n")


def test_its_benchmark_prints_a_table_and_a_ratio():
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "hook.py"), "2"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "off (the default): nothing" in done.stdout
    assert "ratio to `true`, at most: " in done.stdout
