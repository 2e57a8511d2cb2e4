"""`spadework each` and `spadework cache`, as a shell runs them."""

import json

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def docs(project, openai_double):
    openai_double.plays(reply="Fine.", prompt_tokens=120)
    folder = project / "docs"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.md").write_text(f"document {number}\n")
    return folder


def test_a_table_is_printed_tab_separated_and_a_run_is_not_repeated(spadework, docs, openai_double):
    done = spadework("each", "Ok?", "-f", "docs/")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"docs/{number}.md\tFine.\t" for number in range(5)]
    assert "note: 5 of 5 answered" in done.stderr
    again = spadework("each", "Ok?", "-f", "docs/")
    assert again.stdout == done.stdout
    assert "5 from the cache" in again.stderr
    assert len(openai_double.chats) == 5
    spadework("each", "Ok?", "-f", "docs/", "--fresh")
    assert len(openai_double.chats) == 10


def test_the_command_of_the_recipes_sorts_by_labels(spadework, docs, project, openai_double):
    openai_double.plays(reply='"people"', prompt_tokens=120)
    asked = ["Is this about code or about people?", "-f", "*.md", "-l", "code", "-l", "people"]
    done = spadework("each", *asked)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "notes.md\tpeople\t\n"


def test_a_failed_item_is_named_and_the_others_are_printed(spadework, docs):
    (docs / "1.md").write_bytes(b"\0\1")
    done = spadework("each", "Ok?", "-f", "docs/0.md", "-f", "docs/1.md", "--json")
    assert done.returncode == 1
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["answer"] for row in rows] == ["Fine.", None]
    assert "failed: docs/1.md: " in done.stderr


def test_lines_of_standard_input_are_items_and_a_table_is_written(spadework, docs, project):
    done = spadework("each", "Ok?", "--items", "-", "--out", "t.csv", stdin="one\n\ntwo\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert [line.split(",")[0] for line in (project / "t.csv").read_text().splitlines()] == [
        "item",
        "one",
        "two",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Ok?"], "nothing to ask about"),
        (["Ok?", "--items", "nowhere"], "No such file"),
        (["Ok?", "-f", "docs", "--out", "t.txt"], "neither .jsonl nor .csv"),
        (["Ok?", "-f", "docs", "--out", "nowhere/t.csv"], "no such folder"),
        (["Ok?", "-f", "docs", "--schema", "{"], "is not valid JSON"),
        (["Ok?", "-f", "docs", "--schema", "[]"], "cannot be read"),
        (["Ok?", "-f", "docs", "--schema", '{"type": "nonsense"}'], "schema"),
        (["Ok?", "-f", "docs", "-l", "yes"], "there is one label"),
        (["Ok?", "-f", "docs", "--tool", "nobody"], "unknown tool"),
    ],
)
def test_a_wrong_call_is_one_line_and_asks_nobody(spadework, docs, openai_double, arguments, said):
    done = spadework("each", *arguments)
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[0]
    assert openai_double.chats == []


def test_the_cache_is_shown_and_cleared(spadework, docs, openai_double):
    assert json.loads(spadework("cache", "show", "--json").stdout)["answers"] == 0
    spadework("each", "Ok?", "-f", "docs/")
    shown = json.loads(spadework("cache", "show", "--json").stdout)
    assert shown["answers"] == 5
    assert shown["enabled"] is True
    assert "5 answers, 0.0 MB of at most 200.0 MB" in spadework("cache", "show").stdout
    assert spadework("cache", "clear").stdout == "deleted 5 answers, 0.0 MB\n"
    spadework("each", "Ok?", "-f", "docs/")
    assert len(openai_double.chats) == 10
