"""The confined process that converts documents.

markitdown is imported nowhere else: it takes a second and 100 MiB.
"""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

from spadework.references.sandbox import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spadework.references.sandbox import Work


_MOST_CSS = 1_000_000  # bytes


def converters() -> Work:
    """The converters one by one: MarkItDown itself would guess the kind, and look into archives.

    What they return begins with a line: how many texts that nobody sees were left out.
    """
    from markitdown import StreamInfo  # noqa: PLC0415 - heavy
    from markitdown import converters as known  # noqa: PLC0415 - heavy

    from spadework.references.documents import hidden_html, hidden_word  # noqa: PLC0415 - as above

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
            data, hidden = hidden_word.without_hidden(data)
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
