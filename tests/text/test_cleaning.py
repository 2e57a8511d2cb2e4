"""What no reader sees is removed; what a reader sees stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeyman.text.cleaning import clean


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred", "red"),
        ("a\x00b\x08c", "abc"),
        ("user\u202etxt.exe", "usertxt.exe"),
        ("\u2066a\u2069", "a"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("tag\U000e0041\U000e0042s", "tags"),
        ("hid\u200c\u200dden", "hidden"),
        ("a\ufe0f\ufe0eb", "ab"),
        ("\ud800", ""),
        ("line\r\nline\rline", "line\nline\nline"),
    ],
)
def test_what_no_reader_sees_is_removed(text, cleaned):
    assert clean(text)[0] == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "tab\tand\nline feed",
        "Grüße, 你好, مرحبا, नमस्ते",
        "می\u200cخواهم",
        "👩\u200d💻 ❤\ufe0f 1\ufe0f\u20e3",
        "\u0915\u094d\u200d\u0937",
        "café é ñ",
    ],
)
def test_what_a_reader_sees_stays(text):
    assert clean(text) == (text, 0)


def test_it_says_how_much_was_removed():
    assert clean("a\u200bb\u202ec\r\n") == ("abc\n", 2)


@given(st.text(max_size=200))
def test_cleaning_twice_changes_nothing_more(text):
    once, _ = clean(text)
    assert clean(once) == (once, 0)


@given(st.text(max_size=200))
def test_no_control_or_override_is_left(text):
    cleaned, _ = clean(text)
    assert not any(
        (ord(char) < 32 and char not in "\n\t") or "\u202a" <= char <= "\u202e" or char == "\x7f"
        for char in cleaned
    )
