"""What belongs to a folder and to a glob, and in which order."""

import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from projects import build, left_out, paths, refused

TREE = dict.fromkeys(
    [
        "README.md",
        "a.txt",
        "b.txt",
        "c.txt",
        "ab.txt",
        ".hidden.md",
        "src/main.py",
        "src/main.pyi",
        "src/pkg/mod.py",
        "src/pkg/deep/mod.py",
        "src/pkg/deep/data.json",
        "docs/guide.md",
        "docs/.draft.md",
        ".github/workflows/ci.yml",
        ".git/HEAD",
        ".git/hooks/pre-commit.md",
    ],
    "x",
)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("*.md", [".hidden.md", "README.md"]),
        ("**/*.md", [".hidden.md", "README.md", "docs/.draft.md", "docs/guide.md"]),
        ("src/**/*.py", ["src/main.py", "src/pkg/deep/mod.py", "src/pkg/mod.py"]),
        ("src/*.py", ["src/main.py"]),
        ("src/*", ["src/main.py", "src/main.pyi"]),
        ("src/**/deep/*", ["src/pkg/deep/data.json", "src/pkg/deep/mod.py"]),
        ("src/*/mod.py", ["src/pkg/mod.py"]),
        ("src/**/mod.py", ["src/pkg/deep/mod.py", "src/pkg/mod.py"]),
        ("**/pkg/**/mod.py", ["src/pkg/deep/mod.py", "src/pkg/mod.py"]),
        ("src/*/", ["src/pkg/deep/data.json", "src/pkg/deep/mod.py", "src/pkg/mod.py"]),
        ("[ab].txt", ["a.txt", "b.txt"]),
        ("[!ab].txt", ["c.txt"]),
        ("[a-b].txt", ["a.txt", "b.txt"]),
        ("?.txt", ["a.txt", "b.txt", "c.txt"]),
        ("??.txt", ["ab.txt"]),
        ("*b*", ["ab.txt", "b.txt"]),
        ("*/*.yml", []),
        ("*/*/*.yml", [".github/workflows/ci.yml"]),
        (".github/**", [".github/workflows/ci.yml"]),
        ("./docs//*.md", ["docs/.draft.md", "docs/guide.md"]),
        ("docs", ["docs/.draft.md", "docs/guide.md"]),
        ("docs/", ["docs/.draft.md", "docs/guide.md"]),
        ("docs/**", ["docs/.draft.md", "docs/guide.md"]),
        ("**/HEAD", []),
        (".git*/**", [".github/workflows/ci.yml"]),
        ("*.PY", []),
        ("README.md/*", []),
        ("absent/*", []),
    ],
)
def test_a_glob_matches_like_git(project, reference, expected):
    build(project, TREE)
    if expected:
        assert paths(project, reference) == expected
    else:
        assert refused(project, reference).rule == "not-found"


def test_a_folder_is_all_that_is_below_but_git(project):
    build(project, TREE)
    assert paths(project, ".") == sorted(path for path in TREE if not path.startswith(".git/"))
    assert paths(project, "**") == paths(project, ".")
    assert paths(project, str(project)) == paths(project, ".")


@pytest.mark.parametrize("reference", [".git", ".git/", ".git/hooks", ".git/*", ".git/**/*.md"])
def test_git_is_never_searched(project, reference):
    build(project, TREE)
    assert refused(project, reference).rule == "git-folder"


def test_a_file_in_git_that_is_named_is_read(project):
    build(project, TREE)
    assert paths(project, ".git/HEAD") == [".git/HEAD"]


def test_two_dots_behind_a_wildcard_are_refused(project):
    build(project, TREE)
    error = refused(project, "*/../README.md")
    assert error.rule == "bad-reference"
    assert "'..'" in str(error)


def test_a_glob_in_a_project_whose_own_name_has_brackets(tmp_path):
    project = build(tmp_path / "a[1]*?", {"x.md": "x", "sub/y.md": "y"})
    assert paths(project, "*.md") == ["x.md"]
    assert paths(project, "**/*.md") == ["sub/y.md", "x.md"]
    assert paths(project, "sub") == ["sub/y.md"]


def test_a_very_deep_tree_is_read_to_its_end(project):
    folder = "d/" * 1050
    subprocess.run(["mkdir", "-p", folder], cwd=project, check=True)
    subprocess.run([sys.executable, "-c", DEEP_WRITER, folder], cwd=project, check=True)
    assert paths(project, "**/leaf.md", max_files=2) == [f"{folder}leaf.md"]
    subprocess.run(["rm", "-r", "d"], cwd=project, check=True)


DEEP_WRITER = """
import os, sys
os.chdir(sys.argv[1])
open("leaf.md", "w").write("x")
"""

names = st.text(alphabet="abAB.-_ é1", min_size=1, max_size=4).filter(
    lambda name: name.strip(".") and not name.lower().startswith((".env", "id_"))
)
trees = st.sets(st.lists(names, min_size=1, max_size=4).map("/".join), min_size=1, max_size=15)


@settings(deadline=None)
@given(trees, st.randoms(use_true_random=False))
def test_the_order_is_that_of_the_paths_however_the_files_came_to_be(
    tmp_path_factory, tree, shuffle
):
    files = [one for one in tree if not any(other.startswith(f"{one}/") for other in tree)]
    orders = []
    for _ in range(2):
        shuffle.shuffle(files)
        project = build(tmp_path_factory.mktemp("order"), dict.fromkeys(files, "x"))
        orders.append(paths(project, "."))
    assert orders == [sorted(files)] * 2


def test_a_large_folder_comes_sorted(project):
    files = [f"f{number}" for number in range(300)] + [f"f{number}/x" for number in range(300, 400)]
    random.Random(1).shuffle(files)
    build(project, dict.fromkeys(files, "x"))
    assert paths(project, "**") == sorted(files)


def test_ignored_folders_are_not_even_entered(project):
    build(project, {".gitignore": "node_modules/\n", "src/a.js": "a", "node_modules/x/": ""})
    (project / "node_modules/x/link.js").symlink_to("/etc/passwd")
    assert left_out(project, ".") == {}
    assert left_out(project, "**/*.js") == {}
