"""Many items, large inputs, git and documents, with the real embedded engine and real commands.

The toy model's sense is not asserted: what is asserted is what the engine promises of any model.
"""

import json
import os
import subprocess
import sys

import pytest
from jsonschema import Draft202012Validator

from spadework.embedded.model_file import demo_model_file

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

CONFIG = """
[embedded]
context = 1024

[tools.ask_local_llama]
models = ["embedded/*"]
max_tokens = 64
temperature = 0.0

[tools.sort]
use_for = "sorting"
models = ["embedded/*"]
labels = ["plants", "machines"]
max_tokens = 32
temperature = 0.0
verify = "none"
"""
SCHEMA = {
    "type": "object",
    "properties": {"topic": {"type": "string", "maxLength": 20}, "lines": {"type": "integer"}},
    "required": ["topic", "lines"],
}
TREES = "The oak is a tree. It has leaves, roots and bark, and it grows for centuries.\n"
ENGINES = "The engine has a piston and a crankshaft. It burns fuel, and it drives the wheels.\n"


@pytest.fixture(scope="module")
def house(tmp_path_factory, demo_model, module_runtime_folder):
    """A project of texts, and the command in it; one daemon serves all tests of this file."""
    folder = tmp_path_factory.mktemp("house")
    (folder / "config.toml").write_text(CONFIG)
    project = folder / "project"
    project.mkdir()
    for number in range(6):
        (project / f"{number}.txt").write_text(ENGINES if number % 2 else TREES)
    environment = os.environ | {
        "SPADEWORK_CONFIG": str(folder / "config.toml"),
        "SPADEWORK_DATA": str(folder / "data"),
        "XDG_RUNTIME_DIR": str(module_runtime_folder),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPADEWORK_DATA", str(folder / "data"))
        link = demo_model_file()
    link.parent.mkdir(parents=True)
    link.symlink_to(demo_model)

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "spadework", *arguments],
            cwd=project,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    assert run("daemon", "start").returncode == 0
    return project, run


def test_every_item_gets_a_label_with_its_confidence_and_is_not_asked_twice(house):
    _, run = house
    done = run(
        "each", "What is it about?", "-f", "*.txt", "-l", "plants", "-l", "machines", "--json"
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert len(rows) == 6
    assert {row["answer"] for row in rows} <= {"plants", "machines"}
    assert all(0 <= row["confidence"] <= 1 for row in rows)
    again = run(
        "each", "What is it about?", "-f", "*.txt", "-l", "plants", "-l", "machines", "--json"
    )
    told = [json.loads(line) for line in again.stdout.splitlines()]
    assert all(row["known"] for row in told)
    assert [row["answer"] for row in told] == [row["answer"] for row in rows]


def test_an_answer_by_schema_follows_it_or_is_handed_back(house):
    _, run = house
    asked = ["ask", "Describe the text.", "-f", "0.txt", "--schema", json.dumps(SCHEMA), "--json"]
    told = json.loads(run(*asked).stdout)
    if told["outcome"] == "answered":
        Draft202012Validator(SCHEMA).validate(told["value"])
    else:
        assert told["tries"]


def test_what_fits_no_window_is_read_in_parts_and_answered_with_a_label(house):
    project, run = house
    (project / "long.md").write_text("".join(f"{n}. {TREES}" for n in range(70)))
    done = run("ask", "What is it about?", "-t", "sort", "-f", "long.md", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["text"] in {"plants", "machines"}
    assert told["notes"][-1].startswith("read in ")
    assert told["figures"]["prompt_tokens"] > 70 * 20, "the whole file was read"


def test_what_git_shows_and_a_notebook_are_read_by_reference(house):
    project, run = house
    for command in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *command], cwd=project, check=True)
    cells = [{"cell_type": "markdown", "metadata": {}, "source": [TREES]}]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (project / "trees.ipynb").write_text(json.dumps(notebook))
    for reference in ("git:diff --staged -- 0.txt", "trees.ipynb"):
        done = run("ask", "What is it about?", "-t", "sort", "-f", reference, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout)["text"] in {"plants", "machines"}
