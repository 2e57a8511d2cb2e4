"""The house: no import circles, one meaning a name, and a map whose paths exist."""

import ast
import re
from collections import Counter, defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
MOST_LINES = 400
MOST_REPEATED_FILE_NAMES = 12


def modules():
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


MODULES = dict(modules())
TREES = {name: ast.parse(path.read_text()) for name, path in MODULES.items()}


def imported(tree):
    """Every module of ours that is imported anywhere, in functions and for types too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            for one in node.names:
                full = f"{node.module}.{one.name}"
                yield full if full in MODULES else node.module


def cycle_in(graph):
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_a_circle_would_be_found():
    assert cycle_in({"a": {"b"}, "b": {"c"}, "c": {"a"}})
    assert set(imported(ast.parse("def f():\n    from spadework.engine import engine"))) == {
        "spadework.engine.engine"
    }


def test_there_are_no_import_circles_types_included():
    graph = {
        name: {one for one in imported(tree) if one in MODULES and one not in {name, "spadework"}}
        for name, tree in TREES.items()
    }
    assert sum(map(len, graph.values())) > 1000
    assert cycle_in(graph) == []


def test_a_public_class_name_has_one_meaning():
    places = defaultdict(list)
    for name, tree in TREES.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(name)
    assert len(places) > 200
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_few_file_names_occur_more_than_once():
    names = Counter(path.stem for path in MODULES.values() if path.stem != "__init__")
    repeated = [name for name, count in names.items() if count > 1]
    assert len(repeated) <= MOST_REPEATED_FILE_NAMES, repeated


def test_no_file_is_long():
    lines = {name: path.read_text().count("\n") for name, path in MODULES.items()}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_the_paths_of_the_architecture_exist():
    rows = [
        row for row in (ROOT / "ARCHITECTURE.md").read_text().splitlines() if row.startswith("| ")
    ]
    paths = [path for row in rows for path in re.findall(r"`(\w+/[\w/.]*)`", row)]
    assert len(paths) > 40
    places = (SOURCE / "spadework", ROOT)
    missing = [path for path in paths if not any((one / path).exists() for one in places)]
    assert missing == []


def test_a_row_of_the_architecture_names_few_places():
    rows = [
        row for row in (ROOT / "ARCHITECTURE.md").read_text().splitlines() if row.startswith("| ")
    ]
    places = {row: len(re.findall(r"`[\w/.]+[/y]`", row)) for row in rows[1:]}
    assert {row: count for row, count in places.items() if count > 4} == {}


BANNED = re.compile(
    r"\b(is no|are no|has not|shall|mend(?:s|ed|ing)?|told of|is told|stands? in|whose turn"
    r"|let go of|goes before|what it is about)\b",
    re.IGNORECASE,
)
"""Phrases that readers stumble over; say "is not a", "must", "fix", "reported" and the like."""


def test_source_and_docs_have_none_of_the_phrases_that_were_removed():
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("plugin/**/*.md")]
    texts = {path: path.read_text() for path in [*MODULES.values(), *pages]}
    assert len(texts) > 300
    found = {
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path, text in texts.items()
        for match in BANNED.finditer(text)
    }
    assert found == set()
