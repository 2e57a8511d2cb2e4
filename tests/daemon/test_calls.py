"""What the daemon answers to the calls of the command line and the Python API, line by line."""

import asyncio
import json
import socket
import sqlite3
from contextlib import asynccontextmanager

import pytest

from doubles.plays import Play
from spadework.config.loader import load_config
from spadework.daemon.call_handler import answer
from spadework.engine.engine import Engine
from spadework.mcp.reloading_engine import ReloadingEngine

CONFIG = """
[backends.koala]
kind = "openai"
url = "{url}"
api_key_env = "KOALA_KEY"

[tools.ask_local_llama]
use_for = "bulk summarization"
models = ["koala/llama3-local"]
"""
WAIT = 20.0


class Host:
    """The part of the daemon that a call sees."""

    def __init__(self, live):
        self.live = live
        self.stopped = asyncio.Event()

    @property
    def running(self):
        return self.live.engine.running

    def describe(self):
        return {"version": "1.2.3", "pid": 7, "started": 0.0, "connections": []}

    def mark_as_status_query(self):
        """A connection of its own is not there."""

    def stop(self):
        self.stopped.set()


@pytest.fixture
async def host(tmp_path, monkeypatch, openai_double):
    openai_double.plays(reply="Three lines.", prompt_tokens=120, completion_tokens=4)
    (tmp_path / "config.toml").write_text(CONFIG.format(url=openai_double.url))
    monkeypatch.setenv("SPADEWORK_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("SPADEWORK_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("KOALA_KEY", "the-daemons-own")
    loaded = load_config()
    async with Engine.from_config(loaded.config) as engine:
        yield Host(ReloadingEngine(engine, loaded.path))


class Client:
    """The other end of a connection, after the hello."""

    def __init__(self, reader, writer, answering):
        self.reader, self.writer, self.answering = reader, writer, answering

    def say(self, message):
        line = message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"
        self.writer.write(line)

    async def hear(self):
        async with asyncio.timeout(WAIT):
            line = await self.reader.readline()
        return json.loads(line) if line else None

    async def hear_the_end(self):
        """All lines, the last one with the result or the error."""
        heard = [await self.hear()]
        while not {"result", "error"} & set(heard[-1]):
            heard.append(await self.hear())
        return heard

    async def until_answered(self):
        async with asyncio.timeout(WAIT):
            await self.answering


@asynccontextmanager
async def connected(host, keys=None, small=False):
    ours, theirs = socket.socketpair()
    if small:
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    reader, writer = await asyncio.open_connection(sock=theirs)
    answering = asyncio.ensure_future(answer(host, keys or {}, reader, writer))
    # As the daemon's listener does.
    answering.add_done_callback(lambda _: writer.close())
    client = Client(*await asyncio.open_connection(sock=ours), answering)
    try:
        yield client
    finally:
        client.writer.close()
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)


def delegation(tmp_path, **more):
    job = {"tool": "ask_local_llama", "arguments": {"prompt": "How many lines?"}}
    session = {"project": str(tmp_path), "name": "shell"}
    return {"call": "delegate", "job": job | more.pop("job", {}), "session": session} | more


async def until_chatting(double):
    async with asyncio.timeout(WAIT):
        while not double.chats:
            await asyncio.sleep(0.01)


def ledger_rows(tmp_path):
    file = tmp_path / "data" / "ledger.db"
    if not file.exists():
        return []
    connection = sqlite3.connect(file)
    try:
        return connection.execute("SELECT outcome, session FROM delegations").fetchall()
    except sqlite3.OperationalError:  # its first row is being written
        return []
    finally:
        connection.close()


async def test_a_delegation_ends_in_its_answer(host, tmp_path):
    async with connected(host) as client:
        client.say(delegation(tmp_path))
        (last,) = await client.hear_the_end()
    answered = last["result"]["answer"]
    assert (answered["text"], answered["model"]) == ("Three lines.", "koala/llama3-local")
    assert ledger_rows(tmp_path) == [("answered", "shell")]


async def test_steps_and_text_are_told_only_to_who_wants_them(host, tmp_path):
    async with connected(host) as client:
        client.say(delegation(tmp_path, tells=["text"]))
        *told, _ = await client.hear_the_end()
    assert {name for line in told for name in line} == {"text"}
    assert "".join(line["text"] for line in told) == "Three lines."
    async with connected(host) as client:
        client.say(delegation(tmp_path, tells=["progress"]))
        *told, _ = await client.hear_the_end()
    assert {name for line in told for name in line} == {"progress"}
    assert "asking" in {line["progress"]["stage"] for line in told}


async def test_a_hand_back_is_a_result(host, tmp_path, openai_double):
    openai_double.plays(reply="")
    async with connected(host) as client:
        client.say(delegation(tmp_path))
        (last,) = await client.hear_the_end()
    assert last["result"]["hand_back"]["tries"][0]["code"] == "check-failed"


async def test_a_refused_reference_is_an_error_of_its_class(host, tmp_path):
    async with connected(host) as client:
        client.say(delegation(tmp_path, job={"files": ["../../etc/passwd"]}))
        (last,) = await client.hear_the_end()
    assert last["error"]["kind"] == "ReferenceRefused"
    assert last["error"]["fields"]["rule"] in {"outside-roots", "not-found"}


async def test_the_keys_of_the_window_are_used_and_not_the_daemons(host, tmp_path, openai_double):
    async with connected(host, {"KOALA_KEY": "of-the-window"}) as client:
        client.say(delegation(tmp_path))
        await client.hear_the_end()
    assert openai_double.chats[0].headers["authorization"] == "Bearer of-the-window"


async def test_a_client_that_goes_away_stops_the_model(host, tmp_path, openai_double):
    openai_double.plays(Play(hangs_after=2))
    async with connected(host) as client:
        client.say(delegation(tmp_path))
        await until_chatting(openai_double)
        client.writer.close()
        await client.until_answered()
    assert await asyncio.to_thread(openai_double.chats[0].wait_until_left)
    assert ledger_rows(tmp_path) == [("cancelled", "shell")]
    assert host.running == 0


async def test_the_connection_is_closed_only_once_the_row_is_written(host, tmp_path, openai_double):
    """A client that hangs up and waits for the end of the connection can trust the ledger."""
    openai_double.plays(Play(hangs_after=2))
    async with connected(host) as client:
        client.say(delegation(tmp_path))
        await until_chatting(openai_double)
        client.writer.write_eof()
        assert await client.hear() is None
        assert ledger_rows(tmp_path) == [("cancelled", "shell")]


async def test_a_daemon_that_ends_cancels_its_calls(host, tmp_path, openai_double):
    openai_double.plays(Play(hangs_after=2))
    async with connected(host) as client:
        client.say(delegation(tmp_path))
        await until_chatting(openai_double)
        client.answering.cancel()
        assert await client.hear() is None
    assert ledger_rows(tmp_path) == [("cancelled", "shell")]


@pytest.mark.slow
async def test_a_slow_client_gets_the_texts_joined_and_holds_up_nobody(
    host, tmp_path, openai_double
):
    reply = " ".join(f"word{number}" for number in range(20_000))
    openai_double.plays(reply=reply, prompt_tokens=120)
    async with connected(host, small=True) as client:
        client.say(delegation(tmp_path, tells=["text", "progress"], job={"max_tokens": 50_000}))
        # The model has said all before the client reads its first line.
        async with asyncio.timeout(60):
            while ledger_rows(tmp_path) != [("answered", "shell")]:
                await asyncio.sleep(0.02)
        client.reader._limit = 2**24
        told = await client.hear_the_end()
    texts = [line["text"] for line in told if "text" in line]
    assert "".join(texts) == reply
    assert len(texts) < 5_000
    assert told[-1]["result"]["answer"]["text"] == reply


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"hello\n", "a line is not valid JSON"),
        (b"\xff\xfe\n", "a line is not valid JSON"),
        (b"[1]\n", "a message is an object, not list"),
        (b'{"call": "delegate"}\n', "job: expected dict, got NoneType"),
        (b'{"call": "delegate", "job": {"tool": 5}}\n', "job.tool: expected str, got int"),
        (
            b'{"call": "delegate", "job": {"tool": "t", "arguments": {}}, "session": {}}\n',
            "session.project is missing",
        ),
        (
            b'{"call":"delegate","job":{"tool":"t","arguments":{}},"session":{"project":"/"},"tells":1}\n',
            "tells: expected list, got int",
        ),
        (b'{"call": "survey", "tools": {"t": [1]}}\n', "tools['t'][0]: expected str, got int"),
        (b"{}\n", "the daemon knows no call None"),
        (b'{"call": ["stop"]}\n', "the daemon knows no call ['stop']"),
        (b'{"call": "dance"}\n', "the daemon knows no call 'dance'"),
    ],
)
async def test_a_bad_request_is_an_error_and_never_a_traceback(host, caplog, line, said):
    async with connected(host) as client:
        client.say(line)
        told = (await client.hear())["error"]
        assert await client.hear() is None
        await client.until_answered()
    assert told["kind"] == "ArgumentError"
    assert said in told["message"]
    assert "Traceback" not in caplog.text


async def test_what_nobody_foresaw_is_told_to_the_client_and_logged(host, caplog):
    host.describe = lambda: {}["version"]
    async with connected(host) as client:
        client.say({"call": "describe"})
        told = (await client.hear())["error"]
    assert told["kind"] == "DaemonError"
    assert told["message"] == "the daemon failed: KeyError: 'version'"
    assert "a call failed" in caplog.text


async def test_a_client_that_says_nothing_costs_nothing(host):
    async with connected(host) as client:
        client.writer.close()
        await client.until_answered()


async def test_the_survey_names_the_models_and_the_tools_of_the_caller(host):
    async with connected(host) as client:
        client.say({"call": "survey", "tools": {"mine": ["koala/code*"], "any": []}})
        (last,) = await client.hear_the_end()
    found = last["result"]
    assert [one["name"] for one in found["models"]] == ["llama3-local", "codellama-local"]
    assert found["patterns"] == {"mine": ["koala/code*"], "any": ["koala/*"]}


async def test_status_shows_what_runs_and_the_daemon_itself(host, tmp_path, openai_double):
    openai_double.plays(Play(hangs_after=1))
    async with connected(host) as asking, connected(host) as looking:
        asking.say(delegation(tmp_path))
        await until_chatting(openai_double)
        looking.say({"call": "status"})
        shown = (await looking.hear())["result"]
    assert shown["daemon"] == host.describe()
    (running,) = shown["running"]
    assert (running["session"], running["model"]) == ("shell", "koala/llama3-local")
    assert set(shown) == {"backends", "running", "waiting", "breakers", "errors", "daemon"}


async def test_the_daemon_describes_itself(host):
    async with connected(host) as client:
        client.say({"call": "describe"})
        assert await client.hear() == {"result": host.describe()}


async def test_a_daemon_that_is_told_to_stop_says_so_first(host):
    async with connected(host) as client:
        client.say({"call": "stop"})
        assert await client.hear() == {"result": {"stopping": True, "running": 0}}
        await client.until_answered()
    assert host.stopped.is_set()


async def test_a_request_longer_than_any_is_refused_and_not_kept(host, monkeypatch):
    monkeypatch.setattr("spadework.remote.line_reader.LONGEST", 100_000)
    async with connected(host) as client:
        client.say(b"x" * 300_000)
        told = (await client.hear())["error"]
    assert "a line is longer than 100000 bytes" in told["message"]


@pytest.mark.parametrize("line", [b'{"call": [%s1]}' % (b"[]," * 60_000), b"[" * 200 + b"]" * 200])
async def test_a_request_of_too_many_values_or_levels_is_refused(host, line):
    async with connected(host) as client:
        client.say(line + b"\n")
        told = (await client.hear())["error"]
    assert "a line is refused" in told["message"]


async def test_a_client_that_leaves_its_reply_unread_loses_its_call(
    host, openai_double, tmp_path, monkeypatch
):
    monkeypatch.setattr("spadework.daemon.coalescing_writer.MOST_WAITING", 1_000_000)
    openai_double.plays(Play(pieces=("a word " * 10_000,) * 40))
    async with connected(host, small=True) as client:
        client.say(delegation(tmp_path, tells=["text"]))
        await client.until_answered()
