"""What is private stays here, by the real command: no byte of it reaches the Messages API."""

import json
import os
import time

import pytest

from doubles.messages_api import BATCHES, COUNT, MessagesApi, Says

pytestmark = pytest.mark.slow

WAIT = 60.0
CANARY = "CANARY-7f3a"
HEAD = """
import asyncio
from spadework.pipelines import Item, ask, claude, pipeline, setting, step
from spadework.errors import HandedBack, SpadeworkError, ReferenceRefused

TOOL = "ask_local_llama"

async def local(**more):
    return (await ask(TOOL, "What is it?", **more)).text

"""
KEEPS_SECRETS = '\n[claude_api]\ntest_url = "{url}"\n[references]\nprivate = ["*.secret"]\n'


@pytest.fixture
def api():
    with MessagesApi() as server:
        server.says = lambda _: Says("Fine.", input_tokens=1000, output_tokens=100)
        server.tokens = lambda _: 1000
        yield server


@pytest.fixture
def private(place, api):
    """A folder with a private file; what the local model says of anything is the canary too."""
    place.configure(more=KEEPS_SECRETS.format(url=api.url))
    place.write("a.secret", f"My salary is {CANARY}.")
    place.double.plays(reply=f"It says {CANARY}.", prompt_tokens=120, completion_tokens=4)
    place.items(1)
    return place


def run(place, code, *options, inputs=("items.jsonl",)):
    place.write("own.py", HEAD + code)
    done = place.run("pipeline", "run", "own.py:own", *inputs, "--run", "own", *options)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def bodies(api):
    """Everything that was sent to the API, to count or to be answered."""
    return b"".join(one.body for one in tuple(api.requests))


def item(*lines, before="", after=""):
    """A pipeline of one function."""
    body = "\n".join(f"    {line}" for line in lines)
    return f"{before}\n@pipeline\nasync def own(item: Item):\n{body}\n{after}"


CLAUDE = 'return (await claude("Judge.", texts={"found": str(found)})).text'
WAYS = {
    "a private call": item("found = await local(texts=item.texts, private=True)", CLAUDE),
    "a private file": item('found = await local(files=["a.secret"])', CLAUDE),
    "a glob": item('found = await local(files=["*.secret"])', CLAUDE),
    "a hard link": item('found = await local(files=["link.txt"])', CLAUDE),
    "a link to a link": item('found = await local(files=["first.txt"])', CLAUDE),
    "a step": item(
        "found = await read()",
        CLAUDE,
        after='@step\nasync def read():\n    return await local(files=["a.secret"])\n',
    ),
    "a step in a step": item(
        "found = await outer()",
        CLAUDE,
        after="@step\nasync def outer():\n    return await inner()\n"
        '@step\nasync def inner():\n    return await local(files=["a.secret"])\n',
    ),
    "a step that fails": item(
        "try:",
        "    await read()",
        "except SpadeworkError as error:",
        "    found = error",
        CLAUDE,
        after='@step\nasync def read():\n    raise ValueError(await local(files=["a.secret"]))\n',
    ),
    "a hand-back": item(
        "try:",
        '    found = await local(files=["a.secret"], labels=["x", "y"])',
        "except HandedBack as error:",
        "    found = str(error) + str(error.tries)",
        CLAUDE,
    ),
    "side by side": item(
        'private = ask(TOOL, "?", texts={"x": "CANARY-7f3a"}, private=True)',
        'await asyncio.gather(private, claude("Judge.", texts={"x": "CANARY-7f3a"}))',
    ),
    "side by side, Claude first": item(
        'public = claude("Judge.", texts={"x": "CANARY-7f3a"})',
        'await asyncio.gather(public, ask(TOOL, "?", texts={"x": "CANARY-7f3a"}, private=True))',
    ),
    "side by side in functions": item(
        "await asyncio.gather(judge(), look())",
        before="async def judge():\n"
        '    return (await claude("Judge.", texts={"x": "CANARY-7f3a"})).text\n'
        "async def look():\n    await asyncio.sleep(0)\n"
        '    return await local(files=["a.secret"])\n',
    ),
    "side by side in tasks": item(
        "async with asyncio.TaskGroup() as group:",
        '    group.create_task(claude("Judge.", texts={"x": "CANARY-7f3a"}))',
        '    group.create_task(ask(TOOL, "?", files=["a.secret"]))',
    ),
    "beside a step": item(
        'await asyncio.gather(claude("Judge.", texts={"x": "CANARY-7f3a"}), read())',
        after="@step\nasync def read():\n"
        '    await local(texts={"x": "public"})\n    return await local(files=["a.secret"])\n',
    ),
    "between steps": item(
        "await asyncio.gather(judge(), read())",
        after="@step\nasync def judge():\n"
        '    return (await claude("Judge.", texts={"x": "CANARY-7f3a"})).text\n'
        "@step\nasync def read():\n"
        '    await local(texts={"x": "public"})\n    return await local(files=["a.secret"])\n',
    ),
    "between steps, the private one first": item(
        "await asyncio.gather(read(), judge())",
        after="@step\nasync def judge():\n"
        '    return (await claude("Judge.", texts={"x": "CANARY-7f3a"})).text\n'
        "@step\nasync def read():\n"
        '    await local(texts={"x": "public"})\n    return await local(files=["a.secret"])\n',
    ),
    "the end": item(
        'return await local(files=["a.secret"])',
        after="@own.finish\nasync def end(rows):\n"
        '    return (await claude("Sum up.", texts={"rows": str(rows)})).text\n',
    ),
    "an error in a row": item(
        'raise ValueError(await local(files=["a.secret"]))',
        after="@own.finish\nasync def end(rows):\n"
        '    return (await claude("Sum up.", texts={"rows": str(rows)})).text\n',
    ),
    "a pipeline in a pipeline": item(
        'found = await other(Item(1, "x", text="CANARY-7f3a", private=True))',
        CLAUDE,
        before="@pipeline\nasync def other(item: Item):\n    return item.text\n",
    ),
    "its own item in JSONL": item(
        'return (await claude("Judge.", files=["marked.jsonl"])).text',
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_was_made_of_something_private_is_never_sent(private, api, way):
    links(private)
    done = run(private, WAYS[way], "--budget-usd", "5")  # with a budget, tokens are counted too
    assert CANARY.encode() not in bodies(api)
    assert not api.bodies()
    assert done.returncode == 1, done.stderr
    assert "private" in done.stderr


DRY = ["a private call", "a private file", "a hard link", "a step", "side by side, Claude first"]


@pytest.mark.parametrize("way", [*DRY, "the end", "its own item in JSONL"])
def test_a_dry_run_sends_nothing_of_it_and_calls_no_step(private, api, way):
    links(private)
    done = run(private, WAYS[way], "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    assert CANARY.encode() not in bodies(api)
    assert not api.bodies(COUNT)
    assert not private.double.chats


def test_a_dry_run_says_which_steps_it_did_not_call_and_goes_on_with_made_up_values(private, api):
    code = item(
        "found = [await load(), await number(), await rows(), await anything()]",
        "assert [type(one) for one in found] == [str, int, list, str], found",
        CLAUDE,
        after="""
@step
async def load() -> str:
    open("called", "x")
@step
async def number() -> int:
    open("called", "x")
@step
async def rows() -> list[dict[str, str]]:
    open("called", "x")
@step
async def anything():
    open("called", "x")
""",
    )
    told = json.loads(run(private, code, "--dry-run", "--json").stdout)
    assert not (private.folder / "called").exists()
    assert told["problems"] == []
    assert told["steps"] == ["load", "number", "rows", "anything"]
    assert (told["claude_calls"], told["counted"]) == (1, False)
    assert told["input_tokens"] > 0
    assert not api.requests, "what a step could make private is not even counted"
    assert "steps were not called" in run(private, code, "--dry-run").stdout


def test_what_is_public_is_asked_and_counted_beside_what_is_private(private, api):
    code = item(
        "if item.private:",
        "    return await local(texts=item.texts)",
        'found = await asyncio.gather(local(texts=item.texts), ready(), claude("Is it?"))',
        'return (await claude("Judge.", texts=item.texts)).text',
        after="@step\nasync def ready():\n    return (await claude('Ready?')).text\n",
    )
    private.double.plays(reply="A thing.", prompt_tokens=120, completion_tokens=4)
    private.write("items.jsonl", f'{{"text": "open"}}\n{{"text": "{CANARY}", "private": true}}\n')
    done = run(private, code, "--budget-usd", "5")
    assert done.returncode == 0, done.stdout
    assert len(api.bodies()) == len(api.bodies(COUNT)) == 3
    assert CANARY.encode() not in bodies(api)


@pytest.mark.timeout(300)
def test_privacy_outlives_the_process_whatever_the_code_says_then(private, api):
    first = item(
        'reply = await claude("A public question?")',
        'found = await local(files=["a.secret"])',
        "open('asked', 'w').close()",
        "await asyncio.sleep(1000)",
    )
    private.write("own.py", HEAD + first)
    wanted = ("pipeline", "run", "own.py:own", "items.jsonl", "--run", "own")
    with private.start(*wanted) as process:
        try:
            until((private.folder / "asked").exists)
        finally:
            process.kill()
    assert len(api.bodies()) == 1
    # The reply that came before is still there; nothing new is sent, though no call is private now.
    again = item('found = (await claude("A public question?")).text', "return found")
    private.write("own.py", HEAD + again)
    done = private.run("pipeline", "resume", "own")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["private"]
    private.write("own.py", HEAD + item('return (await claude("Another one.")).text'))
    with private.start(*wanted[:-1], "second") as process:
        process.wait(WAIT)
    assert len(api.bodies()) == 2, "another run of the same item is as public as it was"


def test_results_and_reports_of_a_private_run_are_private_under_any_name(private, api):
    code = item(
        'return await local(files=["a.secret"])',
        after="@own.finish\nasync def end(rows):\n    return str(rows)\n",
    )
    assert run(private, code, "--out", "out.txt").returncode == 0
    os.link(private.folder / "out.txt.report.md", private.folder / "innocent.md")
    private.write("next.py", HEAD + item('return (await claude("?", files=item.files)).text'))
    for name in ("out.txt", "out.txt.report.md", "innocent.md"):
        done = private.run("pipeline", "run", "next.py", name, "--budget-usd", "5")
        assert done.returncode == 1, done.stderr
        assert "private" in done.stderr
    rows = private.run("pipeline", "run", "own.py:own", "items.jsonl").stdout
    done = private.run_apart("pipeline", "run", "next.py", "-", stdin=rows)
    assert all(json.loads(line)["private"] for line in rows.splitlines())
    assert done.returncode == 1
    assert not api.requests


def test_nothing_private_goes_into_a_batch(private, api):
    done = run(private, WAYS["side by side, Claude first"], "--batch")
    assert done.returncode == 1
    assert not api.bodies(BATCHES)
    assert not api.requests


@pytest.mark.timeout(300)
# Steps follow one another there, so what one sends before another one reads is sent before.
@pytest.mark.parametrize(
    "way", ["a step in a step", "beside a step", "between steps, the private one first"]
)
def test_nothing_private_is_sent_where_workers_share_the_steps(private, api, postgres_url, way):
    with private.start("worker", "--engine", postgres_url) as worker:
        try:
            assert worker.stderr.readline().startswith("working as ")
            done = run(private, WAYS[way], "--engine", postgres_url, "--budget-usd", "5")
        finally:
            worker.terminate()
    assert not api.requests
    assert done.returncode == 1, done.stderr
    assert "what is private does not go to Claude" in done.stderr


def until(condition):
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def links(place):
    os.link(place.folder / "a.secret", place.folder / "link.txt")
    (place.folder / "second.secret").symlink_to("plain.txt")
    (place.folder / "first.txt").symlink_to("second.secret")
    place.write("plain.txt", CANARY)
    marked = {"text": CANARY, "private": True}
    place.write("marked.jsonl", f'{{"text": "public"}}\n{json.dumps(marked)}\n')
