"""A wrong call is answered with the argument's name and a right call."""

import json

import pytest

from spadework.config.models import ASK_CODING_MODEL, ASK_LOCAL_LLAMA
from spadework.engine.tools import Tool
from spadework.errors import ArgumentError
from spadework.mcp.tool_arguments import check_arguments

LLAMA = Tool("ask_local_llama", ASK_LOCAL_LLAMA)
CODING = Tool("ask_coding_model", ASK_CODING_MODEL)


@pytest.mark.parametrize(
    "arguments",
    [
        {"prompt": "x"},
        {"prompt": "x", "files": []},
        {"prompt": "x", "files": ["a", "b:1-2"], "max_tokens": 5},
    ],
)
def test_a_right_call_passes(arguments):
    check_arguments(LLAMA, arguments)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "the argument 'prompt' is missing"),
        ({"promt": "x"}, "there is no argument 'promt'; did you mean 'prompt'?"),
        ({"prompt": "x", "zzz": 1}, "there is no argument 'zzz'; it takes prompt, files, max"),
        ({"prompt": 5}, "the argument 'prompt' takes a text, got 5"),
        ({"prompt": "x", "files": "a.md"}, "the argument 'files' takes a list, got \"a.md\""),
        ({"prompt": "x", "files": [3]}, "the argument 'files[0]' takes a text, got 3"),
        ({"prompt": "x", "max_tokens": "9"}, "the argument 'max_tokens' takes a whole number"),
        ({"prompt": "x", "max_tokens": 0}, "the argument 'max_tokens' is wrong: 0 is less than"),
    ],
)
def test_a_wrong_call_names_the_argument(arguments, said):
    with pytest.raises(ArgumentError) as caught:
        check_arguments(LLAMA, arguments)
    assert str(caught.value).startswith(f"ask_local_llama: {said}")


@pytest.mark.parametrize("tool", [LLAMA, CODING])
def test_the_right_call_that_an_error_shows_is_right(tool):
    with pytest.raises(ArgumentError) as caught:
        check_arguments(tool, {})
    shown = json.loads(caught.value.hint.removeprefix("a right call is "))
    check_arguments(tool, shown)
