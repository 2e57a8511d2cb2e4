"""References that the config marks private are told apart; the engine keeps them off the cloud."""

import os
import unicodedata

import pytest
from projects import build, read

from spadework.config.models import ReferencesConfig
from spadework.references.private_files import PrivateFiles
from spadework.references.roots import Roots


@pytest.mark.parametrize(
    ("pattern", "private"),
    [
        ("*.secret", {"a.secret", "docs/b.secret", "docs/C.SECRET"}),
        ("docs/", {"docs/b.secret", "docs/C.SECRET", "docs/d.md", "docs/sub/e.md"}),
        ("DOCS/", {"docs/b.secret", "docs/C.SECRET", "docs/d.md", "docs/sub/e.md"}),
        ("/docs/sub", {"docs/sub/e.md"}),
        ("sub/", {"docs/sub/e.md"}),
        ("docs/*.md", {"docs/d.md"}),
        ("**/e.md", {"docs/sub/e.md"}),
        ("none", set()),
        ("# a comment", set()),
    ],
)
def test_private_patterns_are_read_as_in_gitignore_whatever_the_case(project, pattern, private):
    files = ["a.secret", "docs/b.secret", "docs/C.SECRET", "docs/d.md", "docs/sub/e.md"]
    build(project, dict.fromkeys(files, "x"))
    material = read(project, ".", *files, private=[pattern])
    assert {one.path for one in material.sources if one.private} == private
    assert len(material.sources) == 5


def test_later_patterns_take_back_what_earlier_ones_said(project):
    build(project, {"a.md": "a", "b.md": "b"})
    material = read(project, "*", private=["*.md", "!b.md"])
    assert [one.private for one in material.sources] == [True, False]


def test_a_link_from_or_to_a_private_place_is_private(project):
    build(project, {"private/a.md": "a", "open/b.md": "b"})
    (project / "open/link.md").symlink_to("../private/a.md")
    (project / "private/link.md").symlink_to("../open/b.md")
    (project / "door").symlink_to("private")
    for reference in ("open/link.md", "private/link.md", "door/a.md", "door/a*"):
        material = read(project, reference, private=["private/"])
        assert all(source.private for source in material.sources)
    assert not read(project, "open/b.md", private=["private/"]).sources[0].private


def test_a_range_of_a_private_file_is_private(project):
    build(project, {"a.md": "a\nb\n"})
    assert read(project, "a.md:2", private=["a.md"]).sources[0].private


def test_patterns_hold_in_every_root(project, tmp_path):
    other = build(tmp_path / "other", {"private/a.md": "a", "b.md": "b"})
    material = read(project, str(other), extra=[other], private=["/private/"])
    assert [one.private for one in material.sources] == [False, True]


def test_both_unicode_forms_of_a_name_are_private(project):
    build(project, {unicodedata.normalize("NFD", "Tür.md"): "x"})
    pattern = unicodedata.normalize("NFC", "tür.md")
    assert read(project, "*", private=[pattern]).sources[0].private


def test_a_hard_link_to_a_private_file_is_private_whatever_git_ignores(project):
    build(project, {"hr/a.md": "a", "b.md": "b", ".gitignore": "hr/\n"})
    os.link(project / "hr/a.md", project / "link.txt")
    os.link(project / "b.md", project / "c.md")
    for reference in ("link.txt", "link.txt:1", "*.txt"):
        assert read(project, reference, private=["hr/"]).sources[0].private
    assert not any(one.private for one in read(project, "b.md", "c.md", private=["hr/"]).sources)


def test_every_symlink_on_the_way_to_a_file_counts(project):
    build(project, {"plain.txt": "a", "d/e.txt": "e"})
    (project / "second.secret").symlink_to("plain.txt")
    (project / "first.txt").symlink_to("second.secret")
    (project / "hr").symlink_to("d")
    (project / "way").symlink_to("hr")
    patterns = ["*.secret", "hr"]
    assert read(project, "first.txt", private=patterns).sources[0].private
    assert read(project, "way/e.txt", private=patterns).sources[0].private
    assert not read(project, "plain.txt", "d/e.txt", private=patterns).sources[0].private


def test_where_there_is_too_much_to_compare_a_hard_link_counts_as_private(project):
    build(project, {f"{number}.md": "x" for number in range(10)})
    os.link(project / "1.md", project / "link.md")
    roots = Roots.of(project)
    private = PrivateFiles.of(ReferencesConfig(private=["hr/"]), roots)
    assert not private.covers(project / "link.md")
    private = PrivateFiles.of(ReferencesConfig(private=["hr/"]), roots)
    private.most_entries = 5
    assert private.covers(project / "link.md")
    assert not private.covers(project / "2.md")
