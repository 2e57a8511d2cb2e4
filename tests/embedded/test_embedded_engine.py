"""The engine with its real worker and the real demonstration model."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from embedded.waiting import is_gone, until, wait_until
from spadework.config.models import EmbeddedConfig
from spadework.embedded.engine import EmbeddedEngine, _answers
from spadework.errors import EmbeddedError

slow = pytest.mark.slow
with_demo = pytest.mark.usefixtures("data_with_demo")


@pytest.fixture
async def engine(data_with_demo):
    assert data_with_demo.is_dir()
    engine = EmbeddedEngine(EmbeddedConfig(context=512, slots=1))
    yield engine
    await engine.stop()


@pytest.fixture
def sockets(monkeypatch):
    """The folder in which the engine makes its socket folders; a short path, as sockets need."""
    with tempfile.TemporaryDirectory(prefix="jm-", dir="/tmp") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


def pid_of(engine: EmbeddedEngine) -> int:
    return engine._worker.process.pid


async def until_launched(engine: EmbeddedEngine) -> None:
    async def launched() -> bool:
        return engine._worker is not None

    await until(launched)


@slow
async def test_it_starts_at_first_use_and_once_only(engine):
    assert not engine.running
    socket = await engine.start()
    first = pid_of(engine)
    assert engine.running
    assert await engine.start() == socket
    assert pid_of(engine) == first


@slow
async def test_five_first_users_at_once_share_one_worker(engine, sockets):
    found = await asyncio.gather(*(engine.start() for _ in range(5)))
    assert len(set(found)) == 1
    assert list(sockets.iterdir()) == [found[0].parent]


@slow
async def test_its_socket_lies_where_nobody_else_can_enter(engine):
    socket = await engine.start()
    assert socket.parent.stat().st_mode & 0o777 == 0o700
    assert socket.parent.stat().st_uid == os.geteuid()
    assert len(os.fsencode(socket)) <= 103


@slow
async def test_stopping_ends_the_worker_at_once_and_leaves_nothing(engine, sockets):
    await engine.start()
    pid = pid_of(engine)
    began = time.monotonic()
    await engine.stop()
    assert time.monotonic() - began < 2
    assert is_gone(pid)
    assert list(sockets.iterdir()) == []
    assert not engine.running
    await engine.stop()


@slow
async def test_a_worker_that_died_is_started_anew_at_the_next_use(engine, sockets):
    old_socket = await engine.start()
    old = pid_of(engine)
    os.kill(old, signal.SIGKILL)
    await engine.settle()
    assert not engine.running
    new_socket = await engine.start()
    assert engine.running
    assert pid_of(engine) != old
    assert new_socket != old_socket
    assert list(sockets.iterdir()) == [new_socket.parent]


@slow
async def test_a_first_user_who_gives_up_does_not_harm_the_second(engine, sockets):
    first = asyncio.create_task(engine.start())
    second = asyncio.create_task(engine.start())
    await until_launched(engine)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    socket = await second
    assert engine.running
    assert list(sockets.iterdir()) == [socket.parent]


@slow
async def test_stopping_while_it_starts_ends_the_start_at_once(engine, sockets):
    starting = asyncio.create_task(engine.start())
    await until_launched(engine)
    await engine.stop()
    with pytest.raises(EmbeddedError, match="was stopped while it started"):
        await starting
    assert list(sockets.iterdir()) == []


@pytest.fixture
async def drowsy(data_with_demo):
    """An engine that ends as soon as nobody uses it."""
    assert data_with_demo.is_dir()
    engine = EmbeddedEngine(EmbeddedConfig(context=512, slots=1, idle_stop=0.01))
    yield engine
    await engine.stop()


async def until_at_rest(engine: EmbeddedEngine) -> None:
    async def resting() -> bool:
        return engine._resting is not None

    await until(resting)
    await engine._resting


@slow
async def test_it_ends_when_nobody_used_it_for_a_while_and_starts_at_the_next_use(drowsy, sockets):
    async with drowsy.used() as first:
        pid = pid_of(drowsy)
    await until_at_rest(drowsy)
    assert is_gone(pid)
    assert not drowsy.running
    assert list(sockets.iterdir()) == []
    async with drowsy.used() as second:
        assert drowsy.running
        assert second != first


@slow
async def test_who_comes_while_it_ends_gets_another_one(drowsy):
    for _ in range(3):
        async with drowsy.used() as socket:
            assert await _answers(socket)
        drowsy._resting = None
        while drowsy._resting is None:
            await asyncio.sleep(0)
    async with drowsy.used() as socket:
        assert await _answers(socket)


@slow
async def test_it_does_not_end_under_somebody_who_uses_it(drowsy):
    async with drowsy.used() as socket:
        async with drowsy.used():
            pass
        assert drowsy._alarm is None
        drowsy._rest()  # as if the time had been up a moment before
        await drowsy._resting
        assert drowsy.running
        assert await _answers(socket)


@slow
async def test_it_never_ends_for_want_of_work_where_the_config_says_so(data_with_demo):
    engine = EmbeddedEngine(EmbeddedConfig(context=512, slots=1, idle_stop=0))
    async with engine.used():
        pass
    assert engine._alarm is None
    assert engine.running
    await engine.stop()


@slow
async def test_a_worker_that_was_stopped_leaves_no_alarm_behind(engine):
    async with engine.used():
        pass
    assert engine._alarm is not None
    await engine.stop()
    assert engine._alarm is None


async def test_a_use_that_fails_leaves_no_alarm_behind(sockets):
    engine = EmbeddedEngine(EmbeddedConfig(idle_stop=0.01))
    with pytest.raises(EmbeddedError, match="cannot be read"):
        async with engine.used():
            raise AssertionError("there is no model")
    assert (engine._users, engine._alarm) == (0, None)


@slow
@with_demo
async def test_a_start_that_takes_too_long_is_ended(sockets):
    engine = EmbeddedEngine(EmbeddedConfig(start_timeout=0.05))
    with pytest.raises(EmbeddedError, match=r"did not load .*gguf within 0\.05 s") as caught:
        await engine.start()
    assert "embedded.start_timeout" in caught.value.hint
    assert list(sockets.iterdir()) == []


@slow
async def test_a_model_that_was_cut_off_is_called_corrupt(demo_model, tmp_path, sockets):
    half = tmp_path / "half.gguf"
    half.write_bytes(demo_model.read_bytes()[:50_000_000])
    engine = EmbeddedEngine(EmbeddedConfig(model=half))
    began = time.monotonic()
    with pytest.raises(EmbeddedError, match="model is corrupted or incomplete") as caught:
        await engine.start()
    assert str(half) in str(caught.value)
    assert "fetch it again" in caught.value.hint
    assert time.monotonic() - began < 20, "the worker's end was not noticed"
    assert list(sockets.iterdir()) == []


async def test_a_missing_model_starts_nothing_and_says_how_to_get_one(sockets):
    with pytest.raises(EmbeddedError, match="cannot be read: No such file") as caught:
        await EmbeddedEngine(EmbeddedConfig()).start()
    assert "spadework embedded install" in caught.value.hint
    assert list(sockets.iterdir()) == []


async def test_a_file_that_is_no_model_starts_nothing(tmp_path, sockets):
    (tmp_path / "model.gguf").write_text("hello")
    with pytest.raises(EmbeddedError, match="is not a GGUF file"):
        await EmbeddedEngine(EmbeddedConfig(model=tmp_path / "model.gguf")).start()
    assert list(sockets.iterdir()) == []


PARENT = """
import asyncio
from spadework.config.models import EmbeddedConfig
from spadework.embedded.engine import EmbeddedEngine

async def main():
    engine = EmbeddedEngine(EmbeddedConfig(context=512, slots=1))
    starting = asyncio.create_task(engine.start())
    while engine._worker is None:
        await asyncio.sleep(0.01)
    if {ready}:
        await starting
    print(engine._worker.process.pid, engine._worker.folder, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def run_parent(script: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@slow
@with_demo
@pytest.mark.parametrize("ready", [True, False], ids=["serving", "still loading"])
def test_the_worker_ends_when_its_parent_is_killed(ready):
    with run_parent(PARENT.format(ready=ready)) as parent:
        pid, folder = parent.stdout.readline().split()
        assert not is_gone(int(pid))
        parent.kill()
    wait_until(lambda: is_gone(int(pid)))
    assert not Path(folder).exists()


@slow
@with_demo
def test_ctrl_c_at_the_terminal_does_not_reach_the_worker():
    with run_parent(PARENT.format(ready=True)) as parent:
        pid = int(parent.stdout.readline().split()[0])
        assert os.getpgid(pid) != os.getpgid(parent.pid)
        os.killpg(parent.pid, signal.SIGINT)
    wait_until(lambda: is_gone(pid))


@slow
@with_demo
def test_nothing_of_the_worker_comes_out_of_our_own_stdout():
    """Our stdout may be the MCP pipe."""
    with run_parent(PARENT.format(ready=True).replace("asyncio.sleep(60)", "engine.stop()")) as run:
        out, err = run.communicate(timeout=60)
    assert len(out.splitlines()) == 1
    assert err == ""


@slow
async def test_no_module_is_taken_from_the_folder_we_stand_in(engine, tmp_path, monkeypatch):
    (tmp_path / "xllamacpp.py").write_text("raise SystemExit('a stranger ran')")
    (tmp_path / "json.py").write_text("raise SystemExit('a stranger ran')")
    monkeypatch.chdir(tmp_path)
    await engine.start()
    assert engine.running
