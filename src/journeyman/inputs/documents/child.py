"""The confined process that converts documents.

markitdown is imported nowhere else: it takes a second and 100 MiB.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from journeyman.inputs.confinement import serve

if TYPE_CHECKING:
    from journeyman.inputs.confinement import Work


def converters() -> Work:
    """The converters one by one: MarkItDown itself would guess the kind, and look into archives."""
    from markitdown import StreamInfo  # noqa: PLC0415 - heavy
    from markitdown import converters as known  # noqa: PLC0415 - heavy

    makers: dict[str, Any] = {
        ".pdf": known.PdfConverter,
        ".docx": known.DocxConverter,
        ".pptx": known.PptxConverter,
        ".epub": known.EpubConverter,
        ".html": known.HtmlConverter,
        ".ipynb": known.IpynbConverter,
    }

    def convert(suffix: str, data: bytes) -> str:
        about = StreamInfo(extension=suffix, charset="utf-8")
        return str(makers[suffix]().convert(io.BytesIO(data), about).markdown)

    return convert


if __name__ == "__main__":
    serve(converters)
