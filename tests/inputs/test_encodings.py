"""Text is read in any encoding, and no binary passes for text."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from projects import build, left_out, paths, read, refused

from spadework.references.text_decoding import decode

SENTENCES = {
    "french": "Où est l'été ? Ça va très bien, merci. «Voilà» — déjà vu.\n",
    "german": "Größe, Straße, Übermut und Ärger über die schöne Tür\n",
    "spanish": "El niño comió mañana, ¿verdad? ¡Sí, señor!\n",
    "swedish": "Får får får? Nej, får får lamm. Ålen är i ån.\n",
    "english": "It’s “quoted” — a plain English text with smart quotes…\n",
    "code": "# Größe\nint main(void) { return 0; } // naïve\n",
    "short": "café\n",
    "czech": "Příliš žluťoučký kůň úpěl ďábelské ódy.\n",
    "turkish": "İstanbul'da güneşli bir gün, çocuklar şarkı söylüyor.\n",
    "russian": "Привет, как дела? Это простой текст на русском языке.\n",
    "greek": "Αυτό είναι ένα απλό κείμενο.\n",
    "japanese": "これは日本語のテキストです。漢字とかなが混ざっています。\n",
    "chinese": "这是一个简单的中文文本文件，用来测试编码。\n",
    "taiwanese": "這是一個簡單的中文文本文件，用來測試編碼。\n",
    "korean": "안녕하세요 이것은 한국어 텍스트입니다.\n",
}
LEGACY = [
    ("french", "cp1252"),
    ("french", "mac_roman"),
    ("german", "cp1252"),
    ("german", "latin-1"),
    ("spanish", "latin-1"),
    ("swedish", "latin-1"),
    ("english", "cp1252"),
    ("code", "latin-1"),
    ("short", "latin-1"),
    ("czech", "cp1250"),
    ("turkish", "cp1254"),
    ("russian", "cp1251"),
    ("russian", "koi8-r"),
    ("russian", "iso8859-5"),
    ("russian", "cp866"),
    ("greek", "cp1253"),
    ("greek", "iso8859-7"),
    ("japanese", "shift_jis"),
    ("japanese", "euc_jp"),
    ("chinese", "gb18030"),
    ("chinese", "gbk"),
    ("taiwanese", "big5"),
    ("korean", "euc_kr"),
]


@pytest.mark.parametrize("times", [1, 20])
@pytest.mark.parametrize(("language", "encoding"), LEGACY)
def test_text_in_a_legacy_encoding_is_read_as_it_was_written(project, language, encoding, times):
    text = SENTENCES[language] * times
    data = text.encode(encoding)
    build(project, {"f.txt": data})
    (source,) = read(project, "f.txt").sources
    assert source.text == text
    assert source.text.encode(source.encoding) == data
    assert source.bytes == len(data)
    assert paths(project, "*.txt") == ["f.txt"]


@pytest.mark.parametrize(
    ("encoding", "reported"),
    [
        ("utf-8", "utf-8"),
        ("ascii", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-32", "utf-32"),
    ],
)
def test_the_encoding_is_reported(project, encoding, reported):
    build(project, {"f.txt": "one\ntwo\n".encode(encoding)})
    (source,) = read(project, "f.txt:2").sources
    assert (source.text, source.encoding, source.bytes) == ("two\n", reported, 4)


@settings(max_examples=60, deadline=None)
@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_unicode_comes_back_as_it_was_written(tmp_path_factory, text, encoding, end):
    if encoding == "utf-8" and text.startswith("\ufeff"):
        encoding = "utf-8-sig"  # it is a byte order mark then
    data = text.replace("\n", end).encode(encoding)
    project = build(tmp_path_factory.mktemp("unicode"), {"f": data})
    (source,) = read(project, "f").sources
    assert source.text == text
    assert source.encoding == encoding
    assert source.bytes == len(data)


@pytest.mark.parametrize("order", ["le", "be"])
@pytest.mark.parametrize("width", [16, 32])
def test_both_byte_orders_are_text(project, width, order):
    build(project, {"f": "\ufeffGröße\n".encode(f"utf-{width}-{order}")})
    assert read(project, "f").sources[0].text == "Größe\n"


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300) | st.binary(min_size=8000, max_size=9000))
def test_any_bytes_are_read_without_loss_or_refused_as_binary(tmp_path_factory, data):
    project = build(tmp_path_factory.mktemp("bytes"), {"f": data})
    decoded = decode(data)
    if decoded is None:
        assert refused(project, "f").rule == "binary"
        assert any(byte > 127 or byte == 0 for byte in data)
        return
    text, encoding = decoded
    (source,) = read(project, "f").sources
    assert source.encoding == encoding
    assert source.text == text.replace("\r\n", "\n").replace("\r", "\n")
    assert source.bytes == len(data)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\0\xd8\0\xd8",  # UTF-16 that breaks off
        b"\xef\xbb\xbf\xff\xff",
        b"\x00a\x00b",
        bytes(range(1, 256)),
        b"\x1f\x8b\x08" + bytes(range(1, 32)) * 4 + b"\xff" * 40,
    ],
)
def test_what_no_encoding_explains_is_binary(project, content):
    build(project, {"f": content, "a.md": "a"})
    assert refused(project, "f").rule == "binary"
    assert left_out(project, ".") == {"f": "binary"}


def test_a_nul_far_behind_the_beginning_does_not_make_a_text_binary(project):
    build(project, {"f": "x" * 8192 + "\0"})
    assert read(project, "f").sources[0].text.endswith("x\0")


HEAVY = {"pathspec", "charset_normalizer", "pydantic", "pydantic_core"}


def test_no_heavy_module_is_imported_to_read_utf_8(project):
    build(project, {"a.txt": "plain", "b.txt": "Größe", ".gitignore": "*.log\n", "c.png": b"\0"})
    program = f"""
import sys, types
from spadework.references.reader import read_references
from spadework.references.roots import Roots
limits = types.SimpleNamespace(
    max_file_bytes=1000, max_total_bytes=1000, max_files=10, private=["*.txt"],
    convert=["pdf"], convert_seconds=1, max_document_bytes=1000,
)
material = read_references([".", "b.txt:1"], roots=Roots.of({str(project)!r}), limits=limits)
assert len(material.sources) == 4, material
print(*sorted({{name.partition(".")[0] for name in sys.modules}} & {HEAVY}))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
