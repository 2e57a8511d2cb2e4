"""`spadework serve`, as a shell runs it: through the daemon, and in a process of its own."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest
from http_faces import NEWER, OLDER, client, rows, until

from doubles.plays import Play
from spadework.daemon import control
from spadework.mcp.http.access_tokens import TokenStore

pytestmark = pytest.mark.slow

WAYS = pytest.mark.parametrize("way", [[], ["--in-process"]], ids=["daemon", "in process"])
SERVING = re.compile(r"serving MCP at (http://\S+/mcp); Ctrl-C stops it\n")


@contextmanager
def started(*arguments):
    """Start the server; what is not ended by the test is killed."""
    with subprocess.Popen(
        [sys.executable, "-m", "spadework", "serve", *arguments],
        env=dict(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def window():
    """Open a window that says nothing."""
    with subprocess.Popen(
        [sys.executable, "-m", "spadework", "mcp"],
        env=dict(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    ) as process:
        try:
            yield
        finally:
            process.kill()


def url_of(process):
    line = process.stdout.readline()
    match = SERVING.fullmatch(line)
    assert match, line + process.stderr.read()
    return match[1]


def refused(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "spadework", "serve", *arguments],
        env=dict(os.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def answers(url, token=""):
    async with client(url, NEWER, token) as mcp:
        result = await mcp.call_tool("ask_local_llama", {"prompt": "Hi"})
    return result.content[0].text


@WAYS
async def test_it_serves_until_ctrl_c_and_says_how_to_register_it(config_file, way):
    with started("--http", "127.0.0.1:0", *way) as process:
        url = await asyncio.to_thread(url_of, process)
        told = process.stdout.readline()
        assert await answers(url) == "Three lines."
        process.send_signal(signal.SIGINT)
        _, errors = await asyncio.to_thread(process.communicate)
    assert told == f"on this machine: claude mcp add --transport http spadework {url}\n"
    assert process.returncode == 130
    assert "Traceback" not in errors
    port = int(url.removesuffix("/mcp").rpartition(":")[2])
    await until(lambda: not listens(port))


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@WAYS
async def test_sigterm_ends_it_and_cancels_its_calls(config_file, openai_double, way):
    openai_double.plays(Play(hangs_after=1))
    with started("--http", "127.0.0.1:0", *way) as process:
        url = await asyncio.to_thread(url_of, process)
        calling = asyncio.create_task(answers(url))
        await until(lambda: openai_double.chats)
        process.terminate()
        await asyncio.to_thread(process.communicate)
        assert process.returncode in {143, -signal.SIGTERM}
        await asyncio.gather(calling, return_exceptions=True)
    assert await asyncio.to_thread(openai_double.chats[0].wait_until_left)
    await until(lambda: [row.outcome for row in rows(config_file)] == ["cancelled"])


@WAYS
async def test_with_a_token_the_line_to_register_has_its_place(config_file, way):
    _, token = TokenStore().new("laptop")
    with started("--http", "127.0.0.1:0", "--require-token", *way) as process:
        url = await asyncio.to_thread(url_of, process)
        told = process.stdout.readline() + process.stdout.readline()
        assert await answers(url, token) == "Three lines."
    assert f'spadework {url} --header "Authorization: Bearer TOKEN"\n' in told
    assert "TOKEN is the token that `spadework token new` printed\n" in told
    assert token not in told


@WAYS
@pytest.mark.parametrize(
    ("listen", "said"),
    [
        ("8765", "'8765' is not an address to listen on"),
        ("127.0.0.1:99999", "'127.0.0.1:99999' is not an address to listen on"),
        ("no.such.host.invalid:8765", "the host 'no.such.host.invalid' is not known"),
        ("192.0.2.1:8765", "192.0.2.1:8765 is not an address of this machine"),
        ("0.0.0.0:0", "other machines can reach 0.0.0.0:0, but no access token exists"),
        ("127.0.0.1:{used}", "127.0.0.1:{used} is in use"),
    ],
)
def test_an_address_that_cannot_be_is_one_line(config_file, way, listen, said):
    with socket.create_server(("127.0.0.1", 0)) as other:
        used = other.getsockname()[1]
        done = refused("--http", listen.format(used=used), *way)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {said.format(used=used)}")
    assert [line.partition(": ")[0] for line in done.stderr.splitlines()] == ["error", "hint"]


async def test_the_config_says_where_the_daemon_listens(config_file):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    config_file.write_text(f'{config_file.read_text()}\n[http]\nlisten = "127.0.0.1:{port}"\n')
    command = [sys.executable, "-m", "spadework", "daemon"]
    started_daemon = await asyncio.to_thread(subprocess.run, [*command, "start"], check=True)
    assert started_daemon.returncode == 0
    url = f"http://127.0.0.1:{port}/mcp"
    status = [*command, "status", "--json"]
    async with asyncio.timeout(30):
        shown = ""
        while url not in shown:  # it is there before it listens to others
            done = await asyncio.to_thread(subprocess.run, status, check=True, capture_output=True)
            shown = json.loads(done.stdout)["http"]
    assert await answers(url) == "Three lines."


async def test_calls_over_http_use_the_keys_of_who_serves(config_file, openai_double, monkeypatch):
    """The daemon has no keys of its own."""
    openai_double.key = "sk-koala"
    config_file.write_text(
        config_file.read_text().replace("[tools", 'api_key_env = "KOALA_KEY"\n\n[tools')
    )
    monkeypatch.setenv("KOALA_KEY", "sk-koala")
    with started("--http", "127.0.0.1:0") as process:
        url = await asyncio.to_thread(url_of, process)
        assert await answers(url) == "Three lines."


@pytest.mark.parametrize("revision", [OLDER, NEWER])
async def test_the_models_are_asked_for_with_the_keys_of_who_serves(
    config_file, openai_double, monkeypatch, revision
):
    openai_double.key = "sk-koala"
    openai_double.entries[0]["max_model_len"] = 4096
    config_file.write_text(
        config_file.read_text().replace("[tools", 'api_key_env = "KOALA_KEY"\n\n[tools')
    )
    monkeypatch.setenv("KOALA_KEY", "sk-koala")
    with started("--http", "127.0.0.1:0") as process:
        url = await asyncio.to_thread(url_of, process)
        async with client(url, revision) as mcp:
            listed = await mcp.list_tools()
            result = await mcp.call_tool("list_available_local_models", {})
    assert "Model koala/llama3-local, window 4096 tokens" in listed.tools[0].description
    assert not result.is_error
    assert "codellama-local" in result.content[0].text
    assert "KOALA_KEY" not in result.content[0].text


async def test_a_newer_version_takes_over_from_the_daemon_that_serves(config_file, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    monkeypatch.setenv("SPADEWORK_TEST_VERSION", "98.0")
    with started("--http", f"127.0.0.1:{port}") as process:
        url = await asyncio.to_thread(url_of, process)
        process.stdout.readline()
        told = await asyncio.to_thread(daemon_status)
        assert (told["version"], told["running"]) == ("98.0", 0)
        monkeypatch.setenv("SPADEWORK_TEST_VERSION", "99.0rc1")
        with window():
            assert await asyncio.to_thread(url_of, process) == url
            assert await answers(url) == "Three lines."
            told = await asyncio.to_thread(daemon_status)
            assert (told["version"], told["running"]) == ("99.0rc1", 0)


async def test_calls_over_http_are_answered_before_a_newer_version_takes_over(
    config_file, openai_double, monkeypatch
):
    openai_double.plays(Play(reply="a b c d e f g h", pause=0.5), Play(reply="Three lines."))
    monkeypatch.setenv("SPADEWORK_TEST_VERSION", "98.0")
    with started("--http", "127.0.0.1:0") as process:
        url = await asyncio.to_thread(url_of, process)
        process.stdout.readline()
        calling = asyncio.create_task(answers(url))
        await until(lambda: openai_double.chats)
        monkeypatch.setenv("SPADEWORK_TEST_VERSION", "99.0rc1")
        answering = openai_double.chats[0]
        while not calling.done():
            told = await asyncio.to_thread(control.describe)
            if not answering.done.is_set():
                assert (told["version"], told["superseded"]) == ("98.0", True)
            await asyncio.sleep(0.2)
        assert await calling == "a b c d e f g h"
        again = await asyncio.to_thread(url_of, process)
        assert await answers(again) == "Three lines."


async def test_when_the_daemon_dies_another_one_serves_at_the_same_address(config_file):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with started("--http", f"127.0.0.1:{port}") as process:
        url = await asyncio.to_thread(url_of, process)
        os.kill(daemon_pid(), signal.SIGKILL)
        process.stdout.readline()
        assert await asyncio.to_thread(url_of, process) == url
        assert await answers(url) == "Three lines."


def daemon_pid():
    return daemon_status()["pid"]


def daemon_status():
    done = subprocess.run(
        [sys.executable, "-m", "spadework", "daemon", "status", "--json"],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)
