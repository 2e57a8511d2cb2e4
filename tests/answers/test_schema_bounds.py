"""A schema of anybody and a reply of anybody take bounded time; patterns are ECMA-262 by RE2."""

import json
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as some

from spadework.checks.schema_patterns import (
    LONGEST_PATTERN,
    Pattern,
    TextTooLong,
    UnsupportedPattern,
    translate,
)
from spadework.checks.structured_output import check_schema, structured
from spadework.errors import ArgumentError, CheckFailed

BOUND = 30
"""Seconds of processor time; without a bound each of these takes hours, or all memory."""


@pytest.fixture(autouse=True)
def bounded():
    started = time.thread_time()
    yield
    assert time.thread_time() - started < BOUND


def doubling(depth):
    """Each level refers to the next one twice."""
    table = {
        f"a{level}": {"allOf": [{"$ref": f"#/$defs/a{level + 1}"}] * 2} for level in range(depth)
    }
    return {"$defs": {**table, f"a{depth}": {}}, "$ref": "#/$defs/a0"}


def nested(depth, inner="1"):
    return '{"c":' * depth + inner + "}" * depth


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"^\d+$", "12", True),
        (r"^\d+$", "12\n", False),
        (r"^\d$", "٣", False),
        (r"^\w$", "é", False),
        (r"^\s$", "\u00a0", True),
        (r"^\S$", "\u00a0", False),
        (r"^[^\s]$", "\ufeff", False),
        (r"[\S]", "\u2003", False),
        (r"^[\S\s]$", "\u2003", True),
        (r"^[\D]$", "1", False),
        (r"a\/b", "xa/by", True),
        (r"^\u0041\x42\cJ$", "AB\n", True),
        (r"^\uD83D\uDE00$", "😀", True),
        (r"^\u{1F600}$", "😀", True),
        (r"^[\uD83D\uDE00-\u{1F64F}]$", "😁", True),
        (r"[]", "a", False),
        (r"^[^]$", "\n", True),
        (r"^.$", "\u2028", False),
        (r"^a{,3}$", "a{,3}", True),
        (r"x{y}", "x{y}", True),
        (r"^[[:alpha:]]$", ":]", True),
        (r"^[\d-x]$", "-", True),
        (r"^[\b]$", "\x08", True),
        (r"\bfoo\b", "a foo b", True),
        (r"^\-\_\@\ $", "-_@ ", True),
        (r"^(?<year>\d{4})-\d\d$", "2026-11", True),
        (r"^(?P<year>\d{4})$", "2026", True),
        (r"^\p{Letter}+\p{Script=Greek}$", "éα", True),
        (r"[^\p{L}]", "é", False),
        ("half", "half\ud800", True),
    ],
)
def test_a_pattern_means_what_ecma_262_says(pattern, text, found):
    assert Pattern(pattern).is_in(text) is found


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"^(?=.*\d).+$", "look-ahead"),
        (r"(?!a)", "look-ahead"),
        (r"(?<=a)b", "look-behind"),
        (r"(?<!a)b", "look-behind"),
        (r"(a)\1", "back-reference"),
        (r"(?<x>a)\k<x>", "back-reference"),
        (r"(?P=x)", "not a group"),
        (r"(?i)a", "not a group"),
        (r"a++", "repetition"),
        (r"(", "missing"),
        (r"[a", "no ]"),
        (r"[z-a]", "order"),
        (r"\Aa\Z", r"\\A is not an escape"),
        (r"\uD800", "not a character"),
        ("a\\", "backslash"),
        (r"a{5000}", "repetition size"),
        (r"(((a{99}){99}){99}){99}", "repetition size"),
        (r"\p{L}{1,900}", "too large"),
        ("a" * (LONGEST_PATTERN + 1), "characters"),
    ],
)
def test_what_cannot_be_matched_in_linear_time_is_refused_with_its_place(pattern, why):
    with pytest.raises(UnsupportedPattern, match=why):
        Pattern(pattern)
    for schema in ({"pattern": pattern}, {"patternProperties": {pattern: {}}}):
        whole = {"type": "object", "properties": {"deep": {"items": schema}}}
        with pytest.raises(ArgumentError, match=r"pattern at properties\.deep\.items\.") as caught:
            check_schema(whole)
        assert len(str(caught.value).splitlines()) == 1


@given(some.text("ab01-. |*+?()[]^$\\dws{},", max_size=12), some.text("ab01-. ", max_size=8))
def test_a_plain_pattern_means_the_same_as_in_python(source, text):
    """Where both take it. Python's `$` looks past a line's end, and its classes know Unicode."""
    try:
        ours, theirs = Pattern(source), re.compile(source, re.ASCII)
    except (UnsupportedPattern, re.error, FutureWarning):
        return
    if re.search(r"\\[^dws]|\[\]|\[\^\]|\{,", source):
        return  # escapes that differ, [] and {,3}
    assert ours.is_in(text) == bool(theirs.search(text))


@given(some.text(max_size=40))
def test_any_text_is_translated_or_refused(source):
    try:
        translated = translate(source)
        Pattern(source).is_in("abc" * 10)
    except UnsupportedPattern:
        return
    assert "(?=" not in translated


@pytest.mark.parametrize(
    "pattern", ["^(a+)+$", "^(a|a)*$", "^(a*)*b$", "(.*.*)*x", "^(a?){30}a{30}$", "^([^x]*,)*$"]
)
def test_a_pattern_that_walks_back_for_ever_ends(pattern):
    schema = {"type": "string", "pattern": pattern}
    check_schema(schema)
    with pytest.raises(CheckFailed) as caught:
        structured(json.dumps("a" * 50_000 + "!"), schema)
    assert caught.value.check == "schema"


def test_a_text_too_long_for_its_pattern_is_told():
    with pytest.raises(TextTooLong):
        Pattern("(a?){1000}").is_in("a" * 1_000_000)


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"$ref": "#"}, "refers to itself"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, "refers to itself"),
        ({"allOf": [{"$ref": "#"}]}, "refers to itself"),
        ({"not": {"$ref": "#"}}, "refers to itself"),
        (doubling(40), "too complex"),
        ({"$ref": "http://127.0.0.1:9/x"}, "refers to another document"),
        ({"$ref": "file:///etc/passwd"}, "refers to another document"),
        ({"$dynamicRef": "other.json#a"}, "refers to another document"),
        ({"$ref": "#nowhere"}, "undefined definition"),
        ({"properties": {"a": {"$id": "http://x/", "$ref": "#/b"}}, "b": {}}, r"\$id"),
        ({"enum": list(range(20_000))}, "characters"),
        (
            {"unevaluatedProperties": False, "allOf": [{"patternProperties": {"a": {}}}]},
            "unevaluatedProperties",
        ),
    ],
)
def test_a_schema_without_a_bound_is_refused_before_any_model_is_asked(schema, why):
    with pytest.raises(ArgumentError, match=why):
        check_schema(schema)


@pytest.mark.slow
def test_a_schema_that_takes_too_long_to_read_is_too_large():
    schema = {"allOf": [{} for _ in range(12_000)]}
    with pytest.raises(ArgumentError, match=r"too large: checking it takes longer than 0\.01 s"):
        check_schema(schema, seconds=0.01)


def test_a_schema_nested_too_deeply_is_refused():
    for depth in (150, 5000, 200_000):
        schema = {}
        for _ in range(depth):
            schema = {"items": schema}
        with pytest.raises(ArgumentError, match="nested deeper"):
            check_schema(schema)
        while schema:  # taken apart from outside, since Python frees it by recursion
            schema = schema.pop("items")


BRANCHES = [{"properties": {"c": {"$ref": "#/$defs/n"}}, "required": [key]} for key in "xyz"]
TREE = {"$defs": {"n": {"anyOf": BRANCHES}}, "$ref": "#/$defs/n"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schema", "reply"),
    [
        (TREE, nested(60)),
        ({"uniqueItems": True}, json.dumps([n * (2**61 - 1) for n in range(20_000)] + [0])),
        ({"items": {"enum": list(range(-6000, -1))}}, json.dumps(list(range(60_000)))),
        ({"items": {"allOf": [{"type": "integer"}] * 900}}, json.dumps(["x" * 1_000_000])),
        ({"multipleOf": 1e-300}, "1" * 4000 + "." + "1" * 4000),
        ({"type": "integer"}, "1" * 5000),
        ({"type": "array"}, "[" * 100_000),
        ({"type": "array"}, "[" * 900 + "]" * 900),
        ({"type": "object"}, nested(500, '"x"')),
    ],
    ids=["tree", "unique", "enum", "messages", "multiple", "digits", "open", "deep", "objects"],
)
def test_a_reply_that_would_take_for_ever_fails_its_check(schema, reply):
    check_schema(schema)
    with pytest.raises(CheckFailed) as caught:
        structured(reply, schema)
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize(
    ("value", "unit", "fits"),
    [
        (0.3, 0.1, True),
        (10**300, 7, False),
        (10**300, 0.5, True),
        (1e308, 5e-324, True),
        (1, 3, False),
    ],
)
def test_multiples_are_those_of_decimals(value, unit, fits):
    try:
        structured(json.dumps(value), {"multipleOf": unit})
    except CheckFailed:
        assert not fits
    else:
        assert fits


@pytest.mark.parametrize(
    ("items", "fits"),
    [
        ([1, True, "1", None, 0, False], True),
        ([1, 1.0], False),
        ([{"a": 1, "b": [2]}, {"b": [2], "a": 1}], False),
        ([{"a": 1}, {"a": True}], True),
        ([[1], [[1]]], True),
        ([[], {}], True),
    ],
)
def test_items_are_unique_as_json_schema_has_it(items, fits):
    try:
        structured(json.dumps(items), {"uniqueItems": True})
    except CheckFailed:
        assert not fits
    else:
        assert fits
