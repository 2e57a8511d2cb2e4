"""What stands on the command line of a run becomes its items, or one clear line."""

import asyncio
import io
import json
import os
import subprocess
import sys

import pytest

from spadework.config.models import Config
from spadework.engine.job import Session
from spadework.errors import ArgumentError, ReferenceRefused, SpadeworkError
from spadework.pipelines.item_inputs import find_items
from spadework.references.reader import read_references
from spadework.references.roots import Roots

KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n"


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def build(folder, **files):
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def config(*patterns):
    return Config.model_validate({"references": {"private": list(patterns)}})


def items(project, *inputs, stdin=None, private=False, patterns=()):
    stream = io.StringIO(stdin) if isinstance(stdin, str) else stdin
    asked = find_items(inputs, Session(project), config(*patterns), stdin=stream, private=private)
    found = asyncio.run(asked).items
    assert [one.number for one in found] == list(range(1, len(found) + 1))
    return found


def refused(project, *inputs, **options):
    with pytest.raises(SpadeworkError) as raised:
        items(project, *inputs, **options)
    assert "\n" not in str(raised.value)
    return raised.value


def names(found):
    return [one.name for one in found]


def test_each_file_of_a_path_a_folder_and_a_glob_is_an_item_once(project):
    build(project, docs__b_dot_md="b", docs__a_dot_md="a", x_dot_txt="x", _dot_gitignore="*.log\n")
    build(project, docs__no_dot_log="no")
    found = items(project, "x.txt", "docs", "docs/*.md", "docs/a.md")
    assert names(found) == ["x.txt", "docs/a.md", "docs/b.md"]
    assert found[1].files == (str(project / "docs/a.md"),)
    assert found[1].texts == {}


def test_a_range_of_lines_is_an_item_that_the_engine_reads_from_anywhere(project):
    build(project, a_dot_txt="one\ntwo\nthree\n")
    (item,) = items(project, "a.txt:2-3")
    assert item.name == "a.txt:2-3"
    material = read_references(
        item.files, roots=Roots.of("/", [project]), limits=config().references
    )
    assert material.sources[0].text == "two\nthree\n"


def test_credential_files_are_refused_by_name_and_left_out_of_folders(project):
    build(project, _dot_env="KEY=1", a_dot_txt="a")
    assert refused(project, ".env").rule == "credential-file"
    found = asyncio.run(find_items(["."], Session(project), config()))
    assert names(found.items) == ["a.txt"]
    assert [(one.path, one.reason) for one in found.left_out] == [
        (".env", "credential file, never read")
    ]


def test_a_folder_of_nothing_but_credentials_says_so(project):
    build(project, s___dot_env="KEY=1")
    assert "credential" in str(refused(project, "s"))


def test_what_leads_out_of_the_roots_or_to_nothing_is_refused(project, tmp_path):
    (tmp_path / "outside.txt").write_text("no")
    (project / "link.txt").symlink_to(tmp_path / "outside.txt")
    for reference in ("../outside.txt", "link.txt", str(tmp_path / "outside.txt")):
        assert refused(project, reference).rule == "outside-roots"
    assert refused(project, "*.md").rule == "not-found"
    assert refused(project, "absent.txt").rule == "not-found"


def test_no_input_and_no_item_are_errors(project):
    build(project, empty_dot_jsonl="\n\r\n  \n")
    assert isinstance(refused(project), ArgumentError)
    assert "no item" in str(refused(project, "empty.jsonl"))
    assert "no item" in str(refused(project, "-", stdin="\n\n"))


def test_each_line_of_jsonl_is_an_item(project):
    build(project, docs__a_dot_md="a")
    lines = [
        "\ufeff" + json.dumps({"text": "first", "label": 3}),
        "",
        json.dumps("second \u2028 in one line", ensure_ascii=False),
        json.dumps({"path": "docs/a.md", "private": True}),
        json.dumps({"question": "what?"}),
        json.dumps({"text": "", "name": "empty one"}),
    ]
    build(project, x_dot_jsonl="\r\n".join(lines) + "\r\n")
    first, second, third, fourth, fifth = items(project, "x.jsonl")
    assert (first.text, first.data) == ("first", {"text": "first", "label": 3})
    assert second.text == "second \u2028 in one line"
    assert third.files == (str(project / "docs/a.md"),)
    assert third.private
    assert third.texts == {}
    assert fourth.texts == {"item": '{"question": "what?"}'}
    assert (fifth.name, fifth.text) == ("empty one", "")


def test_a_range_of_a_jsonl_file_is_some_of_its_lines(project):
    build(project, x_dot_jsonl='"a"\n\n"b"\n"c"\n')
    assert names(items(project, "x.jsonl:3-4")) == ["b", "c"]
    assert names(items(project, "x.jsonl:1-2")) == ["a"]


def test_a_glob_of_jsonl_files_opens_each_and_a_folder_opens_none(project):
    build(project, d__a_dot_jsonl='"a"\n', d__b_dot_JSONL='"b"\n')
    assert names(items(project, "d/*.jsonl", "d/*.JSONL")) == ["a", "b"]
    assert names(items(project, "d")) == ["d/a.jsonl", "d/b.JSONL"]


def test_lines_with_the_same_path_are_all_items(project):
    build(project, a_dot_md="a", x_dot_jsonl='{"path":"a.md","ask":1}\n{"path":"a.md","ask":2}\n')
    assert [one.data["ask"] for one in items(project, "x.jsonl")] == [1, 2]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"text": "a"', "not valid JSON: Expecting ',' delimiter at column"),
        ("[1]", "neither a text nor an object"),
        ("null", "neither a text nor an object"),
        ('{"text": 3}', "'text' is not a text"),
        ('{"path": ["a"]}', "'path' is not a text"),
        ('{"text": "a", "private": "no"}', "'private' is not true or false"),
        ('{"path": "absent.md"}', "absent.md: it does not exist [not-found]"),
        ('{"path": ".env"}', "[credential-file]"),
        ('{"path": "../x"}', "[outside-roots]"),
        ('{"path": "docs"}', "'docs' is not a single file"),
        ('{"path": "docs/*.md"}', "is not a single file"),
        ('{"path": ""}', "[bad-reference]"),
        ('"\\ud800"', "half a character"),
        ('{"n": NaN}', "JSON that cannot be stored"),
        ('{"n": 1e999}', "JSON that cannot be stored"),
        ('{"n": ' + "9" * 5000 + "}", "JSON that cannot be stored"),
        ("[" * 100_000, "JSON that cannot be stored"),
    ],
)
def test_a_wrong_line_is_named_with_its_file(project, line, said):
    build(project, docs__a_dot_md="a", _dot_env="K=1", x_dot_jsonl=f'"fine"\n\n{line}\n')
    error = refused(project, "x.jsonl")
    assert str(error).startswith("x.jsonl, line 3: ")
    assert said in str(error)
    assert isinstance(error, ArgumentError)


@pytest.mark.parametrize(
    "key",
    ["Private", "PRIVATE", " private", "private ", "private:", "is_private", "isPrivate", "privat"],
)
@pytest.mark.parametrize("value", [True, "yes", 1])
def test_a_key_that_is_nearly_private_is_an_error_with_its_line(project, key, value):
    line = json.dumps({"text": "a", key: value})
    build(project, x_dot_jsonl=f'{{"text": "fine"}}\n{line}\n')
    error = refused(project, "x.jsonl")
    assert str(error) == f"x.jsonl, line 2: unknown key {key.strip()!r}; did you mean 'private'?"
    error = refused(project, "-", stdin=f'{{"text": "fine"}}\n{line}\n')
    assert str(error).startswith("standard input, line 2: unknown key")


@pytest.mark.parametrize("key", ["prviate", "pivate", "private_", "pri\u200bvate", "p\u0433ivate"])
def test_a_misspelt_mark_is_an_error_where_its_value_is_a_yes_or_no(project, key):
    build(project, x_dot_jsonl=json.dumps({"text": "a", key: True}))
    assert "did you mean 'private'?" in str(refused(project, "x.jsonl"))


def test_other_keys_are_data_and_are_reported_once_with_their_line(project):
    lines = [
        {"text": "a", "customer": 3},
        {"text": "b", "customer": 4, "Path": "x", "private_notes": "kept"},
        {"text": "c", "private": False, "name": "n"},
    ]
    build(project, x_dot_jsonl="\n".join(map(json.dumps, lines)))
    build(project, y_dot_jsonl='{"text": "a", "private": false}')
    found = asyncio.run(find_items(["x.jsonl", "y.jsonl"], Session(project), config()))
    assert found.items[0].data["customer"] == 3
    (note,) = found.notes
    assert note == (
        "x.jsonl: unknown keys, kept in `item.data` only: 'customer' (line 1), "
        "'Path' (line 2; did you mean 'path'?), 'private_notes' (line 2)"
    )


def test_a_key_that_is_there_twice_is_an_error(project):
    build(project, x_dot_jsonl='{"text": "a", "private": true, "private": false}')
    assert "x.jsonl, line 1: " in str(refused(project, "x.jsonl"))
    assert "the key 'private' is there twice" in str(refused(project, "x.jsonl"))


def test_a_mark_on_a_line_that_is_read_as_a_text_is_an_error(project):
    lines = 'plain\n{"text": "a", "Private": true}\n'
    assert str(refused(project, "-", stdin=lines)).startswith(
        "standard input, line 2: it is marked"
    )
    assert "marked" in str(refused(project, "-", stdin='{"text": "a", "private": true,}\n'))
    assert all(one.private for one in items(project, "-", stdin=lines, private=True))


def test_jsonl_that_is_no_text_or_holds_a_key_is_refused(project):
    build(project, a_dot_jsonl=b'"a"\n"\xff"\n', b_dot_jsonl=b"\0\1", k_dot_jsonl=json.dumps(KEY))
    assert str(refused(project, "a.jsonl")) == "a.jsonl, line 2: not valid UTF-8"
    assert "binary" in str(refused(project, "b.jsonl"))
    assert refused(project, "k.jsonl").rule == "credential-file"


def test_standard_input_is_lines_or_jsonl(project):
    build(project, a_dot_txt="a")
    assert names(items(project, "-", "a.txt", stdin="one\r\n\n two\n")) == ["one", "two", "a.txt"]
    assert items(project, "-", stdin=" two\n")[0].text == " two"
    assert items(project, "-", stdin='{"text":"a"}\n')[0].text == "a"
    assert items(project, "-", stdin='{not json}\n"b"\n')[1].text == '"b"'
    error = refused(project, "-", stdin='{"text":"a"}\n{"text":\n')
    assert str(error).startswith("standard input, line 2: not valid JSON")
    assert "twice" in str(refused(project, "-", "-", stdin="a\n"))
    assert "standard input is closed" in str(refused(project, "-"))


def test_standard_input_that_is_no_text_is_refused(project):
    for data, said in ((b"ok\n\xff\xfe\n", "line 2: not valid UTF-8"), (b"\0", "binary")):
        file = project.parent / "given"
        file.write_bytes(data)
        with file.open() as stream:
            assert said in str(refused(project, "-", stdin=stream))
    (project.parent / "given").write_bytes(b"\xef\xbb\xbfone\n")
    with (project.parent / "given").open() as stream:
        assert items(project, "-", stdin=stream)[0].text == "one"


def test_private_patterns_and_the_flag_mark_items(project):
    build(project, hr__a_dot_md="a", b_dot_md="b", hr__l_dot_jsonl='"x"\n', l_dot_jsonl='"y"\n')
    build(project, p_dot_jsonl='{"path":"hr/a.md"}\n{"path":"b.md"}\n')
    (project / "link.md").symlink_to(project / "hr/a.md")
    found = items(
        project, "hr/*.md", "b.md", "link.md", "hr/l.jsonl", "l.jsonl", "p.jsonl", patterns=["hr/"]
    )
    assert [one.private for one in found] == [True, False, True, False, True, False]
    os.link(project / "hr/a.md", project / "other.txt")
    (project / "above").symlink_to("hr")
    found = items(project, "other.txt", "above/a.md", "*.txt", patterns=["hr/"])
    assert [one.private for one in found] == [True, True]
    assert all(one.private for one in items(project, "b.md", "-", stdin="x\n", private=True))


def git(folder, *arguments):
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "core.autocrlf=false"]
    command = ["git", *identity, "-c", "commit.gpgSign=false", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(project):
    git(project, "init", "-qb", "main")
    build(
        project,
        a_dot_py="one\n" * 9,
        gone_dot_py="gone\n",
        old_dot_py="old\n" * 9,
        hr__a_dot_md="a",
    )
    git(project, "add", "-A")
    git(project, "commit", "-qm", "Begin")
    build(project, a_dot_py="two\n", hr__a_dot_md="b", sub__new_dot_py="new\n", _dot_env="KEY=1")
    (project / "it's [odd]*.py").write_text("odd\n")
    (project / "it's o.py").write_text("matches the odd name as a pattern\n")
    (project / "blob.bin").write_bytes(b"\0\1\2")
    (project / "gone.py").unlink()
    (project / "old.py").rename(project / "moved.py")
    git(project, "add", "-A", "-f")
    git(project, "commit", "-qm", "Change")
    return project


def diff_of(project, item):
    (source,) = read_references(
        item.files, roots=Roots.of(project), limits=config().references
    ).sources
    return source.text


@pytest.mark.parametrize("reference", ["git:HEAD~1..HEAD", "git:HEAD", "git:main~1..."])
def test_each_file_that_a_range_changes_is_an_item_read_as_its_diff(repository, reference):
    found = items(repository, reference, patterns=["hr/"])
    assert names(found) == [
        "a.py", "gone.py", "hr/a.md", "it's [odd]*.py", "it's o.py", "moved.py", "sub/new.py"
    ]  # fmt: skip
    assert [one.name for one in found if one.private] == ["hr/a.md"]
    diffs = {one.name: diff_of(repository, one) for one in found}
    assert all(diff.count("diff --git ") == 1 for diff in diffs.values())
    assert "+two" in diffs["a.py"]
    assert "deleted file" in diffs["gone.py"]
    assert "rename from old.py" in diffs["moved.py"]
    assert "+odd" in diffs["it's [odd]*.py"]


def test_what_a_range_means_does_not_move_with_its_branch(repository):
    (item, *_) = items(repository, "git:HEAD~1..HEAD")
    before = diff_of(repository, item)
    git(repository, "commit", "-q", "--allow-empty", "-m", "More")
    assert diff_of(repository, item) == before


def test_a_range_seen_from_a_folder_is_what_changed_below_it(repository):
    (item,) = items(repository / "sub", "git:HEAD~1..HEAD")
    assert item.name == "new.py"
    assert "+new" in diff_of(repository / "sub", item)


def test_what_a_range_never_shows_is_told(repository):
    asked = find_items(["git:HEAD"], Session(repository), config())
    left_out = {one.path: one.reason for one in asyncio.run(asked).left_out}
    assert left_out == {".env": "credential file, never read", "blob.bin": "binary"}


def test_a_range_that_git_does_not_know_is_refused(repository, tmp_path):
    assert "no such commit: nowhere" in str(refused(repository, "git:nowhere..HEAD"))
    assert "no such commit: HEAD~9" in str(refused(repository, "git:HEAD~9"))
    assert "changes no text file" in str(refused(repository, "git:HEAD..HEAD"))
    assert refused(repository, "git:--output=x").rule == "bad-reference"
    assert refused(repository, "git:").rule == "bad-reference"
    plain = tmp_path / "plain"
    plain.mkdir()
    assert isinstance(refused(plain, "git:HEAD~1..HEAD"), ReferenceRefused)


def test_another_git_reference_is_one_item_and_private_if_one_of_its_files_is(repository):
    shown, logged = items(repository, "git:show HEAD", "git:log -1", patterns=["hr/"])
    assert shown.files == ("git:show HEAD",)
    assert shown.private
    assert not logged.private


def test_ten_thousand_items_are_listed_by_number(project):
    build(project, x_dot_jsonl="".join(f'{{"text":"{n}"}}\n' for n in range(10_000)))
    for number in range(300):
        (project / f"f{number:03}.txt").write_text("x")
    found = items(project, "x.jsonl", ".", "*.txt")
    assert len(found) == 10_301
    assert found[-1].number == 10_301


def test_ctrl_c_ends_the_wait_for_standard_input(project):
    program = (
        "import asyncio, signal, sys, os, threading\n"
        "from spadework.config.models import Config\n"
        "from spadework.engine.job import Session\n"
        "from spadework.pipelines.item_inputs import find_items\n"
        "from pathlib import Path\n"
        "async def main():\n"
        "    asked = find_items(['-'], Session(Path.cwd()), Config(), stdin=sys.stdin)\n"
        "    loop = asyncio.get_running_loop()\n"
        "    loop.call_later(0.1, os.kill, os.getpid(), signal.SIGINT)\n"
        "    await asked\n"
        "try:\n"
        "    asyncio.run(main())\n"
        "except KeyboardInterrupt:\n"
        "    print('stopped')\n"
    )
    reading, writing = os.pipe()
    try:
        ended = subprocess.run(
            [sys.executable, "-c", program],
            stdin=reading, capture_output=True, text=True, cwd=project, check=False,
        )  # fmt: skip
    finally:
        os.close(reading)
        os.close(writing)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("stopped\n", "", 0)
