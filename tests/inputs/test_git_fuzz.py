"""Repositories of any make: no byte of a file that is refused is in what is read."""

import shutil
import tempfile
from pathlib import Path

import pytest
from git_repositories import git
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from projects import build

from spadework.config.models import ReferencesConfig
from spadework.errors import ReferenceRefused
from spadework.references.reader import read_references
from spadework.references.roots import Roots

pytestmark = pytest.mark.slow

MARK = "hunter"
FOLDERS = ["", "a b/", "ü/", "tab\t/", "new\nline/", 'quo"te/', "b/", "a/", "-x/", "a -> b/"]
REFUSED = [".env", ".env.local", "x.pem", "id_rsa", ".npmrc", "k.key"]
OPEN = ["a.txt", "b.py", "diff --git a b", "@@ -1 +1 @@", "+++ b", " x", "{a => b}"]
LINES = ["", " ", "x", "y", "-- a/x", "++ b/x", "@@ -1 +1 @@", "diff --git a/x b/x", "\r", "\t"]
KEY = ["-----BEGIN PRIVATE KEY-----", *(f"{MARK}{n}MIIEvQIBADANBgkqhkiG9w" for n in range(20))]
CONFIG = [
    ("diff.noprefix", "true"), ("diff.mnemonicPrefix", "true"), ("diff.renames", "copies"),
    ("diff.context", "0"), ("diff.context", "99"), ("diff.suppressBlankEmpty", "true"),
    ("diff.algorithm", "histogram"), ("log.diffMerges", "dense-combined"), ("log.date", "raw"),
    ("diff.submodule", "diff"), ("core.quotePath", "true"), ("core.abbrev", "40"),
    ("diff.d.xfuncname", "^.*$"), ("diff.d.binary", "false"), ("merge.conflictStyle", "diff3"),
    ("core.autocrlf", "true"), ("diff.interHunkContext", "9"), ("diff.wordRegex", "."),
]  # fmt: skip
ATTRIBUTES = ["* diff=d", "* -diff", "* text eol=crlf", "*.txt merge=union", "* ident", "* diff"]
REFERENCES = [
    "git:diff", "git:diff --staged", "git:diff HEAD", "git:diff theirs", "git:diff theirs...",
    "git:diff main theirs", "git:show", "git:show theirs", "git:show merged", "git:log -p",
    "git:log -p main..theirs", "git:diff --stat", "git:log --name-status", "git:diff merged",
    "git:log -p -3 -- a.txt", "git:show --stat", "git:log --oneline",
]  # fmt: skip

texts = st.lists(st.sampled_from(LINES), max_size=8).map("\n".join)
ends = st.sampled_from(["", "\n"])


@st.composite
def trees(draw):
    """Files of one state: open ones, refused ones, and open ones that hold a key."""
    files = {}
    for folder in draw(st.lists(st.sampled_from(FOLDERS), min_size=1, max_size=3, unique=True)):
        for name in draw(st.lists(st.sampled_from(OPEN), max_size=3)):
            files[folder + name] = draw(texts) + draw(ends)
        for name in draw(st.lists(st.sampled_from(REFUSED), max_size=2)):
            files[folder + name] = f"{MARK} {draw(texts)}\n{MARK}{draw(ends)}"
        if draw(st.booleans()):
            key = list(KEY)
            key[draw(st.integers(1, 19))] = f"{MARK}{draw(texts)!r}"
            files[folder + "notes.md"] = "\n".join([draw(texts), *key, draw(texts)])
    return files


def write(project, files):
    for path in project.iterdir():
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    build(project, files)


def commit(project, files, message):
    write(project, files)
    git(project, "add", "-A", "-f")
    git(project, "commit", "-q", "--allow-empty", "-m", message)


def make(project, states, config, attributes, last):
    base, ours, theirs, work = states
    git(project, "init", "-qb", "main")
    for key, value in config:
        git(project, "config", key, value)
    (project / ".git/info").mkdir(exist_ok=True)
    (project / ".git/info/attributes").write_text("\n".join(attributes))
    commit(project, base, "Base\n\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-x")
    git(project, "checkout", "-qb", "theirs")
    commit(project, theirs, "Theirs")
    git(project, "checkout", "-q", "main")
    commit(project, ours, "* Unmerged path x")
    git(project, "checkout", "-qb", "merged")
    git(project, "merge", "-q", "-X", "ours", "theirs", check=False)
    git(project, "add", "-A", "-f")
    git(project, "commit", "-qm", "Merged", "--allow-empty", check=False)
    git(project, "checkout", "-q", "-f", "main")
    if last == "merge":
        git(project, "merge", "-q", "theirs", check=False)
        return
    write(project, work)
    if last == "staged":
        git(project, "add", "-A", "-f")
    elif last == "intended":
        git(project, "add", "-A", "-f", "-N")


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    st.tuples(trees(), trees(), trees(), trees()),
    st.lists(st.sampled_from(CONFIG), max_size=3),
    st.lists(st.sampled_from(ATTRIBUTES), max_size=2),
    st.sampled_from(["merge", "merge", "staged", "unstaged", "intended"]),
    st.lists(st.sampled_from(REFERENCES), min_size=5, max_size=5, unique=True),
)
def test_no_byte_of_a_refused_file_is_read(states, config, attributes, last, references):
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        make(project, states, config, attributes, last)
        names = [name for state in states for name in state]
        for reference in references:
            shown, refusal = outcome(project, reference)
            assert MARK not in shown + str(refusal), (reference, shown)
            if refusal:  # a repository is refused for its form, never because git's is not known
                assert refusal.rule == "git", refusal
                # Git prints the name of an unmerged file as it is, with the line ends in it.
                assert "format" not in str(refusal) or any("\n" in name for name in names), refusal
            event(refusal.rule if refusal else "combined" if "diff --cc" in shown else "read")


def outcome(project, reference):
    try:
        material = read_references([reference], roots=Roots.of(project), limits=ReferencesConfig())
    except ReferenceRefused as refusal:
        return "", refusal
    return material.sources[0].text + repr(material.left_out), None
