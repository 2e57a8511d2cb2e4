"""What a reference means: files, ranges, globs, folders, and their order."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from projects import build, paths, read, refused

from spadework.references.syntax import LineRange, parse_lines, split_glob, split_lines

TEN_LINES = "".join(f"line {number}\n" for number in range(1, 11))


def lines_of(project, reference):
    (source,) = read(project, reference).sources
    return source.text, source.first_line, source.last_line, source.total_lines


def test_a_file_is_read_whole(project):
    build(project, {"notes.md": TEN_LINES})
    (source,) = read(project, "notes.md").sources
    assert source.path == "notes.md"
    assert source.text == TEN_LINES
    assert (source.first_line, source.last_line, source.total_lines) == (1, 10, 10)
    assert source.bytes == len(TEN_LINES)
    assert source.encoding == "utf-8"
    assert not source.private


@pytest.mark.parametrize(
    ("lines", "text", "first", "last"),
    [
        ("3-5", "line 3\nline 4\nline 5\n", 3, 5),
        ("4", "line 4\n", 4, 4),
        ("9-", "line 9\nline 10\n", 9, 10),
        ("1-1", "line 1\n", 1, 1),
        ("10-10", "line 10\n", 10, 10),
        ("8-9999", "line 8\nline 9\nline 10\n", 8, 10),
    ],
)
def test_a_range_gives_its_lines_and_is_cut_at_the_end(project, lines, text, first, last):
    build(project, {"notes.md": TEN_LINES})
    assert lines_of(project, f"notes.md:{lines}") == (text, first, last, 10)


def test_the_bytes_of_a_range_are_those_of_its_text(project):
    build(project, {"notes.md": "ä\nöü\nabc\n"})
    material = read(project, "notes.md:2", "notes.md:3")
    assert [source.bytes for source in material.sources] == [5, 4]
    assert material.bytes == 9


@pytest.mark.parametrize(
    "text", ["a\nb\n\nc", "\n", "\n\n\n", "x", "a\r\nb\rc\n", "a\x0bb\x0c\u2028c\n"]
)
def test_lines_end_at_line_feeds_and_carriage_returns_only(project, text):
    build(project, {"f": text})
    lines = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
    for number, line in enumerate(lines, 1):
        found, _, _, total = lines_of(project, f"f:{number}")
        assert found.removesuffix("\n") == line
        assert total == len(lines)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("5-3", "ends at line 3, before its start at line 5"),
        ("0", "count from 1"),
        ("0-4", "count from 1"),
        ("-4", "no range"),
        ("-", "no range"),
        ("", "no range"),
        ("L10-L20", "no range"),
        ("3..5", "no range"),
        ("9" * 5000, "longer than"),
        ("9" * 3000, "no range"),
        ("11", "it has 10 lines"),
        ("11-12", "it has 10 lines"),
    ],
)
def test_a_range_that_holds_no_line_is_refused(project, lines, says):
    build(project, {"notes.md": TEN_LINES})
    error = refused(project, f"notes.md:{lines}")
    assert error.rule == ("bad-reference" if "longer" in says else "bad-range")
    assert says in str(error)
    assert "START-END" in error.hint


def test_a_range_of_an_empty_file_is_refused_with_its_count_of_lines(project):
    build(project, {"empty": ""})
    assert "it has 0 lines" in str(refused(project, "empty:1"))


@pytest.mark.parametrize("reference", ["docs:3", "docs/:1-2", "docs/*.md:3", "*.md:1-2", "**:4-"])
def test_a_range_needs_one_file(project, reference):
    build(project, {"docs/a.md": "a", "b.md": "b"})
    error = refused(project, reference)
    assert error.rule == "bad-range"
    assert "needs one file" in str(error)


def test_a_file_whose_name_looks_like_a_range_is_that_file(project):
    build(project, {"a": "1\n2\n3\n", "a:2": "the file a:2\n"})
    assert read(project, "a:2").sources[0].text == "the file a:2\n"
    assert read(project, "a:2:1").sources[0].path == "a:2"
    assert read(project, "a:3").sources[0].text == "3\n"


def test_a_file_whose_name_looks_like_a_glob_is_that_file(project):
    build(project, {"a[1].txt": "brackets", "a1.txt": "one", "b*": "star", "bc": "no"})
    assert paths(project, "a[1].txt") == ["a[1].txt"]
    assert paths(project, "b*") == ["b*"]
    assert paths(project, "a[0-9].txt") == ["a1.txt"]


def test_a_glob_may_hold_a_colon(project):
    build(project, {"a:x": "1", "a:y": "2", "b:1-2": "3"})
    assert paths(project, "a:*") == ["a:x", "a:y"]
    assert paths(project, "?:[0-9]*") == ["b:1-2"]
    assert paths(project, "*") == ["a:x", "a:y", "b:1-2"]


def test_references_keep_their_order_and_a_file_is_read_once_where_it_is_named_first(project):
    build(project, {"b.md": "b", "a.md": "a", "docs/x.md": "x", "docs/a.md": "y"})
    assert paths(project, "docs/x.md", "b.md", "docs", "*.md", "b.md") == [
        "docs/x.md",
        "b.md",
        "docs/a.md",
        "a.md",
    ]


def test_a_file_that_is_named_by_a_link_too_is_read_once(project):
    build(project, {"AGENTS.md": "agents"})
    (project / "CLAUDE.md").symlink_to("AGENTS.md")
    assert paths(project, ".") == ["AGENTS.md"]
    assert paths(project, "CLAUDE.md") == ["CLAUDE.md"]


def test_different_ranges_of_one_file_are_all_kept(project):
    build(project, {"f": TEN_LINES})
    material = read(project, "f:2-3", "f:1", "f:2-3", "f")
    assert [(one.first_line, one.last_line) for one in material.sources] == [
        (2, 3),
        (1, 1),
        (1, 10),
    ]


def test_the_home_folder_stands_behind_a_tilde(project, monkeypatch):
    monkeypatch.setenv("HOME", str(project))
    build(project, {"notes/a.md": "a"})
    assert paths(project, "~/notes/a.md") == ["notes/a.md"]
    assert paths(project, "~/notes/*.md") == ["notes/a.md"]
    assert paths(project, "~") == ["notes/a.md"]


def test_paths_are_shown_relative_to_the_project_and_absolute_elsewhere(project, tmp_path):
    build(project, {"src/a.py": "a"})
    other = build(tmp_path / "other", {"b.py": "b"})
    assert paths(project, str(project / "src/a.py")) == ["src/a.py"]
    assert paths(project, "./src/../src//a.py") == ["src/a.py"]
    assert paths(project, "../project/src/a.py") == ["src/a.py"]
    assert paths(project, str(other / "b.py"), extra=[other]) == [str(other / "b.py")]
    assert paths(project, "../other/", extra=[other]) == [str(other / "b.py")]


def test_a_project_that_is_reached_through_a_link_shows_the_same_paths(project, tmp_path):
    build(project, {"src/a.py": "a"})
    (tmp_path / "link").symlink_to(project)
    assert paths(tmp_path / "link", str(tmp_path / "link" / "src/a.py")) == ["src/a.py"]
    assert paths(project, str(tmp_path / "link" / "src")) == ["src/a.py"]


@pytest.mark.parametrize("written", ["NFC", "NFD"])
@pytest.mark.parametrize("asked", ["NFC", "NFD"])
def test_both_unicode_forms_of_a_name_find_the_file(project, written, asked):
    build(project, {unicodedata.normalize(written, "Größe/é.md"): "text"})
    for reference in ("Größe/é.md", "Größe/", "Größe/*é.md", "*/é.*", "Größe/é.md:1"):
        material = read(project, unicodedata.normalize(asked, reference))
        assert [source.text for source in material.sources] == ["text"]


def test_an_empty_file_that_is_named_is_a_source_without_lines(project):
    build(project, {"empty": ""})
    assert lines_of(project, "empty") == ("", 1, 0, 0)


def test_no_references_are_no_material(project):
    assert read(project).sources == ()


def test_a_name_that_is_close_is_suggested(project):
    build(project, {"README.md": "x", "src/delegate.py": "x"})
    assert "README.md" in refused(project, "readme.md").hint
    assert "delegate.py" in refused(project, "src/delegat.py").hint
    assert "delegate.py" in refused(project, "src/deleGate.py:3-4").hint


@pytest.mark.parametrize(
    "reference", ["absent.md", "absent/x.md", "absent.md:3", "README.md/x", "n" * 300]
)
def test_what_does_not_exist_is_not_found(project, reference):
    build(project, {"README.md": "x"})
    error = refused(project, reference)
    assert error.rule == "not-found"
    assert error.reference == reference
    assert error.hint


@pytest.mark.parametrize(
    "reference",
    ["", "  ", "a\0b", "a\nb", "a\x1b[31m", "a\u2028b", "a\udcffb", "a/" * 3000, "\0", "a\u202eb"],
)
def test_what_is_no_reference_at_all_is_refused_and_can_be_printed(project, reference):
    error = refused(project, reference)
    assert error.rule == "bad-reference"
    assert str(error).isprintable()


@given(st.integers(1, 10**17), st.integers(1, 10**17))
def test_a_range_is_parsed_as_it_is_written(one, other):
    first, last = sorted((one, other))
    assert parse_lines(f"{first}-{last}") == LineRange(first, last)
    assert parse_lines(f"{first}-") == LineRange(first, None)
    assert parse_lines(str(first)) == LineRange(first, first)


@given(st.text(alphabet="ab:/-0123456789*", max_size=12))
def test_splitting_a_reference_loses_nothing(reference):
    name, lines = split_lines(reference)
    assert reference == (name if lines is None else f"{name}:{lines}")


@pytest.mark.parametrize(
    ("glob", "folder", "pattern"),
    [
        ("*.md", ".", "*.md"),
        ("src/**/*.py", "src", "**/*.py"),
        ("/abs/x/[ab].txt", "/abs/x", "[ab].txt"),
        ("/*", "/", "*"),
        ("./a/b?//./c", "./a", "b?/c"),
        ("src/*/", "src", "*/**"),
    ],
)
def test_a_glob_starts_in_the_folder_before_its_first_wildcard(glob, folder, pattern):
    assert split_glob(glob) == (folder, pattern)


@settings(deadline=None)
@given(
    st.lists(st.text(alphabet="ab \tä€\x0b\x0c\u2028", max_size=5), min_size=1, max_size=30),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
    st.integers(1, 30),
    st.integers(0, 30),
)
def test_a_range_is_the_slice_of_the_lines(tmp_path_factory, lines, end, ended, first, more):
    project = tmp_path_factory.mktemp("ranges")
    text = end.join(lines) + (end if ended else "")
    build(project, {"f": text})
    whole = [line + "\n" for line in lines]
    if not ended:
        whole[-1] = whole[-1].removesuffix("\n")
        whole = whole if whole[-1] else whole[:-1]
    reference = f"f:{first}-{first + more}"
    if first > len(whole):
        assert refused(project, reference).rule == "bad-range"
        return
    (source,) = read(project, reference).sources
    assert source.text == "".join(whole[first - 1 : first + more])
    assert (source.first_line, source.last_line) == (first, min(first + more, len(whole)))
    assert source.total_lines == len(whole)
