"""The confined process that converts documents.

markitdown is imported nowhere else: it takes a second and 100 MiB. Text that a document does not
show (hidden, white, or too small) is taken out first, of Word's here.
"""

from __future__ import annotations

import io
import re
import zipfile
from typing import TYPE_CHECKING, Any

from lxml import etree  # type: ignore[import-untyped]  # it has no stubs

from spadework.references.documents import hidden_html
from spadework.references.sandbox import serve

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from spadework.references.sandbox import Work

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_PARTS = re.compile(r"word/(?:document|footnotes|endnotes|header\d*|footer\d*|comments)\.xml")
_OFF = frozenset({"0", "false", "off", "none"})
_HIDING = ("vanish", "specVanish", "webHidden")
_SMALL = 2  # half points
_WHITE = re.compile(r"[fF][0-9a-fA-F][fF][0-9a-fA-F][fF][0-9a-fA-F]")
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)


def _without_hidden_runs(data: bytes) -> tuple[bytes, int]:
    """Take out the runs that cannot be seen.

    Returns:
        The document, the very same bytes where nothing is hidden; and how many runs were taken out.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        styles = _hiding_styles(archive)
        changed: dict[str, bytes] = {}
        count = 0
        for name in archive.namelist():
            if _PARTS.fullmatch(name):
                part, taken = _visible(archive.read(name), styles)
                count += taken
                changed |= {name: part} if taken else {}
        return (_rewritten(archive, changed), count) if count else (data, 0)


def _hiding_styles(archive: zipfile.ZipFile) -> frozenset[str]:
    """Return the ids of the styles whose text is hidden."""
    if "word/styles.xml" not in archive.namelist():
        return frozenset()
    tree = etree.fromstring(archive.read("word/styles.xml"), _PARSER)
    hiding: set[str] = set()
    styles = {str(one.get(f"{_W}styleId")): one for one in tree.iter(f"{_W}style")}
    for _ in range(len(styles)):  # a style may be based on one that comes later
        more = {
            name
            for name, style in styles.items()
            if name not in hiding
            and (_hides(style.find(f"{_W}rPr"), ()) or _named(style, "basedOn") in hiding)
        }
        if not more:
            break
        hiding |= more
    return frozenset(hiding)


def _visible(part: bytes, styles: Collection[str]) -> tuple[bytes, int]:
    tree = etree.fromstring(part, _PARSER)
    count = 0
    for run in list(tree.iter(f"{_W}r")):
        paragraph = next(run.iterancestors(f"{_W}p"), None)
        properties = None if paragraph is None else paragraph.find(f"{_W}pPr")
        by_paragraph = properties is not None and _named(properties, "pStyle") in styles
        is_shown = _says_otherwise(run.find(f"{_W}rPr"))
        if _hides(run.find(f"{_W}rPr"), styles) or (by_paragraph and not is_shown):
            count += bool("".join(run.itertext()).strip())
            run.getparent().remove(run)
    return etree.tostring(tree, xml_declaration=True, encoding="UTF-8", standalone=True), count


def _hides(properties: etree._Element | None, styles: Collection[str]) -> bool:
    if properties is None:
        return False
    if _named(properties, "rStyle") in styles and not _says_otherwise(properties):
        return True
    if any(_is_on(properties, name) for name in _HIDING):
        return True
    background = _named(properties, "highlight") or properties.find(f"{_W}shd") is not None
    if _WHITE.fullmatch(_named(properties, "color")) and not background:
        return True
    size = _named(properties, "sz")
    return size.isascii() and size.isdigit() and int(size[:6]) <= _SMALL


def _says_otherwise(properties: etree._Element | None) -> bool:
    """Whether a run says of itself that it is not hidden, against its style."""
    if properties is None:
        return False
    found = properties.find(f"{_W}vanish")
    return found is not None and str(found.get(f"{_W}val")) in _OFF


def _is_on(properties: etree._Element, name: str) -> bool:
    found = properties.find(f"{_W}{name}")
    return found is not None and str(found.get(f"{_W}val", "1")) not in _OFF


def _named(parent: etree._Element, name: str) -> str:
    found = parent.find(f"{_W}{name}")
    return "" if found is None else str(found.get(f"{_W}val", ""))


def _rewritten(archive: zipfile.ZipFile, changed: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as copy:
        for name in dict.fromkeys(archive.namelist()):
            copy.writestr(name, changed[name] if name in changed else archive.read(name))
    return target.getvalue()


_MOST_CSS = 1_000_000  # bytes


def converters() -> Work:
    """The converters one by one: MarkItDown itself would guess the kind, and look into archives.

    What they return begins with a line: how many texts that nobody sees were left out.
    """
    # Not at the top: what a library prints while it is imported must not get into a reply.
    from markitdown import StreamInfo  # noqa: PLC0415 - as above
    from markitdown import converters as known  # noqa: PLC0415 - as above

    class Pages(known.HtmlConverter):
        """Converts what can be seen of a page, and counts the rest."""

        sheets: tuple[str, ...] = ()
        hidden = 0

        def convert(self, file_stream: Any, stream_info: Any, **options: Any) -> Any:
            data, hidden = hidden_html.without_hidden(file_stream.read(), self.sheets)
            self.hidden += hidden
            # The name says nothing of the encoding; what was cleaned is UTF-8.
            about = StreamInfo(
                extension=".html", charset="utf-8" if hidden else stream_info.charset
            )
            return super().convert(io.BytesIO(data), about, **options)

    makers: dict[str, Any] = {
        ".pdf": known.PdfConverter,
        ".docx": known.DocxConverter,
        ".pptx": known.PptxConverter,
        ".epub": known.EpubConverter,
        ".html": Pages,
        ".ipynb": known.IpynbConverter,
    }

    def convert(suffix: str, data: bytes) -> str:
        about = StreamInfo(extension=suffix, charset="utf-8")
        converter, hidden = makers[suffix](), 0
        pages = converter if isinstance(converter, Pages) else Pages()
        if suffix == ".docx":
            data, hidden = _without_hidden_runs(data)
        elif suffix == ".epub":
            pages.sheets = tuple(_style_sheets(data))
            converter._html_converter = pages  # noqa: SLF001 - it takes none from outside
        text = converter.convert(io.BytesIO(data), about).markdown
        return f"{hidden + pages.hidden}\n{text}"

    return convert


def _style_sheets(book: bytes) -> Iterator[str]:
    """Yield the style sheets of an EPUB; its pages name them, so they can be told to hold."""
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        for name in archive.namelist():
            if name.lower().endswith(".css") and archive.getinfo(name).file_size < _MOST_CSS:
                yield archive.read(name).decode(errors="replace")


if __name__ == "__main__":
    serve(converters)
