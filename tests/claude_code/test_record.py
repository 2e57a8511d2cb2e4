"""What setup did is taken back: to the byte, or no more than what is ours."""

import json
from hashlib import sha256

import pytest

from spadework.claude_code.file_edits import Edit
from spadework.claude_code.undo_journal import FileChange, UndoJournal
from spadework.errors import ArgumentError, ConfigError

ENTRY = {"type": "stdio", "command": "spadework", "args": ["mcp"]}
KEYS = ("mcpServers", "spadework")


@pytest.fixture
def record(tmp_path):
    return UndoJournal(tmp_path / "data")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "home" / ".claude.json"


def register(record, file, value=None, keys=KEYS, kind="set"):
    edit = Edit(file, "json", kind, keys, ENTRY if value is None else value)
    record.do(edit, "claude-code", "user", shared=False)


def undo_all(record):
    return [record.undo(step) for step in reversed(record.steps())]


def write(file, content):
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    return sha256(content).hexdigest()


def digest(file):
    return sha256(file.read_bytes()).hexdigest()


ODD = {
    "tabs and odd numbers": b'{\n\t"n": 1.50,\n\t"mcpServers": {}\n}',
    "Windows line ends": b'{\r\n  "n": 1e5,\r\n  "mcpServers": {"a": {}}\r\n}\r\n',
    "a byte order mark": b'\xef\xbb\xbf{"mcpServers": {"a": {"command": "x"}}}',
    "one line": b'{"n":1}',
    "empty": b"",
    "blanks in an empty object": b'{ \n\n "mcpServers": { } }',
    "escapes": b'{"\\u0061": "\\u00e9\\/", "b": "\xc3\xa9"}',
}


@pytest.mark.parametrize("content", ODD.values(), ids=list(ODD))
def test_a_file_gets_its_very_bytes_back(record, file, content):
    before = write(file, content)
    register(record, file)
    register(record, file, "mcp__spadework", ("permissions", "allow"), "add")
    assert json.loads(file.read_text("utf-8-sig"))["mcpServers"]["spadework"] == ENTRY
    undo_all(record)
    assert digest(file) == before
    assert record.steps() == []


def test_a_file_and_folders_that_were_made_go_again(record, file, tmp_path):
    place = tmp_path / "new" / "folder" / "settings.json"
    register(record, place)
    assert undo_all(record) == [f"{place}: removed"]
    assert not (tmp_path / "new").exists()


def test_a_folder_that_holds_something_else_by_then_stays(record, tmp_path):
    place = tmp_path / "new" / "settings.json"
    register(record, place)
    (tmp_path / "new" / "other").touch()
    undo_all(record)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["other"]


def test_in_a_file_that_was_changed_since_only_our_part_is_taken_out(record, file):
    write(file, b'{\n  "numStartups": 1\n}')
    register(record, file)
    register(record, file, "mcp__spadework", ("permissions", "allow"), "add")
    told = json.loads(file.read_text()) | {"numStartups": 2}
    write(file, json.dumps(told, indent=2).encode())
    assert "only our part was taken out" in undo_all(record)[0]
    assert file.read_text() == '{\n  "numStartups": 2\n}'


def test_an_entry_that_the_user_has_changed_since_stays(record, file):
    write(file, b"{}")
    register(record, file)
    write(file, json.dumps({"mcpServers": {"spadework": {"command": "mine"}}}).encode())
    assert "holds nothing of ours" in undo_all(record)[0]
    assert json.loads(file.read_text())["mcpServers"]["spadework"] == {"command": "mine"}


def test_what_stood_there_before_comes_back_into_a_changed_file(record, file):
    write(file, b'{"mcpServers": {"spadework": {"command": "older"}}}')
    register(record, file)
    write(file, file.read_bytes().replace(b"{", b'{"more": 1, ', 1))
    undo_all(record)
    assert json.loads(file.read_text()) == {
        "more": 1,
        "mcpServers": {"spadework": {"command": "older"}},
    }


def test_an_entry_that_was_removed_comes_back_into_a_changed_file(record, file):
    write(file, b'{"mcpServers": {"spadework": {"command": "older"}}}')
    register(record, file, kind="remove")
    assert json.loads(file.read_text()) == {"mcpServers": {}}
    write(file, b'{"more": 1}')
    undo_all(record)
    told = {"more": 1, "mcpServers": {"spadework": {"command": "older"}}}
    assert json.loads(file.read_text()) == told


def test_one_of_two_steps_on_a_file_can_be_taken_back_alone(record, file):
    write(file, b'{"n": 1}')
    register(record, file)
    register(record, file, keys=("projects", "/p", *KEYS))
    record.undo(record.steps()[0])
    assert json.loads(file.read_text()) == {
        "n": 1,
        "projects": {"/p": {"mcpServers": {"spadework": ENTRY}}},
    }
    record.undo(record.steps()[0])
    assert json.loads(file.read_text()) == {"n": 1}


def test_a_step_that_was_recorded_and_never_done_is_taken_back_as_nothing(record, file, tmp_path):
    before = write(file, b'{"n": 1}')
    register(record, file)
    told = (tmp_path / "data" / "undo" / "journal.json").read_bytes()
    write(file, b'{"n": 1}')
    (tmp_path / "data" / "undo" / "journal.json").write_bytes(told)
    assert undo_all(record) == [f"{file}: is as it was"]
    assert digest(file) == before


def test_a_change_that_is_made_already_is_no_step(record, file):
    write(file, b"{}")
    register(record, file)
    register(record, file)
    assert len(record.steps()) == 1


def test_a_change_that_somebody_else_makes_meanwhile_is_no_step_of_ours(tmp_path):
    file = tmp_path / "settings.json"
    file.write_text("{}")

    class Watched(UndoJournal):
        """The other program writes just when the step has been noted."""

        def _write(self, steps):
            super()._write(steps)
            if steps:
                told = {"mcpServers": {"spadework": ENTRY}}
                file.write_text(json.dumps(told))

    record = Watched(tmp_path / "data")
    register(record, file)
    assert record.steps() == []


def test_a_refused_change_leaves_no_step_and_no_trace(record, file, tmp_path):
    before = write(file, b'{"mcpServers": 1}')
    with pytest.raises(ConfigError, match="mcpServers is not an object"):
        register(record, file)
    assert digest(file) == before
    assert record.steps() == []
    assert [path.name for path in file.parent.iterdir()] == [".claude.json"]
    assert list((tmp_path / "data" / "undo").glob("before/*")) == []


def test_copies_and_record_are_for_their_owner_alone_and_go_with_the_last_step(
    record, file, tmp_path
):
    write(file, b'{"oauth": "secret"}')
    file.chmod(0o644)
    register(record, file)
    kept = tmp_path / "data" / "undo"
    assert {path.stat().st_mode & 0o077 for path in kept.rglob("*") if path.is_file()} == {0}
    assert file.stat().st_mode & 0o777 == 0o644
    undo_all(record)
    assert [path for path in kept.rglob("*") if path.is_file()] == []


def test_a_record_that_cannot_be_read_is_named(record, tmp_path):
    (tmp_path / "data" / "undo").mkdir(parents=True)
    (tmp_path / "data" / "undo" / "journal.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"journal\.json: cannot be read"):
        record.steps()


def test_setup_and_agents_share_one_journal_and_each_takes_back_its_own(record, file, tmp_path):
    before = write(file, b'{"n": 1}')
    agents = [tmp_path / "a.md", tmp_path / "b.md"]
    agents[0].write_bytes(b"old")
    register(record, file)
    record.replace_files([FileChange(agents[0], b"old", b"new"), FileChange(agents[1], None, b"x")])
    register(record, file, keys=("other",))
    assert (len(record.steps()), len(record.steps("agents"))) == (2, 2)
    assert record.undo_change() == agents
    assert agents[0].read_bytes() == b"old"
    assert not agents[1].exists()
    undo_all(record)
    assert digest(file) == before
    with pytest.raises(ArgumentError, match="nothing to undo"):
        record.undo_change()


def test_a_copy_that_is_gone_is_named_and_the_file_stays(record, tmp_path):
    agent = tmp_path / "a.md"
    agent.write_bytes(b"old")
    record.replace_files([FileChange(agent, b"old", b"new")])
    (copy,) = (tmp_path / "data" / "undo" / "before").iterdir()
    copy.unlink()
    with pytest.raises(ConfigError, match="the copy is gone"):
        record.undo_change()
    assert agent.read_bytes() == b"new"


def test_the_last_fifty_changes_of_agents_can_be_undone(record, tmp_path):
    agent = tmp_path / "a.md"
    for number in range(53):
        before = agent.read_bytes() if number else None
        record.replace_files([FileChange(agent, before, str(number).encode())])
    for _ in range(50):
        record.undo_change()
    assert agent.read_bytes() == b"2"
    with pytest.raises(ArgumentError, match="nothing to undo"):
        record.undo_change()
