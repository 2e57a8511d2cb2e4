"""The ledger keeps one whole row for each delegation, whatever happens around it."""

import sqlite3
import subprocess
import sys
from dataclasses import replace

import pytest

from spadework.errors import LedgerError
from spadework.storage.ledger import _MIGRATIONS, Filter, Ledger, LedgerEntry

ENTRY = LedgerEntry(
    at=1_800_000_000.0,
    session="s1",
    tool="ask_local_llama",
    model="koala/llama3-local",
    outcome="answered",
    prompt_tokens=100,
    completion_tokens=21,
    first_token_seconds=0.5,
    seconds=2.5,
    bytes_read=4096,
    bytes_returned=80,
    answering_seconds=2.0,
    tries=("iguana/x: it was down",),
    confidence=0.75,
    checks=("empty", "label"),
    run="",
    cost_usd=0.25,
)


@pytest.fixture
def ledger(tmp_path):
    opened = Ledger(tmp_path / "deep" / "ledger.db")
    yield opened
    opened.close()


def test_what_is_recorded_is_read_back(ledger):
    ledger.record(ENTRY)
    assert list(ledger.entries()) == [ENTRY]


def test_entries_come_newest_first_and_limited(ledger):
    for moment in (1.0, 3.0, 2.0):
        ledger.record(replace(ENTRY, at=moment))
    assert [entry.at for entry in ledger.entries(Filter(limit=2))] == [3.0, 2.0]


def test_a_server_s_odd_count_is_an_error_of_the_ledger_and_no_other(ledger):
    """It was an OverflowError, and cost the user the answer."""
    with pytest.raises(LedgerError):
        ledger.record(replace(ENTRY, completion_tokens=10**30))
    assert list(ledger.entries(Filter(limit=10**30))) == []


def test_half_characters_in_an_error_are_stored_as_question_marks(ledger):
    ledger.record(replace(ENTRY, error="\ud83d", tries=("\ud83d",)))
    assert [entry.error for entry in ledger.entries()] == ["?"]


@pytest.mark.parametrize(
    ("chosen", "count"),
    [
        (Filter(tool="ask_coding_model"), 1),
        (Filter(model="koala/*"), 2),
        (Filter(model="koala/llama3-local"), 2),
        (Filter(outcome="cancelled"), 1),
        (Filter(session="s2"), 1),
        (Filter(run="run-1"), 1),
        (Filter(since=1_900_000_000), 1),
        (Filter(), 3),
    ],
)
def test_entries_are_filtered(ledger, chosen, count):
    ledger.record(ENTRY)
    ledger.record(replace(ENTRY, tool="ask_coding_model", outcome="cancelled"))
    ledger.record(replace(ENTRY, session="s2", model="iguana/x", at=2_000_000_000, run="run-1"))
    assert len(list(ledger.entries(chosen))) == count


def test_speed_is_measured_over_answers_without_the_wait_for_the_first_token(ledger):
    assert ledger.speed(ENTRY.model) is None
    ledger.record(ENTRY)
    ledger.record(replace(ENTRY, outcome="handed-back", completion_tokens=10_000))
    assert ledger.speed(ENTRY.model) == pytest.approx(20 / 2.0)


def test_a_ledger_of_the_first_version_is_migrated_with_its_rows(tmp_path):
    path = tmp_path / "ledger.db"
    old = sqlite3.connect(path)
    old.executescript(_MIGRATIONS[0])
    old.execute("PRAGMA user_version = 1")
    old.execute(
        "INSERT INTO delegations (at, session, tool, model, outcome, seconds, bytes_read,"
        " bytes_returned, tries, error) VALUES (1, 's', 't', 'm', 'answered', 1, 1, 1, '[]', '')"
    )
    old.commit()
    old.close()
    ledger = Ledger(path)
    assert [(one.tool, one.checks, one.failures) for one in ledger.entries()] == [("t", (), ())]
    ledger.close()
    check = sqlite3.connect(path)
    assert check.execute("PRAGMA user_version").fetchone() == (len(_MIGRATIONS),)
    indexes = {row[0] for row in check.execute("SELECT name FROM sqlite_master WHERE type='index'")}
    check.close()
    assert {"delegations_by_time", "delegations_by_model"} <= indexes


def test_a_ledger_of_a_newer_spadework_is_left_alone(tmp_path):
    path = tmp_path / "ledger.db"
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(LedgerError, match="newer Spadework") as caught:
        Ledger(path)
    assert "upgrade" in caught.value.hint


def test_a_file_that_is_no_ledger_is_a_clear_error(tmp_path):
    path = tmp_path / "ledger.db"
    path.write_text("this is a note, not a database, and long enough to be looked at as one" * 20)
    with pytest.raises(LedgerError, match="cannot be used"):
        Ledger(path)


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="cannot be used"):
        Ledger(tmp_path / "file" / "ledger.db")


WRITER = """
import sys
from pathlib import Path
from dataclasses import replace
sys.path.insert(0, sys.argv[3])
from test_ledger import ENTRY
from spadework.storage.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[2])):
    ledger.record(replace(ENTRY, session=f"{sys.argv[4]}-{number}"))
    if sys.argv[4] == "victim":
        print(number, flush=True)
"""


def start_writer(path, count, name, folder):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(count), folder, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


OPENER = """
import sys
from pathlib import Path
from spadework.storage.ledger import Ledger
print("ready", flush=True)
sys.stdin.readline()
Ledger(Path(sys.argv[1]))
"""


@pytest.mark.slow
def test_processes_that_make_the_same_new_ledger_at_once_do_not_lock_each_other_out(tmp_path):
    """SQLite refuses the switch to WAL at once while another one makes it."""
    for number in range(5):
        path = str(tmp_path / f"{number}.db")
        command = [sys.executable, "-c", OPENER, path]
        pipe = subprocess.PIPE
        openers = [
            subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
            for _ in range(6)
        ]
        for opener in openers:
            assert opener.stdout.readline() == "ready\n"
        for opener in openers:
            opener.stdin.write("go\n")
            opener.stdin.flush()
        for opener in openers:
            _, errors = opener.communicate(timeout=30)
            assert opener.returncode == 0, errors


@pytest.mark.slow
def test_four_processes_write_at_once_and_no_row_is_lost(tmp_path):
    path = tmp_path / "ledger.db"
    folder = str(__file__).rsplit("/", 1)[0]
    writers = [start_writer(path, 200, f"w{number}", folder) for number in range(4)]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    ledger = Ledger(path)
    sessions = [entry.session for entry in ledger.entries(Filter(limit=10_000))]
    ledger.close()
    assert len(sessions) == len(set(sessions)) == 800


@pytest.mark.slow
def test_a_killed_writer_leaves_every_row_that_it_reported(tmp_path):
    path = tmp_path / "ledger.db"
    victim = start_writer(path, 1_000_000, "victim", str(__file__).rsplit("/", 1)[0])
    assert victim.stdout.readline() == "ready\n"
    victim.stdin.write("go\n")
    victim.stdin.flush()
    reported = [victim.stdout.readline() for _ in range(300)]
    victim.kill()
    rest, _ = victim.communicate()
    # The kill may tear the last line; a number counts only with its line feed.
    reported += [line for line in rest.splitlines(keepends=True) if line.endswith("\n")]
    ledger = Ledger(path)
    sessions = {entry.session for entry in ledger.entries(Filter(limit=10_000_000))}
    ledger.record(ENTRY)
    ledger.close()
    assert {f"victim-{int(line)}" for line in reported} <= sessions
    check = sqlite3.connect(path)
    assert check.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    check.close()


def test_a_model_is_failing_by_the_code_of_its_last_failure_and_not_by_any_wording(tmp_path):
    llama, quoted = "koala/llama", "koala/ll ama"
    ledger = Ledger(tmp_path / "ledger.db")
    lines = (f"{llama}: the server failed (500)", '"koala/ll ama": the server failed')
    codes = ((llama, "server-failed"), (quoted, "server-failed"))
    ledger.record(replace(ENTRY, outcome="handed-back", model="", tries=lines, failures=codes))
    assert ledger.failing() == {
        llama: "the server failed (500)",
        '"koala/ll ama"': "the server failed",
    }
    assert next(iter(ledger.entries())).failures == codes
    of_before = ("panda/b: the server failed (500)", "panda/c: BackendUnavailable")
    ledger.record(replace(ENTRY, outcome="handed-back", model="", tries=of_before))
    words = (f'{llama}: the server wrote: "koala/x: the server failed"',)
    ledger.record(replace(ENTRY, model=llama, tries=words, failures=((llama, "bad-reply"),)))
    assert ledger.failing() == {'"koala/ll ama"': "the server failed"}
    ledger.close()
