"""`spadework agents set` and `undo`: the file, the diff, the question, and back again."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

ODD = (
    b"\xef\xbb\xbf---\r\n# top\r\nname: 'odd'  \r\ndescription: \"x\"\r\nmodel:   opus   # dear\r\n"
    b"color: red\t\r\n---\r\nBody \x00 \xc3\xa9\r\n---\nmodel: opus"
)


def test_set_changes_the_one_value_and_undo_restores_every_byte(world):
    path = world.file("odd.md", ODD)
    done = world.run("set", "odd", "haiku", "--yes")
    assert done.code == 0
    assert path.read_bytes() == ODD.replace(b"model:   opus", b"model:   haiku", 1)
    assert "-model:   opus   # dear" in done.out
    assert "+model:   haiku   # dear" in done.out
    assert "spadework agents undo" in done.err
    assert world.run("undo").out == f"as before: {path}\n"
    assert path.read_bytes() == ODD
    nothing = world.run("undo")
    assert nothing.code == 2
    assert "nothing to undo" in nothing.err


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=200),
    st.sampled_from([b"\n", b"\r\n"]),
    st.sampled_from([b"", b"model: opus\n", b"model: 'sonnet' # x\n", b"model:\n"]),
)
@example(b"\xff\xfe", b"\n", b"")
def test_whatever_the_body_is_set_and_undo_keep_it(world, body, end, model):
    head = b"---\nname: it\n# why\ndescription: x\n" + model + b"---\n"
    before = head.replace(b"\n", end) + body
    path = world.file("it.md", before)
    done = world.run("set", "it", "haiku", "--yes")
    if done.code:
        assert path.read_bytes() == before
        with pytest.raises(UnicodeDecodeError):
            before.decode()
        return
    after = path.read_bytes()
    assert after.endswith(b"---" + end + body)
    assert after.count(b"\n") == before.count(b"\n") + (not model)
    assert world.run("undo").code == 0
    assert path.read_bytes() == before


def test_undo_goes_back_change_by_change(world):
    path = world.agent("a")
    states = [path.read_bytes()]
    for model in ("haiku", "sonnet", "claude-opus-5-5"):
        assert world.run("set", "a", model, "--yes").code == 0
        states.append(path.read_bytes())
    for state in reversed(states[:-1]):
        assert world.run("undo").code == 0
        assert path.read_bytes() == state


def test_undo_refuses_where_the_file_has_changed_since_and_says_where_the_copy_is(world):
    path = world.agent("a")
    before = path.read_bytes()
    world.run("set", "a", "haiku", "--yes")
    path.write_bytes(mine := path.read_bytes() + b"My own line.\n")
    done = world.run("undo")
    assert done.code == 2
    assert f"{path} has changed since" in done.err
    copy = done.err.strip().rsplit(" ", 1)[1]
    assert Path(copy).read_bytes() == before
    assert path.read_bytes() == mine
    path.unlink()
    assert world.run("undo").code == 2


def test_a_model_that_is_set_already_changes_nothing(world):
    path = world.agent("a", "model: haiku")
    before = path.stat()
    done = world.run("set", "a", "haiku")
    assert done.code == 0
    assert "already" in done.out
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_a_dry_run_shows_the_diff_and_writes_nothing(world):
    path = world.agent("a")
    before = path.read_bytes()
    done = world.run("set", "a", "haiku", "--dry-run")
    assert (done.code, "+model: haiku" in done.out) == (0, True)
    assert path.read_bytes() == before
    assert world.run("undo").code == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nobody", "haiku"), "no such agent: 'nobody'"),
        (("a", "ollama/qwen3"), "would send the name to the API as it stands"),
        (("a", "x: y"), "knows no model"),
        (("Explore", "haiku"), "spadework agents new explorer --name Explore"),
        (("a", "haiku", "--scope", "project"), "not a project agent, but a user agent"),
        (("a", "haiku"), "pass --yes"),
        (("twice", "haiku", "--yes"), "twice.md: `model` stands there more than once"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line_and_nothing_is_written(world, arguments, said):
    paths = [world.agent("a"), world.agent("twice", "model: opus", "model: opus")]
    before = [path.read_bytes() for path in paths]
    done = world.run("set", *arguments)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err
    assert [path.read_bytes() for path in paths] == before


def test_of_a_name_that_is_there_twice_the_scope_says_which_is_meant(world):
    user, own = world.agent("a"), world.agent("a", folder=world.own)
    world.run("set", "a", "haiku", "--yes")
    assert b"haiku" in own.read_bytes()
    assert b"haiku" not in user.read_bytes()
    done = world.run("set", "a", "sonnet", "--scope", "user", "--yes")
    assert "has no effect" in done.err
    assert b"sonnet" in user.read_bytes()


def test_a_linked_file_stays_a_link_and_rights_stay(world, tmp_path):
    target = world.agent("a", folder=tmp_path / "dotfiles")
    target.chmod(0o640)
    (world.user / "a.md").symlink_to(target)
    world.run("set", "a", "haiku", "--yes")
    assert (world.user / "a.md").is_symlink()
    assert b"model: haiku" in target.read_bytes()
    assert target.stat().st_mode & 0o777 == 0o640
    world.run("undo")
    assert (world.user / "a.md").is_symlink()
    assert b"model" not in target.read_bytes()


@pytest.mark.slow
def test_on_a_terminal_it_asks_and_no_means_no(world):
    path = world.agent("a")
    before = path.read_bytes()
    for answer, code in ((b"n\n", 1), (b"y\n", 0)):
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "spadework", "agents", "set", "a", "haiku"],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        os.close(theirs)
        os.write(ours, answer)
        _, said = process.communicate(timeout=60)
        os.close(ours)
        assert b"Write this?" in said
        assert process.returncode == code
        assert (path.read_bytes() == before) == (code == 1)


@pytest.mark.slow
def test_many_writers_at_once_lose_nothing(world):
    paths = [world.agent(f"a{number}") for number in range(4)]
    before = [path.read_bytes() for path in paths]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "spadework", "agents", "set", path.stem, "haiku", "--yes"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for path in paths
    ]
    for process in running:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    assert all(b"model: haiku" in path.read_bytes() for path in paths)
    for _ in paths:
        assert world.run("undo").code == 0
    assert [path.read_bytes() for path in paths] == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("spadework agents set re", ["reader"]),
        ("spadework agents set reader ha", ["haiku"]),
        ("spadework agents new ", ["explorer", "courier"]),
    ],
)
def test_the_shell_completes_agents_and_models(world, monkeypatch, typed, offered):
    world.agent("reader")
    words = typed.split(" ")
    done = subprocess.run(
        [sys.executable, "-m", "spadework"],
        env=os.environ
        | {
            "_SPADEWORK_COMPLETE": "complete_bash",
            "COMP_WORDS": typed,
            "COMP_CWORD": str(len(words) - 1),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == offered


@pytest.mark.parametrize("kind", ["explorer", "courier"])
def test_new_writes_an_agent_that_is_listed_and_undo_deletes_it(world, kind):
    done = world.run("new", kind)
    path = world.user / f"{kind}.md"
    assert (done.code, done.out) == (0, f"{path}\n")
    (told,) = [one for one in world.json("list") if one["name"] == kind]
    assert told["resolves_to"] == "haiku"
    tools = {"explorer": ["Read", "Grep", "Glob"]}
    tools["courier"] = ["mcp__spadework", "mcp__plugin_spadework_spadework"]
    assert told["tools"] == tools[kind]
    assert world.run("undo").out == f"deleted: {path}\n"
    assert not path.exists()


def test_new_goes_to_the_projects_root_and_takes_a_name(world, monkeypatch):
    below = world.project / "sub"
    below.mkdir()
    monkeypatch.chdir(below)
    assert world.run("new", "courier", "--scope", "project", "--name", "post").code == 0
    assert (world.own / "post.md").read_text().startswith("---\nname: post\n")


def test_new_does_not_overwrite_without_force_and_keeps_a_copy_with_it(world):
    path = world.file("explorer.md", "mine")
    done = world.run("new", "explorer")
    assert done.code == 2
    assert "--force" in done.err
    assert path.read_text() == "mine"
    assert world.run("new", "explorer", "--force").code == 0
    assert (world.user / "explorer.md.bak").read_text() == "mine"
    assert "it is there already" in world.run("new", "explorer").out
    assert world.run("undo").code == 0
    assert path.read_text() == "mine"


def test_new_refuses_a_name_that_another_file_has_and_a_name_that_is_a_path(world):
    world.file("other.md", "---\nname: explorer\ndescription: x\n---\n")
    assert "other.md is an agent of the name 'explorer' already" in world.run("new", "explorer").err
    assert "is not a valid agent name" in world.run("new", "explorer", "--name", "../x").err
    assert "is not a valid agent name" in world.run("new", "explorer", "--name", "a:b").err


def test_new_as_a_dry_run_prints_the_file(world):
    done = world.run("new", "courier", "--dry-run")
    assert done.out.startswith("---\nname: courier\n")
    assert not list(world.user.iterdir())


def test_a_broken_record_and_a_crash_before_writing_are_told(world, tmp_path):
    path = world.agent("a")
    world.run("set", "a", "haiku", "--yes")
    record = tmp_path / "data" / "undo" / "journal.json"
    told = json.loads(record.read_text())
    world.run("undo")
    record.write_text(json.dumps(told))  # recorded, but never written
    before = path.read_bytes()
    assert world.run("undo").code == 0
    assert path.read_bytes() == before
    record.write_text("{")
    done = world.run("undo")
    assert done.code == 2
    assert "journal.json: cannot be read" in done.err
