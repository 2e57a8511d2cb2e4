"""A range of a file that is too large to be read whole is read line by line."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from projects import build, read, refused

from spadework.references.syntax import LineRange
from spadework.references.text_decoding import BLOCK, Excerpt, cut_lines, text_blocks

LIMIT = 10_000


def lines_of(project, reference):
    (source,) = read(project, reference, max_file_bytes=LIMIT).sources
    return source


def test_a_range_of_a_large_file_is_read(project):
    lines = [f"line {number}\n" for number in range(1, 200_001)]
    build(project, {"large.log": "".join(lines)})
    assert (project / "large.log").stat().st_size > 2 * BLOCK
    for first, last in [(1, 1), (99_000, 99_400), (199_999, 200_000), (150_000, 150_000)]:
        source = lines_of(project, f"large.log:{first}-{last}")
        assert source.text == "".join(lines[first - 1 : last])
        assert (source.first_line, source.last_line) == (first, last)
        assert source.total_lines == (200_000 if last == 200_000 else None)
        assert source.bytes == len(source.text)
        assert source.encoding == "utf-8"
    assert lines_of(project, "large.log:199999-").text == "".join(lines[-2:])
    assert lines_of(project, "large.log:199999-900000").last_line == 200_000


def test_a_range_over_the_limit_is_refused(project):
    build(project, {"large.log": "x" * 99 + "\n" + ("y" * 999 + "\n") * 30})
    assert lines_of(project, "large.log:1").text == "x" * 99 + "\n"
    assert lines_of(project, "large.log:2-11").bytes == LIMIT
    for reference in ("large.log:2-12", "large.log:1-", "large.log:2-"):
        error = refused(project, reference, max_file_bytes=LIMIT)
        assert error.rule == "too-large"
        assert "10,000" in str(error)
        assert "fewer lines" in error.hint


def test_a_range_behind_the_end_of_a_large_file_is_refused(project):
    build(project, {"large.log": "x\n" * LIMIT})
    error = refused(project, "large.log:10001", max_file_bytes=LIMIT)
    assert error.rule == "bad-range"
    assert "it has 10000 lines" in str(error)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-32", "cp1252", "shift_jis"])
def test_a_large_file_in_another_encoding_is_read(project, encoding):
    text = "これは日本語のテキスト" if encoding == "shift_jis" else "Große Tür, schöne Straße"
    lines = [f"{number} {text}\r\n" for number in range(1, 60_001)]
    build(project, {"large.txt": "".join(lines).encode(encoding)})
    source = lines_of(project, "large.txt:59000-59010")
    assert source.text == "".join(lines[58_999:59_010]).replace("\r\n", "\n")
    assert lines_of(project, "large.txt:59990-").total_lines == 60_000


def test_a_large_file_is_told_by_the_part_that_is_not_utf_8(project):
    plain = "plain ascii\n" * 200_000
    build(project, {"large.txt": plain.encode() + "Große Tür\n".encode("cp1252") * 100})
    source = lines_of(project, "large.txt:200001")
    assert (source.text, source.encoding) == ("Große Tür\n", "cp1252")


@pytest.mark.parametrize(
    "content",
    [
        b"text\n" * 300_000 + b"\x01\x02\xff\xfe\x03" * 10_000,
        b"\xff\xfe" + b"a\0" * 10_000 + b"\0\xd8\0\xd8",
        b"text\n" * 5000 + b"\xff\x81\x8d\n" + bytes(range(1, 256)) * 100,
    ],
)
def test_a_large_file_that_is_no_text_is_binary(project, content):
    build(project, {"large": content})
    assert refused(project, "large:400000", max_file_bytes=LIMIT).rule == "binary"


@settings(deadline=None)
@given(
    st.text(alphabet="ab\r\nä€", max_size=60),
    st.lists(st.integers(1, 7), min_size=1, max_size=5),
    st.integers(1, 12),
    st.integers(0, 12) | st.none(),
)
def test_the_cut_is_the_same_wherever_the_blocks_end(text, sizes, first, more):
    lines = LineRange(first, None if more is None else first + more)
    blocks = []
    rest = text
    while rest:
        size = sizes[len(blocks) % len(sizes)]
        blocks.append(rest[:size])
        rest = rest[size:]
    assert cut_lines(blocks, lines, 1000) == cut_lines([text], lines, 1000)


@settings(deadline=None)
@given(st.text(alphabet="ab\r\nä€", max_size=60), st.sampled_from(["utf-8", "utf-16", "utf-32"]))
def test_blocks_are_the_text_with_plain_line_ends(text, encoding):
    blocks = text_blocks(SlowStream(text.encode(encoding)), encoding)
    assert "".join(blocks) == text.replace("\r\n", "\n").replace("\r", "\n")


class SlowStream(io.BytesIO):
    """Gives three bytes at a time, so that blocks end within characters and line ends."""

    def read(self, size=-1):
        return super().read(min(size, 3))


def test_no_text_has_no_lines():
    assert cut_lines([], LineRange(1, None), 0) == Excerpt("", 1, 0, 0)
    assert cut_lines([""], LineRange(1, None), 0) == Excerpt("", 1, 0, 0)
