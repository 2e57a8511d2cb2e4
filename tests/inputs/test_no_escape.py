"""Whatever is asked for: nothing from outside the roots, no credential file, no other error."""

import os
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from projects import build

from spadework.config.models import ReferencesConfig
from spadework.errors import ReferenceRefused
from spadework.references.reader import read_references
from spadework.references.roots import Roots
from spadework.references.syntax import unprintable

SECRET = "SECRET from outside"
CREDENTIAL = "CREDENTIAL inside"
INSIDE = "INSIDE\ntwo\nthree\n"

names = st.sampled_from(["a", "b", "sub", "deep", "é", "link", "x.md", "out"])
segments = names | st.sampled_from(
    [
        "..",
        ".",
        "",
        "*",
        "**",
        "?",
        "[ab]",
        "*.md",
        "~",
        ".env",
        ".ENV",
        "id_rsa",
        ".ssh",
        "mine",
        "key.pem",
        "outside",
        "secret.md",
        "project",
        "pipe",
        ".git",
        "A",
        "SUB",
        "e\u0301",
        "\0",
        "\n",
        "\u202e",
        "\udcff",
        " ",
        "a" * 300,
        "{a,b}",
        "[",
        "\\",
        "*" * 20,
        "%2e%2e",
        "..\\",
        "…",
    ]
)
ranges = st.sampled_from(
    ["", "", "", ":1", ":2-3", ":0", ":9-", ":-", ":5-2", ":x", ":" + "9" * 30]
)
targets = st.sampled_from(
    ["..", "../..", "../../outside", "../outside", "../outside/secret.md", "a", "b", "sub", "link",
     "../link", ".", "/", "/etc/passwd", "/dev/zero", ".env", "../.env", "pipe", "absent", "é"]
)  # fmt: skip


@st.composite
def references(draw):
    start = draw(st.sampled_from(["", "", "", "/", "~/", "./", "../", "ROOT/", "ROOT/../", "OUT/"]))
    path = "/".join(draw(st.lists(segments, max_size=5)))
    return start + path + draw(ranges)


@settings(max_examples=250, deadline=None)
@given(
    st.lists(st.tuples(st.lists(names, max_size=2), names, targets), max_size=5),
    st.lists(references() | st.text(max_size=12), min_size=1, max_size=4),
    st.lists(st.sampled_from(["*", "!a", "sub/", "link", "**/x.md"]), max_size=2),
)
def test_no_reference_leads_out_of_the_roots_or_to_a_credential_file(links, asked, ignored):
    with tempfile.TemporaryDirectory() as name:
        top = Path(name).resolve()
        project = build_house(top)
        build(project, {".gitignore": "\n".join(ignored)})
        for folders, link, target in links:
            place = project.joinpath(*folders)
            if place.is_dir() and not os.path.lexists(place / link):
                (place / link).symlink_to(target)
        for text in asked:
            reference = text.replace("ROOT", str(project)).replace("OUT", str(top / "outside"))
            for source in read(project, reference):
                assert source.text in INSIDE or source.path == ".gitignore"
                assert not any(word in source.path for word in ("secret", ".env", "id_rsa", ".pem"))


def build_house(top):
    build(top, {"outside/secret.md": SECRET, "outside/x.md": SECRET, "outside/a": SECRET})
    build(top, {"x.md": SECRET, "secret.md": SECRET, ".env": SECRET})
    project = build(top / "project", dict.fromkeys(("x.md", "sub/x.md", "sub/deep/x.md"), INSIDE))
    build(project, {"é/x.md": INSIDE, "b": INSIDE, ".git/HEAD": INSIDE})
    for path in (".env", "sub/id_rsa", "sub/deep/key.pem", ".ssh/mine", "a/.env"):
        build(project, {path: CREDENTIAL})
    os.mkfifo(project / "sub/pipe")
    return project


def read(project, reference):
    """The sources, none where it is refused; anything else that is raised fails the test."""
    roots = Roots.of(project)
    try:
        return read_references([reference], roots=roots, limits=ReferencesConfig()).sources
    except ReferenceRefused as refusal:
        return check(refusal)


def check(refusal):
    assert refusal.rule
    assert unprintable(str(refusal)) is None
    return ()
