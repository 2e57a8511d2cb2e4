"""`spadework ask` and `models` by the daemon: the same to see, and one queue behind it."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from doubles.plays import Play
from remote.houses import until

pytestmark = pytest.mark.slow

HEAVY = {"openai", "mcp", "mcp_types", "ollama", "httpx", "httpx2", "sqlite3", "xllamacpp"}


def without_seconds(told):
    """Take out what the clock says; it is never the same twice."""
    return re.sub(r'("\w*seconds": )[\d.]+', r"\1…", told)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["ask", "How many lines?", "-f", "notes.md"], 0),
        (["ask", "How many lines?", "-f", "notes.md", "--json"], 0),
        (["ask", "Hi", "-m", "koala/code*", "--json"], 0),
        (["ask", "Right?", "-t", "ask_coding_model", "-a", "code=x = 1"], 0),
        (["ask", "Hi", "--batch"], 0),
        (["ask", "Hi", "-l", "Three lines.", "-l", "four lines", "--json"], 0),
        (["ask", "Hi", "--schema", '{"type": "object"}'], 1),
        (["ask", "Hi", "--schema", '{"type": "objec"}'], 2),
        (["ask", "Hi", "-f", "../x"], 3),
        (["ask", "Hi", "-f", "nothing.md", "--json"], 3),
        (["ask", "Hi", "-t", "ask_nobody"], 2),
        (["ask", "Hi", "-m", "nobody/x"], 2),
        (["ask", "Hi", "-a", "colour=red"], 2),
        (["ask", "Hi", "-f", "/caf\udce9.txt"], 3),
        (["ask", "Hi", "--root", "/nope"], 2),
        (["models"], 0),
        (["models", "--json"], 0),
    ],
)
def test_a_command_does_the_same_with_the_daemon_and_without(lived_in, arguments, code):
    by_daemon = lived_in.run(*arguments)
    alone = lived_in.run(arguments[0], "--in-process", *arguments[1:])
    assert by_daemon[0] == code, by_daemon
    assert list(map(without_seconds, by_daemon[1:])) == list(map(without_seconds, alone[1:]))
    assert by_daemon[0] == alone[0]


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_hand_back_is_the_same_with_the_daemon_and_without(lived_in, options):
    lived_in.double.plays(reply="")
    by_daemon = lived_in.run("ask", "Hi", *options)
    assert by_daemon[0] == 1
    assert "koala/llama3-local: empty answer" in by_daemon[1] + by_daemon[2]
    assert by_daemon == lived_in.run("ask", "--in-process", "Hi", *options)


def test_what_was_tried_before_and_left_out_is_told_the_same(lived_in):
    (lived_in.project / "photo.bin").write_bytes(b"\x00" * 100)
    lived_in.double.plays(reply="", model="llama3-local")
    lived_in.double.plays(reply="Whole.", prompt_tokens=120, model="codellama-local")
    by_daemon = lived_in.run("ask", "Hi", "-f", ".")
    assert by_daemon == lived_in.run("ask", "--in-process", "Hi", "-f", ".")
    assert by_daemon[1] == "Whole.\n"
    assert "left out: photo.bin" in by_daemon[2]
    assert "tried before: koala/llama3-local" in by_daemon[2]
    del lived_in.double._plays["llama3-local"], lived_in.double._plays["codellama-local"]


def test_a_command_by_the_daemon_imports_no_client_of_a_server(lived_in):
    program = """
import contextlib, io, json, sys
out = io.StringIO()
with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
    sys.argv = ["spadework", "ask", "Hi"]
    from spadework.cli import main
    main()
print(json.dumps([out.getvalue(), sorted(sys.modules)]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=lived_in.project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    shown, modules = json.loads(done.stdout)
    assert shown == "Three lines.\n"
    assert not HEAVY & {name.partition(".")[0] for name in modules}
    assert "spadework.engine.engine" not in modules


def test_the_work_is_the_daemons_and_its_row_too(house):
    daemon = house.start_daemon()
    house.double.plays(Play(hangs_after=2))
    asking = house.start("ask", "Hi", "--batch")
    until(lambda: house.double.chats, "the model is asked")
    shown = json.loads(house.run("status", "--json")[1])
    (running,) = shown["running"]
    assert (running["session"], running["kind"]) == ("shell", "batch")
    assert shown["daemon"]["pid"] == daemon.pid
    asking.send_signal(signal.SIGINT)
    asking.communicate(timeout=20)


@pytest.mark.parametrize(
    ("number", "said"), [(signal.SIGINT, (130, "", "")), (signal.SIGTERM, (143, "", "stopped\n"))]
)
def test_a_signal_stops_the_model_in_the_daemon(house, number, said):
    house.start_daemon()
    house.double.plays(Play(hangs_after=2))
    asking = house.start("ask", "Hi")
    until(lambda: house.double.chats, "the model is asked")
    asking.send_signal(number)
    out, err = asking.communicate(timeout=20)
    assert (asking.returncode, out, err) == said
    # The row is there when the command has ended, as it is without the daemon.
    assert house.rows() == [("cancelled", "shell")]
    assert house.double.chats[0].wait_until_left()


def test_a_client_that_is_killed_stops_the_model_too(house):
    house.start_daemon()
    house.double.plays(Play(hangs_after=2))
    asking = house.start("ask", "Hi")
    until(lambda: house.double.chats, "the model is asked")
    asking.kill()
    asking.communicate(timeout=20)
    assert house.double.chats[0].wait_until_left()
    assert until(house.rows, "the row is written") == [("cancelled", "shell")]
    house.double.plays(reply="Three lines.", prompt_tokens=120)
    assert house.run("ask", "Hi")[:2] == (0, "Three lines.\n")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_daemon_that_ends_in_mid_call_is_one_line_and_a_hint(house, number):
    daemon = house.start_daemon()
    house.double.plays(Play(hangs_after=2))
    asking = house.start("ask", "Hi")
    until(lambda: house.double.chats, "the model is asked")
    daemon.send_signal(number)
    out, err = asking.communicate(timeout=30)
    assert (asking.returncode, out) == (1, "")
    error, hint = err.splitlines()
    assert error == "error: the daemon ended before the answer came"
    assert "spadework daemon logs" in hint
    if number == signal.SIGTERM:
        daemon.wait(20)
        assert house.rows() == [("cancelled", "shell")]
    # The next one works: without a daemon here, since nobody starts one.
    house.double.plays(reply="Three lines.", prompt_tokens=120)
    assert house.run("ask", "Hi")[:2] == (0, "Three lines.\n")


def test_asking_starts_no_daemon(house):
    assert house.run("ask", "Hi")[0] == 0
    assert house.run("models")[0] == 0
    assert not list((house.folder / "run").rglob("*.sock"))


def test_a_changed_config_counts_from_the_next_command_on(house):
    house.start_daemon()
    assert house.run("ask", "Hi")[0] == 0
    added = '\n[tools.fresh]\nuse_for = "x"\nmodels = ["koala/codellama-local"]\n'
    house.config.write_text(house.config.read_text() + added)
    code, out, _ = house.run("ask", "Hi", "-t", "fresh", "--json")
    assert (code, json.loads(out)["model"]) == (0, "koala/codellama-local")


def test_the_key_of_the_shell_is_used_and_not_kept(house):
    house.start_daemon()
    assert house.run("ask", "Hi", environ={"KOALA_KEY": "of-this-shell"})[0] == 0
    house.run("ask", "Hi")
    sent = [one.headers.get("authorization") for one in house.double.chats]
    assert sent[0] == "Bearer of-this-shell"
    assert "of-this-shell" not in str(sent[1])
    assert "of-this-shell" not in house.log() + house.run("status", "--json")[1]


def test_a_daemon_that_hangs_costs_seconds_and_not_the_answer(house):
    daemon = house.start_daemon()
    for socket in (house.folder / "run").rglob("*.sock"):
        os.utime(socket, (0, 0))  # one that has just started is given more time
    daemon.send_signal(signal.SIGSTOP)
    assert house.run("ask", "Hi")[:2] == (0, "Three lines.\n")
    code, _, err = house.run("status")
    assert (code, "does not answer" in err) == (1, True)


def test_ctrl_c_does_not_wait_for_a_daemon_that_hangs(house):
    """A daemon that has just started is given 30 s; a shell's user is not."""
    daemon = house.start_daemon()
    daemon.send_signal(signal.SIGSTOP)
    asking = house.start("ask", "Hi")
    until(lambda: greets(asking), "the command has connected")
    asking.send_signal(signal.SIGINT)
    assert asking.communicate(timeout=15) == ("", "")
    assert asking.returncode == 130


def greets(process):
    """Tell whether a process has a socket open; it opens but the daemon's here."""
    try:
        opened = [str(one.readlink()) for one in Path(f"/proc/{process.pid}/fd").iterdir()]
    except OSError:
        return False
    return sum(one.startswith("socket:") for one in opened) > 2


def test_megabytes_of_standard_input_go_along(lived_in):
    piped = "x" * 5_000_000
    done = subprocess.run(
        [sys.executable, "-m", "spadework", "ask", "Count.", "--json"],
        cwd=lived_in.project,
        input=piped,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["figures"]["bytes_read"] == len(piped)
    assert piped in lived_in.double.chats[0].json["messages"][-1]["content"]
