"""A table's file lies in the project, is whole or not there, and replaces nothing of the user's."""

import csv
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spadework.engine.batch.table import (
    EachJob,
    Row,
    Table,
    checked_place,
    default_name,
    write_table,
)
from spadework.errors import ArgumentError

TABLE = Table((Row(1, "a.md", "yes", model="koala/m"), Row(2, "b.md", error="refused")))


def test_a_table_is_written_as_json_lines(tmp_path):
    path = checked_place("out/results.jsonl", tmp_path)
    write_table(TABLE, path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["item"] for line in lines] == ["a.md", "b.md"]
    assert lines[0]["answer"] == "yes"
    assert lines[1] == {
        "item": "b.md",
        "answer": None,
        "error": "refused",
        "model": "",
        "confidence": None,
        "unsure": False,
        "note": "",
    }


def test_a_table_is_written_as_csv_that_a_spreadsheet_may_open(tmp_path):
    path = checked_place("results.csv", tmp_path)
    wild = Row(1, "=cmd()", 'two\nlines, "quoted"')
    write_table(Table((wild, Row(2, "b", {"n": 1}))), path)
    with path.open(newline="") as file:
        read = list(csv.DictReader(file))
    assert read[0]["item"] == "'=cmd()"
    assert read[0]["answer"] == wild.answer
    assert json.loads(read[1]["answer"]) == {"n": 1}


@pytest.mark.parametrize("name", ["results.jsonl", "results.csv"])
def test_a_table_that_was_written_before_is_replaced(tmp_path, name):
    write_table(TABLE, checked_place(name, tmp_path))
    write_table(Table(TABLE.rows[:1]), checked_place(name, tmp_path))
    assert "b.md" not in (tmp_path / name).read_text()
    assert [one.name for one in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("results.txt", "neither .jsonl nor .csv"),
        ("../results.jsonl", "outside the project"),
        ("/etc/results.jsonl", "outside the project"),
        ("link/results.jsonl", "outside the project"),
        (".git/results.jsonl", "is not an allowed path for a table"),
        ("own.jsonl", "exists already and was not written by this tool"),
        ("own.csv", "exists already and was not written by this tool"),
        ("folder.csv", "exists already and was not written by this tool"),
    ],
)
def test_a_place_where_nothing_may_be_written_is_refused(tmp_path, name, said):
    project = tmp_path / "project"
    project.mkdir()
    (project / "link").symlink_to(tmp_path)
    (project / "own.jsonl").write_text('{"item": 1, "mine": 2}\n')
    (project / "own.csv").write_text("name,price\n")
    (project / "folder.csv").mkdir()
    with pytest.raises(ArgumentError, match=said):
        checked_place(name, project)


def test_a_default_file_is_the_same_for_the_same_call_and_hidden_from_git(tmp_path):
    job = EachJob(tool="t", arguments={"prompt": "p"}, files=("docs/",))
    name = default_name(job)
    assert name == default_name(job)
    assert name != default_name(EachJob(tool="t", arguments={"prompt": "q"}, files=("docs/",)))
    write_table(TABLE, checked_place(name, tmp_path))
    assert (tmp_path / ".spadework" / ".gitignore").read_text() == "*\n"


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_any_text_comes_back_from_the_file_as_it_was(tmp_path_factory, cells):
    folder = tmp_path_factory.mktemp("table")
    given_rows = tuple(Row(n, item, answer) for n, (item, answer) in enumerate(cells))
    path = checked_place("t.jsonl", folder)
    write_table(Table(given_rows), path)
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    assert [(one["item"], one["answer"]) for one in map(json.loads, lines)] == cells
