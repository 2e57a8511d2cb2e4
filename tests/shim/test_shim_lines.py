"""Bytes to lines, wherever they are cut."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from spadework.shim.line_buffer import LineBuffer

# Few letters, so that line ends are frequent.
streams = st.lists(st.sampled_from([b"\n", b"\r", b"a", b"\0", b"bc"]), max_size=60).map(b"".join)


def pieces_of(data, cuts):
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(places)]


@given(streams, st.lists(st.integers(0, 80), max_size=20))
def test_the_lines_are_the_same_wherever_the_stream_is_cut(data, cuts):
    lines = LineBuffer()
    given_out = [one for piece in pieces_of(data, cuts) for one in lines.feed(piece)]
    *ended, rest = data.split(b"\n")
    assert given_out == [(line + b"\n", True) for line in ended]
    assert lines.take() == rest


@given(streams, st.lists(st.integers(0, 80), max_size=20), st.integers(1, 10))
def test_no_byte_is_lost_of_lines_that_are_too_long(data, cuts, longest):
    lines = LineBuffer(longest)
    given_out = [one for piece in pieces_of(data, cuts) for one in lines.feed(piece)]
    assert b"".join(line for line, _ in given_out) + lines.take() == data
    for line, whole in given_out:
        if whole:
            assert line.endswith(b"\n")
            assert line.count(b"\n") == 1


def test_memory_is_bounded_by_the_longest_line():
    lines = LineBuffer(10)
    assert lines.feed(b"x" * 8) == []
    assert lines.feed(b"x" * 8) == [(b"x" * 16, False)]
    assert lines.in_long_line
    assert lines.feed(b"x\ny\n") == [(b"x\n", False), (b"y\n", True)]
    assert not lines.in_long_line
