"""What git ignores is passed over; git itself is the judge."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from projects import build, paths, refused

GIT = {
    **os.environ,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "XDG_CONFIG_HOME": os.devnull,
    "HOME": os.devnull,
}


def git(folder, *arguments):
    command = ["git", "-C", str(folder), "-c", "core.quotePath=false", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=GIT)
    return done.stdout


def seen_by_git(folder):
    listed = git(folder, "ls-files", "-z", "--others", "--cached", "--exclude-standard")
    return sorted(listed.split("\0")[:-1])


def test_ignored_files_are_passed_over_by_folders_and_globs(project):
    build(project, {".git/": "", ".gitignore": "*.log\n!keep.log\nbuild/\n"})
    build(project, {"a.log": "x", "keep.log": "x", "build/out.txt": "x", "src/build/x": "x"})
    assert paths(project, ".") == [".gitignore", "keep.log"]
    assert paths(project, "**/*.log") == ["keep.log"]
    error = refused(project, "src/**")
    assert error.rule == "not-found"
    assert ".gitignore" in error.hint


def test_an_ignored_file_that_is_named_is_read(project):
    build(project, {".gitignore": "*.log\nbuild/\n", "a.log": "x", "build/out.txt": "x"})
    assert paths(project, "a.log", "build/out.txt", "a.log:1") == [
        "a.log",
        "build/out.txt",
        "a.log",
    ]


def test_an_ignored_folder_that_is_named_is_searched(project):
    build(project, {".gitignore": "build/\n*.o\n", "build/out.txt": "x", "build/out.o": "x"})
    assert paths(project, "build") == ["build/out.txt"]
    assert paths(project, "build/*") == ["build/out.txt"]


def test_ignore_files_above_the_project_and_below_it_hold(tmp_path):
    build(tmp_path, {".git/info/exclude": "*.excluded\n", ".gitignore": "*.top\n/deep/project/x\n"})
    project = build(
        tmp_path / "deep/project",
        {"a.top": "a", "x": "x", "a.excluded": "x", "sub/.gitignore": "!b.top\n*.own\n"},
    )
    build(
        project, {"sub/b.top": "b", "sub/c.top": "c", "sub/d.own": "d", "d.own": "d", "sub/x": "x"}
    )
    assert paths(project, "**") == ["d.own", "sub/.gitignore", "sub/b.top", "sub/x"]
    assert paths(project, "sub") == ["sub/.gitignore", "sub/b.top", "sub/x"]
    assert paths(project, "**") == seen_by(tmp_path, project)


def seen_by(top, project):
    """git's own list; its folder is made by hand in the tests and so completed first."""
    exclude = (top / ".git/info/exclude").read_bytes()
    git(top, "init", "-q")
    (top / ".git/info/exclude").write_bytes(exclude)
    return seen_by_git(project)


def test_without_a_repository_the_ignore_files_hold_from_the_root_down(tmp_path):
    build(tmp_path, {".gitignore": "*.md\n"})
    project = build(
        tmp_path / "project", {"a.md": "a", "b.log": "b", "sub/c.log": "c", "sub/d": "d"}
    )
    build(project, {".gitignore": "*.log\n"})
    assert paths(project, "sub") == ["sub/d"]
    assert paths(project, "*") == [".gitignore", "a.md"]


def test_a_worktree_has_its_repositorys_exclude_file(tmp_path):
    main = build(tmp_path / "main", {"a.md": "a"})
    git(main, "init", "-q")
    git(main, "add", "a.md")
    git(main, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a")
    git(main, "worktree", "add", "-q", str(tmp_path / "tree"))
    (main / ".git/info/exclude").write_text("*.scratch\n")
    tree = build(tmp_path / "tree", {"b.scratch": "b", "c.md": "c"})
    assert paths(tree, "*.*") == ["a.md", "c.md"]
    assert paths(tree, "*.*") == seen_by_git(tree)


@pytest.mark.parametrize(
    "pointer", ["", "gitdir: /dev\n", "gitdir: \0\n", "gitdir: ../x\n", "junk"]
)
def test_a_git_file_that_leads_nowhere_changes_nothing(project, pointer):
    build(project, {".git": pointer, "a.md": "a", ".gitignore": "b.md", "b.md": "b"})
    assert paths(project, "*.md") == ["a.md"]


def test_a_byte_order_mark_and_windows_line_ends_are_no_part_of_a_pattern(project):
    build(
        project, {".gitignore": "\ufeff*.log\r\nbuild/\r\n", "a.log": "a", "build/x": "x", "b": "b"}
    )
    assert paths(project, "[ab]*") == ["b"]


# The two that a whole-path matcher gets wrong where a walk must not enter ignored folders.
@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("*\n!*/\n!*.py\n", ["src/a.py"]),
        ("logs/**\n!logs/.gitkeep\n.gitignore\n", ["logs/.gitkeep", "src/a.py", "src/b.txt"]),
        ("/*\n!/src/\n", ["src/a.py", "src/b.txt"]),
        ("src\n!src/a.py\n.gitignore\nlogs", []),
    ],
)
def test_lists_that_let_some_files_through(project, lines, expected):
    build(project, {"src/a.py": "a", "src/b.txt": "b", "logs/.gitkeep": "k", "logs/x": "x"})
    git(project, "init", "-q")
    build(project, {".gitignore": lines})
    assert seen_by_git(project) == expected
    if expected:
        assert paths(project, ".") == expected
    else:
        assert refused(project, ".").rule == "not-found"


@pytest.mark.parametrize(
    "line", ["[z-a]", "[[:alpha:]]", "[[:nonsense:]]", "a\\", "[", "!", "/", "**", "\\"]
)
def test_odd_patterns_do_what_git_does(project, line):
    build(project, {"a": "a", "b/c": "c", "z": "z", "1": "1", "[": "x"})
    git(project, "init", "-q")
    build(project, {".gitignore": f"{line}\n!.gitignore\n"})
    assert paths(project, ".") == seen_by_git(project)


def test_no_pattern_of_a_cloned_repository_makes_the_search_slow(project):
    build(project, {"a" * 250: "x", "a/" * 100 + "f": "x"})
    slow = [
        "*a" * 60 + "b",
        "**/a/" * 12 + "b",
        "?*" * 60 + "b",
        "**/*a*/" * 10 + "*b",
        "[a]*" * 50 + "b",
    ]
    build(project, {".gitignore": "\n".join(slow)})
    assert len(paths(project, ".")) == 3
    assert refused(project, "**/a*/" * 10 + "*a" * 40 + "b").rule == "not-found"


# Not among them: `a**/`, where git up to 2.40 compares pointers of two strings and chance decides.
atoms = st.sampled_from(
    [
        "a",
        "b",
        "c",
        "ab",
        "a.b",
        "*",
        "?",
        "**",
        "[ab]",
        "[!a]",
        "[^b]",
        "[a-c]",
        "*.b",
        "a*",
        "\\a",
        "\\*",
        "[]a]",
        "[a",
        "[z-a]",
        "[[:alpha:]]",
        "***",
        "**b",
        "\\!a",
        "\\#a",
        "[a-]",
        "[\\]a]",
        "[-a]",
        ".",
        "..",
        "[!]a]",
        "[a\\-c]",
        "[[]",
        "a]",
        "??",
        "a\\",
    ]
) | st.sampled_from(["#a", "!a", " a", "a ", "a\\ ", "a  ", ""])


patterns = st.builds(
    lambda negated, anchored, segments, folder: (
        "!" * negated + "/" * anchored + "/".join(segments) + "/" * folder
    ),
    st.booleans(),
    st.booleans(),
    st.lists(atoms, min_size=1, max_size=3),
    st.booleans(),
)
folder_names = st.sampled_from(["a", "b", "ab", "a.b", "a b", "-a", "a]", "#a", "!a"])
file_names = st.sampled_from(["a", "b", "c", "ab", "a.b", "b.c", "a ", " a", "A", "[", "!a", "\\"])
folders = st.lists(folder_names, max_size=3).map("/".join)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(folders, file_names), min_size=1, max_size=12),
    st.dictionaries(folders, st.lists(patterns, min_size=1, max_size=4), min_size=1, max_size=3),
    st.lists(patterns, max_size=2),
)
def test_a_folder_is_what_git_lists(files, ignored, excluded):
    with tempfile.TemporaryDirectory() as name:
        project = Path(name)
        for folder, file in files:
            place = project / folder
            if not any(one.is_file() for one in (place, *place.parents)):
                place.mkdir(parents=True, exist_ok=True)
                if not (place / file).exists():
                    (place / file).write_text("x")
        for folder, lines in ignored.items():
            if (project / folder).is_dir():
                (project / folder / ".gitignore").write_text("\n".join(lines) + "\n")
        build(project, BARE_REPOSITORY)
        build(project, {".git/info/exclude": "\n".join(excluded)})
        expected = seen_by_git(project)
        if expected:
            assert paths(project, ".") == expected
            for top in {path.split("/")[0] for path in expected if "/" in path}:
                below = [path for path in expected if path.startswith(f"{top}/")]
                assert paths(project, f"./{top}/") == below
        else:
            assert refused(project, ".").rule == "not-found"


BARE_REPOSITORY = {
    ".git/HEAD": "ref: refs/heads/main\n",
    ".git/config": "[core]\n\trepositoryformatversion = 0\n\tbare = false\n",
    ".git/objects/": "",
    ".git/refs/": "",
}
