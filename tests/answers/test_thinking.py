"""Thinking is told from the answer, however the stream is cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spadework.checks.reply_markup import VisibleStream, split_thinking

CASES = [
    ("plain answer", "plain answer", ""),
    ("<think>let me see</think>42", "42", "let me see"),
    ("<think>\nlet me see\n</think>\n\n42", "\n\n42", "let me see"),
    ("<thinking>a</thinking>b", "b", "a"),
    ("<reasoning>a</reasoning>b", "b", "a"),
    ("<thought>a</thought>b", "b", "a"),
    ("[THINK]a[/THINK]b", "b", "a"),
    ("<THINK>a</Think>b", "b", "a"),
    ("<think>never ends", "", "never ends"),
    ("opened by the template\n</think>answer", "answer", "opened by the template"),
    ("opened by the template</think>\nanswer", "\nanswer", "opened by the template"),
    ("first\n<think>again</think>\nsecond", "first\n\nsecond", "again"),
    ("<think></think>c", "c", ""),
    ("<think>a</think>The answer <think>x</think>", "The answer <think>x</think>", "a"),
]


@pytest.mark.parametrize(("reply", "visible", "thinking"), CASES)
def test_thinking_is_told_from_the_answer(reply, visible, thinking):
    split = split_thinking(reply)
    assert (split.visible, split.thinking) == (visible, thinking)


@pytest.mark.parametrize(
    "answer",
    [
        "The tag `<think>` opens a block and `</think>` closes it.",
        "Models write a <think> block in the middle of a line.",
        "```html\n<think>\nshown as code\n</think>\n```\nThat was code.",
        "~~~\n</think>\n~~~",
        "a < b and [1, 2] > c",
        "Use <think> to begin and </think> to end reasoning. That is all.",
        "First it removes everything before the </think> tag.",
        "`</think>` is the tag.",
    ],
)
def test_a_tag_that_the_answer_speaks_of_stays(answer):
    assert split_thinking(answer).visible == answer
    assert split_thinking(answer).thinking == ""


pieces = st.lists(
    st.sampled_from(
        [
            "<think>",
            "</think>",
            "\n",
            "a",
            " b ",
            "[THINK]",
            "[/THINK]",
            "<",
            "[",
            "`",
            "```\n",
            "é",
        ]
    ),
    max_size=12,
).map("".join)


@given(reply=pieces, cuts=st.lists(st.integers(0, 80), max_size=8))
def test_a_stream_cut_anywhere_shows_no_more_than_the_whole_reply(reply, cuts):
    """What is shown at the end is the visible text; thinking inside tags is never shown."""
    edges = sorted({0, len(reply), *(cut for cut in cuts if cut < len(reply))})
    stream = VisibleStream()
    shown = "".join(stream.feed(reply[a:b]) for a, b in pairwise(edges))
    shown += stream.finish()
    whole = split_thinking(reply).visible.lstrip()
    if "</think>" in reply or "[/THINK]" in reply or "`" in reply:
        # A closing tag, or the end of a code span, may change what was already shown.
        return
    assert shown == whole


@given(
    thought=st.text(st.characters(exclude_characters="<[`~"), max_size=30),
    answer=st.text(st.characters(exclude_characters="<[`~"), min_size=1, max_size=30),
    cuts=st.lists(st.integers(0, 100), max_size=10),
)
def test_thoughts_in_tags_are_never_shown_wherever_the_stream_is_cut(thought, answer, cuts):
    reply = f"<think>{thought}</think>{answer}"
    edges = sorted({0, len(reply), *(cut for cut in cuts if cut < len(reply))})
    stream = VisibleStream()
    shown = "".join(stream.feed(reply[a:b]) for a, b in pairwise(edges))
    shown += stream.finish()
    assert shown == answer.lstrip()


@given(reply=st.text(st.sampled_from("<>/think[THINK]\n `ab"), max_size=60))
def test_no_reply_breaks_the_split(reply):
    split = split_thinking(reply)
    assert len(split.visible) <= len(reply)


def test_the_whole_text_is_split_anew_only_now_and_then():
    """It was split for each piece: 16,000 pieces took half a minute."""
    now = 0.0
    stream = VisibleStream(clock=lambda: now)
    assert stream.feed("a [link] ") == "a [link] "
    assert [stream.feed("word ") for _ in range(1000)] == [""] * 1000
    now = 1.0
    assert stream.feed("end") == "word " * 1000 + "end"


def test_a_long_reply_without_tags_is_passed_on_piece_by_piece():
    stream = VisibleStream()
    assert [stream.feed(piece) for piece in ("\n one", " two", " three")] == [
        "one",
        " two",
        " three",
    ]
    assert stream.finish() == ""
