"""What a terminal is shown while an answer grows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spadework.cli.screen import CleanStream, Screen
from spadework.engine.job import Progress
from spadework.util.text_cleaning import clean

TRICKY = st.sampled_from(
    "ab1m[];\n\r\t \u2764\u00e9\u4e2d\u20e3\ufe0e\ufe0f\u200c\u200d\u200b\x1b\x9b\x07\\"
    "\U0001f468\U0001f469\U000e0041"
)


def streamed(pieces):
    stream = CleanStream()
    return "".join([*map(stream.feed, pieces), stream.finish()])


@given(st.lists(st.text(TRICKY, max_size=6)))
def test_a_text_cut_anywhere_is_cleaned_as_the_whole(pieces):
    assert streamed(pieces) == clean("".join(pieces))[0]


def test_ordinary_text_is_not_held_back():
    stream = CleanStream()
    assert [stream.feed(piece) for piece in ("One", " two", "\u4e2d", "\n")] == [
        "One",
        " two",
        "\u4e2d",
        "\n",
    ]


@pytest.mark.parametrize(
    "pieces",
    [
        ("I \u2764", "\ufe0f it"),
        ("\U0001f468\u200d", "\U0001f469", "\u200d\U0001f467", " family"),
        ("one\r", "\ntwo"),
        ("keycap 1", "\ufe0f", "\u20e3"),
        ("ends with \u2764", "\ufe0f"),
    ],
)
def test_an_answer_cut_within_a_character_is_printed_once(capsys, pieces):
    screen = Screen(streams=True, shows_status=False)
    for piece in pieces:
        screen.text(piece)
    answer = clean("".join(pieces))[0]
    screen.show(answer)
    assert capsys.readouterr().out == answer + "\n"


def test_each_piece_is_cleaned_once_and_then_forgotten():
    """The work is in proportion to the text: what was shown is not looked at again."""
    stream = CleanStream()
    for _ in range(1000):
        assert stream.feed("a word ") == "a word "
        assert sum(map(len, stream._held)) == 0


def test_the_status_line_is_cut_to_the_terminals_width(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    screen = Screen(streams=False, shows_status=True)
    screen.progress(Progress("asking", "x" * 200))
    assert capsys.readouterr().err == "\r\x1b[K" + "x" * 29
