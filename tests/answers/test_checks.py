"""A reply is an answer only when every check passes, and each failure has its own name."""

from dataclasses import replace

import pytest

from spadework.checks.answer_check import AnswerRequirements
from spadework.checks.reply_checks import ModelReply, check_reply
from spadework.errors import CheckFailed

GOOD = ModelReply(
    text="It is a licence.",
    finish="stop",
    max_tokens=100,
    had_thinking=False,
    prompt_tokens=50,
    expected_tokens=48,
    expected_source="llama.cpp /tokenize",
)


def failure(reply, **options):
    with pytest.raises(CheckFailed) as caught:
        check_reply(reply, AnswerRequirements(**options))
    return caught.value


def test_a_good_reply_is_an_answer():
    assert check_reply(GOOD).text == "It is a licence."


def test_thinking_and_space_around_the_answer_are_taken_off():
    reply = replace(GOOD, text="<think>hm</think>\n\n It is. \n")
    assert check_reply(reply).text == "It is."


def test_an_empty_reply_is_no_answer():
    assert failure(replace(GOOD, text=" \n")).check == "empty"


@pytest.mark.parametrize("text", ["<think>hm</think>", "<think>hm", "\u200b\u202e"])
def test_a_reply_with_nothing_to_see_is_no_answer(text):
    assert failure(replace(GOOD, text=text)).check == "empty"


def test_thinking_without_an_answer_is_said_to_be_that():
    error = failure(replace(GOOD, text="", had_thinking=True))
    assert error.check == "empty"
    assert "only thinking" in str(error)


def test_an_answer_cut_off_at_the_limit_names_the_limit():
    error = failure(replace(GOOD, finish="length"))
    assert error.check == "cut-off"
    assert "100 tokens" in str(error)
    assert "max_tokens" in error.hint


def test_an_odd_ending_is_no_answer():
    assert failure(replace(GOOD, finish="content_filter")).check == "unfinished"


def test_silent_truncation_is_caught_with_the_figures_of_a_real_ollama():
    """18,312 tokens at num_ctx 4096 came back with 200 and prompt_eval_count 2050."""
    error = failure(replace(GOOD, prompt_tokens=2050, expected_tokens=18312))
    assert error.check == "silent-truncation"
    assert "2050" in str(error)
    assert "18312" in str(error)


def test_a_cut_input_is_named_before_an_empty_answer():
    """The cause is of more use than its effect."""
    reply = replace(GOOD, text="", prompt_tokens=2050, expected_tokens=18312)
    assert failure(reply).check == "silent-truncation"


@pytest.mark.parametrize("counted", [None, 0, 44, 50, 900])
def test_a_count_that_is_missing_near_or_larger_is_no_alarm(counted):
    assert check_reply(replace(GOOD, prompt_tokens=counted)).text


@pytest.mark.parametrize("said", ["bug", "Bug", ' "bug" ', "**bug**", "bug.", "`BUG`", '"Bug"'])
def test_a_label_is_returned_as_the_config_writes_it(said):
    assert (
        check_reply(
            replace(GOOD, text=said),
            AnswerRequirements(
                labels=(
                    "Bug",
                    "Wish",
                )
            ),
        ).text
        == "Bug"
    )


def test_a_label_may_end_in_a_mark_itself():
    reply = replace(GOOD, text="not sure.")
    assert (
        check_reply(
            reply,
            AnswerRequirements(
                labels=(
                    "Not sure.",
                    "sure",
                )
            ),
        ).text
        == "Not sure."
    )


@pytest.mark.parametrize("said", ["it is a bug", "bugs", "wish or bug", "[1]", '{"label": "bug"}'])
def test_anything_else_than_a_label_fails(said):
    error = failure(replace(GOOD, text=said), labels=("bug", "wish"))
    assert error.check == "label"
    assert "bug, wish" in str(error)


def test_a_whole_label_is_no_cut_off_where_only_blanks_followed_it():
    """llama.cpp's grammar allows blanks after the closing quote, and small models like them."""
    reply = replace(GOOD, text='"bug"\n     ', finish="length")
    assert (
        check_reply(
            reply,
            AnswerRequirements(
                labels=(
                    "bug",
                    "bug report",
                )
            ),
        ).text
        == "bug"
    )


@pytest.mark.parametrize("text", ["bug", '"bug', '"bugs"'])
def test_a_label_that_may_have_gone_on_is_cut_off(text):
    error = failure(replace(GOOD, text=text, finish="length"), labels=("bug", "bug report"))
    assert error.check == "cut-off"


def test_hidden_characters_are_removed_and_counted():
    checked = check_reply(replace(GOOD, text="visible\u202e \x1b[31mtext"))
    assert checked.text == "visible text"
    assert checked.notes == ("6 hidden characters were removed",)


def test_an_answer_that_speaks_of_a_tag_is_not_cut():
    """It was: all before the tag was lost, and no word was said of it."""
    text = "First it removes everything before the </think> tag. Then it strips white space."
    assert check_reply(replace(GOOD, text=text)).text == text


def test_what_a_stray_closing_tag_took_away_is_told():
    checked = check_reply(replace(GOOD, text="so it is\n</think>\nYes."))
    assert checked.text == "Yes."
    assert "thinking" in checked.notes[0]
