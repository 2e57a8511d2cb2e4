"""What waits for a server that is away and what does not; what a stopped run keeps."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from doubles.chat_server import Trouble
from doubles.openai_compatible import OpenAIDouble
from doubles.plays import Play
from doubles.terminal import Terminal
from spadework.cli.exit_codes import EXIT_FAILED, EXIT_INTERRUPTED

pytestmark = pytest.mark.slow

ROWS = 60
ITEMS = "".join(f"<row-{number}>\n" for number in range(ROWS))
CONFIG = """
[backends.koala]
kind = "openai"
url = "{url}"

[backends.panda]
kind = "openai"
url = "{other}"

[tools.ask_local_llama]
models = {models}

[queue]
patience = {patience}
"""
WAIT = 60.0


@pytest.fixture
def configure(project, tmp_path, openai_double):
    """Write a config of a server and, if wanted, of a second one behind it."""
    openai_double.plays(Play(finds=r"<row-\d+>", prompt_tokens=120, delay=0.01))

    def write(*, patience=1800, second=None):
        models = ["koala/llama3-local"] + (["panda/llama3-local"] if second else [])
        other = second.url if second else openai_double.url
        text = CONFIG.format(
            url=openai_double.url, other=other, models=json.dumps(models), patience=patience
        )
        (tmp_path / "config.toml").write_text(text)
        (project / "items.txt").write_text(ITEMS)

    return write


@pytest.fixture
def gone(openai_double):
    """The server, gone before anything is asked."""
    openai_double.go_away()
    until(lambda: not listens(openai_double))
    return openai_double


def listens(double):
    return double._server is not None


def until(condition):
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def run_each(spadework):
    def run(*more, prompt="Which row?"):
        return spadework("each", prompt, "--items", "items.txt", "--json", *more)

    return run


@pytest.fixture
def at_terminal(project):
    """Start `each` before a terminal."""

    def start(*more):
        command = [sys.executable, "-m", "spadework", "each", "Which row?"]
        return Terminal([*command, "--items", "items.txt", *more], dict(os.environ), project)

    return start


def answers(done):
    return [json.loads(line)["answer"] for line in done.stdout.splitlines()]


def test_the_line_of_progress_says_what_is_waited_for(configure, gone, at_terminal):
    configure()
    person = at_terminal()
    person.read("0 of 60, waiting for koala/llama3-local, at most ")
    person.read("nothing answers at")
    gone.come_back()
    assert "note: 60 of 60 answered" in person.read()
    assert person.close() == 0


def test_a_log_says_when_a_wait_begins_and_ends(configure, gone, project):
    configure()
    command = [sys.executable, "-m", "spadework", "each", "Which row?", "--items", "items.txt"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=project, **pipes) as process:
        begun = process.stderr.readline()
        gone.come_back()
        _, rest = process.communicate(timeout=WAIT)
    assert process.returncode == 0
    assert begun.startswith("waiting for koala/llama3-local, at most ")
    assert rest.startswith("continuing: 0 of 60")


def test_a_question_to_a_server_that_is_away_is_handed_back_at_once(configure, gone, spadework):
    configure()
    done = spadework("ask", "Who?")
    assert done.returncode == EXIT_FAILED
    assert f"nothing answers at {gone.url} (connection refused)" in done.stderr
    assert "waiting for" not in done.stderr
    assert gone.requests == []


def test_a_question_to_a_server_that_still_loads_asks_it_once(configure, openai_double, spadework):
    configure()
    loading = '{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}'
    openai_double.plays(status=503, body=loading)
    done = spadework("ask", "Who?")
    assert "it is still loading the model (503)" in done.stderr
    assert len(openai_double.chats) == 1


def test_where_a_second_model_can_answer_nothing_waits_for_the_first(configure, gone, run_each):
    with OpenAIDouble() as second:
        second.plays(Play(finds=r"<row-\d+>", prompt_tokens=120))
        configure(second=second)
        done = run_each()
        assert done.returncode == 0, done.stderr
        assert answers(done) == ITEMS.split()
        models = {json.loads(line)["model"] for line in done.stdout.splitlines()}
        assert models == {"panda/llama3-local"}
        assert len(second.chats) == ROWS
    assert gone.requests == []


def test_without_patience_a_row_is_handed_back_as_a_question_is(configure, openai_double, run_each):
    configure(patience=0)
    openai_double.trouble = Trouble(leaves_at={30: None})
    done = run_each()
    assert done.returncode == 1
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    lost = [row for row in rows if row["answer"] is None]
    assert len(lost) == ROWS - len(openai_double.answered)
    words = ("the stream broke off", "hung up", "nothing answers at", "suspended")
    assert [row["error"] for row in lost if not any(one in row["error"] for one in words)] == []
    bodies = [chat.body for chat in openai_double.chats]
    assert len(bodies) == len(set(bodies)), "no row was asked about twice"


def stopped_while_waiting(person, double, done_before=0):
    """Press Ctrl-C once all that was under way has ended; gives how many rows were answered."""
    person.read("waiting for koala/llama3-local")
    answered = len(double.answered) - done_before
    person.read(f"{answered} of {ROWS}, waiting for")
    person.process.send_signal(signal.SIGINT)
    person.read()
    assert person.close() == EXIT_INTERRUPTED
    assert "Traceback" not in person.screen
    assert 0 < answered < ROWS
    return answered


def test_ctrl_c_while_waiting_keeps_what_was_answered_and_a_second_run_goes_on(
    configure, openai_double, at_terminal, run_each
):
    configure()
    openai_double.trouble = Trouble(leaves_at={30: None})
    known = stopped_while_waiting(at_terminal(), openai_double)
    openai_double.come_back()
    until(lambda: listens(openai_double))
    before = len(openai_double.chats)
    done = run_each()
    assert done.returncode == 0, done.stderr
    assert answers(done) == ITEMS.split()
    assert f"{ROWS} of {ROWS} answered, {known} from the cache" in done.stderr
    assert len(openai_double.chats) - before == ROWS - known


def test_fresh_replaces_what_is_kept_and_stopped_in_the_middle_it_keeps_what_it_did(
    configure, openai_double, at_terminal, run_each
):
    configure()
    openai_double.plays(reply="old", prompt_tokens=120)
    assert answers(run_each()) == ["old"] * ROWS
    openai_double.plays(reply="new", prompt_tokens=120)
    assert answers(run_each()) == ["old"] * ROWS
    openai_double.trouble = Trouble(leaves_at={ROWS + 30: None})
    renewed = stopped_while_waiting(at_terminal("--fresh"), openai_double, done_before=ROWS)
    asked = len(openai_double.chats)
    kept = answers(run_each())
    assert (kept.count("new"), kept.count("old")) == (renewed, ROWS - renewed)
    assert len(openai_double.chats) == asked, "all of it is known, and the server is not needed"
    openai_double.come_back()
    until(lambda: listens(openai_double))
    assert answers(run_each("--fresh")) == ["new"] * ROWS
    asked = len(openai_double.chats)
    assert answers(run_each()) == ["new"] * ROWS
    assert len(openai_double.chats) == asked
