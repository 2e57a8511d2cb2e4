"""Only the one member changes, whatever a file looks like."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spadework.claude_code.json_text import (
    NotJson,
    add_item,
    load,
    remove_item,
    remove_member,
    set_member,
)

KEYS = ("mcpServers", "spadework")
ENTRY = {"type": "stdio", "command": "spadework", "args": ["mcp"]}

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(
    st.text(max_size=8).filter(lambda key: key not in {"mcpServers", "list"}), VALUES, max_size=4
)
NAMES = st.sampled_from(["a", "other", 'q"uo\\te'])
SOME_SERVERS = st.dictionaries(NAMES, VALUES, min_size=1, max_size=2)
SERVERS = st.none() | st.just({}) | SOME_SERVERS


@st.composite
def texts(draw, servers=SERVERS):
    """A JSON text in one of the forms that programs and people write."""
    document, servers = draw(DOCUMENTS), draw(servers)
    if servers is not None:
        document = draw(st.permutations([*document.items(), ("mcpServers", servers)]))
    indent = draw(st.sampled_from([None, 2, 4, "\t", 0]))
    colon = draw(st.sampled_from([": ", ":", " : "]))
    ascii_only = draw(st.booleans())
    text = json.dumps(
        dict(document), indent=indent, separators=(",", colon), ensure_ascii=ascii_only
    )
    text = draw(st.sampled_from(["", "\n", " "])) + text + draw(st.sampled_from(["", "\n", "\n\n"]))
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))


def merged(document):
    return document | {"mcpServers": {**document.get("mcpServers", {}), "spadework": ENTRY}}


@given(texts())
def test_a_new_member_is_put_in_and_no_other_character_changes(text):
    after = set_member(text, KEYS, ENTRY)
    assert load(after) == merged(load(text))
    # What was there is there, in its order: the new text is the old one with one piece put in.
    begin = 0
    while begin < len(text) and text[begin] == after[begin]:
        begin += 1
    rest = text[begin:]
    if not load(text) or load(text).get("mcpServers") == {}:
        rest = rest.lstrip()  # blanks between the brackets of an empty object may go
    assert after.endswith(rest)


@given(texts(servers=SOME_SERVERS))
def test_what_was_put_in_is_taken_out_again_without_a_trace(text):
    assert remove_member(set_member(text, KEYS, ENTRY), KEYS) == text


@given(texts(servers=st.just({}) | SOME_SERVERS), st.data())
def test_a_member_that_is_removed_takes_nothing_else_with_it(text, data):
    document = load(text)
    key = data.draw(st.sampled_from(sorted(document)))
    after = remove_member(text, (key,))
    assert load(after) == {name: value for name, value in document.items() if name != key}
    assert list(load(after)) == [name for name in document if name != key]


@given(texts(), VALUES)
def test_a_member_that_is_there_gets_another_value_in_its_place(text, value):
    with_entry = set_member(text, KEYS, ENTRY)
    after = set_member(with_entry, KEYS, value)
    assert load(after)["mcpServers"]["spadework"] == value
    start = with_entry.index('"spadework": ') + len('"spadework": ')
    _, end = json.JSONDecoder().raw_decode(with_entry, start)
    assert after.startswith(with_entry[:start])
    assert after.endswith(with_entry[end:])


@given(texts(), st.lists(st.text(max_size=5), max_size=3))
def test_an_item_goes_into_a_list_and_out_of_it(text, items):
    text = set_member(text, ("list", "allow"), items)
    after = add_item(text, ("list", "allow"), "mcp__spadework")
    assert load(after)["list"]["allow"] == ["mcp__spadework", *items]
    assert load(remove_item(after, ("list", "allow"), "mcp__spadework")) == load(text)


COMMENTED = """\
// Zed's settings
{
  "theme": "One // Dark", // not a comment inside
  /* servers */
  "mcpServers": { // none of ours
    "a": {"command": "x"}, /* kept */
  },
  "url": "http://x/*y*/",
}
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_comments_and_trailing_commas_stay_where_they_are(newline):
    text = COMMENTED.replace("\n", newline)
    after = set_member(text, KEYS, ENTRY)
    assert load(after, comments=True)["mcpServers"] == {"spadework": ENTRY, "a": {"command": "x"}}
    for line in text.splitlines(keepends=True):
        assert line in after
    assert remove_member(after, KEYS) == text


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('{"a": 1, // last\n}', ("a",)),
        ("{\n  // only this\n}", ("new",)),
        ('{\n  "a": 1 // no comma\n  , "b": 2\n}', ("a",)),
        ('{"a": {/* empty */}}', ("a", "b")),
        ("[1] // no object", ()),
    ],
)
def test_odd_comments_do_not_break_the_text(text, path):
    if not path:
        with pytest.raises(NotJson, match="no object"):
            load(text, comments=True)
        return
    after = set_member(text, path, ENTRY)
    assert load(after, comments=True)
    assert load(remove_member(after, path), comments=True) is not None
    assert text.count("/*") == after.count("/*")


def test_an_empty_file_becomes_an_object():
    assert load("") == {}
    assert load(set_member("", KEYS, ENTRY)) == {"mcpServers": {"spadework": ENTRY}}
    assert load(set_member("\n", KEYS, ENTRY)) == {"mcpServers": {"spadework": ENTRY}}


def test_a_nesting_that_is_too_deep_is_named():
    with pytest.raises(NotJson, match="deep"):
        load('{"a":' + "[" * 200_000 + "]" * 200_000 + "}")


def test_a_file_of_megabytes_is_no_trouble():
    projects = {f"/home/me/{number}": {"history": ["x" * 900], "n": 1} for number in range(5000)}
    text = json.dumps({"projects": projects, "mcpServers": {}}, indent=2)
    assert len(text) > 4_900_000
    key = ("projects", "/home/me/4999", *KEYS)
    assert remove_member(set_member(text, key, ENTRY), key[:-1]) == text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"mcpServers": {}, "mcpServers": {}}', "a second time"),
        ('{"mcpServers": []}', "mcpServers is not an object"),
        ('{\n"mcpServers": {"spadework": 1,\n"spadework": 2}}', "line 3: 'spadework' stands"),
    ],
)
def test_a_shape_that_cannot_be_changed_safely_is_refused(text, complaint):
    load(text)
    with pytest.raises(NotJson, match=complaint):
        set_member(text, KEYS, ENTRY)


def test_a_comment_in_a_strict_file_is_named():
    with pytest.raises(NotJson, match=r"line 2.*it has comments"):
        load('{\n  // mine\n  "a": 1}')
