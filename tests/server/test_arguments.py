"""A wrong call is answered with the argument's name and a right call."""

import json

import pytest

from spadework.config.models import ASK_CODING_MODEL, ASK_LOCAL_LLAMA
from spadework.engine.tools import Tool
from spadework.errors import ArgumentError
from spadework.mcp.tool_arguments import parse_call

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
    job = parse_call(LLAMA, arguments)
    assert job.tool == "ask_local_llama"
    assert job.arguments == {"prompt": "x"}
    assert job.files == tuple(arguments.get("files", ()))
    assert job.max_tokens == arguments.get("max_tokens")


def test_a_number_without_a_fraction_is_an_integer_as_json_schema_has_it():
    assert repr(parse_call(LLAMA, {"prompt": "x", "max_tokens": 300.0}).max_tokens) == "300"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "missing argument 'prompt'"),
        ({"promt": "x"}, "unknown argument 'promt'; did you mean 'prompt'?"),
        ({"prompt": "x", "zzz": 1}, "unknown argument 'zzz'; expected one of prompt, files, max"),
        ({"prompt": 5}, "argument 'prompt': expected a string, got an integer: 5"),
        (
            {"prompt": "x", "files": "a.md"},
            "argument 'files': expected an array, got a string: \"a.md\"",
        ),
        (
            {"prompt": "x", "files": [3]},
            "argument 'files[0]': expected a string, got an integer: 3",
        ),
        (
            {"prompt": "x", "max_tokens": "9"},
            "argument 'max_tokens': expected an integer, got a string: \"9\"",
        ),
        ({"prompt": None}, "argument 'prompt': expected a string, got null"),
        (
            {"prompt": "x", "max_tokens": True},
            "argument 'max_tokens': expected an integer, got a boolean: true",
        ),
        (
            {"prompt": "x", "max_tokens": 1.5},
            "argument 'max_tokens': expected an integer, got a number: 1.5",
        ),
        (
            {"prompt": "x", "schema": [1] * 30},
            f"argument 'schema': expected an object, got an array: [{'1, ' * 13}…",
        ),
        (
            {"prompt": "x", "max_tokens": 0},
            "argument 'max_tokens': expected an integer of at least 1, got 0",
        ),
    ],
)
def test_a_wrong_call_names_the_argument(arguments, said):
    with pytest.raises(ArgumentError) as caught:
        parse_call(LLAMA, arguments)
    assert str(caught.value).startswith(f"ask_local_llama: {said}")


@pytest.mark.parametrize("tool", [LLAMA, CODING])
def test_the_right_call_that_an_error_shows_is_right(tool):
    with pytest.raises(ArgumentError) as caught:
        parse_call(tool, {})
    shown = json.loads(caught.value.hint.removeprefix("a valid call: "))
    parse_call(tool, shown)
