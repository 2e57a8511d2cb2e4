"""What an answer claims to stand in the source is looked up; what is no claim is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spadework.checks.answer_check import (
    AnswerRequirements,
    GroundingContext,
    Passage,
    ValidatedReply,
)
from spadework.checks.grounding import MARK, ground
from spadework.errors import CheckFailed

CODE = (
    "def add(first, second):\n"
    "    # The sum of two numbers, never more than that.\n"
    "    return first + second\n"
)
GIVEN = GroundingContext("What does it do?", (Passage("src/add.py", CODE, 1, 3),))
PART = GroundingContext("What does it do?", (Passage("src/add.py", CODE, 10, 12),))


def look_up(text, given):
    return ground(ValidatedReply(text), AnswerRequirements(given))


@pytest.mark.parametrize(
    "text",
    [
        'It says "the sum of two numbers, never more than that".',
        'It says "The sum of two numbers … more than that."',
        'It says "the sum [that is meant] of two numbers".',
        "“the Sum   of two\nnumbers, never” is the comment.",
        "> # The sum of two numbers,\n> never more than that.\n> — a comment",
        "`return first + second` is at src/add.py:3.",
        "src/add.py:1-3, ./src/add.py:2, add.py:3, `add.py:1`",
        'There is no "check for numbers that are too large" here.',
        'It should say "the sum of any two things" instead.',
        'A word such as "sum" or "two numbers" is no claim.',
        "`add(first=1, second=2, third=3)` would fail.",
        '```python\nprint("this is a new line of code here")\n```',
        '{"comment": "this is new text that stands nowhere"}',
    ],
)
def test_what_is_true_or_no_claim_stays_as_it_is(text):
    found = look_up(text, GIVEN)
    assert found.text == text
    assert found.notes == ()


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ('It says "the sum of three numbers, never more than that".', "quotation"),
        ('It says "two numbers the sum of never more".', "quotation"),
        ("> The product of all the numbers", "quotation"),
        ("`return first - second` is at src/add.py:3.", "quotation"),
        ("See src/add.py:4.", "citation"),
        ("See src/add.py:0.", "citation"),
        ("See src/add.py:3-9.", "citation"),
        ("See src/sub.py:1.", "citation"),
        ("See lib/Makefile:1.", "citation"),
    ],
)
def test_what_is_invented_fails_by_its_name(text, check):
    with pytest.raises(CheckFailed) as caught:
        look_up(text, GIVEN)
    assert caught.value.check == check


def test_lines_are_those_of_the_part_that_was_given():
    assert look_up("See add.py:10-12.", PART).checks == ("citation",)
    with pytest.raises(CheckFailed):
        look_up("See add.py:3.", PART)


def test_two_parts_of_one_file_make_one_range():
    parts = (Passage("a.py", "x\n", 1, 5), Passage("a.py", "y\n", 6, 9))
    assert look_up("See a.py:4-7.", GroundingContext("What?", parts)).checks == ("citation",)


@pytest.mark.parametrize("place", ["src/app.py:12", "tests/x.py:3-5"])
def test_places_of_a_diff_or_a_log_are_not_ours_to_judge(place):
    diff = "--- a/src/app.py\n+++ b/src/app.py\n@@ -10,4 +10,5 @@\n--- a/tests/x.py\n"
    given = GroundingContext("What changed?", (Passage("change.diff", diff, 1, 4),))
    assert look_up(f"See {place}.", given).text == f"See {place}."


@pytest.mark.parametrize(
    "task", ["Suggest a title.", "Translate it.", "Rewrite the comment.", "Draft an e-mail."]
)
def test_a_task_for_new_text_gets_new_text(task):
    text = '"This is a title that stands nowhere else"'
    assert look_up(text, GroundingContext(task, GIVEN.passages)).text == text


def test_without_material_there_is_nothing_to_look_up():
    text = 'Hamlet says "to be, or not to be, that is the question" at hamlet.txt:99.'
    assert look_up(text, GroundingContext("What does Hamlet say?")).text == text


def test_few_inventions_are_struck_and_counted():
    text = (
        '"the sum of two numbers" is true, "never more than that" is short, '
        '"return first + second" too.\n\n> The sum of two numbers, never more\n\n'
        '"this one is not true at all"'
    )
    found = look_up(text, GIVEN)
    assert found.text.endswith('~~"this one is not true at all"~~ [not in the source]')
    assert found.notes == ("struck, since not in the source: 1 quotation",)
    assert found.checks == ()


def test_a_struck_block_stays_a_block():
    text = "> The sum of two numbers, never more\n\nand\n\n> Not a word of\n> this is there"
    assert look_up(text, GIVEN).text.endswith(
        "> ~~Not a word of~~\n> ~~this is there~~ [not in the source]"
    )


def test_a_place_inside_of_a_struck_quotation_is_struck_with_it():
    true = '"the sum of two numbers" and "never more than that, return first" at add.py:1, add.py:2'
    text = f'{true}, "as add.py:77 has it, that is not so" and on'
    assert look_up(text, GIVEN).text == (
        f'{true}, ~~"as add.py:77 has it, that is not so"~~ [not in the source] and on'
    )


PIECES = st.sampled_from(
    ['"', "`", "```", "> ", "\n", "src/add.py:2", "x.py:9", "the sum of two numbers", "…", "“", " "]
)


@given(st.lists(PIECES | st.text(max_size=5), max_size=40))
def test_whatever_is_said_what_is_not_struck_stays_as_it_is(pieces):
    text = "".join(pieces)
    try:
        found = look_up(text, GIVEN)
    except CheckFailed:
        return
    if not found.notes:
        assert found.text == text
    assert MARK in found.text or found.text == text
