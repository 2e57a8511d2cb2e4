"""Wildcards and pattern lists by themselves; git's own judgement is in test_gitignore."""

import re
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spadework.references.gitignore import pattern_list
from spadework.references.wildcards import wildcard_regex


def matches(pattern, path):
    return re.fullmatch(wildcard_regex(pattern), path, re.DOTALL) is not None


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("*.py", ["a.py", ".py"], ["a/b.py", "a.pyi"]),
        ("**/*.py", ["a.py", "a/b.py", "a/b/c.py"], ["a.txt"]),
        ("a/**", ["a/b", "a/b/c"], ["a", "a/", "b"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["ab", "a/xb"]),
        ("a**b", ["ab", "axxb"], ["a/b"]),
        ("a?b", ["axb", "aéb"], ["a/b", "ab"]),
        ("[ab]", ["a", "b"], ["c", "ab"]),
        ("[!ab]", ["c"], ["a", "/"]),
        ("[^ab]", ["c"], ["b"]),
        ("[]a]", ["]", "a"], ["b"]),
        ("[a-]", ["a", "-"], ["b"]),
        ("[a-c]x", ["bx"], ["dx"]),
        ("[z-a]", ["z"], ["a", "m"]),
        ("[[:digit:]]", ["7"], ["x"]),
        ("[[:nonsense:]]", [], ["n", ":"]),
        ("[a", [], ["[a", "a"]),
        ("\\*", ["*"], ["a"]),
        ("a\\", [], ["a", "a\\"]),
        ("a.b+", ["a.b+"], ["axb", "a.bb"]),
        ("[a&&b--c]", ["&", "a"], ["x"]),
        ("", [""], ["a"]),
    ],
)
def test_wildcards_mean_what_git_means(pattern, yes, no):
    assert [path for path in yes if not matches(pattern, path)] == []
    assert [path for path in no if matches(pattern, path)] == []


@settings(deadline=None)
@given(st.text(max_size=20))
def test_any_pattern_compiles_without_a_warning(pattern):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        re.compile(wildcard_regex(pattern))
        pattern_list(pattern)


@settings(deadline=None)
@given(st.text(alphabet="ab.*?[]\\!-^/", max_size=8))
def test_an_escaped_name_matches_itself_only(name):
    escaped = re.sub(r"([*?\[\\])", r"\\\1", name)
    assert matches(escaped, name)
    assert not matches(escaped, f"{name}x")


def test_the_last_line_that_matches_decides():
    listed = pattern_list("*.md\n!keep.md\nkeep.md\n!a/keep.md\n")
    assert listed.line_for("keep.md") == "keep.md"
    assert listed.line_for("a/keep.md") == "!a/keep.md"
    assert listed.line_for("b.txt") is None
    assert [listed.names(path) for path in ("x.md", "keep.md", "a/keep.md")] == [True, True, False]


def test_a_folder_pattern_covers_what_is_in_it_and_names_only_the_folder():
    listed = pattern_list("private/\n")
    assert listed.names("a/private/")
    assert not listed.names("a/private")
    assert not listed.names("a/private/b")
    assert listed.covers("a/private/b")
    assert not listed.covers("a/private")


@pytest.mark.parametrize(
    ("line", "pattern"),
    [
        ("a  ", "a"),
        ("a\\  ", "a\\ "),
        ("a b ", "a b"),
        ("a\t", "a\t"),
        ("a\r", "a"),
        ("a\\\\ ", "a\\\\"),
        (" a", " a"),
    ],
)
def test_blanks_at_the_end_are_cut_unless_escaped(line, pattern):
    assert pattern_list(line).lines == (pattern,)


def test_comments_and_empty_lines_are_no_patterns():
    assert pattern_list("# a\n\n   \n\\#b\n").lines == ("\\#b",)
    assert pattern_list("").line_for("a") is None
