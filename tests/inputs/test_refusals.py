"""What is refused for what it is: devices, FIFOs, sockets, binaries, and too much of anything."""

import os
import socket
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from projects import build, left_out, paths, read, refused

from spadework.errors import ReferenceRefused
from spadework.references.file_tree import files_of
from spadework.references.resolution import locate
from spadework.references.roots import Roots

NOBODY = 65534


def test_a_fifo_is_refused_and_never_waited_for(project):
    build(project, {"docs/a.md": "a"})
    os.mkfifo(project / "docs/pipe")
    (project / "docs/link").symlink_to("pipe")
    for reference in ("docs/pipe", "docs/link", "docs/pipe:1-2"):
        error = refused(project, reference)
        assert error.rule == "not-a-file"
        assert "FIFO" in str(error)
    assert paths(project, "docs") == ["docs/a.md"]
    assert left_out(project, "docs") == {
        "docs/link": "symlink to a device, FIFO or socket",
        "docs/pipe": "device, FIFO or socket",
    }


def test_a_socket_is_refused(project):
    with socket.socket(socket.AF_UNIX) as listener, in_folder(project):
        listener.bind("socket")
    error = refused(project, "socket")
    assert error.rule == "not-a-file"
    assert "socket" in str(error)


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/full", "/dev/tty"])
def test_a_device_is_refused_even_inside_a_root(project, device):
    error = refused(project, device, extra=["/dev"])
    assert error.rule == "not-a-file"
    assert "device" in str(error)


def test_a_link_to_a_device_is_refused(project):
    (project / "zero").symlink_to("/dev/zero")
    assert refused(project, "zero").rule == "outside-roots"
    assert refused(project, "zero", extra=["/dev"]).rule == "not-a-file"


def test_an_ignore_file_that_is_a_fifo_or_a_folder_or_a_device_changes_nothing(project):
    build(
        project,
        {".git/info/": "", "a/x.md": "x", "b/x.md": "x", "b/.gitignore/": "", "c/x.md": "x"},
    )
    os.mkfifo(project / "a/.gitignore")
    os.mkfifo(project / ".git/info/exclude")
    (project / "c/.gitignore").symlink_to("/dev/zero")
    assert paths(project, "**/*.md") == ["a/x.md", "b/x.md", "c/x.md"]


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n\0\0", b"a\0b", b"x" * 8191 + b"\0", b"\0"])
def test_a_binary_is_refused_if_named_and_else_left_out_by_name(project, content):
    build(project, {"docs/a.md": "a", "docs/logo.png": content})
    error = refused(project, "docs/logo.png")
    assert error.rule == "binary"
    assert refused(project, "docs/logo.png:1").rule == "binary"
    assert paths(project, "docs/") == ["docs/a.md"]
    assert left_out(project, "docs/*") == {"docs/logo.png": "binary"}


def test_empty_files_of_a_folder_are_left_out_by_name(project):
    build(project, {"pkg/__init__.py": "", "pkg/a.py": "a"})
    assert paths(project, "pkg") == ["pkg/a.py"]
    assert left_out(project, "pkg") == {"pkg/__init__.py": "empty"}
    material = read(project, "pkg", "pkg/__init__.py")
    assert [one.path for one in material.sources] == ["pkg/a.py", "pkg/__init__.py"]
    assert material.left_out == ()


def test_nothing_matched_and_nothing_readable_are_refused(project):
    build(project, {"img/a.png": b"\0", "img/b.png": b"\0", "void/": "", "a.md": "a"})
    for reference in ("void", "*.txt", "void/*", "**/*.none", "[a", "*.{md,txt}"):
        assert refused(project, reference).rule == "not-found"
    assert "braces" in refused(project, "*.{md,txt}").hint
    error = refused(project, "a.md", "img")
    assert error.rule == "no-text"
    assert "img/a.png (binary), img/b.png (binary)" in str(error)


def test_a_file_over_the_limit_is_refused_with_both_figures(project):
    build(project, {"docs/big.log": "x" * 1001, "docs/a.md": "a" * 1000})
    for reference in ("docs/big.log", "docs", "docs/*"):
        error = refused(project, reference, max_file_bytes=1000)
        assert error.rule == "too-large"
        assert error.path == "docs/big.log"
        assert "1,001 bytes" in str(error)
        assert "1,000" in str(error)
        assert "narrow" in error.hint
    assert paths(project, "docs/a.md", max_file_bytes=1000) == ["docs/a.md"]


def test_a_file_that_hides_its_size_is_read_up_to_the_limit(project):
    assert Path("/proc/self/status").stat().st_size == 0
    (source,) = read(project, "/proc/self/status", extra=["/proc/self"]).sources
    assert source.bytes > 100
    for limit in (100, 1):
        error = refused(project, "/proc/self/status", extra=["/proc/self"], max_file_bytes=limit)
        assert error.rule == "too-large"


def test_a_large_binary_does_not_block_a_folder(project):
    build(project, {"docs/film.mp4": b"\0" * 5000, "docs/a.md": "a"})
    assert left_out(project, "docs", max_file_bytes=1000) == {"docs/film.mp4": "binary"}
    assert refused(project, "docs/film.mp4", max_file_bytes=1000).rule == "binary"


def test_more_files_than_the_limit_are_refused_with_the_counts(project):
    build(project, {f"f{number}.md": "x" for number in range(6)} | {"z.png": b"\0"})
    assert len(paths(project, "*", max_files=6)) == 6
    error = refused(project, "*.md", max_files=5)
    assert error.rule == "too-much"
    assert "more than 5 text files" in str(error)
    assert "6 files match" in str(error)
    assert "references.max_files" in error.hint


def test_more_bytes_than_the_limit_are_refused_with_the_counts(project):
    build(project, {"a.md": "x" * 600, "b.md": "y" * 401})
    assert read(project, "a.md", "b.md", max_total_bytes=1001).bytes == 1001
    error = refused(project, "a.md", "b.md", max_total_bytes=1000)
    assert error.rule == "too-much"
    assert "more than 1,000 bytes" in str(error)
    assert "2 files match" in str(error)
    assert "references.max_total_bytes" in error.hint


def test_a_file_that_is_named_twice_counts_once(project):
    build(project, {"a.md": "x" * 600})
    assert read(project, "a.md", "*.md", "a.md", max_total_bytes=600, max_files=1).bytes == 600


def test_a_search_without_end_is_refused(project):
    build(project, {f"d{number}/f": "x" for number in range(11)})
    roots = Roots.of(project)
    assert len(list(files_of(locate("*/f", roots), roots, most_entries=22))) == 11
    with pytest.raises(ReferenceRefused, match="more than 21 files and folders") as refusal:
        list(files_of(locate("*/f", roots), roots, most_entries=21))
    assert refusal.value.rule == "too-much"


def test_one_refused_reference_fails_the_whole_call(project):
    build(project, {"a.md": "a", "b.md": "b", ".env": "KEY=1"})
    for bad in (".env", "absent", "../x", "a.md:7", "*.none"):
        assert refused(project, "a.md", bad, "b.md").reference == bad


def test_names_that_cannot_be_shown_are_left_out_and_spelt_out(project):
    build(project, {"docs/a.md": "a", "docs/b\nc.md": "b", "docs/d\x1b[2J/e.md": "e"})
    build(project, {os.fsdecode(b"docs/\xff/f.md"): "f"})
    assert paths(project, "docs") == ["docs/a.md"]
    assert left_out(project, "docs") == {
        "docs/b\\nc.md": "its name holds the character \\n",
        "docs/d\\x1b[2J/": "its name holds the character \\x1b",
        "docs/\\udcff/": "its name holds the character \\udcff",
    }


def test_what_may_not_be_read_is_said_to_be_unreadable():
    with tempfile.TemporaryDirectory() as folder:
        project = build(Path(folder), {"a.md": "a", "b.md": "b", "shut/c.md": "c"}).resolve()
        project.chmod(0o755)
        read(project, "a.md")
        (project / "b.md").chmod(0)
        (project / "shut").chmod(0)
        with as_nobody():
            assert refused(project, "b.md").rule == "unreadable"
            assert "Permission denied" in str(refused(project, "b.md"))
            assert left_out(project, "**") == {
                "b.md": "cannot be read",
                "shut/": "cannot be listed: Permission denied",
            }
        (project / "shut").chmod(0o755)


@contextmanager
def as_nobody():
    """Without root's rights, where the tests run as root: it may read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def in_folder(folder):
    """A unix socket's path may only be some hundred bytes long."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
