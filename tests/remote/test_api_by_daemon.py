"""The Python API by the daemon: its answers, its errors, and what happens when it is away."""

import asyncio
import json
import signal
from contextlib import asynccontextmanager

import pytest

from doubles.plays import Play
from remote.houses import until
from spadework import ArgumentError, HandedBack, ReferenceRefused, Spadework
from spadework.errors import DaemonError
from spadework.shim.rendezvous import endpoint

pytestmark = pytest.mark.slow


async def until_chatting(double):
    await asyncio.to_thread(until, lambda: double.chats, "the model is asked")


async def test_an_answer_comes_by_the_daemon_with_its_steps_and_its_text(lived_in):
    steps, pieces = [], []
    async with Spadework(project=lived_in.project, daemon=True) as opened:
        answer = await opened.ask(
            "How many lines?",
            files=["notes.md"],
            on_progress=steps.append,
            on_text=pieces.append,
        )
        models = await opened.models()
    assert (answer.text, answer.figures.bytes_read) == ("Three lines.", 34)
    assert "".join(pieces) == "Three lines."
    assert {"reading", "asking", "answering"} <= {step.stage for step in steps}
    assert [model.id for model in models] == ["koala/llama3-local", "koala/codellama-local"]


async def test_errors_are_of_their_own_class_with_all_that_they_hold(lived_in):
    async with Spadework(project=lived_in.project, daemon=True) as opened:
        with pytest.raises(ReferenceRefused) as refused:
            await opened.ask("Hi", files=["nothing.md"])
        assert (refused.value.reference, refused.value.rule) == ("nothing.md", "not-found")
        with pytest.raises(ArgumentError, match="there is no argument 'colour'"):
            await opened.ask("Hi", arguments={"colour": "red"})
        lived_in.double.plays(reply="")
        with pytest.raises(HandedBack) as handed_back:
            await opened.ask("Hi")
        assert handed_back.value.tries[0].startswith("koala/llama3-local: empty answer")


async def test_a_relative_project_is_the_callers(lived_in, monkeypatch):
    monkeypatch.chdir(lived_in.folder)
    async with Spadework(project="project", daemon=True) as opened:
        answer = await opened.ask("Hi", files=["notes.md"])
    assert answer.figures.bytes_read == 34


async def test_many_at_once_are_all_answered_with_a_row_each(lived_in):
    before = len(lived_in.rows())
    async with Spadework(project=lived_in.project, session="many", daemon=True) as opened:
        answers = await asyncio.gather(*(opened.ask(f"Say {n}.", batch=True) for n in range(64)))
    assert {one.text for one in answers} == {"Three lines."}
    assert lived_in.rows()[before:] == [("answered", "many")] * 64


async def test_a_cancelled_task_stops_the_model_before_it_ends(lived_in):
    before = len(lived_in.rows())
    lived_in.double.plays(Play(hangs_after=2))
    async with Spadework(project=lived_in.project, daemon=True) as opened:
        asking = asyncio.create_task(opened.ask("Hi"))
        await until_chatting(lived_in.double)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    assert lived_in.rows()[before:] == [("cancelled", "python")]
    assert await asyncio.to_thread(lived_in.double.chats[0].wait_until_left)


async def test_a_listener_that_fails_stops_the_model(lived_in):
    lived_in.double.plays(Play(hangs_after=2))

    def fail(_):
        raise OSError("no space left")

    async with Spadework(project=lived_in.project, daemon=True) as opened:
        with pytest.raises(OSError, match="no space left"):
            await opened.ask("Hi", on_text=fail)
    assert await asyncio.to_thread(lived_in.double.chats[0].wait_until_left)


async def test_batch_work_is_batch_work_in_the_queue(lived_in):
    lived_in.double.plays(Play(hangs_after=2))
    async with Spadework(project=lived_in.project, daemon=True) as opened:
        asking = asyncio.create_task(opened.ask("Hi", batch=True))
        await until_chatting(lived_in.double)
        shown = json.loads((await asyncio.to_thread(lived_in.run, "status", "--json"))[1])
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    assert [(one["session"], one["kind"]) for one in shown["running"]] == [("python", "batch")]


async def test_work_is_done_here_where_no_daemon_runs_or_none_is_wanted(house):
    async with Spadework(project=house.project) as opened:
        assert (await opened.ask("Hi")).text == "Three lines."
    house.start_daemon()
    house.double.plays(Play(hangs_after=2))
    async with Spadework(project=house.project, daemon=False) as opened:
        asking = asyncio.create_task(opened.ask("Hi"))
        await asyncio.to_thread(until, lambda: len(house.double.chats) == 2, "the model is asked")
        shown = json.loads((await asyncio.to_thread(house.run, "status", "--json"))[1])
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    assert shown["running"] == []


async def test_the_choice_is_made_at_the_first_call_and_not_before(house):
    async with Spadework(project=house.project, daemon=True) as opened:
        with pytest.raises(DaemonError, match="no daemon runs") as raised:
            await opened.ask("Hi")
        assert "spadework daemon start" in raised.value.hint
        await asyncio.to_thread(house.start_daemon)
        assert (await opened.ask("Hi")).text == "Three lines."


async def test_a_daemon_that_left_between_two_calls_is_done_without(house):
    daemon = house.start_daemon()
    async with Spadework(project=house.project) as opened:
        assert (await opened.ask("Hi")).text == "Three lines."
        daemon.kill()
        await asyncio.to_thread(daemon.wait)
        assert (await opened.ask("Hi")).text == "Three lines."
    assert house.rows() == [("answered", "python")] * 2


async def test_a_daemon_of_another_config_is_another_daemon(house):
    house.start_daemon()
    other = house.folder / "other.toml"
    other.write_text(house.config.read_text())
    async with Spadework(config=other, project=house.project, daemon=True) as opened:
        with pytest.raises(DaemonError, match="no daemon runs"):
            await opened.ask("Hi")
    async with Spadework(config=house.config, project=house.project, daemon=True) as opened:
        assert (await opened.ask("Hi")).text == "Three lines."


@asynccontextmanager
async def pretender(answer):
    """Something else at the daemon's socket: says its line to whoever greets it."""

    serving = set()

    async def serve(reader, writer):
        serving.add(asyncio.current_task())
        await reader.readline()
        writer.write(answer)
        if answer:
            await reader.read()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_unix_server(serve, endpoint().socket)
    try:
        yield
    finally:
        server.close()
        await asyncio.gather(*serving)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b'{"spadework": 2, "version": "9.0", "pid": 1, "wants": []}\n', "another protocol"),
        (b'{"error": "this daemon belongs to another user", "hint": "none"}\n', "another user"),
        (b"SSH-2.0-OpenSSH\n", "is no daemon"),
        (b"", "no daemon runs"),
    ],
)
async def test_a_daemon_that_we_cannot_talk_to_is_done_without(house, answer, said):
    async with pretender(answer):
        async with Spadework(project=house.project) as opened:
            assert (await opened.ask("Hi")).text == "Three lines."
        async with Spadework(project=house.project, daemon=True) as opened:
            with pytest.raises(DaemonError, match=said):
                await opened.ask("Hi")


@pytest.mark.parametrize(
    "answer", [b"what?\n", b'{"result": 5}\n', b'{"result": {"answer": {}}}\n', b"[]\n", b"\n"]
)
async def test_an_answer_that_makes_no_sense_is_one_error(house, answer):
    greeting = b'{"spadework": 1, "version": "0.0.1", "pid": 1, "wants": []}\n'
    async with pretender(greeting + answer), Spadework(project=house.project) as opened:
        with pytest.raises(DaemonError, match="the daemon's answer is not understood"):
            await opened.ask("Hi")


async def test_a_daemon_killed_in_mid_call_is_an_error_with_a_hint(house):
    daemon = house.start_daemon()
    house.double.plays(Play(hangs_after=2))
    async with Spadework(project=house.project) as opened:
        asking = asyncio.create_task(opened.ask("Hi"))
        await until_chatting(house.double)
        daemon.send_signal(signal.SIGKILL)
        with pytest.raises(DaemonError, match="ended before the answer came") as raised:
            await asking
    assert "daemon logs" in raised.value.hint
