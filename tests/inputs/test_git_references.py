"""What git shows is read by reference: a closed list of commands, no trace, no secret."""

import subprocess
from contextlib import suppress

import pytest
from git_repositories import commit, git
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from projects import build, left_out, read, refused

from spadework.config.models import ReferencesConfig
from spadework.errors import ReferenceRefused
from spadework.references.git.grammar import FLAGS, parse
from spadework.references.reader import read_references
from spadework.references.roots import Roots

KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n"


@pytest.fixture
def repository(project):
    git(project, "init", "-qb", "main")
    commit(project, "Begin", {"a.py": "one\ntwo\nthree\n", "docs/b.md": "text\n"})
    git(project, "checkout", "-qb", "work")
    commit(project, "Change a line", {"a.py": "one\nTWO\nthree\n"})
    build(project, {"a.py": "one\nTWO\nthree\nfour\n", "docs/b.md": "staged\n"})
    git(project, "add", "docs")
    return project


def text(project, reference, **limits):
    (source,) = read(project, reference, **limits).sources
    assert source.path == reference
    return source.text


def test_a_diff_is_what_is_changed_and_not_staged(repository):
    shown = text(repository, "git:diff")
    assert shown.startswith("diff --git a/a.py b/a.py\n")
    assert shown.endswith(" three\n+four\n")
    assert "staged" not in shown
    (source,) = read(repository, "git:diff").sources
    lines = shown.count("\n")
    assert (source.first_line, source.last_line, source.total_lines) == (1, lines, lines)
    assert source.bytes == len(shown)


@pytest.mark.parametrize(
    ("reference", "holds", "lacks"),
    [
        ("git:diff --staged", ["+staged"], ["four"]),
        ("git:diff --cached", ["+staged"], ["four"]),
        ("git:diff HEAD", ["+staged", "+four"], ["+TWO"]),
        ("git:diff main", ["+TWO", "+four", "+staged"], []),
        ("git:diff main...", ["+TWO"], ["four", "staged"]),
        ("git:diff main..work", ["+TWO"], ["four"]),
        ("git:diff main work", ["+TWO"], ["four"]),
        ("git:diff main -- docs", ["+staged"], ["TWO"]),
        ("git:diff main -- '*.py'", ["+TWO"], ["staged"]),
        ("git:diff main --stat", [" a.py ", "docs/b.md"], ["TWO"]),
        ("git:diff main --name-only", ["a.py\ndocs/b.md\n"], ["TWO"]),
        ("git:show", ["Change a line", "+TWO"], ["four"]),
        ("git:show HEAD~1", ["Begin", "+two", "+text"], ["TWO"]),
        ("git:show main -- docs", ["+text"], ["two"]),
        ("git:show main:a.py", ["one\ntwo\nthree\n"], ["TWO", "commit"]),
        ("git:show HEAD:./docs/../a.py", None, None),
        ("git:log", ["Change a line", "Begin"], ["diff --git"]),
        ("git:log -1", ["Change a line"], ["Begin"]),
        ("git:log -20 --oneline", ["Change a line\n", "Begin\n"], ["Author"]),
        ("git:log -n 1", ["Change a line"], ["Begin"]),
        ("git:log main..", ["Change a line"], ["Begin"]),
        ("git:log -p -- docs", ["Begin", "+text"], ["two"]),
    ],
)
def test_the_forms(repository, reference, holds, lacks):
    if holds is None:
        assert refused(repository, reference).rule == "bad-reference"
        return
    shown = text(repository, reference)
    assert all(part in shown for part in holds)
    assert not any(part in shown for part in lacks)


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("git:", "nothing is not read"),
        ("git:push", "push is not read"),
        ("git:config --list", "config is not read"),
        ("git:-c core.pager=x diff", "-c is not read"),
        ("git:diff --output=x", "not read with --output=x"),
        ("git:diff --ext-diff", "not read with --ext-diff"),
        ("git:diff --no-index /etc/passwd a.py", "not read with --no-index"),
        ("git:diff a.py /etc/passwd", "is not a revision"),
        ("git:diff -- /etc/passwd", "no plain path"),
        ("git:diff -- ../x", "no plain path"),
        ("git:diff -- :(top)x", "no plain path"),
        ("git:diff -- ':!x'", "no plain path"),
        ("git:diff a b c", "too many revisions"),
        ("git:diff a..b c", "a range stands alone"),
        ("git:diff ..", "on one side"),
        ("git:diff 'unclosed", "closing quotation"),
        ("git:diff $(touch x)", "is not a revision"),
        ("git:diff ;touch", "is not a revision"),
        ("git:show --textconv", "not read with --textconv"),
        ("git:show a b", "too many revisions"),
        ("git:show main..work", "a range stands alone"),
        ("git:show :a.py", "before the colon"),
        ("git:show HEAD:/etc/passwd", "no plain path"),
        ("git:show HEAD:a.py --stat", "stands alone"),
        ("git:log -20x", "not read with -20x"),
        ("git:log --exec=x", "not read with --exec=x"),
        ("git:log -p --oneline", "not with both"),
        ("git:log -p --stat", "not with both"),
        ("git:log --name-only -p", "not with both"),
    ],
)
def test_anything_else_is_refused_and_the_forms_are_told(repository, reference, says):
    error = refused(repository, reference)
    assert error.rule == "bad-reference"
    assert says in str(error).replace("not a plain path", "no plain path")
    assert "git:diff main..." in error.hint


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("git:show nowhere", "no such commit: nowhere"),
        ("git:diff main...nowhere", "no such commit: nowhere"),
        ("git:show HEAD:absent.py", "HEAD holds no absent.py"),
        ("git:show HEAD:docs", "docs is not a file in that revision"),
    ],
)
def test_what_is_not_there_is_told(repository, reference, says):
    error = refused(repository, reference)
    assert error.rule == "git"
    assert says in str(error)


def test_no_change_is_no_error_and_is_told(project):
    git(project, "init", "-q")
    (source,) = read(project, "git:diff").sources
    nothing = "nothing unstaged; for staged changes use git:diff --staged"
    assert (source.text, source.last_line, source.note) == ("", 0, nothing)
    assert text(project, "git:diff --staged") == ""
    assert "no such commit: HEAD" in str(refused(project, "git:show"))


def test_a_folder_without_a_repository_is_told(project):
    error = refused(project, "git:diff")
    assert error.rule == "git"
    assert "not a git repository" in str(error)


def test_a_file_of_such_a_name_is_read_by_its_path(repository):
    build(repository, {"git:diff": "a file"})
    assert read(repository, "./git:diff").sources[0].text == "a file"
    assert "./git:diff" in refused(repository, "git:diff --x").hint


def test_git_and_files_are_read_in_their_order_and_each_once(repository):
    material = read(repository, "a.py", "git:diff", "docs", "git:diff")
    assert [one.path for one in material.sources] == ["a.py", "git:diff", "docs/b.md"]


def test_variables_of_the_caller_change_nothing(repository, tmp_path, monkeypatch):
    expected = text(repository, "git:diff")
    git(tmp_path, "init", "-q", "other")
    for name, value in {
        "GIT_DIR": str(tmp_path / "other/.git"),
        "GIT_WORK_TREE": str(tmp_path),
        "GIT_EXTERNAL_DIFF": "false",
        "GIT_DIFF_OPTS": "--unified=0",
        "GIT_PAGER": "false",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "diff.external",
        "GIT_CONFIG_VALUE_0": "false",
        "GIT_TRACE": str(tmp_path / "trace"),
        "PATH": f"{tmp_path}:/usr/bin:/bin",
    }.items():
        monkeypatch.setenv(name, value)
    assert text(repository, "git:diff") == expected
    assert not (tmp_path / "trace").exists()


def test_too_much_is_refused_with_what_to_narrow(repository):
    error = refused(repository, "git:show", max_file_bytes=50)
    assert error.rule == "too-large"
    assert "over the limit of 50 bytes" in str(error)
    assert "paths behind --" in error.hint
    assert refused(repository, "git:show HEAD:a.py", max_file_bytes=5).rule == "too-large"


def test_credentials_and_keys_are_taken_out_of_patches_and_named(repository):
    commit(
        repository,
        "Add secrets",
        {
            ".env": "TOKEN=hunter2\n",
            "docs/notes.md": KEY,
            "old.pem": "hunter2\n",
            "ü b\t.env": "hunter2\n",
            'odd"name': "kept out\n",
            "fine.md": "fine\n",
        },
    )
    build(repository, {".env": "TOKEN=hunter3\n"})
    for reference in ("git:show", "git:diff", "git:diff main", "git:log -p"):
        material = read(repository, reference)
        shown = material.sources[0].text
        assert "hunter" not in shown
        assert "PRIVATE KEY" not in shown
    reasons = left_out(repository, "git:show")
    assert reasons[".env"] == "credential file, never read"
    assert reasons["docs/notes.md"] == "it holds a private key"
    assert "+fine" in text(repository, "git:show")
    assert set(left_out(repository, "git:diff -- .env")) == {".env"}
    note = read(repository, "git:diff -- .env").sources[0].note
    assert note == "nothing of it may be read: .env (credential file, never read)"
    assert left_out(repository, "git:show --stat") == {}
    git(repository, "mv", "old.pem", "moved.txt")
    build(repository, {"moved.txt": "hunter2\nmore\n"})
    git(repository, "add", "moved.txt")
    assert "hunter" not in text(repository, "git:diff --staged")
    assert left_out(repository, "git:diff --staged") == {"moved.txt": "credential file, never read"}
    for file in (".env", "old.pem", "docs/notes.md"):
        assert refused(repository, f"git:show HEAD:{file}").rule == "credential-file"


def test_a_commit_message_cannot_hide_a_patch_or_pose_as_one(repository):
    build(repository, {".env": "hunter2\n"})
    git(repository, "add", "-f", ".env")
    git(repository, "commit", "-qm", "x\n\ndiff --git a/ok b/ok\n--- a/ok\n+++ b/ok\n@@ -1 +1 @@")
    shown = text(repository, "git:show")
    assert "hunter2" not in shown
    assert "    diff --git a/ok b/ok" in shown


def test_the_patch_of_a_merge_is_filtered_too(repository):
    git(repository, "commit", "-qam", "Work")
    git(repository, "checkout", "-q", "main")
    commit(repository, "Other", {"c.md": "c\n"})
    git(repository, "merge", "-q", "--no-commit", "work")
    commit(repository, "Merge", {".env": "hunter2\n"})
    shown = text(repository, "git:show")
    assert "+four" in shown
    assert "hunter2" not in shown


@pytest.mark.parametrize("reference", ["git:log", "git:log -3", "git:log --oneline"])
def test_a_log_without_patches_has_none_of_a_merge_either(repository, reference):
    git(repository, "commit", "-qam", "Work")
    git(repository, "checkout", "-q", "main")
    commit(repository, "Other", {"c.md": "c\n"})
    git(repository, "merge", "-q", "--no-commit", "work")
    commit(repository, "Merge", {".env": "hunter2\n"})
    shown = text(repository, reference)
    assert "Merge" in shown
    assert "hunter2" not in shown
    assert "diff --git" not in shown


def test_private_files_make_what_git_shows_private(repository):
    private = {"private": ["docs/"]}
    for reference, expected in [
        ("git:diff", False),
        ("git:diff main", True),
        ("git:diff main -- a.py", False),
        ("git:show main:docs/b.md", True),
        ("git:show main:a.py", False),
        ("git:log", False),
    ]:
        (source,) = read(repository, reference, **private).sources
        assert source.private is expected


def test_a_project_below_the_repository_sees_only_its_own_folder(repository):
    project = repository / "docs"
    assert text(project, "git:diff main") == text(repository, "git:diff main -- docs")
    assert "two" not in text(project, "git:log -p")
    assert text(project, "git:show main:./b.md") == "text\n"
    assert text(project, "git:show main:docs/b.md") == "text\n"
    assert "outside the project folder" in str(refused(project, "git:show main:a.py"))
    (source,) = read(project, "git:diff main", extra=[repository]).sources
    assert "TWO" in source.text


def test_a_linked_worktree_and_a_submodule_are_read(repository, tmp_path):
    git(repository, "worktree", "add", "-q", str(tmp_path / "tree"), "main")
    assert "Begin" in text(tmp_path / "tree", "git:log")
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    add = ["submodule", "--quiet", "add", str(repository), "sub"]
    git(other, "-c", "protocol.file.allow=always", *add)
    assert "Change a line" in text(other / "sub", "git:log -1")


def test_a_git_folder_that_leads_to_another_repository_is_refused(repository, tmp_path):
    """By a file, a link, commondir, objects, alternates, or a work tree elsewhere."""
    real = repository / ".git"
    victim = tmp_path / "victim"
    victim.mkdir()
    says = {}
    for trick in ("file", "link", "commondir", "objects", "alternates", "worktree"):
        project = tmp_path / trick
        project.mkdir()
        own = project / ".git"
        if trick == "file":
            own.write_text(f"gitdir: {real}\n")
        elif trick == "link":
            own.symlink_to(real)
        else:
            git(project, "init", "-q")
        if trick == "commondir":
            (own / "commondir").write_text(f"{real}\n")
        if trick == "objects":
            (own / "objects").rename(own / "x")
            (own / "objects").symlink_to(real / "objects")
        if trick == "alternates":
            (own / "objects/info/alternates").write_text(f"{real}/objects\n")
        if trick == "worktree":
            git(project, "config", "core.worktree", str(victim))
        error = refused(project, "git:log")
        assert error.rule == "git"
        says[trick] = str(error)
    assert "does not know this folder" in says["file"]
    assert "(alternates)" in says["alternates"]


def test_undecodable_and_binary_content_is_read_or_left_out(repository):
    commit(repository, "More", {"l.txt": "Größe\n".encode("cp1252"), "b.bin": b"\0\1\2"})
    shown = text(repository, "git:show")
    assert "+Größe\n" in shown
    assert "Binary files /dev/null and b/b.bin differ" in shown
    assert refused(repository, "git:show HEAD:b.bin").rule == "binary"
    assert text(repository, "git:show HEAD:l.txt") == "Größe\n"


TRAP = """
[core]
    fsmonitor = {trap}
    pager = {trap}
    editor = {trap}
    sshCommand = {trap}
    hooksPath = {hooks}
    alternateRefsCommand = {trap}
[pager]
    diff = {trap}
    log = {trap}
    show = {trap}
[alias]
    diff = !{trap}
    show = !{trap}
    log = !{trap}
[diff]
    external = {trap}
    noprefix = true
[diff "evil"]
    command = {trap}
    textconv = {trap}
    cachetextconv = true
[filter "evil"]
    clean = {trap}
    smudge = {trap}
    process = {trap}
    required = true
[log]
    showSignature = true
[gpg]
    program = {trap}
[gpg "ssh"]
    program = {trap}
[credential]
    helper = {trap}
[interactive]
    diffFilter = {trap}
[remote "origin"]
    url = ext::{trap}
    promisor = true
    partialclonefilter = blob:none
[extensions]
    partialClone = origin
"""
HOOKS = ("post-index-change", "pre-commit", "reference-transaction", "post-checkout", "pre-auto-gc")


@pytest.fixture(scope="module")
def trapped(tmp_path_factory):
    """A repository whose every setting that names a program names one that leaves a mark."""
    top = tmp_path_factory.mktemp("trapped")
    project = top / "project"
    project.mkdir()
    git(project, "init", "-qb", "main")
    sub = build(top / "sub", {"s.md": "s\n"})
    git(sub, "init", "-q")
    commit(sub, "Sub")
    git(project, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(sub), "sub")
    commit(project, "Begin", {"a.py": "one\n", ".gitattributes": "* diff=evil filter=evil\n"})
    signed = git(project, "cat-file", "commit", "HEAD").replace(
        "\n\n", "\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n\n", 1
    )
    (top / "signed").write_text(signed)
    name = git(project, "hash-object", "-t", "commit", "-w", str(top / "signed")).strip()
    git(project, "reset", "-q", "--soft", name)
    commit(project, "More", {"b.py": "b\n"})
    missing = git(project, "rev-parse", "HEAD:b.py").strip()
    git(project, "tag", "lost", "HEAD")
    trap = top / "trap"
    trap.write_text(f'#!/bin/sh\necho ran "$0" >> {top}/mark\ncat\n')
    trap.chmod(0o755)
    hooks = project / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for hook in HOOKS:
        (hooks / hook).symlink_to(trap)
    settings_ = TRAP.format(trap=trap, hooks=hooks)
    for folder in (project / ".git", project / ".git/modules/sub"):
        with (folder / "config").open("a") as config:
            config.write(settings_)
    build(project, {"a.py": "one\ntwo\n", "sub/s.md": "changed\n"})
    (project / ".git/objects" / missing[:2] / missing[2:]).unlink()
    return project


def everything(folder):
    """Every file with its bytes and its time."""
    return {
        path.relative_to(folder): (path.stat().st_mtime_ns, path.is_file() and path.read_bytes())
        for path in sorted(folder.rglob("*"))
    }


def test_the_traps_are_real(trapped, tmp_path):
    """Without the precautions the same commands fall into them."""
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-a", str(trapped), str(copy)], check=True)
    subprocess.run(["git", "diff"], cwd=copy, capture_output=True, check=False, timeout=60)
    mark = trapped.parent / "mark"
    assert mark.exists()
    mark.unlink()


words = st.sampled_from(
    [
        "diff", "show", "log", "blame", "--staged", "--stat", "-p", "-2", "--oneline", "--", "a.py",
        "HEAD", "HEAD~1", "main", "lost", "main...", "HEAD~1..HEAD", "HEAD:a.py", "lost:b.py",
        "sub", "HEAD:sub", "--output=x", "--ext-diff", "--textconv", "-c", "x; touch x",
        "$(touch x)", "`touch x`", "--exec-path=.", "--upload-pack=x", "ext::x", ":/x", "@{-1}",
        "--show-signature", "commit", "gc", "fetch", "b.py", "*", ".", "'", '"', "\\",
    ]
)  # fmt: skip
forms = st.sampled_from(
    ["diff", "diff HEAD", "diff --staged", "diff HEAD~1", "show", "show HEAD~1", "log -p", "log",
     "show HEAD:a.py", "show lost:b.py", "diff HEAD~1 HEAD", "diff -- sub", "show HEAD~1 --stat"]
)  # fmt: skip


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(forms | st.lists(words, max_size=5).map(" ".join) | st.text(max_size=20))
def test_no_git_reference_runs_a_program_or_changes_the_repository(trapped, said):
    before = everything(trapped)
    with suppress(ReferenceRefused):
        read_references([f"git:{said}"], roots=Roots.of(trapped), limits=ReferencesConfig())
    assert not (trapped.parent / "mark").exists()
    assert everything(trapped) == before


def test_in_a_repository_full_of_traps_the_truth_is_read(trapped):
    assert text(trapped, "git:diff -- a.py").endswith("@@ -1 +1,2 @@\n one\n+two\n")
    assert "Begin" in text(trapped, "git:log")
    assert "+one" in text(trapped, "git:show HEAD~1")


@given(st.text(max_size=40))
def test_what_parses_is_on_the_list(said):
    try:
        request = parse(f"git:{said}")
    except ValueError:
        return
    assert request.command in FLAGS
    named = [side for one in request.revisions for side in (one.first, one.last)]
    assert not any(word.startswith("-") or ":" in word for word in named)
