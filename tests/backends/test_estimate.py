from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spadework.backends.base import Message
from spadework.backends.token_counts import estimate, estimate_tokens, lower_bound, upper_bound

# Texts with the fewest and the most tokens that eight real tokenizers made of each (SmolLM2,
# Llama 2 and 3, Mistral, Claude 2, cl100k, o200k, p50k).
COUNTED = json.loads(
    (Path(__file__).parent.parent / "data" / "token_counts.json").read_text("utf-8")
)


def messages(*texts):
    return tuple(Message("user", text) for text in texts)


@pytest.mark.parametrize("sample", COUNTED, ids=lambda sample: sample["what"])
def test_the_bounds_hold_for_real_tokenizers(sample):
    asked = messages(sample["text"])
    assert lower_bound(asked) <= sample["fewest"]
    assert upper_bound(asked) >= sample["most"]


@pytest.mark.parametrize("sample", COUNTED, ids=lambda sample: sample["what"])
def test_the_guess_is_near_for_what_people_write(sample):
    guess = estimate_tokens(messages(sample["text"]))
    if sample["ordinary"]:
        assert sample["fewest"] * 0.65 < guess < sample["most"] * 1.35
    else:
        assert guess <= upper_bound(messages(sample["text"]))


@given(st.lists(st.text(), max_size=4))
def test_the_bounds_never_cross(texts):
    asked = messages(*texts)
    assert 0 <= lower_bound(asked) <= upper_bound(asked)
    assert estimate_tokens(asked) <= upper_bound(asked)


@given(st.text(), st.text())
def test_more_messages_never_count_less(one, more):
    for count in (estimate_tokens, lower_bound, upper_bound):
        assert count(messages(one)) <= count(messages(one, more))


def test_half_a_character_can_be_counted():
    for count in (estimate_tokens, lower_bound, upper_bound):
        assert count(messages("half \ud83d")) > 0


def test_a_guess_is_called_a_guess():
    counted = estimate(messages("one two three"))
    assert (counted.exact, counted.source) == (False, "estimate")


def test_a_long_run_of_one_sign_does_not_take_eighty_times_its_memory():
    """30 MB of it took 2.5 GB of the daemon, and held up every window for three seconds."""
    asked = messages("x" * 2_000_000)
    tracemalloc.start()
    try:
        lower_bound(asked)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
