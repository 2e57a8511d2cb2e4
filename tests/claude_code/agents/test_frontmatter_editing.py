"""Setting one key of any file: its value changes, every other byte stays, or it is refused."""

import re
from contextlib import suppress

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from spadework.claude_code.agents.frontmatter import read_frontmatter
from spadework.claude_code.agents.frontmatter_editing import set_key
from spadework.errors import ArgumentError

MODELS = ["haiku", "sonnet", "opus", "inherit", "claude-opus-5-5", "sonnet[1m]"]


def oracle(text):
    """What another reader makes of the frontmatter; None where it is no YAML."""
    block = text.removeprefix("\ufeff").split("---", 2)[1]
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = False
    try:
        read = yaml.load(block)
    except (YAMLError, Warning, ValueError, TypeError, AttributeError):
        return None
    return read if isinstance(read, dict) else None


def the_one_change(before, after):
    """Cut off what is the same at both ends; what is left was taken out, and put in."""
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    return before[start : len(before) - end], after[start : len(after) - end]


def check(file, model):
    """Set the model; whatever the file is, hold the promise."""
    try:
        edited = set_key(file, "model", model)
    except ArgumentError:
        return None
    removed, added = the_one_change(file, edited)
    assert "\n" not in removed
    assert len(added) <= len(f"model: {model}\r\n") + 40
    read = read_frontmatter(edited)
    assert read.get("model").text.strip() == model
    assert edited[read.body :] == file[read_frontmatter(file).body :]
    assert set_key(edited, "model", model) == edited
    if (old := oracle(file)) is not None:
        new = oracle(edited)
        assert str(new.pop("model")).strip() == model
        old.pop("model", None)
        assert list(new.items()) == list(old.items())
    return edited


PIECES = st.sampled_from(
    [
        "name: reader",
        "description: Reads files.",
        "description: Use it: when you must",
        "description: >-\n  folded\n  text",
        "description: |+\n  kept\n\n",
        'description: "a\n  b"',
        "description: a --- b",
        "model: opus",
        "model: 'opus'   # dear",
        'model: "opus"',
        "model:",
        "model: # none",
        "model: |\n  opus",
        "model: &m opus",
        "model: !!str opus",
        "model: [opus]",
        "model: sonnet[1m]",
        "model : opus",
        "? model\n: opus",
        "'model': opus",
        "  model: opus",
        "models: opus",
        "other: *m",
        "anchor: &m opus",
        "tools: Read, Grep",
        "tools: [Read, Grep]",
        "tools:\n  - Read\n  # why\n  - Grep",
        "# model: opus",
        "",
        "   ",
        "\tx: y",
        "x: \ty",
        "nested:\n  model: opus\n  more: 1",
        "{name: x, model: opus}",
        "color: blue  ",
        "unicode: é \U0001f600 \u2028 \x85",
        "<<: {model: haiku}",
        "- item",
        "key: {a: b, model: c}",
        'x: "\\u263a"',
        "hooks: {}",
        "...",
        "----",
    ]
)


@st.composite
def files(draw):
    """Files that are like agent files, to every degree."""
    end = draw(st.sampled_from(["\n", "\r\n"]))
    lines = draw(st.lists(st.one_of(PIECES, st.text(max_size=12)), max_size=7))
    start = draw(st.sampled_from(["---", "---", "---", "---  ", "", "\n---", "----"]))
    close = draw(st.sampled_from(["---", "---", "---", "--- ", "--", "---x", ""]))
    body = draw(st.sampled_from(["Body.\n", "", "a\r\nb", "---\nmodel: x\n---\n", "\x00 é"]))
    bom = draw(st.sampled_from(["", "", "\ufeff"]))
    head = "\n".join([start, *lines, close]).replace("\n", end)
    return bom + head + end + body


@given(files(), st.sampled_from(MODELS))
@example("---\nname: a\ndescription: |+\n  x\n\n---\n", "haiku")
@example("---\nname: a\ndescription: Use it: now\nmodel: sonnet[1m]\n---\n", "haiku")
@example("\ufeff---\r\nname: a\r\nmodel:   opus   # why\r\n---\r\nBody", "haiku")
@example("---\n  name: a\n  description: b\n---\n", "haiku")
@example("---\nname: a\nmodel: opus\n---", "haiku")
def test_in_any_file_only_that_key_changes(file, model):
    check(file, model)


@given(st.text(max_size=200), st.text(max_size=80), st.sampled_from(MODELS))
def test_free_text_is_edited_rightly_or_refused(head, body, model):
    check(f"---\n{head}\n---\n{body}", model)
    check(head, model)


@given(files(), st.text(min_size=1, max_size=30))
def test_any_text_can_be_the_value_of_another_key(file, value):
    assume(value.strip() == value and "\n" not in value and "\r" not in value)
    with suppress(ArgumentError):
        edited = set_key(file, "description", value)
        assert read_frontmatter(edited).get("description").text == value
        removed, _ = the_one_change(file, edited)
        assert not re.search(r"[\r\n]", removed)


def same_but(before, old, new):
    assert before.count(old) == 1
    return before.replace(old, new)


@pytest.mark.parametrize(
    ("head", "old", "new"),
    [
        ("name: a\nmodel: opus # dear\ncolor: red\n", "opus", "haiku"),
        ("name: a\nmodel: 'opus'\n", "opus", "haiku"),
        ('name: a\n"model":   "opus"   \n', "opus", "haiku"),
        ("name: a\r\nmodel: opus\r\ncolor: red\r\n", "opus", "haiku"),
        ("name: a\nmodel:\ncolor: red\n", "model:", "model: haiku"),
        ("name: a\nmodel: # what?\n", "model:", "model: haiku"),
        ("{name: a, model: opus}\n", "opus", "haiku"),
        ("name: &a opus\nb: *a\nmodel: sonnet\n", "sonnet", "haiku"),
        ("name: a\ndescription: Use it: now\nmodel: opus\n", "opus", "haiku"),
        ("name: a\ndescription: Use it: now\nmodel: opus[1m]\n", "opus[1m]", "haiku"),
        ("name: a\ntools: Read\ncolor: red\n", "color: red\n", "color: red\nmodel: haiku\n"),
        ("name: a\r\ncolor: red\r\n", "red\r\n", "red\r\nmodel: haiku\r\n"),
        ("  name: a\n  color: red\n", "red\n", "red\n  model: haiku\n"),
        ("name: a\ntools:\n- Read\n# end\n", "# end\n", "# end\nmodel: haiku\n"),
        ("name: a\ndescription: |\n  x\n  y\n", "  y\n", "  y\nmodel: haiku\n"),
    ],
)
def test_the_edit_is_the_smallest_there_is(head, old, new):
    file = f"---\n{head}---\nmodel: body\n"
    assert check(file, "haiku") == f"---\n{same_but(head, old, new)}---\nmodel: body\n"


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ("", "no frontmatter"),
        ("Only text.\n", "no frontmatter"),
        ("---\nname: a\n", "no frontmatter"),
        ("---\n---\n", "is empty"),
        ("---\nname: a\nmodel: a\nmodel: b\n---\n", "more than once, on lines 3 and 4"),
        ("---\nname: a\nmodel: |\n  opus\n---\n", "on line 3 is not one plain line"),
        ("---\nname: &x a\nmodel: *x\n---\n", "not one plain line"),
        ("---\nname: a\nmodel: &x opus\n---\n", "not one plain line"),
        ("---\nname: a\nmodel: [opus]\n---\n", "not one plain line"),
        ("---\nname: a --- b\nmodel: opus\n---\n", "in the middle of line 2"),
        ("---\nname: 'a\nmodel: opus\n---\n", "not valid YAML"),
        ("---\n{name: a}\n---\n", "written as {…}"),
        ("---\n- name\n---\n", "it is not a mapping"),
    ],
)
def test_what_cannot_be_edited_for_sure_is_refused_in_one_line(file, why):
    with pytest.raises(ArgumentError, match=re.escape(why)):
        set_key(file, "model", "haiku")


def test_aliases_that_double_at_each_line_cost_nothing():
    bombs = "".join(f"k{n}: &k{n} [*k{n - 1}, *k{n - 1}]\n" for n in range(1, 60))
    file = f"---\nname: a\nk0: &k0 [a]\n{bombs}model: opus\n---\n"
    assert set_key(file, "model", "haiku") == file.replace("opus", "haiku")


def test_what_is_deeply_nested_is_done_at_once():
    file = "---\nname: a\nmodel: opus\nx: " + "[" * 50000 + "\n---\n"
    assert set_key(file, "model", "haiku") == file.replace("opus", "haiku")


def test_a_frontmatter_that_would_take_long_to_read_is_refused():
    with pytest.raises(ArgumentError, match="characters long"):
        set_key("---\nname: a\nmodel: opus\nx: " + "a" * 200_000 + "\n---\n", "model", "haiku")
