"""Prose is cut at headings and sentences, code at definitions, what git shows at files."""

import sys
import textwrap

import pytest
from counting import Counter, parts_of
from tree_sitter_language_pack import get_parser

from spadework.references.splitting.outlines import GRAMMARS

PARAGRAPH = "It was a dark night. The wind howled, as winds do. Nobody was out.\n\n"
PYTHON = textwrap.dedent('''\
    """A module."""

    import os


    def first():
        """It has blank lines inside."""

        a = 1

        return a


    # What second does.
    # In two lines.
    @cached
    def second(b):
        return b


    class Third:
        """A class."""

        def fourth(self):
            return os.name

        async def fifth(self):
            x = 1

            return x
''')
OTHERS = {
    "a.js": ("export class A {{\n  m() {{\n    return {0};\n  }}\n}}\n", "A"),
    "a.ts": ("export interface A {{\n  m(): {0};\n}}\n", "A"),
    "a.rs": ("/// Doc.\n#[inline]\npub fn f{0}() {{\n    g();\n}}\n", "f"),
    "a.go": ("func F{0}() {{\n\tg()\n}}\n", "F"),
    "a.c": ("static int f{0}(int a) {{\n  return a;\n}}\n", "f"),
    "a.java": ("class A{0} {{\n  void m() {{\n    g();\n  }}\n}}\n", "A"),
    "a.rb": ("def f{0}\n  1\nend\n", "f"),
    "a.sh": ("function f{0}() {{\n  echo 1\n}}\n", "f"),
}


def texts(parts):
    return [part.text for part in parts]


def test_prose_is_cut_before_headings_and_titles_say_where_a_part_lies():
    text = "".join(
        f"# Chapter {a}\n\n" + "".join(f"## Part {b}\n\n{PARAGRAPH * 3}" for b in range(2))
        for a in range(3)
    )
    parts, _ = parts_of(text, 260, counter=Counter(len))
    assert all(one.text.startswith("#") for one in parts)
    assert {one.title for one in parts} == {
        f"Chapter {a}{within}" for a in range(3) for within in ("", " > Part 1")
    }
    assert {one.kind for one in parts} == {"prose"}


def test_a_heading_is_never_the_last_line_of_a_part():
    text = "".join(f"{PARAGRAPH * (n % 4 + 1)}###### Heading {n}\n\n" for n in range(40)) + "end"
    for size in range(150, 400, 7):
        parts, _ = parts_of(text, size, counter=Counter(len))
        ends = [one.text.rstrip().rpartition("\n")[2] for one in parts]
        assert not any(end.startswith("#") for end in ends)


def test_a_number_sign_in_a_fence_is_no_heading():
    text = f"# One\n\n{PARAGRAPH}```sh\n# a comment\n\n{PARAGRAPH}```\n\n## Two\n\n{PARAGRAPH * 4}"
    parts, _ = parts_of(text, 230, counter=Counter(len))
    assert not any("comment" in part.title for part in parts)
    assert parts[-1].title == "One > Two"


def test_underlined_headings_count_too():
    text = f"One\n===\n\n{PARAGRAPH * 3}Two\n---\n\n{PARAGRAPH * 3}"
    parts, _ = parts_of(text, 250, "a.rst", Counter(len))
    assert [part.title for part in parts] == ["One", "One > Two"]


def test_a_long_paragraph_is_cut_between_sentences():
    parts, _ = parts_of("The quick brown fox jumps. " * 60, 300, counter=Counter(len))
    assert len(parts) <= 8
    assert all(part.text.endswith("jumps. ") for part in parts)


def test_python_is_cut_at_definitions_with_their_comments_and_decorators():
    parts, _ = parts_of(PYTHON, 150, "a.py", Counter(len))
    assert [part.title for part in parts] == ["", "second", "Third"]
    assert parts[1].text.startswith("# What second does.\n")
    assert parts[2].text.startswith("class Third")
    assert {part.kind for part in parts} == {"code"}


@pytest.mark.parametrize("path", OTHERS)
def test_other_languages_are_cut_at_definitions(path):
    pattern, name = OTHERS[path]
    text = "".join(pattern.format(number) for number in range(30))
    parts, _ = parts_of(text, 200, path, Counter(len))
    assert all(part.text.startswith(text[:4]) for part in parts)
    assert all(part.title.startswith(name) for part in parts)


def test_every_language_of_the_table_has_its_grammar_in_the_package():
    for grammar in set(GRAMMARS.values()):
        assert get_parser(grammar).parse(b"x") is not None


@pytest.mark.parametrize("path", ["a.py", "a.zz"])
def test_without_the_extra_code_is_cut_by_lines_at_the_margin(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tree_sitter_language_pack", None)
    parts, _ = parts_of(PYTHON, 150, path, Counter(len))
    assert {part.kind for part in parts} == {"lines"}
    assert [part.text[:8] for part in parts] == ['"""A mod', "# What s", "class Th"]


def test_code_in_which_nothing_is_right_is_split_all_the_same():
    for text in ("\"'`" * 20_000, "(" * 50_000, "\0\x01{{{;;\n" * 3000, "語\ud800\n" * 3000):
        for path in ("a.cs", "a.php", "a.py"):
            parts_of(text, 5000, path, Counter(len))


def test_code_with_characters_of_several_bytes_keeps_its_lines():
    text = "".join(f"def größe_{number}():\n    return '語{number}'\n\n\n" for number in range(40))
    parts, _ = parts_of(text, 300, "a.py", Counter(len))
    assert all(part.text.startswith("def größe_") for part in parts)
    assert parts[0].title == "größe_0"


def test_what_git_shows_is_cut_at_files_and_commits():
    patch = "diff --git a/{0} b/{0}\n--- a/{0}\n+++ b/{0}\n@@ -1,2 +1,2 @@\n-a\n+b\n\n c\n"
    text = "".join(patch.format(f"f{number}.py") for number in range(20))
    parts, _ = parts_of(text, 250, "git:diff", Counter(len))
    assert all(part.text.startswith("diff --git") for part in parts)
    assert parts[0].title == "f0.py"


def test_a_converted_document_is_prose():
    text = f"# One\n\n{PARAGRAPH * 3}# Two\n\n{PARAGRAPH * 3}"
    parts, _ = parts_of(text, 250, "a.pdf", Counter(len), note="converted from PDF")
    assert [part.title for part in parts] == ["One", "Two"]
