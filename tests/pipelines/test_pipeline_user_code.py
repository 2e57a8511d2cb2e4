"""What a pipeline's own code may do to its run: raise, leave, catch too much, call side by side."""

import json
import sqlite3
import time
from contextlib import closing, suppress

import pytest

pytestmark = pytest.mark.slow

WAIT = 60.0
HEAD = """import asyncio, sys
from pathlib import Path
from spadework.pipelines import ask, claude, pipeline, step

"""
CLOUD = '\n[claude_api]\ntest_url = "http://127.0.0.1:9"\n'


def until(condition):
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def run(place, code, *options, items=2):
    place.write("own.py", HEAD + code)
    place.items(items)
    done = place.run("pipeline", "run", "own.py", "items.jsonl", "--run", "own", *options)
    assert "Traceback" not in done.stderr
    return done


def kept_calls(place):
    """How many calls the durable engine has the result of."""
    query = "SELECT count(*) FROM workflow_status WHERE name = ? AND status = 'SUCCESS'"
    file = place.folder / "data" / "pipelines.db"
    with (
        suppress(sqlite3.OperationalError),  # neither file nor table need be there yet
        closing(sqlite3.connect(file, timeout=WAIT)) as database,
    ):
        return database.execute(query, ("spadework.call",)).fetchone()[0]


def errors(done):
    return {json.loads(line)["error"] for line in done.stdout.splitlines()}


def test_a_step_that_raises_fails_its_row_and_is_done_again_on_request(place):
    code = """
@pipeline
async def own(item):
    return await load("data.txt")

@step
async def load(name):
    return Path(name).read_text()
"""
    done = run(place, code, "--out", "out.jsonl")
    assert done.returncode == 1
    assert all(row["error"].startswith("FileNotFoundError: ") for row in place.rows())
    assert "in load" in place.run("pipeline", "logs", "own").stdout, "the traceback is there"
    place.write("data.txt", "here")
    assert place.run("pipeline", "resume", "own", "--retry-failed").returncode == 0
    assert [row["value"] for row in place.rows()] == ["here", "here"]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ('sys.exit("no use")', "SystemExit: no use"),
        ("raise asyncio.CancelledError('by itself')", "CancelledError: by itself"),
    ],
)
def test_code_that_leaves_fails_its_row_alone(place, line, error):
    done = run(place, f"@pipeline\nasync def own(item):\n    {line}\n")
    assert done.returncode == 1
    assert errors(done) == {error}


@pytest.mark.parametrize(
    "caught",
    [
        "        return 'caught'",
        "        return (await ask('ask_local_llama', 'And now?', texts=item.texts)).text",
    ],
)
def test_code_that_catches_everything_makes_no_result_of_a_run_that_stops(place, caught):
    code = f"""
@pipeline
async def own(item):
    try:
        return (await ask("ask_local_llama", "What is it?", texts=item.texts)).text
    except Exception:
{caught}
"""
    place.double.plays(hangs_after=0)
    place.write("own.py", HEAD + code)
    place.items(8)
    place.configure(slots=1)
    wanted = ("pipeline", "run", "own.py", "items.jsonl", "--run", "own", "--out", "out.jsonl")
    with place.start(*wanted) as process:
        until(lambda: place.double.chats)
        place.run("pipeline", "cancel", "own")
        assert process.wait(WAIT) == 5
    assert place.rows() == []
    place.double.plays(reply="A thing.", prompt_tokens=120, completion_tokens=4)
    assert place.run("pipeline", "resume", "own").returncode == 0
    assert [row["value"] for row in place.rows()] == ["A thing."] * 8


def test_what_is_private_ends_the_run_even_if_the_code_catches_that(place):
    code = """
@pipeline
async def own(item):
    try:
        return (await claude("Look.", texts=item.texts)).text
    except Exception:
        return "caught"
"""
    place.configure(more=CLOUD)
    done = run(place, code, "--private")
    assert done.returncode == 1
    assert not done.stdout
    assert "what is private does not go to Claude" in done.stderr


def test_a_step_of_the_end_is_as_private_as_the_rows_are(place):
    code = """
@pipeline
async def own(item):
    return 1

@own.finish
async def end(rows):
    return await write(len(rows))

@step
async def write(number):
    return (await claude(f"{number} rows")).text
"""
    place.configure(more=CLOUD)
    done = run(place, code, "--private")
    assert done.returncode == 1
    assert "step 'write' of the pipeline: what is private does not go to Claude" in done.stderr


def test_private_is_no_word_to_a_run_that_has_begun_otherwise(place):
    code = "@pipeline\nasync def own(item):\n    return 1\n"
    assert run(place, code).returncode == 0
    done = run(place, code, "--private")
    assert done.returncode == 2
    assert "has items that are not private" in done.stderr


def test_calls_side_by_side_are_found_again_in_whatever_order_they_come(place):
    code = """
@pipeline
async def own(item):
    return await asyncio.gather(*(part(item, letter) for letter in "abcdef"))

async def part(item, letter):
    await asyncio.sleep({"a": 0.3, "b": 0.2, "c": 0.1}.get(letter, 0))
    first = await ask("ask_local_llama", f"First {letter}", texts=item.texts)
    second = await ask("ask_local_llama", f"Second {letter}", texts={"first": first.text})
    return second.text + await last(letter)

@step
async def last(letter):
    while not __import__("os").path.exists("go"):
        await asyncio.sleep(0.01)
    return letter
"""
    place.write("own.py", HEAD + code)
    place.items(1)
    wanted = ("pipeline", "run", "own.py", "items.jsonl", "--run", "own", "--out", "out.jsonl")
    with place.start(*wanted) as process:
        until(lambda: kept_calls(place) == 12)
        process.kill()
    # The other way round: what came last now comes first.
    place.write("own.py", (HEAD + code).replace('"a": 0.3', '"f": 0.3').replace('"c"', '"d"'))
    place.write("go", "")
    done = place.run("pipeline", "resume", "own")
    assert done.returncode == 0, done.stderr
    assert place.rows()[0]["value"] == [f"A thing.{letter}" for letter in "abcdef"]
    assert len(place.double.chats) == 12, "no call that had its answer is made again"


def test_steps_that_ask_alike_have_answers_of_their_own_and_their_models_count(place):
    code = """
@pipeline
async def own(item):
    return [await vote(number) for number in range(3)]

@step
async def vote(number):
    return (await ask("ask_local_llama", "Yes or no?", texts={"x": "same"})).text
"""
    done = run(place, code, items=1)
    assert done.returncode == 0, done.stderr
    assert len(place.double.chats) == 3
    assert json.loads(done.stdout)["models"] == ["koala/llama3-local"]


def test_how_to_go_on_names_the_engine_that_was_chosen(place):
    place.write("own.py", HEAD + "@pipeline\nasync def own(item):\n    await ask('ask_x', 'x')\n")
    place.items(1)
    engine = f"sqlite:///{place.folder}/other.db"
    done = place.run("pipeline", "run", "own.py", "items.jsonl", "--engine", engine)
    command = done.stderr.rpartition("to continue: spadework ")[2].split()
    assert command[-2:] == ["--engine", engine]
    assert "unknown tool" in place.run(*command).stderr
    assert (place.folder / "other.db").exists()
