"""The client's own lock: a folder beside its file."""

import json
import os
import threading
import time

import pytest

from spadework.claude_code.client_files import STALE_SECONDS, change_file, client_lock
from spadework.errors import ConfigError


@pytest.fixture
def file(tmp_path):
    return tmp_path / ".claude.json"


def lock_of(file):
    return file.with_name(file.name + ".lock")


def test_it_is_held_inside_and_let_go_of_after(file):
    with client_lock(file):
        assert lock_of(file).is_dir()
    assert not lock_of(file).exists()


def test_who_waits_in_vain_is_told_how_to_get_rid_of_it(file):
    lock_of(file).mkdir()
    told = pytest.raises(ConfigError, match="Claude Code has been writing it")
    with told as told, client_lock(file, wait_seconds=0.0):
        pass
    assert str(lock_of(file)) in told.value.hint
    assert lock_of(file).is_dir()


def test_a_lock_that_a_dead_client_left_behind_is_taken(file):
    lock_of(file).mkdir()
    old = time.time() - STALE_SECONDS - 1
    os.utime(lock_of(file), (old, old))
    with client_lock(file, wait_seconds=5.0):
        assert time.time() - lock_of(file).stat().st_mtime < STALE_SECONDS
    assert not lock_of(file).exists()


def test_the_lock_of_a_symlinked_file_lies_beside_the_symlink_as_the_clients_does(file, tmp_path):
    (tmp_path / "dotfiles").mkdir()
    real = tmp_path / "dotfiles" / "claude.json"
    real.write_text("{}")
    file.symlink_to(real)
    held = []

    def change(content):
        held.append(lock_of(file).is_dir())
        return content.raw + b"\n"

    change_file(file, change)
    assert held == [True]
    assert file.is_symlink()
    assert real.read_text() == "{}\n"


def test_many_who_write_at_once_lose_nothing(file):
    file.write_text("{}")

    def write(name):
        def change(content):
            told = json.loads(content.text) | {name: 1}
            return json.dumps(told).encode()

        change_file(file, change)

    threads = [threading.Thread(target=write, args=(f"n{number}",)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(json.loads(file.read_text())) == 20


def test_what_another_program_wrote_meanwhile_without_a_lock_is_kept(tmp_path):
    file = tmp_path / "settings.json"
    file.write_text('{"n": 1}')
    seen = []

    def change(content):
        seen.append(content.text)
        if len(seen) == 1:
            file.write_text('{"n": 2}')
        return content.text.replace("{", '{"ours": 1, ').encode()

    change_file(file, change)
    assert json.loads(file.read_text()) == {"ours": 1, "n": 2}


def test_a_program_that_never_stops_writing_is_told_of(tmp_path):
    file = tmp_path / "settings.json"
    count = []

    def change(_):
        count.append(1)
        file.write_text(f'{{"n": {len(count)}}}')
        return b"{}"

    with pytest.raises(ConfigError, match="keeps writing"):
        change_file(file, change)
    assert json.loads(file.read_text()) == {"n": len(count)}
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]
