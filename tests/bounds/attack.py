"""Search the texts that cost a pattern most. Run it as `attack.py PART PARTS`; see the test.

`re` walks back: what it may have to walk back over many times costs by the square or worse. A
text is made of what a pattern takes: its literals, one sign of each of its classes, and repeats.
Processor time of one length is held against that of four times it, so no machine is too slow.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import sys
import time
from itertools import islice
from pathlib import Path

import spadework

parser = re._parser

LENGTH = 3_000
SUSPECT = 0.001
"""Seconds of processor time; where the shorter text takes less, four times it takes little."""
MOST_TIMES = 8.0
"""Four times the text may take so many times the time: 4 if linear, 16 if by the square."""
MOST_UNITS = 80
GUARDED = {
    # As the client spells it; it is matched only where its end is there, and then once.
    "spadework.claude_code.agents.frontmatter._BLOCK",
}
"""Patterns that are superlinear by themselves, and why that is no matter where they are used."""
SIGNS = [" ", "\n", "\t", "a", "A", "0", "_", "-", ".", "/", "\\", '"', "'", "`", "~", "<", ">"]
SIGNS += [
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    "*",
    "#",
    "@",
    ":",
    ",",
    "|",
    "$",
    "%",
    "=",
    "\r",
    "é",
    "中",
]
ANCHORED = {"match", "fullmatch"}
FUNCTIONS = {"search", "match", "fullmatch", "sub", "split", "findall", "finditer"}


def constants():
    """Every compiled pattern that a module of the package holds, and those in dictionaries."""
    found = {}
    for info in pkgutil.walk_packages(spadework.__path__, "spadework."):
        if info.name.endswith("__main__") or ".templates" in info.name:
            continue
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            held = value.items() if isinstance(value, dict) else [("", value)]
            for key, pattern in held:
                if isinstance(pattern, re.Pattern):
                    found[f"{info.name}.{name}{key}"] = (pattern, uses(module, name))
    return found


def uses(module, name):
    """The methods by which a module uses a constant; searching, if that cannot be told."""
    source = Path(module.__file__).read_text()
    methods = set(re.findall(rf"\b{re.escape(name)}(?:\[[^\]]*\])?\.([a-z]+)\(", source))
    if re.search(rf"lines\.(?:take|expect)\({re.escape(name)}\)", source):
        methods.add("match")  # inputs/git/patches.py goes from line to line
    return methods if methods and methods <= ANCHORED else {"search"}


def inline():
    """Every pattern that is written where it is used."""
    found = {}
    folder = Path(spadework.__file__).parent
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            of_re = isinstance(node.func.value, ast.Name) and node.func.value.id == "re"
            if not of_re or node.func.attr not in FUNCTIONS or not node.args:
                continue
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str | bytes):
                flags = sum(
                    getattr(re, one.attr)
                    for argument in [*node.args[1:], *(key.value for key in node.keywords)]
                    for one in ast.walk(argument)
                    if isinstance(one, ast.Attribute)
                    and isinstance(one.value, ast.Name)
                    and one.value.id == "re"
                )
                key = f"{file.relative_to(folder)}:{node.lineno}"
                methods = {node.func.attr} if node.func.attr in ANCHORED else {"search"}
                found[key] = (re.compile(first.value, flags), methods)
    return found


def patterns():
    """All of them in one order, each source once."""
    every = constants() | inline()
    once = {
        (one.pattern, one.flags, *sorted(methods)): (name, one, methods)
        for name, (one, methods) in sorted(every.items())
    }
    return sorted(once.values(), key=lambda found: found[0])


def units(pattern):
    """Short texts that the pattern's parts take, and runs of single signs."""
    source = pattern.pattern
    text = source.decode("latin-1") if isinstance(source, bytes) else source
    made = {""}
    flags = pattern.flags & (re.VERBOSE | re.IGNORECASE | re.MULTILINE | re.DOTALL)
    for sample in islice(samples(parser.parse(text, flags)), 60):
        made |= {sample, sample[-1:], sample[:-1]}
    return sorted({*made, *SIGNS} - {""}, key=lambda one: (len(one), one))[:MOST_UNITS]


def samples(parsed):
    """Texts for each prefix of a parsed pattern, the deepest parts included."""
    prefix = ""
    for operation, argument in parsed:
        for inner in parts(operation, argument):
            yield from samples(inner)
            for sample in islice(samples(inner), 20):
                yield prefix + sample
        prefix += example(operation, argument)
        yield prefix


def parts(operation, argument):
    name = str(operation)
    if name == "SUBPATTERN":
        return [argument[3]]
    if name in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
        return [argument[2]]
    if name == "BRANCH":
        return argument[1]
    if name == "ATOMIC_GROUP":
        return [argument]
    return []


def example(operation, argument):
    """One text for one part."""
    name = str(operation)
    if name == "LITERAL":
        return chr(argument)
    if name == "NOT_LITERAL":
        return "a" if argument != ord("a") else "b"
    if name == "ANY":
        return "a"
    if name == "IN":
        return example_of_set(argument)
    if name in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
        least, _, inner = argument
        return whole(inner) * max(1, min(least, 50))
    inner = parts(operation, argument)
    return whole(inner[0]) if inner else ""


def whole(parsed):
    return "".join(example(*one) for one in parsed)


def example_of_set(items):
    negated = items and str(items[0][0]) == "NEGATE"
    source = "".join(
        chr(value) if str(kind) == "LITERAL" else chr(value[0]) if str(kind) == "RANGE" else ""
        for kind, value in items
    )
    if not negated and source:
        return source[0]
    categories = {
        str(value).rpartition("_")[2]: "" for kind, value in items if str(kind) == "CATEGORY"
    }
    if not negated and categories:
        return {"DIGIT": "0", "WORD": "a", "SPACE": " "}.get(next(iter(categories)), "-")
    return next(sign for sign in "abz01 -/" if sign not in source)


def attacks(pattern, length):
    """Long texts: each unit again and again, and at the end what spoils the match."""
    made = units(pattern)
    heads = [one for one in made if len(one) > 1][:10]
    for unit in made:
        run = (unit * (length // len(unit) + 1))[:length]
        for end in ("\x00", "\n!"):
            yield run + end
    for head in heads:
        for unit in (*SIGNS[:7], head):
            yield head + ((unit or " ") * length)[:length] + "\x00"


def search(pattern, methods, attack):
    """Return the processor time that a search takes, in seconds."""
    text = attack.encode() if isinstance(pattern.pattern, bytes) else attack
    begun = time.process_time()
    for method in methods:
        if method in ANCHORED:
            getattr(pattern, method)(text)
        else:
            for _ in pattern.finditer(text):
                pass
    return time.process_time() - begun


def superlinear(pattern, methods):
    """Return the first attack whose time grows faster than its length, and by how much."""
    for short, long in zip(attacks(pattern, LENGTH), attacks(pattern, 4 * LENGTH), strict=True):
        first = search(pattern, methods, short)
        if first < SUSPECT or search(pattern, methods, long) < MOST_TIMES * first:
            continue
        # The least of several: what else the machine did is not counted.
        little = min(search(pattern, methods, short) for _ in range(3))
        much = min(search(pattern, methods, long) for _ in range(3))
        if much > MOST_TIMES * little:
            return f"{short[:40]!r}: {little * 1000:.1f} ms, four times it {much * 1000:.1f} ms"
    return ""


def report(line):
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    part, parts_in_all = map(int, sys.argv[1:])
    for name, pattern, methods in patterns()[part::parts_in_all]:
        if name in GUARDED:
            continue
        report(name)
        if found := superlinear(pattern, methods):
            sys.exit(f"superlinear: {found}")
    report("done")
