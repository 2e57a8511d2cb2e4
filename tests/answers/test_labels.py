"""A label's confidence is the margin between it and the next label, as the tokens tell it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spadework.backends.base import TokenChoice
from spadework.checks.labels import check_labels, label_of, label_schema, margin
from spadework.errors import ArgumentError, CheckFailed


def tokens(*places):
    """Tokens of which the first of each place was written."""
    made = []
    for shown in places:
        pairs = tuple((text.encode(), math.log(chance)) for text, chance in shown.items())
        made.append(TokenChoice(*pairs[0], pairs))
    return made


QUOTE = {'"': 0.9, "A": 0.05}


def test_labels_become_a_schema():
    assert label_schema(["a", "b"]) == {"type": "string", "enum": ["a", "b"]}
    assert label_schema([]) is None


def test_the_margin_is_what_the_label_has_before_the_next_one():
    written = tokens({"bug": 0.7, "wish": 0.2, "The": 0.1})
    assert margin(written, "bug", "bug", ["bug", "wish"]) == pytest.approx((0.7 - 0.2) / 0.9)


def test_tokens_that_lead_to_one_label_are_summed_up():
    written = tokens({"bug": 0.4, "b": 0.1, "Bug": 0.1, "wi": 0.1, "wish": 0.2})
    assert margin(written, "bug", "bug", ["bug", "wish"]) == pytest.approx(0.6 / 0.9 - 0.3 / 0.9)


def test_what_leads_to_no_label_does_not_count():
    """A constrained model is held back from prose that it would rather have begun."""
    written = tokens({'"': 0.01, "Sure": 0.98}, {"yes": 0.05, "Well": 0.9, "no": 0.01}, {'"': 1.0})
    assert margin(written, '"yes"', "yes", ["yes", "no"]) == pytest.approx((0.05 - 0.01) / 0.06)


def test_labels_part_where_they_differ_and_shares_multiply():
    labels = ["legal text", "legal brief", "recipe"]
    written = tokens(
        QUOTE, {"legal": 0.8, "recipe": 0.2}, {" text": 0.75, " brief": 0.25}, {'"': 0.9}
    )
    own, best_other = 0.8 * 0.75, max(0.2, 0.8 * 0.25)
    found = margin(written, '"legal text"', "legal text", labels)
    assert found == pytest.approx(own - best_other)


def test_a_label_that_is_the_beginning_of_another_is_told_from_it_by_its_end():
    labels = ["bug", "bug report"]
    written = tokens(QUOTE, {"bug": 0.9, "x": 0.05}, {'"': 0.6, " report": 0.3})
    assert margin(written, '"bug"', "bug", labels) == pytest.approx(0.6 / 0.9 - 0.3 / 0.9)


def test_a_label_whose_end_is_not_told_has_no_confidence():
    assert margin(tokens({"bug": 0.9}), "bug", "bug", ["bug", "bug report"]) is None


def test_a_label_that_is_not_shown_counts_as_much_as_the_least_that_is():
    written = tokens({"bug": 0.5, "Well": 0.2, "So": 0.1})
    assert margin(written, "bug", "bug", ["bug", "wish"]) == pytest.approx((0.5 - 0.1) / 0.6)


def test_a_server_that_shows_no_others_leaves_the_rest_to_the_other_label():
    written = [TokenChoice(b"bug", math.log(0.8))]
    assert margin(written, "bug", "bug", ["bug", "wish"]) == pytest.approx(0.6)


def test_a_label_that_another_was_more_probable_than_has_none():
    written = tokens({"bug": 0.2, "wish": 0.8})
    assert margin(written, "bug", "bug", ["bug", "wish"]) == 0.0


def test_thinking_before_the_label_does_not_count():
    written = tokens({"<think>": 1.0}, {"wish": 1.0}, {"</think>": 1.0}, {"bug": 0.9, "wish": 0.1})
    assert margin(written, "bug", "bug", ["bug", "wish"]) == pytest.approx(0.8)


def test_parts_of_a_sign_are_put_together():
    labels = ["größe", "grund"]
    pieces = [b"gr", "ö".encode()[:1], "ö".encode()[1:], "ße".encode()]
    written = [TokenChoice(piece, math.log(0.9), ((piece, math.log(0.9)),)) for piece in pieces]
    assert margin(written, "größe", "größe", labels) is not None


@pytest.mark.parametrize("written", [[], tokens({"something": 0.9})])
def test_without_the_label_s_tokens_there_is_no_confidence(written):
    assert margin(written, "bug", "bug", ["bug", "wish"]) is None


LABELS = st.lists(st.text("abcö \"'", min_size=1, max_size=6), min_size=2, max_size=4)
SHOWN = st.dictionaries(st.text("abcö \"'", max_size=4), st.floats(1e-6, 1.0), min_size=1)


@given(LABELS, st.lists(SHOWN, max_size=5), st.text("abcö \"'", max_size=6))
def test_whatever_the_tokens_a_margin_is_a_share_or_none(labels, places, said):
    found = margin(tokens(*places), said, labels[0], labels)
    assert found is None or 0.0 <= found <= 1.0 + 1e-9


@pytest.mark.parametrize(
    ("labels", "said"),
    [(["a"], "nothing to choose"), (["a", " A "], "there twice"), (["a", " "], "is empty")],
)
def test_labels_that_cannot_be_told_apart_are_refused(labels, said):
    with pytest.raises(ArgumentError, match=said):
        check_labels(labels)


def test_what_is_no_label_fails_by_that_name():
    with pytest.raises(CheckFailed) as caught:
        label_of("neither", ["a", "b"])
    assert caught.value.check == "label"
