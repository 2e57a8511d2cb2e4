"""A file's bytes as text."""

from __future__ import annotations

import math
import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

from spadework.references import refusals
from spadework.references.cancellation import checkpoint
from spadework.references.confined_process import ConfinedFailure, TooLong, TooSlow
from spadework.references.credential_files import holds_private_key
from spadework.references.documents.converter import (
    EXTRA,
    GET_THE_EXTRA,
    DocumentKind,
    is_extra_there,
    kind_of,
)
from spadework.references.roots import FileChanged, open_below
from spadework.references.syntax import LineRange
from spadework.references.text_decoding import (
    BLOCK,
    PROBE,
    Excerpt,
    ExcerptTooLarge,
    cut_lines,
    decode,
    is_binary,
    legacy_encoding_of_block,
    marked_encoding,
    text_blocks,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from spadework.config.models import ReferencesConfig
    from spadework.references.documents.converter import Converter
    from spadework.references.resolution import File

ALL_LINES = LineRange(1, None)
LOOK_BACK = 200  # characters of the block before, so that no block's end hides a key's first line


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read: the lines, the encoding, the bytes that they stand for, and what to know."""

    excerpt: Excerpt
    encoding: str
    bytes: int
    note: str = ""


def read_file(file: File, limits: ReferencesConfig, converter: Converter) -> Reading:
    """Read a file, or the lines of it that are asked for.

    A file over the limit is read if the lines asked for are under it, and no further than they go.
    A document is converted to
    Markdown; its lines are those of that text.

    Args:
        file: a file that was found inside the roots.
        limits: the most that is read, and which files are documents.
        converter: what converts documents.

    Raises:
        ReferenceRefused: it is binary, too large, holds a private key, cannot be read or
            converted, or ends before the lines asked for.
    """
    kind = kind_of((file.path, file.real.name), limits.convert)
    if kind is None:
        return _read_text(file, limits.max_file_bytes)
    if is_extra_there():
        return _read_document(file, kind, limits, converter)
    if not kind.is_text:
        raise refusals.needs_extra(file.reference, file.path, kind.name, GET_THE_EXTRA)
    reading = _read_text(file, limits.max_file_bytes)
    return replace(reading, note=f"raw {kind.name}; spadework[{EXTRA}] converts it")


def _read_document(
    file: File, kind: DocumentKind, limits: ReferencesConfig, converter: Converter
) -> Reading:
    limit = limits.max_document_bytes
    with _opened(file) as stream:
        size = os.fstat(stream.fileno()).st_size
        data = _read_up_to(stream, limit + 1) if size <= limit else b""
    if max(size, len(data)) > limit:
        raise refusals.document_too_large(file.reference, file.path, size, limit)
    if kind.is_text:
        decoded = decode(data)
        if decoded is None:
            raise refusals.binary(file.reference, file.path)
        data = decoded[0].removeprefix("\ufeff").encode(errors="replace")
    text = _converted(file, kind, data, converter) if data.strip() else ""
    whole = _cut(replace(file, lines=None), [text], math.inf)  # a key anywhere in it counts
    found = replace(_cut(file, [text], limits.max_file_bytes), total_lines=whole.total_lines)
    note = f"converted from {kind.name}"
    if converter.hidden.get(file.real):
        note += ", hidden text left out"
    return Reading(found, "utf-8", len(found.text.encode()), note)


def _converted(file: File, kind: DocumentKind, data: bytes, converter: Converter) -> str:
    try:
        text = converter.text_of(file.real, data, kind.suffixes[0])
    except ConfinedFailure as error:
        raise refusals.unconvertible(file.reference, file.path, kind.name, str(error)) from error
    except TooSlow as error:
        raise refusals.too_slow(file.reference, file.path, converter.seconds) from error
    except TooLong as error:
        raise refusals.text_too_long(file.reference, file.path, converter.process.most) from error
    text = text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n").strip()
    return f"{text}\n" if text else ""


def _read_text(file: File, limit: int) -> Reading:
    with _opened(file) as stream:
        head = stream.read(PROBE)
        if is_binary(head):
            raise refusals.binary(file.reference, file.path)
        size = os.fstat(stream.fileno()).st_size
        if size > limit:
            return _read_large(file, stream, size, limit)
        data = head + _read_up_to(stream, max(0, limit + 1 - len(head)))
    if len(data) > limit:  # it grew, or its size is not known before, as in /proc
        raise refusals.too_large(file.reference, file.path, len(data), limit)
    decoded = decode(data)
    if decoded is None:
        raise refusals.binary(file.reference, file.path)
    text, encoding = decoded
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not file.lines:
        return Reading(_cut(file, [text], math.inf), encoding, len(data))
    whole = _cut(replace(file, lines=None), [text], math.inf)  # a key anywhere in it counts
    found = replace(_cut(file, [text], math.inf), total_lines=whole.total_lines)
    return Reading(found, encoding, len(found.text.encode()))


def _read_up_to(stream: BinaryIO, size: int) -> bytes:
    """Read in blocks, with a checkpoint at each: a disk may be slow."""
    data = bytearray()
    while block := stream.read(min(BLOCK, size - len(data))):
        checkpoint()
        data += block
    return bytes(data)


@contextmanager
def _opened(file: File) -> Iterator[BinaryIO]:
    try:
        with open_below(file.root, file.real) as stream:
            yield stream
    except FileChanged as error:
        raise refusals.changed(file.reference, file.path) from error
    except OSError as error:
        raise refusals.unreadable(file.reference, file.path, error) from error


def _read_large(file: File, stream: BinaryIO, size: int, limit: int) -> Reading:
    if file.lines is None:
        raise refusals.too_large(file.reference, file.path, size, limit)
    stream.seek(0)
    marked = marked_encoding(stream.read(PROBE))
    try:
        return _read_lines(file, stream, marked or "utf-8", limit)
    except UnicodeDecodeError as error:
        legacy = None if marked else legacy_encoding_of_block(error.object)
    if legacy is None:
        raise refusals.binary(file.reference, file.path)
    try:
        return _read_lines(file, stream, legacy, limit)
    except UnicodeDecodeError as error:
        raise refusals.binary(file.reference, file.path) from error


def _read_lines(file: File, stream: BinaryIO, encoding: str, limit: int) -> Reading:
    stream.seek(0)
    found = _cut(file, text_blocks(stream, encoding), limit)
    return Reading(found, encoding, len(found.text.encode()))


def _cut(file: File, blocks: Iterable[str], limit: float) -> Excerpt:
    lines = file.lines or ALL_LINES
    try:
        found = cut_lines(_without_keys(file, blocks), lines, limit)
    except ExcerptTooLarge as error:
        if file.lines is None:
            raise refusals.text_too_long(file.reference, file.path, limit) from error
        raise refusals.range_too_large(file.reference, file.path, limit) from error
    if file.lines and found.total_lines is not None and lines.first > found.total_lines:
        reason = f"it ends before line {lines.first}; it has {found.total_lines} lines in all"
        raise refusals.bad_range(file.reference, file.path, reason)
    return found


def _without_keys(file: File, blocks: Iterable[str]) -> Iterator[str]:
    before = ""
    for block in blocks:
        if holds_private_key(before + block):
            raise refusals.credential_file(file.reference, file.path, "it holds a private key")
        before = block[-LOOK_BACK:]
        yield block
