"""Reading ends with the time of its call, or when nobody waits for it any longer."""

import threading
import time

import pytest
from documents_made import pdf_bomb
from projects import build, read, refused

from spadework.errors import ReferenceRefused
from spadework.references.cancellation import Cancellation, working
from spadework.references.file_tree import files_of
from spadework.references.reader import list_files
from spadework.references.resolution import locate
from spadework.references.roots import Roots

HUGE = 50_000_000_000


def sparse(path, beginning=b"a line of a log\n" * 600, size=HUGE):
    """A file of that size which takes no room; all that follows its beginning is zero."""
    with path.open("wb") as file:
        file.write(beginning)
        file.truncate(size)


def refused_in_time(project, reference, seconds=0.3):
    with working(Cancellation(deadline=time.monotonic() + seconds)):
        return refused(project, reference)


def test_the_beginning_of_a_huge_file_is_read_and_no_more(project):
    sparse(project / "huge.txt")
    (source,) = read(project, "huge.txt:1-10").sources
    assert (source.text, source.total_lines) == ("a line of a log\n" * 10, None)


@pytest.mark.parametrize("reference", ["huge.txt:5000000-5000010", "huge.txt:601-", "huge.txt:602"])
def test_reading_behind_the_lines_of_a_huge_file_ends_in_time(project, reference):
    sparse(project / "huge.txt", size=HUGE if reference != "huge.txt:601-" else 10_000_000)
    refusal = refused_in_time(project, reference)
    assert refusal.rule in {"too-slow", "too-large"}
    assert refusal.hint


def test_who_cancels_stops_the_thread(project):
    sparse(project / "huge.txt")
    cancellation = Cancellation()
    ended = threading.Event()

    def reading():
        with working(cancellation), pytest.raises(ReferenceRefused):
            read(project, "huge.txt:5000000")
        ended.set()

    threading.Thread(target=reading, daemon=True).start()
    cancellation.cancel()
    assert ended.wait(60)


def test_a_search_ends_in_time(project):
    build(project, {f"a/{one}/b/{one}.md": "x" for one in range(50)})
    over = Cancellation(deadline=time.monotonic())
    for reference in ("a", "**/*.md"):
        with working(over):
            assert refused(project, reference).rule == "too-slow"
        with working(over), pytest.raises(ReferenceRefused) as raised:
            list_files([reference], Roots.of(project), 1000)
        assert raised.value.rule == "too-slow"


def test_a_folder_of_very_many_entries_is_refused_even_if_git_ignores_them(project):
    build(project, {"many/.gitignore": "*.o\n"} | {f"many/{one}.o": "x" for one in range(100)})
    tree = locate("many", Roots.of(project))
    assert list(files_of(tree, Roots.of(project), most_entries=101))
    with pytest.raises(ReferenceRefused) as raised:
        list(files_of(tree, Roots.of(project), most_entries=100))
    assert raised.value.rule == "too-much"


def test_folders_that_lead_in_circles_and_down_for_ever_are_searched(project):
    deep = project
    for _ in range(400):
        deep /= "d"
        deep.mkdir()
    (deep / "end.md").write_text("x")
    (project / "d" / "up").symlink_to("..")
    (project / "d" / "self").symlink_to("self")
    found = read(project, ".")
    assert [one.text for one in found.sources] == ["x"]
    assert len(found.left_out) == 2


@pytest.mark.slow
def test_a_conversion_ends_in_time(project):
    build(project, {"bomb.pdf": pdf_bomb(60_000_000)})
    started = time.monotonic()
    assert refused_in_time(project, "bomb.pdf", 3).rule == "too-slow"
    assert time.monotonic() - started < 40  # of the 60 s that converting may take


def test_git_ends_in_time(project):
    refusal = refused_in_time(project, "git:log", 0)
    assert refusal.rule == "too-slow"
