"""What is private stays here, by the real command: no byte of it reaches the Messages API."""

import json
import os
import sqlite3
import threading
import time
from contextlib import closing

import pytest

from doubles.messages_api import BATCHES, COUNT, MessagesApi, Says

pytestmark = pytest.mark.slow

WAIT = 60.0
CANARY = "CANARY-7f3a"
HEAD = """
import asyncio
from journeyman.pipelines import Item, ask, claude, pipeline, setting, step
from journeyman.errors import HandedBack, JourneymanError, ReferenceRefused

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
    done = place.run("pipeline", "run", "own.py", *inputs, "--run", "own", *options)
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
        "except JourneymanError as error:",
        "    found = error",
        CLAUDE,
        after="@step\nasync def read():\n"
        '    raise ValueError(await local(files=["a.secret"]))\n',
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
        'async def look():\n    await asyncio.sleep(0)\n    return await local(files=["a.secret"])\n',
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
        after='@step\nasync def judge():\n'
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


@pytest.mark.parametrize("way", WAYS)
def test_a_dry_run_sends_as_little(private, api, way):
    links(private)
    done = run(private, WAYS[way], "--dry-run", "--json")
    assert CANARY.encode() not in bodies(api)
    assert not private.double.chats
    assert done.returncode == 0, done.stderr


def links(place):
    os.link(place.folder / "a.secret", place.folder / "link.txt")
    (place.folder / "second.secret").symlink_to("plain.txt")
    (place.folder / "first.txt").symlink_to("second.secret")
    place.write("plain.txt", CANARY)
    marked = {"text": CANARY, "private": True}
    place.write("marked.jsonl", f'{{"text": "public"}}\n{json.dumps(marked)}\n')
