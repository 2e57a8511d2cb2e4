"""`spadework models`, `log`, `demo` and what all commands share."""

import json
import subprocess
from contextlib import closing
from dataclasses import replace

import pytest

from command_line_page import page
from spadework import __version__
from spadework.storage.ledger import Ledger

pytestmark = pytest.mark.slow


def test_models_are_listed_in_columns_for_a_pipe(spadework):
    done = spadework("models")
    first = done.stdout.splitlines()[0].split("\t")
    assert first[:2] == ["koala/llama3-local", "unknown"]
    assert first[4] == "ask_local_llama, ask_coding_model"


def test_models_as_json_name_their_tools(spadework):
    told = json.loads(spadework("models", "--json").stdout)
    assert [model["id"] for model in told["models"]] == [
        "koala/llama3-local",
        "koala/codellama-local",
    ]
    assert told["models"][0]["tools"] == ["ask_local_llama", "ask_coding_model"]


def test_a_backend_that_does_not_answer_is_named_and_the_others_are_listed(spadework, tmp_path):
    config = tmp_path / "config.toml"
    config.write_text(
        config.read_text() + '\n[backends.dead]\nkind = "ollama"\nurl = "http://127.0.0.1:9"\n'
    )
    done = spadework("models")
    assert "koala/llama3-local" in done.stdout
    assert done.stderr.startswith("dead: not available:")
    assert done.returncode == 0


def test_the_log_shows_the_newest_first_and_filters(spadework, openai_double):
    assert spadework("log").stdout == ""
    spadework("ask", "Hi", "-f", "notes.md")
    openai_double.plays(reply="")
    spadework("ask", "Hi")
    rows = [json.loads(line) for line in spadework("log", "--json").stdout.splitlines()]
    assert [row["outcome"] for row in rows] == ["handed-back", "answered"]
    assert rows[1]["bytes_read"] == 34
    assert rows[1]["session"] == "shell"
    only = spadework("log", "--outcome", "answered", "--since", "1h").stdout.splitlines()
    assert len(only) == 1
    assert "koala/llama3-local\tanswered\t120\t4" in only[0]
    assert spadework("log", "--since", "2030-01-01").stdout == ""


def test_the_log_shows_what_a_run_cost(spadework, config_file):
    spadework("ask", "Hi")
    with closing(Ledger(config_file.parent / "data" / "ledger.db")) as ledger:
        (local,) = ledger.entries()
        ledger.record(replace(local, run="run-1"))
        ledger.record(replace(local, run="run-1", model="claude/x", cost_usd=0.0015))
    rows = spadework("log", "--run", "run-1").stdout.splitlines()
    assert [row.split("\t")[-2:] for row in rows] == [["run-1", "0.001500"], ["run-1", ""]]
    told = [json.loads(line) for line in spadework("log", "--json").stdout.splitlines()]
    assert [(one["run"], one["cost_usd"]) for one in told] == [
        ("run-1", 0.0015),
        ("run-1", None),
        ("", None),
    ]
    assert spadework("log", "--run", "run-2").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["log", "--since", "yesterday"], "--since 'yesterday' is not a valid time"),
        (["log", "--outcome", "good"], "'good' is not one of 'answered', 'handed-back'"),
        (["log", "--limit", "0"], "--limit"),
        (["aks"], "aks"),
    ],
)
def test_a_mistake_says_what_is_right(spadework, arguments, said):
    done = spadework(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_version_is_told(spadework):
    assert spadework("--version").stdout == f"spadework {__version__}\n"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("spadework as", ["ask"]),
        ("spadework ask --tool ask_", ["ask_local_llama", "ask_coding_model"]),
        ("spadework ask -m koala/c", ["koala/codellama-local"]),
        ("spadework log --outcome a", ["answered"]),
        ("spadework log --tool ask_c", ["ask_coding_model"]),
    ],
)
def test_the_shell_completes_commands_tools_and_models(spadework, monkeypatch, typed, offered):
    monkeypatch.setenv("_SPADEWORK_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split()) - 1))
    assert spadework().stdout.split() == offered


def test_the_page_of_the_command_line_is_as_the_commands_help(request):
    written = (request.config.rootpath / "docs" / "cli.md").read_text()
    assert written == page()


def test_the_page_shows_the_real_help_with_its_short_option(spadework):
    shown = page()
    assert shown.count("-h, --help") == shown.count("## spadework")
    assert "## spadework config show\n" in shown


def test_make_docs_writes_the_page_of_the_command_line(request):
    recipe = subprocess.run(
        ["make", "-n", "docs"],
        cwd=request.config.rootpath,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "docs_tools/command_line_page.py > docs/cli.md" in recipe.stdout


def test_the_demo_says_how_to_get_its_model(spadework):
    done = spadework("demo")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "spadework embedded install" in done.stderr


def test_the_demo_does_three_jobs_with_the_real_model(spadework, data_with_demo):
    done = spadework("demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" bytes by reference") == 3
    assert "small demonstration model" in done.stdout
    assert "is answering" in done.stdout
    assert "never seen by the client" in done.stdout
    for tool in ("ask_local_llama(", "sort_passage("):
        assert tool in done.stdout
