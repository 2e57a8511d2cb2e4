"""A schema that cannot be used is one clear error; an answer that does not fit says where."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spadework.checks.structured_output import check_schema, closed, compact, structured
from spadework.errors import ArgumentError, CheckFailed

PERSON = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "objec"}, "wrong at type"),
        ({"properties": {"a": {"minimum": "x"}}}, "wrong at properties.a.minimum"),
        ({"$ref": "https://example.com/s.json"}, "refers to another document"),
        ({"$ref": "other.json#/a"}, "refers to another document"),
        ({"$ref": "#/$defs/a"}, "refers to an undefined definition"),
        ({"description": "x" * 60_000}, "the most is"),
        ({"enum": [{1, 2}]}, "not valid JSON"),
    ],
)
def test_a_wrong_schema_is_one_clear_error(schema, said):
    with pytest.raises(ArgumentError, match=said) as caught:
        check_schema(schema)
    assert caught.value.hint


def test_a_schema_without_an_end_is_an_error_and_no_crash():
    deep = {}
    for _ in range(3000):
        deep = {"not": deep}
    with pytest.raises(ArgumentError):
        check_schema(deep)
    with pytest.raises(CheckFailed, match="no end"):
        structured("1", {"$ref": "#"})


def test_objects_with_listed_properties_are_closed_wherever_they_stand():
    schema = closed(
        {
            "type": "array",
            "items": PERSON,
            "$defs": {"a": {"properties": {"b": PERSON}}},
            "anyOf": [PERSON],
        }
    )
    assert schema["items"]["additionalProperties"] is False
    assert schema["$defs"]["a"]["additionalProperties"] is False
    assert schema["$defs"]["a"]["properties"]["b"]["additionalProperties"] is False
    assert schema["anyOf"][0]["additionalProperties"] is False
    assert "additionalProperties" not in schema


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        PERSON | {"additionalProperties": True},
        PERSON | {"additionalProperties": {"type": "integer"}},
        PERSON | {"allOf": [{"properties": {"age": {}}}]},
        {"allOf": [PERSON]},
        {"not": PERSON},
        {"enum": [PERSON]},
    ],
)
def test_what_says_itself_what_else_it_has_stays_as_it_is(schema):
    assert closed(schema) == schema


@pytest.mark.parametrize(
    "text",
    [
        '{"name":"a"}',
        ' {"name": "a"}\n',
        '```json\n{"name": "a"}\n```',
        'So:\n```\n{"name":"a"}\n```\n',
    ],
)
def test_json_is_read_alone_or_in_its_fence(text):
    assert structured(text, PERSON) == ({"name": "a"}, 0)


@pytest.mark.parametrize(
    ("text", "check", "said"),
    [
        ('{"name": "a', "json", "breaks off"),
        ('{"name": ', "json", "breaks off"),
        ('{"name": "a",, }', "json", "line 1"),
        ("It is a.", "json", "not valid JSON"),
        ("[" * 100_000, "json", "not valid JSON"),
        ("[]", "schema", '$: the type must be "object"; the model wrote: "[]"'),
        ("{}", "schema", 'must have the keys ["name"]'),
        ('{"name": 1}', "schema", '$.name: the type must be "string"; the model wrote: "1"'),
    ],
)
def test_what_does_not_fit_says_where(text, check, said):
    with pytest.raises(CheckFailed) as caught:
        structured(text, PERSON)
    assert caught.value.check == check
    assert said in str(caught.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('ab"\\\n é'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
)


@given(VALUES)
def test_every_value_comes_back_as_it_was(value):
    assert structured(json.dumps(value), {}) == (value, 0)
    assert json.loads(compact(value)) == value
