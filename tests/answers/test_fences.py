"""Fenced blocks are found as Markdown has them."""

from hypothesis import given
from hypothesis import strategies as st

from spadework.checks.reply_markup import fences_of


def test_a_block_has_its_tag_its_code_and_its_place():
    text = "a\n```py\nx\n```\nb\n~~~~\n```\n~~~~~\n"
    first, second = fences_of(text)
    assert (first.tag, first.code, text[first.start : first.end]) == ("py", "x\n", "```py\nx\n```")
    assert (second.tag, second.code, second.closed) == ("", "```\n", True)


def test_a_block_that_is_not_closed_runs_to_the_end():
    [only] = fences_of("```py\nx\n```py\n")
    assert (only.code, only.closed) == ("x\n```py\n", False)


def test_inline_code_is_no_block():
    assert fences_of("``` x ``` and `y`") == []


@given(st.text(st.sampled_from("`~a \n"), max_size=60))
def test_blocks_stand_in_order_and_hold_their_code(text):
    end = 0
    for fence in fences_of(text):
        assert end <= fence.start < fence.end <= len(text)
        assert fence.code in text[fence.start : fence.end + 1]
        end = fence.end
