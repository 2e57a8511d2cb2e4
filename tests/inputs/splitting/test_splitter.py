"""Parts are whole, small enough, where they say, and cost few counts."""

import pytest
from counting import Counter, parts_of, source
from hypothesis import given
from hypothesis import strategies as st

from spadework.references.splitting import Part, split

texts = st.text(alphabet="ab c.\n\n#`é語\t", max_size=400) | st.lists(
    st.sampled_from(
        ["# Title\n", "## Sub\n", "\n", "A sentence. Another one.\n", "```\n", "word ",
         "x" * 90, "def f():\n", "    return 1\n", "diff --git a/x b/x\n", "Title\n=====\n",
         "語" * 20, "\n\n\n"]
    ),
    max_size=40,
).map("".join)  # fmt: skip
paths = st.sampled_from(["a.md", "a.log", "README", "git:diff", "a.unknown"])
counts = st.sampled_from(
    [
        len,
        lambda text: len(text.encode()),
        lambda text: 1 + len(text) // 4,
        lambda text: 2 + len(text.split()),
        lambda text: len(text) + 5 * text.count("x"),
    ]
)


@given(texts, paths, st.integers(8, 80), counts, st.integers(1, 99))
def test_a_split_loses_nothing_and_keeps_size_and_lines(text, path, size, count, first):
    counter = Counter(count)
    parts, _ = parts_of(text, size, path, counter, first=first)
    assert bool(parts) == bool(text)


@given(texts, st.integers(60, 200), counts)
def test_few_counts_are_needed(text, size, count):
    counter = Counter(count)
    parts, calls = parts_of(text * 20, size, "a.md", counter)
    assert calls <= 1 + 3 * len(parts)


def test_what_fits_is_one_part_after_one_count():
    parts, calls = parts_of("A line.\nAnother.\n", 100, first=7)
    assert parts == (Part("A line.\nAnother.\n", 7, 8, "notes.md", kind="prose"),)
    assert parts[0].place == "notes.md:7-8"
    assert calls == 1


def test_nothing_is_no_part_and_no_count():
    counter = Counter()
    assert split(source(""), 10, counter) == ()
    assert counter.calls == 0


def test_a_large_text_costs_one_count_for_each_part_and_none_of_the_whole():
    text = "".join(f"{number}: a line of a log, much as all others\n" for number in range(20_000))
    counter = Counter()
    parts, calls = parts_of(text, 1000, "a.log", counter)
    assert calls <= 1.1 * len(parts) + 3
    assert counter.longest <= 6000
    assert len(parts) <= 1.2 * counter.count(text) / 1000 + 1


def test_a_text_whose_density_changes_is_split_within_the_size():
    text = "word " * 3000 + "\n" + "#" * 3000 + "\n" + "語" * 3000 + "\nlong" * 2000
    parts, calls = parts_of(text, 200, "a.txt")
    assert calls <= 1 + 2 * len(parts)


def test_a_line_that_is_too_long_is_cut_inside_and_the_columns_say_where():
    parts, _ = parts_of("a line\n" * 7 + "x" * 250 + "\nend\n", 100, "a.log", Counter(len))
    places = [(one.first_line, one.first_column, one.last_line, one.last_column) for one in parts]
    assert places == [(1, 1, 8, 46), (8, 47, 8, 141), (8, 142, 8, 236), (8, 237, 9, None)]


def test_a_character_over_the_size_is_told():
    with pytest.raises(ValueError, match="one character has 4 tokens, a part may have 3"):
        split(source("語語語"), 3, lambda text: 4 * len(text))
    with pytest.raises(ValueError, match="no part can have 0 tokens"):
        split(source("text"), 0, len)
