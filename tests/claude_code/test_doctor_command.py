"""`spadework doctor` through the real command, the real server and the real daemon."""

import asyncio
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading

import pytest
from client_homes import SERVER, ClientHome

from doubles.openai_compatible import OpenAIDouble

pytestmark = pytest.mark.slow

CONFIG = """
[backends.koala]
kind = "openai"
url = "{url}"

[tools.ask_local_llama]
models = ["koala/llama3-local"]
use_for = "bulk summarization"

[tools.ask_coding_model]
models = ["koala/codellama-local", "koala/llama3-local"]
use_for = "boilerplate"
"""


@pytest.fixture
def double():
    with OpenAIDouble(window=4096) as server:
        yield server


@pytest.fixture
def house(tmp_path, runtime_folder, double):
    """A house in order."""
    house = ClientHome(tmp_path, runtime_folder)
    house.install_client()
    house.register(spadework=SERVER)
    house.config.write_text(CONFIG.format(url=double.url))
    return house


def one(found, subject):
    (finding,) = found[subject]
    return finding["severity"], finding["what"], finding["cure"]


def test_a_house_in_order_gives_nothing_but_ok_in_a_stable_order(house):
    before = {file: file.read_bytes() for file in house.home.rglob("*") if file.is_file()}
    code, out, err = house.run("doctor")
    rows = [line.split("\t") for line in out.splitlines()]
    rows = [[row[0], f"{row[1]} {row[2]}".strip(), row[3]] for row in rows]
    assert [row[:2] for row in rows] == [
        ["ok", "client"],
        ["ok", "registration"],
        ["ok", "handshake"],
        ["ok", "tool-list"],
        ["ok", "tool-search"],
        ["ok", "daemon"],
        ["ok", "config"],
        ["ok", "backend koala"],
        ["ok", "tool ask_local_llama"],
        ["ok", "tool ask_coding_model"],
        ["ok", "ledger"],
        ["ok", "disk"],
    ], out
    assert (code, err) == (0, "")
    texts = {row[1]: row[2] for row in rows}
    assert texts["client"].startswith("Claude Code 2.1.330: ")
    assert "spadework (user scope, " in texts["registration"]
    assert "the registered command answers in " in texts["handshake"]
    assert "deferred" in texts["tool-search"]
    assert "4 tools, " in texts["tool-list"]
    assert "started by this handshake" in texts["daemon"]
    assert (
        "koala/codellama-local and 1 more; window 4096 (max_model_len"
        in (texts["tool ask_coding_model"])
    )
    after = {file: file.read_bytes() for file in before}
    assert after == before
    assert not (house.home / "data" / "ledger.db").exists()
    code, found = house.told("doctor")
    assert (code, list(found)) == (0, [row[1] for row in rows])
    assert "started by this handshake" not in one(found, "daemon")[1]


def test_without_a_client_a_missing_registration_is_no_failure(house):
    (house.programs / "claude").unlink()
    house.register()
    code, found = house.told("doctor")
    assert code == 0
    assert one(found, "client")[0] == "warning"
    assert one(found, "registration")[0] == "warning"
    assert "`spadework mcp` answers in " in one(found, "handshake")[1]


def test_with_a_client_a_missing_registration_is_broken_and_the_cure_registers_it(house):
    house.register(other={"command": "other"})
    code, found = house.told("doctor")
    assert code == 1
    level, text, cure = one(found, "registration")
    assert (level, text) == (
        "error",
        "Claude Code starts no server of Spadework in this folder",
    )
    assert cure == "spadework setup"


def test_a_server_of_a_repository_that_nobody_approved_is_never_started(house):
    house.register()
    trap = house.home / "started"
    entry = {"command": "/bin/sh", "args": ["-c", f"touch {trap}"]}
    house.write("project/.mcp.json", {"mcpServers": {"spadework": entry}})
    code, found = house.told("doctor")
    levels = [(f["severity"], f["what"]) for f in found["registration"]]
    assert code == 1
    assert levels[0][0] == "warning"
    assert "is pending approval" in levels[0][1]
    assert levels[1][0] == "error"
    assert not trap.exists()


def test_an_entry_in_settings_json_is_said_to_be_dead(house):
    house.register()
    house.write(".claude/settings.json", {"mcpServers": {"spadework": SERVER}})
    code, found = house.told("doctor")
    level, text = (found["registration"][0][key] for key in ("severity", "what"))
    assert (code, level) == (1, "error")
    assert "Claude Code ignores mcpServers there" in text


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"command": "spadework-is-nowhere"}, "program not found on PATH"),
        ({"command": "${NOT_SET}/spadework"}, "names ${NOT_SET}, which is not set here"),
        (
            {"command": "/bin/sh", "args": ["-c", "echo 'error: no key sk-abcdefghijkl'>&2"]},
            "error: no key ***",
        ),
        ({"type": "http", "url": "http://127.0.0.1:9/mcp?token=hunter2"}, "it fails: "),
        ({"command": "/bin/echo", "args": ["no protocol"]}, "it fails: "),
        (
            {"command": "/bin/sh", "args": ["-c", "echo $1>&2", "sh", "hunter2-as-an-argument"]},
            "it fails: ***",
        ),
        (
            {"command": "/bin/sh", "args": ["-c", "echo $K>&2"], "env": {"K": "hunter2-as-a-key"}},
            "it fails: ***",
        ),
    ],
)
def test_a_handshake_that_fails_says_why_without_secrets(house, entry, why):
    house.register(spadework=entry)
    code, out, err = house.run("doctor")
    assert code == 1
    line = next(line for line in out.splitlines() if "\thandshake\t" in line)
    assert line.startswith("error")
    assert why in line
    assert "hunter2" not in out + err
    assert "abcdefghijkl" not in out + err


def test_old_clients_and_long_descriptions_and_tools_that_are_always_loaded_are_named(house):
    house.install_client("2.0.14")
    house.register(spadework=SERVER | {"alwaysLoad": True})
    house.config.write_text(
        house.config.read_text().replace("bulk summarization", "much work " * 300)
    )
    code, found = house.told("doctor")
    assert code == 0
    assert one(found, "client")[0] == "warning"
    assert "Spadework was tried with 2.1.197 to 2.1.330" in one(found, "client")[1]
    assert "ask_local_llama cut at 2000 characters" in one(found, "tool-list")[1]
    assert one(found, "tool-search")[1] == "the tools are always loaded (alwaysLoad)"


def test_a_broken_config_is_told_line_by_line_and_stops_only_what_needs_it(house):
    house.config.write_text('[backends.koala]\nkind = "openia"\nurl = "koala"\n')
    code, found = house.told("doctor")
    assert code == 1
    assert [f["severity"] for f in found["config"]] == ["error", "error"]
    assert f"{house.config}:2" in found["config"][0]["what"]
    assert one(found, "handshake")[0] == "error"
    assert one(found, "client")[0] == "ok"


def test_backends_are_asked_at_once_and_a_dead_one_hides_no_other(house):
    met = threading.Barrier(2)

    class Meeting(OpenAIDouble):
        """It answers only once the other one has been asked too."""

        async def answer(self, request, wire):
            if request.path == "/v1/models":
                await asyncio.to_thread(met.wait, 20)
            await super().answer(request, wire)

    with Meeting("a") as first, Meeting("b") as second:
        house.register()
        house.config.write_text(
            f'[backends.one]\nkind = "openai"\nurl = "{first.url}"\n'
            f'[backends.two]\nkind = "openai"\nurl = "{second.url}"\n'
            '[backends.dead]\nkind = "ollama"\nurl = "http://127.0.0.1:9"\n'
        )
        # The handshake is not to ask them as well.
        house.environ["SPADEWORK_CONFIG"] = str(house.config)
        house.register(spadework={"command": "/bin/false"})
        code, found = house.told("doctor")
    assert code == 1
    assert one(found, "backend one")[0] == "ok"
    assert one(found, "backend two")[0] == "ok"
    assert one(found, "backend dead")[0] == "error"
    assert "http://127.0.0.1:9" in one(found, "backend dead")[1]


def test_keys_that_are_wrong_or_missing_are_told_by_the_name_of_their_variable(house, double):
    double.key = "sk-the-right-one-1234"
    house.config.write_text(
        house.config.read_text().replace("\n[tools", 'api_key_env = "KOALA_KEY"\n[tools', 1)
    )
    code, found = house.told("doctor")
    texts = [f["what"] + f["cure"] for f in found["backend koala"]]
    assert code == 1
    assert "set the environment variable KOALA_KEY" in texts[0]
    assert "KOALA_KEY is not set" in texts[1]
    code, out, err = house.run("doctor", KOALA_KEY="sk-a-wrong-one-5678")
    assert code == 1
    assert "a-wrong-one" not in out + err
    code, _ = house.told("doctor", KOALA_KEY="sk-the-right-one-1234")
    assert code == 0


def test_a_key_file_that_is_missing_stops_its_own_backend_alone(house, double):
    house.config.write_text(
        house.config.read_text()
        + f'[backends.panda]\nkind = "openai"\nurl = "{double.url}"\napi_key_file = "nowhere"\n'
    )
    code, found = house.told("doctor")
    assert code == 1
    assert "is missing" in one(found, "backend panda")[1]
    assert one(found, "backend koala")[0] == "ok"
    assert one(found, "tool ask_local_llama")[0] == "ok"


def test_models_that_are_not_there_are_named(house):
    text = house.config.read_text()
    house.config.write_text(
        text.replace('"koala/codellama-local", ', '"koala/gone", ').replace(
            'models = ["koala/llama3-local"]', 'models = ["koala/nothing-*"]'
        )
    )
    code, found = house.told("doctor")
    assert code == 1
    assert one(found, "tool ask_local_llama")[:2] == (
        "error",
        "none of its models is there: koala/nothing-*",
    )
    assert one(found, "tool ask_coding_model")[0] == "warning"
    assert "not there: koala/gone" in one(found, "tool ask_coding_model")[1]


def test_a_daemon_that_is_older_is_told(house):
    started = subprocess.run(
        [sys.executable, "-m", "spadework", "daemon", "start"],
        env=house.environ | {"SPADEWORK_TEST_VERSION": "0.0.1"},
        cwd=house.project,
        check=True,
        capture_output=True,
    )
    assert started.stdout.startswith(b"started")
    # A registered server that fails leaves the old daemon in its place.
    house.register(spadework={"command": "/bin/false"})
    _, found = house.told("doctor")
    level, text, cure = one(found, "daemon")
    assert (level, "version 0.0.1" in text) == ("warning", True)
    assert "`spadework daemon stop`" in cure


def test_a_daemon_that_does_not_use_the_changed_config_is_told(house):
    assert house.run("daemon", "start")[0] == 0
    house.config.write_text("[backends.koala]\n")
    while not json.loads(house.run("daemon", "status", "--json")[1])["problem"]:
        pass  # it looks at the file once a second
    code, found = house.told("doctor")
    assert (code, one(found, "daemon")[0]) == (1, "error")
    assert "the changed config is not in use: " in one(found, "daemon")[1]


def test_a_ledger_that_is_none_is_broken(house):
    (house.home / "data").mkdir()
    (house.home / "data" / "ledger.db").write_text("no database, but text\n" * 100)
    code, found = house.told("doctor")
    assert (code, one(found, "ledger")[0]) == (1, "error")


def test_the_ledger_tells_its_rows_and_its_speed(house, double):
    double.plays(reply=" ".join(map(str, range(40))), prompt_tokens=20, pause=0.002)
    assert house.run("ask", "Hi", "--in-process")[0] == 0
    _, found = house.told("doctor")
    assert "1 delegations, " in one(found, "ledger")[1]
    assert " tokens/s by the ledger" in one(found, "tool ask_local_llama")[1]


def test_wrong_arguments_are_one_line(house):
    for arguments, said in (
        (["--model", "koala/llama3-local"], "--model chooses what --probe asks"),
        (["--probe", "--model", "llama3"], "a model is written backend/model"),
        (["--probe", "--model", "panda/x"], "no such backend"),
    ):
        code, out, err = house.run("doctor", *arguments)
        assert (code, out) == (2, "")
        assert said in err


def test_a_terminal_sees_colours_and_the_cure_below(house):
    house.register()
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "spadework", "doctor"],
        cwd=house.project,
        env=house.environ | {"TERM": "xterm"},
        stdin=follower,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    shown = b""
    while process.poll() is None or select.select([leader], [], [], 0)[0]:
        if select.select([leader], [], [], 0.1)[0]:
            try:
                shown += os.read(leader, 65536)
            except OSError:  # Linux tells the end of a terminal so
                break
    os.close(leader)
    text = shown.decode()
    assert process.wait(10) == 1
    assert "\x1b[32mok      \x1b[0m client" in text
    assert "\x1b[31merror   \x1b[0m registration" in text
    assert "cure: spadework setup" in text


def test_ctrl_c_ends_it_at_once_and_the_model_with_it(house, double):
    double.plays(hangs_after=1)
    process = house.start("doctor", "--probe", "--json")
    while not double.chats:
        assert process.poll() is None
        double.wait_until_asked()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert double.chats[0].wait_until_left()
    assert json.loads((house.home / ".claude.json").read_text())["mcpServers"]


def test_a_server_over_http_is_greeted_with_its_token_and_refuses_another(house):
    _, token, _ = house.run("token", "new", "laptop")
    serving = house.start("serve", "--http", "127.0.0.1:0", "--require-token", "--in-process")
    try:
        url = re.search(r"http://\S+/mcp", serving.stdout.readline())[0]
        found = []
        for key in (token.strip(), token.strip()[:-1]):
            entry = {"type": "http", "url": url, "headers": {"Authorization": "Bearer ${TOKEN}"}}
            house.register(spadework=entry)
            code, out, err = house.run("doctor", TOKEN=key)
            assert token.strip()[:-1] not in out + err
            found.append((code, next(row for row in out.splitlines() if "\thandshake\t" in row)))
    finally:
        serving.terminate()
        serving.communicate(timeout=30)
    assert found[0][0] == 0
    assert "the registered command answers in " in found[0][1]
    assert found[1][0] == 1
    assert found[1][1].startswith("error\thandshake\t\tit fails: ")
