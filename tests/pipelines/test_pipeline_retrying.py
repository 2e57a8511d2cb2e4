"""Items that failed are done again on request, and on no other occasion."""

import json

import pytest

pytestmark = pytest.mark.slow

CODE = """
from pathlib import Path
from spadework.pipelines import Item, ask, pipeline

@pipeline
async def describe(item: Item) -> str:
    answer = await ask("ask_local_llama", "What is it?", texts=item.texts)
    if item.number % 2 and not Path("mended").exists():
        raise ValueError("odd")
    return answer.text

@describe.finish
async def count(rows):
    return {"good": sum(not row.failed for row in rows)}
"""


def report(place):
    return json.loads((place.folder / "out.report.json").read_text())


def test_failed_items_are_done_again_on_request(place):
    place.write("odd.py", CODE)
    place.items(6)
    wanted = ["pipeline", "run", "odd.py", "items.jsonl", "--run", "odd", "--out", "out.jsonl"]
    done = place.run(*wanted)
    assert done.returncode == 4, done.stderr
    rows = {row["number"]: row for row in place.rows()}
    assert [number for number in rows if rows[number]["error"]] == [1, 3, 5]
    assert rows[1]["error"] == "ValueError: odd"
    assert report(place) == {"good": 3}
    asked = len(place.double.chats)

    place.write("mended", "")
    done = place.run("pipeline", "resume", "odd")
    assert done.returncode == 4, "done is done: nothing is asked, nothing changes"
    assert {row["number"]: row for row in place.rows()} == rows

    done = place.run("pipeline", "resume", "odd", "--retry-failed", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["failed"] == 0
    assert sorted(row["number"] for row in place.rows()) == [1, 2, 3, 4, 5, 6]
    assert not any(row["error"] for row in place.rows())
    assert report(place) == {"good": 6}
    # The calls of the failed items had been good: they are not made again.
    assert len(place.double.chats) == asked


def test_a_call_that_was_handed_back_is_made_again(place):
    place.double.plays(status=500, body='{"error": {"message": "broken"}}')
    place.items(3)
    wanted = ["pipeline", "run", "describe.py", "items.jsonl", "--run", "bad", "--out", "out.jsonl"]
    done = place.run(*wanted)
    assert done.returncode == 1, done.stderr
    assert all("broken" in row["error"] for row in place.rows())
    place.double.plays(reply="A thing.", prompt_tokens=120, completion_tokens=4)
    done = place.run("pipeline", "resume", "bad", "--retry-failed")
    assert done.returncode == 0, done.stderr
    assert [row["value"] for row in place.rows()] == ["A thing."] * 3
