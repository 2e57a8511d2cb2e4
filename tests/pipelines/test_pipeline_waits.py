"""A pipeline whose model server goes away and comes back: each item has its result."""

import json
from collections import Counter

import pytest

from doubles.chat_server import Trouble
from doubles.openai_compatible import OpenAIDouble
from doubles.plays import Play

pytestmark = pytest.mark.slow

ITEMS = 100
RUN = ["pipeline", "run", "describe.py", "items.jsonl", "--out", "out.jsonl", "--json"]


def told(done):
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    return outcome["state"], outcome["done"], outcome["failed"]


def test_a_server_that_goes_away_in_mid_answer_costs_no_item(place):
    place.items(ITEMS)
    place.double.plays(Play(reply="A thing.", prompt_tokens=120, delay=0.02))
    place.double.trouble = Trouble(leaves_at={40: 3.0})
    assert told(place.run_apart(*RUN)) == ("done", ITEMS, 0)
    assert Counter(row["number"] for row in place.rows()) == Counter(range(1, ITEMS + 1))
    assert {row["value"] for row in place.rows()} == {"A thing."}
    answered = [one for one in place.double.chats if one.answered and b"<item-" in one.body]
    assert len(answered) == ITEMS, "what was answered is not asked again"
    assert len(place.double.chats) - ITEMS - 1 <= 16, "only what was under way is asked again"


def test_where_a_second_backend_can_answer_no_item_waits_for_the_first(place):
    place.items(ITEMS)
    place.double.trouble = Trouble(leaves_at={40: None})
    with OpenAIDouble("llama3-local") as second:
        second.plays(reply="Another thing.", prompt_tokens=120)
        config = place.folder / "config.toml"
        both = 'models = ["koala/llama3-local", "panda/llama3-local"]'
        text = config.read_text().replace('models = ["koala/llama3-local"]', both)
        config.write_text(f'{text}\n[backends.panda]\nkind = "openai"\nurl = "{second.url}"\n')
        assert told(place.run_apart(*RUN)) == ("done", ITEMS, 0)
        counts = Counter(row["value"] for row in place.rows())
        items = [one for one in second.chats if b"<item-" in one.body]
    assert set(counts) == {"A thing.", "Another thing."}
    assert len(items) == counts["Another thing."]
