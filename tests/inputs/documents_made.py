"""Small real documents, made byte by byte."""

import io
import json
import zipfile
import zlib

from pptx import Presentation

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PAGE = (
    b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
    b" /Resources << /Font << /F1 5 0 R >> >> >>"
)


def pdf(*lines):
    """A PDF of one page with these lines of text."""
    shown = "".join(f"({line}) Tj T* " for line in lines)
    content = f"BT /F1 12 Tf 72 720 Td 14 TL {shown}ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        PAGE,
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    return _pdf_of(objects)


def pdf_bomb(size):
    """A PDF whose one page inflates to this many bytes of operators."""
    content = zlib.compress(b"BT /F1 12 Tf (a) Tj ET\n" * (size // 23), 9)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        PAGE,
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    return _pdf_of(objects)


def _pdf_of(objects):
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        start,
    )
    return bytes(out)


def docx(*paragraphs, document="", more=()):
    """A Word document of these paragraphs; `more` are further files in its archive."""
    body = "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in paragraphs)
    document = document or f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'
    types = (
        f'<Types xmlns="{PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.'
        'relationships+xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.'
        'openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
    )
    relations = (
        f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" '
        f'Type="{OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>'
    )
    files = {
        "[Content_Types].xml": types,
        "_rels/.rels": relations,
        "word/document.xml": document,
        **dict(more),
    }
    return archive(files)


def epub(text):
    container = (
        '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="a.opf"/></rootfiles></container>'
    )
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf"><metadata/><manifest><item id="p" '
        'href="p.xhtml"/></manifest><spine><itemref idref="p"/></spine></package>'
    )
    page = f"<html><body><h1>{text}</h1></body></html>"
    return archive({"META-INF/container.xml": container, "a.opf": package, "p.xhtml": page})


def pptx(title):
    slides = Presentation()
    slides.slides.add_slide(slides.slide_layouts[0]).shapes.title.text = title
    stream = io.BytesIO()
    slides.save(stream)
    return stream.getvalue()


def archive(files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return stream.getvalue()


def notebook(*cells):
    made = [{"cell_type": kind, "metadata": {}, "source": [text]} for kind, text in cells]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
