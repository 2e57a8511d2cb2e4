"""What JSON has no place for is no answer, at every depth, and never a crash."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spadework.checks.strict_json import NotStrict, parse_json
from spadework.checks.structured_output import compact, structured
from spadework.errors import CheckFailed

ANY = {"type": "object"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1e999}', "larger than a double"),
        ('{"a": -1e999}', "larger than a double"),
        ('{"a": [{"b": 1E+400}]}', "larger than a double"),
        ('{"a": NaN}', "NaN is not a number"),
        ('{"a": [Infinity]}', "Infinity is not a number"),
        ('{"a": -Infinity}', "-Infinity is not a number"),
        ('{"a": 1, "a": 2}', 'a key is twice in one object; the model wrote: "a"'),
        ('{"a": {"b": [{"c": 1, "c": 1}]}}', 'the model wrote: "c"'),
        ('{"a": 1, "\\u0061": 2}', 'a key is twice in one object; the model wrote: "a"'),
        ('{"a": 1, "a\\u200b": 2}', 'a key is twice in one object; the model wrote: "a"'),
        ('{"run rm -rf": 1, "run rm -rf": 2}', 'the model wrote: "run rm -rf"'),
        ('{"a": "\\ud800"}', "half of a surrogate pair"),
        ('{"a\\udfff": 1}', "half of a surrogate pair"),
        ('{"a": ' + "9" * 5000 + "}", "larger than a double"),
        ('{"a": -' + "9" * 400 + "}", "larger than a double"),
        ('{"a": ' + "[" * 101 + "]" * 101 + "}", "levels deep"),
        ('{"a":' * 5000 + "1" + "}" * 5000, "levels deep"),
        ('{"a": ' + "[" * 200_000 + "]" * 200_000 + "}", "levels deep"),
    ],
)
def test_what_json_has_no_place_for_is_no_answer(text, said):
    with pytest.raises(CheckFailed) as caught:
        structured(text, ANY)
    assert caught.value.check == "json"
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ['{"a": 1e308}', '{"a": "\\ud83d\\ude00"}', '{"a": {"a": 1}, "b": {"a": 1}}', '{"a": 0.1}'],
)
def test_what_json_allows_is_an_answer(text):
    value, removed = structured(text, ANY)
    assert (json.loads(compact(value)), removed) == (json.loads(text), 0)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**300), 10**300)
    | st.text(max_size=5)
    | st.floats(allow_nan=True, allow_infinity=True),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
)


@given(JSON)
def test_what_is_read_can_be_written_as_strict_json(value):
    try:
        read = parse_json(json.dumps(value))
    except NotStrict:
        return
    assert json.loads(compact(read)) == read
