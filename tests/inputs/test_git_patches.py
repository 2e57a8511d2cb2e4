"""Each form of a patch is split by file, or refused: no content passes under another name."""

import pytest
from git_repositories import begin, commit, conflict, git
from hypothesis import given
from hypothesis import strategies as st
from projects import build, left_out, read, refused

from spadework.references.git.grammar import unquote
from spadework.references.git.patches import UnknownFormat, sections_of

KEY_LINES = [f"MIIEvQIBADANBgkqhkiG9w0BAQEFAASC{n:04}" for n in range(40)]
KEY = "\n".join(["-----BEGIN PRIVATE KEY-----", *KEY_LINES, "-----END PRIVATE KEY-----", ""])
REFERENCES = (
    "git:diff",
    "git:diff HEAD",
    "git:diff --staged",
    "git:diff HEAD~1",
    "git:diff theirs",
    "git:diff theirs...",
    "git:show",
    "git:show theirs",
    "git:log -p",
)


def shown(project, reference):
    return read(project, reference).sources[0].text


def test_combined_diffs_of_a_conflict_are_split_by_file_too(project):
    conflict(
        project,
        base={".env": "hunter-0\n", "k.md": "one\n", "d/a.py": "one\n", "ü t.pem": "hunter\n"},
        ours={".env": "hunter-1\n", "k.md": KEY, "d/a.py": "two\n", "ü t.pem": "hunter-1\n"},
        theirs={".env": "hunter-2\n", "k.md": "x\n", "d/a.py": "three\n", "ü t.pem": "hunter-2\n"},
    )
    assert "diff --cc .env" in git(project, "diff")  # the trap is real
    text = shown(project, "git:diff")
    assert "diff --cc d/a.py" in text
    assert "++<<<<<<< HEAD\n +two\n++=======\n+ three\n" in text
    assert left_out(project, "git:diff") == {
        ".env": "credential file, never read",
        "k.md": "it holds a private key",
        "ü t.pem": "credential file, never read",
    }
    for reference in REFERENCES:
        assert "hunter" not in shown(project, reference)
        assert KEY_LINES[20] not in shown(project, reference)


def test_a_part_of_a_file_is_not_shown_if_a_key_is_in_another_part(project):
    begin(project, {"notes.txt": KEY, "fine.txt": "a\n"})
    changed = KEY.replace(KEY_LINES[20], "Changed")
    commit(project, "Change the middle", {"notes.txt": changed, "fine.txt": "b\n"})
    build(project, {"notes.txt": changed.replace(KEY_LINES[21], "Again"), "fine.txt": "c\n"})
    assert "BEGIN" not in git(project, "diff")  # no line shown tells that it is a key
    for reference in ("git:diff", "git:show", "git:log -p", "git:diff HEAD~1"):
        assert left_out(project, reference) == {"notes.txt": "it holds a private key"}
        assert "MIIEvQ" not in shown(project, reference)
        assert "fine.txt" in shown(project, reference)


def test_a_key_that_was_added_to_the_work_tree_hides_the_rest_of_its_file(project):
    text = "\n".join(map(str, range(60)))
    begin(project, {"notes.txt": KEY.replace("BEGIN", "END") + text, "fine.txt": "a\n"})
    build(project, {"notes.txt": KEY + text.replace("50", "fifty"), "fine.txt": "b\n"})
    assert left_out(project, "git:diff") == {"notes.txt": "it holds a private key"}


def test_names_are_read_however_git_quotes_them(project):
    names = ["a b/.env", "tab\t.env", 'quote".env', "back\\slash.env", "line\nend.env", "ü.env"]
    names += [" .env", "x b/y.env", ".env.local", "\x7f.env", "\x01.env", "a/b/.env"]
    begin(project, dict.fromkeys(names, "hunter\n") | {"x y.txt": "a\n", "t\tb.txt": "a\n"})
    build(project, dict.fromkeys(names, "hunter2\n") | {"x y.txt": "b\n", "t\tb.txt": "b\n"})
    for reference in ("git:diff", "git:show"):
        material = read(project, reference)
        assert "hunter" not in material.sources[0].text
        assert material.sources[0].text.count("diff --git") == 2
        assert len(material.left_out) == len(names)


@pytest.mark.parametrize("percent", [100, 60])
def test_renames_copies_and_modes_count_under_both_names(project, percent):
    secret = "".join(f"hunter-{n}\n" for n in range(20))
    begin(project, {".env": secret, "run.sh": "x\n"})
    git(project, "mv", ".env", "plain.txt")
    changed = secret if percent == 100 else secret.replace("hunter-3\n", "three\n")
    build(project, {"plain.txt": changed})
    (project / "run.sh").chmod(0o755)
    git(project, "config", "diff.renames", "copies")
    git(project, "add", "-A")
    text = shown(project, "git:diff --staged")
    assert "hunter" not in text
    assert "old mode 100644\nnew mode 100755" in text


CONFIG = {
    "diff.noprefix": "true",
    "diff.mnemonicPrefix": "true",
    "diff.srcPrefix": "x/",
    "diff.dstPrefix": "x/",
    "diff.context": "0",
    "diff.interHunkContext": "1000",
    "diff.suppressBlankEmpty": "true",
    "diff.renames": "copies",
    "diff.algorithm": "patience",
    "diff.submodule": "log",
    "diff.wsErrorHighlight": "all",
    "diff.colorMoved": "zebra",
    "color.ui": "always",
    "color.diff": "always",
    "core.quotePath": "true",
    "core.abbrev": "4",
    "log.showSignature": "true",
    "log.diffMerges": "combined",
    "log.date": "format:diff --git a/x b/x%n@@ -1,9 +1,9 @@%n",
    "format.pretty": "%B",
    "log.decorate": "full",
    "log.follow": "true",
    "diff.d.xfuncname": "^(.*)$",
    "diff.d.binary": "false",
    "diff.d.textconv": "cat",
    "diff.d.command": "cat",
    "diff.external": "cat",
}


@pytest.mark.parametrize("key", CONFIG)
def test_no_setting_of_the_repository_makes_a_file_pass(project, key):
    (project / ".gitattributes").write_text("* diff=d\n")
    conflict(
        project,
        base={".env": "hunter\n\nend\n", "a.txt": "a\n\nb\n"},
        ours={".env": "hunter-1\n\nend\n", "a.txt": "b\n\nb\n"},
        theirs={".env": "hunter-2\n\nend\n", "a.txt": "c\n\nb\n"},
    )
    git(project, "config", key, CONFIG[key])
    for reference in REFERENCES:
        assert "hunter" not in shown(project, reference)
    assert "a.txt" in shown(project, "git:diff")


def test_what_is_in_no_known_format_is_refused_without_showing_it(project, monkeypatch):
    begin(project, {".env": "hunter\n"})
    build(project, {".env": "hunter2\n"})
    from spadework.references.git import git_reader  # noqa: PLC0415

    monkeypatch.setattr(git_reader, "COMMON", (*git_reader.COMMON, "--word-diff=porcelain"))
    error = refused(project, "git:diff")
    assert error.rule == "git"
    assert "not in a known format" in str(error)
    assert "hunter" not in str(error)


HUNK = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"


@pytest.mark.parametrize(
    "output",
    [
        "+hunter\n",
        "diff --git a/.env b/.env\n+hunter\n",
        "diff --new a/x b/x\n",
        "diff --git a/x b/x\nunknown header\n",
        f"diff --git a/.env b/.env\n{HUNK}",  # another name
        "diff --git a/x b/x\n--- a/x\n+++ b/x\n",
        "diff --git a/x b/x\n--- x\n+++ x\n@@ -1 +1 @@\n-a\n+b\n",
        f"diff --git a/x b/x\n{HUNK}+more than the hunk\n",
        "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n-a\n+b\n",
        "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1 @@\n-a\ndiff --git a/y b/y\n",
        "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1 @@\n-a\n\n",
        "diff --cc x\n--- a/y\n+++ b/y\n@@@ -1 -1 +1 @@@\n++b\n",
        "diff --cc x\n--- a/x\n+++ b/x\n@@@ -1 +1 @@@\n++b\n",
        "diff --git a/x b/x\nGIT binary patch\nliteral 5\nMcmZ\n",
        "Submodule x 123..456:\n",
        "* Unmerged path x\nhunter\n",
    ],
)
def test_lines_that_no_header_accounts_for_are_refused(output):
    with pytest.raises(UnknownFormat):
        list(sections_of(output.encode(), has_patch=True))


lines = st.sampled_from(
    [b"diff --git a/x b/x\n", b"diff --cc x\n", b"index " + b"a" * 40 + b".." + b"0" * 40 + b"\n",
     b"--- a/x\n", b"+++ b/x\n", b"--- /dev/null\n", b"@@ -1 +1 @@\n", b"@@ -0,0 +1,2 @@ f\n",
     b"@@@ -1,1 -1,0 +1,1 @@@\n", b"+secret\n", b"-secret\n", b" secret\n", b"+ secret\n",
     b"++secret\n", b"\\ No newline at end of file\n", b"commit " + b"a" * 40 + b"\n",
     b"    text\n", b"\n", b"secret\n", b"Binary files a/x and b/x differ\n", b"-\xff\r\n"]
)  # fmt: skip


@given(st.lists(lines, max_size=14))
def test_content_is_always_under_the_name_of_its_file(pieces):
    try:
        sections = list(sections_of(b"".join(pieces), has_patch=True))
    except UnknownFormat:
        return
    for section in sections:
        assert section.paths == ("x",) or "secret" not in section.text
    hidden = sum(30 for piece in pieces if piece.startswith(b"index "))  # shortened hashes
    assert sum(len(one.text.encode()) for one in sections) >= sum(map(len, pieces)) - 3 * hidden


@given(st.binary(max_size=12))
def test_quoting_ends_nowhere_but_in_a_name(name):
    quoted = b'"' + b"".join(b"\\%03o" % byte for byte in name) + b'"'
    assert unquote(quoted) == name
