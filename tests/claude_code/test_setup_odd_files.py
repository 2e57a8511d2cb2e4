"""On odd files: a clear refusal or a change to the byte, and nothing lost either way."""

import json
import os

import pytest

pytestmark = pytest.mark.slow  # it starts a process for each test

REFUSED = {
    "comments": (b'{\n  // mine\n  "a": 1\n}', "line 2: ", "it has comments"),
    "a trailing comma": (b'{"mcpServers": {},}', "line 1: ", "not"),
    "cut off": (b'{"mcpServers": ', "line 1: ", ""),
    "no object": (b"[]", "it holds no object", ""),
    "servers in a list": (b'{"mcpServers": []}', "mcpServers is not an object", ""),
    "a key twice": (b'{"mcpServers": {}, "mcpServers": {}}', "'mcpServers' stands there", ""),
    "another encoding": ('{"a": "é"}'.encode("latin-1"), "not valid UTF-8 (byte 7)", ""),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "not valid UTF-8", ""),
}


@pytest.mark.parametrize(("content", "complaint", "more"), REFUSED.values(), ids=list(REFUSED))
def test_a_file_that_cannot_be_changed_safely_is_refused_before_anything_is_written(
    house, content, complaint, more
):
    house.client_file.write_bytes(content)
    code, _, err = house.setup("--yes", "--port", "1")
    assert code == 2
    assert err.startswith(f"error: {house.client_file}: ")
    assert complaint in err
    assert more in err
    assert "hint: " in err
    assert house.files() == {house.client_file: content}


def test_a_read_only_file_is_left_as_it_is(house):
    house.client_file.write_bytes(b"{}")
    house.client_file.chmod(0o444)
    code, _, err = house.setup("--yes", "--port", "1")
    assert code == 2
    assert "is read-only, so it was left as it is" in err
    assert house.files() == {house.client_file: b"{}"}


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_refused(house, make):
    make(house.client_file)
    code, _, err = house.setup("--yes", "--port", "1")
    assert (code, f"error: {house.client_file}: is not a file" in err) == (2, True)


def test_a_symlink_to_nothing_is_refused(house):
    house.client_file.symlink_to(house.home / "gone.json")
    code, _, err = house.setup("--yes", "--port", "1")
    assert code == 2
    assert "is a symlink to" in err
    assert house.files() == {}


def test_a_file_that_is_not_to_be_changed_is_no_obstacle_but_named(house, models):
    shared = house.project / ".claude" / "settings.json"
    shared.parent.mkdir()
    shared.write_bytes(b"{ // theirs\n}")
    (house.project / ".mcp.json").write_bytes(b"{")
    code, _, err = house.setup(*models, "--yes")
    assert code == 0
    assert f"note: {shared}: line 1: " in err
    assert f"note: {house.project / '.mcp.json'}: line 1: " in err
    assert (shared.read_bytes(), (house.project / ".mcp.json").read_bytes()) == (
        b"{ // theirs\n}",
        b"{",
    )


def test_settings_that_cannot_be_read_are_named_too(house):
    settings = house.home / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_bytes(b"{ // mine\n}")
    code, _, err = house.setup("--yes", "--port", "1")
    assert (code, f"error: {settings}: line 1" in err) == (2, True)
    assert house.files() == {settings: b"{ // mine\n}"}


def megabytes():
    projects = {f"/home/me/{number}": {"history": ["x" * 900]} for number in range(5600)}
    return json.dumps({"n": 1.50, "projects": projects}, indent=2).encode()


TAKEN = {
    "a byte order mark": b'\xef\xbb\xbf{\n  "mcpServers": {"a": {"command": "x"}}\n}\n',
    "Windows line ends": b'{\r\n\t"n": 1.50,\r\n\t"mcpServers": {}\r\n}\r\n',
    "five megabytes of projects": megabytes(),
}


@pytest.mark.parametrize("content", TAKEN.values(), ids=list(TAKEN))
def test_what_can_be_changed_keeps_every_other_byte_and_comes_back_whole(house, models, content):
    dotfiles = house.home / "dotfiles"
    dotfiles.mkdir()
    real = dotfiles / "claude.json"
    real.write_bytes(content)
    real.chmod(0o600)
    house.client_file.symlink_to(real)
    code, _, err = house.setup(*models, "--yes")
    assert code == 0, err
    assert house.client_file.is_symlink()
    after = real.read_bytes()
    assert after.startswith(content[:1])
    assert json.loads(after.decode("utf-8-sig"))["mcpServers"]["spadework"]
    lines = after.splitlines(keepends=True)
    kept = [line for line in content.splitlines(keepends=True) if line in set(lines)]
    assert len(content.splitlines()) - len(kept) <= 1  # an empty object that is one no longer
    assert real.stat().st_mode & 0o777 == 0o600
    house.setup("--remove", "--yes")
    assert real.read_bytes() == content
    assert house.client_file.is_symlink()
    assert sorted(path.name for path in house.home.glob(".claude*")) == [".claude.json"]
