"""The labelled replies that the checks are measured with, and the program that does it."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "data" / "reply_corpus"
FIELDS = {
    *("id", "family", "language", "honest", "task", "materials", "reply", "labels", "schema"),
    *("code", "grounded", "citations", "thinking", "finish_reason", "usage", "model", "chunks"),
    *("wrong", "note"),
}


@pytest.fixture(scope="module")
def cases():
    files = sorted(CORPUS.glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]


def test_each_case_is_whole_and_says_what_is_wrong(cases):
    assert len({case["id"] for case in cases}) == len(cases)
    for case in cases:
        assert set(case) <= FIELDS, case["id"]
        assert bool(case.get("wrong")) is not case["honest"], case["id"]
        assert case["id"].endswith("-h" if case["honest"] else "-d")


def test_there_are_enough_of_each_kind(cases):
    assert sum(case["honest"] for case in cases) >= 400
    assert sum(not case["honest"] for case in cases) >= 400
    assert len({case["family"] for case in cases}) >= 20
    assert len({case["language"] for case in cases}) >= 8


def test_every_material_is_there_and_its_source_and_licence_are_named(cases):
    named = {name for case in cases for name in case["materials"]}
    there = {file.name for file in (CORPUS / "materials").iterdir()}
    with (CORPUS / "sources.csv").open(encoding="utf-8") as file:
        sources = {row["file"].rpartition("/")[2]: row for row in csv.DictReader(file)}
    assert named == there == set(sources)
    assert all(row["source"] and row["licence"] for row in sources.values())


def test_the_benchmark_prints_rates_and_leaves_the_third_alone_that_is_set_aside(cases):
    def rows(*more):
        done = subprocess.run(
            [sys.executable, str(ROOT / "benchmarks" / "answer_checks.py"), *more],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        found = [line.strip("| ").split(" | ") for line in done.stdout.splitlines()[2:]]
        return {row[0]: (int(row[1]), int(row[5])) for row in found}

    open_third, set_aside = rows("--family", "labels"), rows("--family", "labels", "--held-out")
    both = [sum(pair) for pair in zip(open_third["labels"], set_aside["labels"], strict=True)]
    labels = [case["honest"] for case in cases if case["family"] == "labels"]
    assert both == [labels.count(False), labels.count(True)]
    assert all(set_aside["labels"])
