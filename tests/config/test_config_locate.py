import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spadework.config.source_positions import locate

NASTY = ["# no comment", "[header]", "a = 1", "]", "}", ",", "'''", '"', "\\", "[[x]]", "=", "\t"]
BARE_KEYS = st.text("abcXYZ019_-", min_size=1, max_size=6)
ANY_KEYS = st.one_of(BARE_KEYS, st.sampled_from(["a b", "a.b", '"', "'", "#", "[x]", "é", "", "="]))


def quoted(text):
    """Write a text as a basic TOML string on one line."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    return '"' + escaped.replace("\n", "\\n") + '"'


def as_key(key, draw):
    plain = bool(key) and all(sign.isascii() and (sign.isalnum() or sign in "-_") for sign in key)
    if plain and draw(st.booleans()):
        return key
    return f"'{key}'" if "'" not in key and draw(st.booleans()) else quoted(key)


class Writer:
    """Writes a random document in which every scalar is a number that stands there once."""

    def __init__(self, draw):
        self.draw = draw
        self.number = 1_000_000
        self.names = 0

    def fresh(self):
        """A key that no other key is like."""
        self.names += 1
        return f"{self.draw(ANY_KEYS)}~{self.names}"

    def scalar(self):
        self.number += 1
        text = " ".join(self.draw(st.lists(st.sampled_from(NASTY), max_size=3)))
        literal = text.replace("'", "")
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        more = self.draw(st.integers(0, 2))  # quotes that belong to the text, before its end
        return self.draw(
            st.sampled_from(
                [
                    str(self.number),
                    quoted(f"{self.number} {text}"),
                    f"'{self.number} {literal}'",
                    f"'''{self.number} {literal}\n{literal}{more * chr(39)}'''",
                    f'"""{self.number} ""\n{escaped}{more * chr(34)}"""',
                    f'"""{self.number} \\\n  [x] # y"""',
                ]
            )
        )

    def space(self):
        return self.draw(
            st.sampled_from(["", " ", "\n", "\n  # ] a = [\n", " # 'x\n\n", ' # "y\n'])
        )

    def value(self, depth):
        kind = self.draw(
            st.sampled_from(["scalar", "scalar", "list", "table"] if depth else ["scalar"])
        )
        if kind == "list":
            items = [self.value(depth - 1) for _ in range(self.draw(st.integers(0, 3)))]
            text = "".join(f"{self.space()}{item}{self.space()}," for item in items)
            return f"[{text}{self.space()}]"
        if kind == "table":
            pairs = [self.pair(depth - 1) for _ in range(self.draw(st.integers(0, 3)))]
            return "{ " + ", ".join(pairs) + " }"
        return self.scalar()

    def dotted(self, first):
        keys = [first] + [self.draw(ANY_KEYS) for _ in range(self.draw(st.integers(0, 2)))]
        return self.draw(st.sampled_from([".", " . "])).join(as_key(key, self.draw) for key in keys)

    def pair(self, depth=2):
        # A value goes on with the line of its key: TOML wants it so.
        return f"{self.dotted(self.fresh())} = {self.value(depth)}"

    def pairs(self):
        return [
            self.pair() + self.draw(st.sampled_from(["", "  # x = 1", "  # 'x", '  # """']))
            for _ in range(self.draw(st.integers(0, 3)))
        ]

    def document(self):
        lines = self.pairs()
        lists = []
        for _ in range(self.draw(st.integers(0, 5))):
            lines += self.draw(st.sampled_from([[], [""], ["  # [comment]"]]))
            kind = self.draw(st.sampled_from(["table", "list", "again", "inside"]))
            if kind == "table":
                lines.append(f"[ {self.dotted(self.fresh())} ]")
            elif kind == "list" or not lists:
                lists.append(as_key(self.fresh(), self.draw))
                lines.append(f"[[{lists[-1]}]]")
            elif kind == "again":
                lines.append(f"[[{self.draw(st.sampled_from(lists))}]]")
            else:
                inner = as_key(self.fresh(), self.draw)
                lines.append(f"[{self.draw(st.sampled_from(lists))}.{inner}]")
            lines += self.pairs()
        return self.draw(st.sampled_from(["\n", "\r\n"])).join(lines)


@st.composite
def documents(draw):
    return Writer(draw).document()


def leaves(value, path=()):
    """Every key path that holds no more keys, and what it holds."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list) and value:
        for place, inner in enumerate(value):
            yield from leaves(inner, (*path, place))
    else:
        yield path, value


def line_of_number(text, value):
    number = str(value).strip()[:7]
    [line] = [at for at, line in enumerate(text.split("\n"), 1) if number in line]
    return line


@pytest.mark.slow
@settings(max_examples=250, deadline=None)
@given(documents())
def test_every_key_that_tomllib_sees_is_found_on_the_line_where_it_stands(text):
    root = locate(text)
    for path, value in leaves(tomllib.loads(text)):
        line = root.line_of(path)
        if isinstance(value, str | int):
            assert line == line_of_number(text, value), path
        assert path == () or line is not None, path
        for end in range(1, len(path)):
            assert 1 <= root.line_of(path[:end]) <= line


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(documents())
def test_no_key_is_found_that_tomllib_does_not_see(text):
    seen = {path[:end] for path, _ in leaves(tomllib.loads(text)) for end in range(len(path) + 1)}
    found = [((), locate(text))]
    while found:
        path, place = found.pop()
        assert path in seen
        found += [((*path, key), inner) for key, inner in place.inside.items()]


def test_headers_and_lists_of_tables_are_found_where_they_stand():
    root = locate('[a.b]\nx = 1\n\n[[c]]\n[c."d e"]\n[[c]]\ny = 2\n[a]\n')
    lines = {
        ("a",): 1,  # mentioned there first
        ("a", "b"): 1,
        ("a", "b", "x"): 2,
        ("c", 0): 4,
        ("c", 0, "d e"): 5,
        ("c", 1): 6,
        ("c", 1, "y"): 7,
    }
    assert {path: root.line_of(path) for path in lines} == lines


def test_a_missing_key_is_looked_for_where_its_table_stands():
    root = locate("x = 1\n[a]\nb = 2\n")
    assert root.line_of(("a", "zz")) is None
    assert root.find(("a", "zz", "y")).line == 2
    assert root.find(("nowhere",)).line == 1


def test_a_key_of_thousands_of_parts_takes_little_room():
    root = locate(".".join("a" * 3000) + " = 1")
    assert root.line_of(("a",) * 3000) == 1
