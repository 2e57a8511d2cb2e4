"""PDF, DOCX and the like are read as Markdown, and a hostile one hurts nobody."""

import socket
import sys
import threading

import pytest
from documents_made import (
    OFFICE,
    PACKAGE,
    WORD,
    docx,
    epub,
    notebook,
    pdf,
    pdf_bomb,
    pptx,
)
from projects import build, left_out, paths, read, refused

from spadework.references.confined_process import ConfinedFailure, TooLong, TooSlow
from spadework.references.documents.converter import Converter

pytestmark = pytest.mark.slow  # each starts a process that takes a second

PRIVATE_KEY = "-----BEGIN PRIVATE KEY-----"


@pytest.fixture
def without_extra(monkeypatch):
    """As if markitdown were not installed: this is how Python itself marks a module as absent."""
    monkeypatch.setitem(sys.modules, "markitdown", None)


def source(project, reference, **limits):
    (found,) = read(project, reference, **limits).sources
    return found


def test_every_kind_of_document_is_read_as_markdown(project):
    build(
        project,
        {
            "a.pdf": pdf("Hello from a PDF", "second line"),
            "b.docx": docx("First paragraph", "Second"),
            "c.HTML": "<h1>Title</h1><p>Größe &amp; Maß<script>no()</script>".encode("cp1252"),
            "d.ipynb": notebook(("markdown", "# Note"), ("code", "print(1)")),
            "e.epub": epub("A book"),
            "f.pptx": pptx("A slide"),
        },
    )
    found = {one.path: one for one in read(project, ".").sources}
    assert found["a.pdf"].text == "Hello from a PDF\nsecond line\n"
    assert found["b.docx"].text == "First paragraph\n\nSecond\n"
    assert found["c.HTML"].text == "# Title\n\nGröße & Maß\n"
    assert found["d.ipynb"].text == "# Note\n\n```python\nprint(1)\n```\n"
    assert found["e.epub"].text == "# A book\n"
    assert "# A slide\n" in found["f.pptx"].text
    assert [one.note for one in found.values()] == [
        f"converted from {name}" for name in ("PDF", "DOCX", "HTML", "notebook", "EPUB", "PPTX")
    ]
    assert found["a.pdf"].bytes == len(found["a.pdf"].text)
    assert (found["b.docx"].first_line, found["b.docx"].last_line) == (1, 3)


def test_a_range_of_a_document_is_lines_of_its_text(project):
    build(project, {"a.pdf": pdf("one", "two", "three")})
    found = source(project, "a.pdf:2")
    assert (found.text, found.first_line, found.total_lines) == ("two\n", 2, 3)
    error = refused(project, "a.pdf:9")
    assert error.rule == "bad-range"
    assert "it has 3 lines" in str(error)


def test_a_document_is_named_by_a_link_or_a_glob_too(project):
    build(project, {"files/a.pdf": pdf("text")})
    (project / "latest").symlink_to("files/a.pdf")
    assert source(project, "latest").text == "text\n"
    assert paths(project, "**/*.pdf") == ["files/a.pdf"]


def test_limits_hold_for_the_document_and_for_its_text(project):
    build(project, {"a.pdf": pdf("x" * 60, "y" * 60)})
    assert source(project, "a.pdf", max_file_bytes=200).text
    error = refused(project, "a.pdf", max_file_bytes=100)
    assert error.rule == "too-large"
    assert "its text is over the limit of 100" in str(error)
    assert source(project, "a.pdf:2", max_file_bytes=100).text == "y" * 60 + "\n"
    error = refused(project, "a.pdf", max_document_bytes=100)
    assert "over the limit of 100 for one document" in str(error)


def test_a_broken_document_is_one_clear_line_and_in_a_folder_it_is_left_out(project):
    build(
        project, {"a.pdf": b"%PDF-1.4 nonsense", "b.docx": b"PK\x03\x04", "c.ipynb": "{", "d": "d"}
    )
    for name, kind in (("a.pdf", "PDF"), ("b.docx", "DOCX"), ("c.ipynb", "notebook")):
        error = refused(project, name)
        assert error.rule == "broken-document"
        assert f"cannot be converted from {kind}" in str(error)
    assert paths(project, ".") == ["d"]
    assert set(left_out(project, ".").values()) == {"cannot be converted"}


def test_an_empty_document_and_one_without_text_are_empty(project):
    build(project, {"a.pdf": "", "b.pdf": pdf()})
    for name in ("a.pdf", "b.pdf"):
        assert (source(project, name).text, source(project, name).last_line) == ("", 0)


def test_a_private_key_in_a_document_is_refused(project):
    build(project, {"a.docx": docx(PRIVATE_KEY, "c2VjcmV0")})
    assert refused(project, "a.docx").rule == "credential-file"


@pytest.mark.usefixtures("without_extra")
def test_without_the_extra_a_document_is_refused_and_the_extra_is_named(project):
    build(project, {"a.pdf": pdf("text"), "b.docx": docx("text"), "c.md": "c"})
    for name in ("a.pdf", "b.docx", "a.pdf:1"):
        error = refused(project, name)
        assert error.rule == "needs-extra"
        assert "pip install 'spadework[documents]'" in error.hint
    assert paths(project, ".") == ["c.md"]
    assert left_out(project, ".")["a.pdf"] == "needs spadework[documents]"


@pytest.mark.usefixtures("without_extra")
def test_without_the_extra_html_and_notebooks_are_read_raw_with_a_note(project):
    build(project, {"a.html": "<p>x</p>", "b.ipynb": notebook(("code", "1"))})
    for name, kind in (("a.html", "HTML"), ("b.ipynb", "notebook")):
        found = source(project, name)
        assert found.text == (project / name).read_text()
        assert found.note == f"raw {kind}; spadework[documents] converts it"


def test_the_config_says_what_is_converted(project):
    build(project, {"a.html": "<p>x</p>"})
    found = source(project, "a.html", convert=["pdf"])
    assert (found.text, found.note) == ("<p>x</p>", "")


def test_a_document_that_takes_too_long_is_ended_and_the_next_one_is_read(tmp_path):
    with Converter.of(60, 1_000_000) as converter:
        assert converter.text_of(tmp_path / "a", pdf("text"), ".pdf").startswith("text")
        child = converter.process._child
        converter.seconds = converter.spent + 0.5
        with pytest.raises(TooSlow):
            converter.text_of(tmp_path / "b", pdf_bomb(60_000_000), ".pdf")
        assert child.returncode is not None
        converter.seconds = 120
        assert converter.text_of(tmp_path / "c", pdf("text"), ".pdf").startswith("text")
        last = converter.process._child
    assert last.returncode is not None


def test_a_document_that_wants_too_much_memory_fails_alone(tmp_path):
    huge = docx(document=f'<w:document xmlns:w="{WORD}">{" " * 200_000_000}</w:document>')
    assert len(huge) < 300_000
    with Converter.of(60, 1_000_000, memory=400 << 20) as converter:
        with pytest.raises(ConfinedFailure, match="emory"):
            converter.text_of(tmp_path / "a", huge, ".docx")
        assert converter.text_of(tmp_path / "b", docx("text"), ".docx") == "text"


def test_a_text_that_grows_over_the_limit_is_refused(tmp_path):
    with Converter.of(60, 10) as converter, pytest.raises(TooLong):
        converter.text_of(tmp_path / "a", docx("more than ten characters"), ".docx")


def test_what_a_document_points_to_is_neither_read_nor_fetched(project):
    """An image and an entity that name a file, a picture and a style sheet that name a server."""
    (project / "secret.txt").write_text("SECRET")
    address = f"file://{project}/secret.txt"
    with Listener() as listener:
        relations = (
            f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="i" Type="{OFFICE}'
            f'/image" Target="{address}" TargetMode="External"/><Relationship Id="h" Type="{OFFICE}'
            f'/image" Target="{listener.url}" TargetMode="External"/></Relationships>'
        )
        build(
            project,
            {
                "a.docx": docx(
                    document=PICTURES,
                    more={"word/_rels/document.xml.rels": relations}.items(),
                ),
                "b.docx": docx(
                    document=f'<!DOCTYPE d [<!ENTITY e SYSTEM "{address}">]><w:document '
                    f'xmlns:w="{WORD}"><w:body><w:p><w:r><w:t>&e;</w:t></w:r></w:p></w:body>'
                    "</w:document>"
                ),
                "c.html": f'<link rel="stylesheet" href="{listener.url}"><img src="{listener.url}">'
                f'<iframe src="{address}"></iframe><p>text</p>',
            },
        )
        texts = [one.text for one in read(project, "a.docx", "c.html").sources]
        refused(project, "b.docx")
        assert "after" in texts[0]
        assert not any("SECRET" in text for text in texts)
        assert not listener.called


PICTURES = (
    f'<w:document xmlns:w="{WORD}" xmlns:r="{OFFICE}"'
    ' xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
    ' xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"'
    ' xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture"><w:body>'
    + "".join(
        "<w:p><w:r><w:drawing><wp:inline><a:graphic><a:graphicData><pic:pic><pic:blipFill>"
        f'<a:blip r:link="{name}"/></pic:blipFill></pic:pic></a:graphicData></a:graphic>'
        "</wp:inline></w:drawing></w:r></w:p>"
        for name in ("i", "h")
    )
    + "<w:p><w:r><w:t>after</w:t></w:r></w:p></w:body></w:document>"
)


class Listener:
    """A server that only notes whether anybody called."""

    def __enter__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/x.png"
        self.called = False
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self._thread.start()
        return self

    def _wait(self):
        try:
            self._socket.accept()[0].close()
        except OSError:
            return
        self.called = True

    def __exit__(self, *_):
        self._socket.close()
