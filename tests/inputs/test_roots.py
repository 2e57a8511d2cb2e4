"""Nothing outside of the roots is read, whatever leads there."""

import os
import threading

import pytest
from projects import build, left_out, paths, read, refused

from spadework.config.models import ReferencesConfig
from spadework.errors import ArgumentError, ReferenceRefused
from spadework.references.documents.converter import Converter
from spadework.references.file_reader import read_file
from spadework.references.resolution import locate
from spadework.references.roots import Roots


@pytest.fixture
def secret(tmp_path):
    """A folder beside the project."""
    return build(tmp_path / "outside", {"secret.txt": "SECRET", "deep/secret.txt": "SECRET"})


@pytest.mark.parametrize(
    "reference",
    [
        "../outside/secret.txt",
        "../outside/",
        "..",
        "../*",
        "../**/secret.txt",
        "../outside/*.txt",
        "../outside/secret.txt:1",
        "src/../../outside/secret.txt",
        "../outside/absent.txt",
        "../absent/*.txt",
        "/etc/passwd",
        "/etc/absent",
        "/",
        "/*",
        "/etc/*",
        "~/.bashrc",
        "~",
        "../projectile",
    ],
)
@pytest.mark.usefixtures("secret")
def test_what_is_outside_is_refused_whether_it_exists_or_not(project, reference):
    build(project, {"src/a.py": "a"})
    error = refused(project, "src/a.py", reference)
    assert error.rule == "outside-roots"
    assert error.reference == reference
    assert str(project) in error.hint
    assert "`roots`" in error.hint
    assert "--root" in error.hint


def test_an_extra_root_opens_a_folder_and_nothing_beside_it(project, secret, tmp_path):
    build(tmp_path / "outside2", {"x.txt": "x"})
    assert [one.text for one in read(project, "../outside/**", extra=[secret]).sources] == [
        "SECRET",
        "SECRET",
    ]
    error = refused(project, "../outside2/x.txt", extra=[secret])
    assert error.rule == "outside-roots"
    assert str(secret) in error.hint


def test_a_link_out_of_the_roots_is_refused_if_it_is_named(project, secret):
    (project / "link.txt").symlink_to(secret / "secret.txt")
    (project / "folder").symlink_to(secret)
    (project / "chain").symlink_to("folder")
    for reference in ("link.txt", "link.txt:1", "folder", "folder/secret.txt", "chain/*.txt"):
        error = refused(project, reference)
        assert error.rule == "outside-roots"
        assert "a symlink leads to" in str(error)
    assert refused(project, "chain/../../outside/secret.txt").rule == "outside-roots"


def test_a_stray_link_does_not_block_a_folder(project, secret):
    build(project, {"docs/a.md": "a"})
    (project / "docs/link.md").symlink_to(secret / "secret.txt")
    (project / "docs/sub").symlink_to(secret)
    for reference in ("docs", "docs/*", "**"):
        assert paths(project, reference) == ["docs/a.md"]
        assert left_out(project, reference) == {
            "docs/link.md": "symlink out of the roots",
            "docs/sub": "symlink out of the roots",
        }


def test_links_that_stay_inside_are_followed_to_files_but_not_to_folders(project):
    build(project, {"real/a.md": "a", "docs/x.md": "x"})
    (project / "docs/b.md").symlink_to("../real/a.md")
    (project / "docs/real").symlink_to("../real")
    assert paths(project, "docs") == ["docs/b.md", "docs/x.md"]
    assert left_out(project, "docs") == {"docs/real": "symlink to a folder, not followed"}
    assert paths(project, "docs/real") == ["docs/real/a.md"]
    assert paths(project, "docs/real/*.md") == ["docs/real/a.md"]


def test_loops_and_dangling_links_end(project):
    build(project, {"docs/a.md": "a"})
    (project / "docs/self").symlink_to("self")
    (project / "docs/one").symlink_to("two")
    (project / "docs/two").symlink_to("one")
    (project / "docs/up").symlink_to("..")
    (project / "docs/gone").symlink_to("absent")
    assert paths(project, "**") == ["docs/a.md"]
    assert left_out(project, "docs") == {
        "docs/gone": "symlink to nothing",
        "docs/one": "symlink to nothing",
        "docs/self": "symlink to nothing",
        "docs/two": "symlink to nothing",
        "docs/up": "symlink to a folder, not followed",
    }
    for reference in ("docs/self", "docs/one", "docs/gone", "docs/self/x", "docs/self/*"):
        assert refused(project, reference).rule == "not-found"
    assert paths(project, "docs/up/docs/up/docs/a.md") == ["docs/up/docs/up/docs/a.md"]


def test_the_project_folder_must_exist(tmp_path):
    for folder in (tmp_path / "absent", tmp_path / "a\0b", "~nobody-here/x"):
        with pytest.raises(ArgumentError, match="project folder"):
            Roots.of(folder)


def test_an_extra_root_that_does_not_exist_is_ignored(project, tmp_path):
    build(tmp_path, {"file": "x", "other/": ""})
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    wanted = [tmp_path / "other", tmp_path / "absent", tmp_path / "file", loop, "~nobody-here/x"]
    assert Roots.of(project, wanted).extra == (tmp_path / "other",)


def test_roots_are_real_paths_without_repetition(project, tmp_path):
    (tmp_path / "link").symlink_to(project)
    other = build(tmp_path / "other", {"x": "x"})
    roots = Roots.of(tmp_path / "link", [project, other, str(other), tmp_path / "link"])
    assert roots == Roots(project, (other,))


def exchanges(project, secret):
    """Ways to put something else in the place of src/deep/a.txt."""
    deep = project / "src/deep"

    def file_by_link():
        (deep / "a.txt").unlink()
        (deep / "a.txt").symlink_to(secret / "secret.txt")

    def folder_by_link():
        deep.rename(project / "old")
        deep.symlink_to(secret)
        (secret / "a.txt").write_text("SECRET")

    def upper_folder_by_link():
        (project / "src").rename(project / "old")
        (project / "src").symlink_to(secret)
        (secret / "deep/a.txt").write_text("SECRET")

    def file_by_fifo():
        (deep / "a.txt").unlink()
        os.mkfifo(deep / "a.txt")

    def folder_by_file():
        deep.rename(project / "old")
        deep.write_text("SECRET")

    def nothing():
        (deep / "a.txt").unlink()

    return [
        file_by_link,
        folder_by_link,
        upper_folder_by_link,
        file_by_fifo,
        folder_by_file,
        nothing,
    ]


@pytest.mark.parametrize("way", range(6))
def test_what_is_put_in_a_files_place_after_the_check_is_not_read(project, secret, way):
    build(project, {"src/deep/a.txt": "a"})
    file = locate("src/deep/a.txt", Roots.of(project))
    exchanges(project, secret)[way]()
    with pytest.raises(ReferenceRefused) as refusal:
        read_file(file, ReferencesConfig(), Converter.of(1, 1000))
    assert refusal.value.rule == "changed"


def test_a_folder_that_is_exchanged_again_and_again_never_gives_the_secret(project, secret):
    build(project, {"sub/a.txt": "a"})
    (secret / "a.txt").write_text("SECRET")
    done = threading.Event()

    def exchange():
        while not done.is_set():
            (project / "sub").rename(project / "aside")
            (project / "sub").symlink_to(secret)
            (project / "sub").unlink()
            (project / "aside").rename(project / "sub")

    thread = threading.Thread(target=exchange)
    thread.start()
    outcomes = set()
    rounds = 0
    try:
        while rounds < 400 or len(outcomes) < 2:
            rounds += 1
            try:
                outcomes |= {one.text for one in read(project, "sub/a.txt").sources}
            except ReferenceRefused as error:
                outcomes.add(error.rule)
    finally:
        done.set()
        thread.join()
    assert outcomes <= {"a", "changed", "not-found", "outside-roots"}
