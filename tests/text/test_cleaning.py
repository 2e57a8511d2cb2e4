"""What no reader sees is removed; what a reader sees stays."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spadework.util.text_cleaning import HIDDEN, clean


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
        ("a\u2028b\u2029c\x85d", "a\nb\nc\nd"),
        ("a\u2800b\u2800\u2800c", "a b  c"),
        ("g\u00ado", "go"),
        ("a\u3164b\u115fc\u1160d\uffa0e\u17b4f\u17b5g", "abcdefg"),
        ("a\u180bb\u180ec\u034fd\u2060e", "abcde"),
        ("a\ufff9b\ufffac\ufffbd\ufffce", "abcde"),
        ("a\ufe00b\ufe0fc\U000e0100d", "abcd"),
        ("👍\U000e0150\U000e0151", "👍"),
        ("👍\ufe0f\ufe0e\ufe0f", "👍\ufe0f"),
        ("🏴\U000e0072\U000e006d\U000e007f", "🏴"),
        ("🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e0041\U000e007f", "🏴"),
        ("\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", ""),
        ("7\ufe0f7", "77"),
        ("葛\U000e0100\U000e0101", "葛\U000e0100"),
        ("\x1bPdevice\x1b\\x\x1b_app\x07y", "xy"),
        ("a\ufdd0b\uffffc\U0010ffffd", "abcd"),
        ("a\U0001d159b\U0001bca0c\U0001d173d", "abcd"),
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
        "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",  # Scotland
        "🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f!",  # Wales
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f🏴\u200d☠\ufe0f",  # England
        "👨\u200d👩\u200d👧\u200d👦 👩🏽\u200d🚀 🧑🏿\u200d❤\ufe0f\u200d💋\u200d🧑🏻",
        "🏳\ufe0f\u200d🌈",
        "👁\ufe0f\u200d🗨\ufe0f 🐻\u200d❄\ufe0f ⛹🏻\u200d♀\ufe0f",
        "#\ufe0f\u20e3 *\ufe0f\u20e3 ☎\ufe0e ™\ufe0f 🇺🇦",
        "«PDF\u200cها» و کتاب\u200cهای می\u200cرود، خانه\u200cام",
        "क्\u200dष क्\u200cष और श्री\u200dमती, र\u200dयाक",
        "ক্\u200dষ র\u200d্য ന്\u200d ൻ ශ්\u200dරී ක්\u200dෂ",
        "שָׁלוֹם עֲלֵיכֶם, \u05d9\u05b0\u034f\u05b7",
        "السلام عليكم ورحمة الله وبركاته ۝ ٤٢ ه\u200d",
        "ᠠ\u180bᠨ\u180eᠠ",
        "葛\U000e0100飾区 辻\U000e0101 ∩\ufe00",
        "⠓⠑⠇⠇⠕⠀⠺⠕⠗⠇⠙ ⠀⠀⣀⣤⣶",
        "\U00013000\U00013430\U00013001",
        "\ue0b0 main \uf126",
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


LATIN = st.text("abcXYZ09 .,-éß", max_size=20)
EVERY_HIDDEN = [sign for sign in map(chr, range(0x110000)) if HIDDEN.match(sign)]


def hidden_texts(least, most):
    signs = st.lists(st.sampled_from(EVERY_HIDDEN), min_size=least, max_size=most)
    return signs.map("".join)


@given(LATIN, hidden_texts(1, 6), LATIN)
def test_nothing_hidden_survives_between_latin_letters(before, hidden, after):
    cleaned, removed = clean(f"{before}a{hidden}b{after}")
    assert not HIDDEN.search(cleaned)
    assert removed or {"\u2028", "\u2029", "\x85"} & set(hidden)


@given(st.sampled_from("😀👍🏴❤漢字かなкирмиαβ"), hidden_texts(3, 60))
def test_no_text_hides_behind_one_visible_sign(sign, hidden):
    cleaned, _ = clean(f"{sign}{hidden}a")
    flag = next((8 for name in ("gbeng", "gbsct", "gbwls") if _tags(name) in hidden), 0)
    assert len(HIDDEN.findall(cleaned.replace("\n", ""))) <= 1 + flag


def _tags(name):
    return "".join(chr(0xE0000 + ord(letter)) for letter in name)


@given(
    st.text(
        st.sampled_from(
            "ab 1#\u0645\u06cc\u0915\u094d\u05d0👩❤🏴⠃葛\ufe0f\ufe0e\u200d\u200c\u20e3\u2800"
            "\U000e0100\ufe00\u180b\u034f\r\n\u2028\x1b[m\x0c\U000e0067\U000e007f\u200b"
        ),
        max_size=30,
    )
)
def test_cleaning_what_leans_on_its_neighbours_twice_changes_nothing_more(text):
    once, _ = clean(text)
    assert clean(once) == (once, 0)


def test_no_sign_that_unicode_calls_ignorable_or_format_is_forgotten():
    shows = set(range(0x600, 0x606)) | {0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
    for point in range(0x110000):
        sign = chr(point)
        if unicodedata.category(sign) in {"Cc", "Cf", "Cs"} and point not in shows | {0x1B, 0x9B}:
            assert clean(f"a{sign}b")[0] in {"ab", "a\nb", "a\tb"}, hex(point)


def test_a_large_text_is_cleaned_in_linear_time():
    text = "é\u200b\ufe0f👍\u200d\u2800\U000e0041" * 200_000
    assert "\u200b" not in clean(text)[0]
