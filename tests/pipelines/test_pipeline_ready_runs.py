"""The ready pipelines and a new script, run by the command with the real embedded model.

Claude is the official SDK before a double of the Messages API. The commands are those of the docs.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from doubles.messages_api import MessagesApi, Says

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent
# A text that even the demonstration model makes something of that passes the checks.
DECISION = Path(__file__).parents[2] / "docs/decisions/0009-parts-only-where-nothing-fits.md"


@pytest.fixture
def api():
    with MessagesApi() as double:
        yield double


@pytest.fixture
def project(tmp_path, data_with_demo, runtime_folder, monkeypatch):
    folder = tmp_path / "project"
    (folder / "docs").mkdir(parents=True)
    shutil.copy(DECISION, folder / "docs" / "decision.md")
    tickets = ("It crashes when I save.", "Please send an invoice.")
    (folder / "tickets.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in tickets))
    git(folder, "init", "-q")
    for content in ("def add(a, b):\n    return a + b\n", "def add(a, b):\n    return a - b\n"):
        (folder / "sums.py").write_text(content)
        git(folder, "add", "sums.py")
        git(folder, "commit", "-qm", "Change")
    monkeypatch.setenv("SPADEWORK_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    configure(folder)
    monkeypatch.chdir(folder)
    return folder


def git(folder, *arguments):
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgSign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def configure(project, more=""):
    tools = "".join(
        f'[tools.{name}]\nuse_for = "tests"\ntemperature = 0.0\n'
        for name in ("ask_local_llama", "ask_coding_model")
    )
    (project.parent / "config.toml").write_text(tools + more)


def with_claude(project, api, monkeypatch, *, private=""):
    """Let the SDK ask the double, with a key that is none."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-api03-test")
    configure(
        project,
        f'[claude_api]\ntest_url = "{api.url}"\n[references]\nprivate = [{private}]\n',
    )


def run(command, *, ends=(0,)):
    done = subprocess.run(
        shlex.split(command), capture_output=True, text=True, check=False, timeout=170
    )
    results = "\n".join(file.read_text("utf-8") for file in Path().glob("*.jsonl"))
    told = f"{command}: {done.returncode}\n{done.stdout}{done.stderr}{results}"
    assert done.returncode in ends, told
    assert "Traceback" not in done.stderr
    return done


def rows(file):
    lines = [json.loads(line) for line in Path(file).read_text("utf-8").splitlines()]
    return sorted(lines, key=lambda row: row["number"])


def test_a_dry_run_says_what_would_be_asked_and_asks_nobody(project, api, monkeypatch):
    with_claude(project, api, monkeypatch)
    told = run("spadework pipeline run analyze-documents docs/ --dry-run").stdout
    assert "1 items; no model was asked" in told
    assert "ask_local_llama: about 1 calls" in told
    assert "Claude: about 1 calls, 10 tokens to read (counted by the API)" in told
    assert api.bodies() == []


def test_documents_are_analyzed_without_a_key_and_the_report_says_who_wrote_it(project):
    run("spadework pipeline run analyze-documents docs/ --out results.jsonl")
    (row,) = rows("results.jsonl")
    assert row["models"] == ["embedded/smollm2"]
    assert set(row["value"]) == {"title", "topics", "claims"}
    report = Path("results.report.md").read_text("utf-8")
    assert "local model embedded/smollm2, not by Claude: ANTHROPIC_API_KEY is not set" in report
    assert "- docs/decision.md: " in report
    before = Path("results.jsonl").read_bytes()
    command = "spadework pipeline run analyze-documents docs/ --out results.jsonl"
    assert "holds the results of the run" in run(command, ends=(2,)).stderr
    assert Path("results.jsonl").read_bytes() == before


def test_claude_writes_the_report_from_what_was_found_and_its_cost_is_told(
    project, api, monkeypatch
):
    with_claude(project, api, monkeypatch)
    api.says = lambda _: Says("All of it is about a bridge.", 1000, 100)
    command = "spadework pipeline run analyze-documents docs/ --budget-usd 2 --out results.jsonl"
    assert "USD spent" in run(command).stderr
    (sent,) = api.bodies()
    assert "docs/decision.md: {" in json.dumps(sent["messages"])
    report = Path("results.report.md").read_text("utf-8")
    assert "All of it is about a bridge." in report
    assert " USD." in report
    assert "local model" not in report


def test_private_documents_end_the_run_before_anything_is_sent_and_name_the_step(
    project, api, monkeypatch
):
    with_claude(project, api, monkeypatch, private='"docs/"')
    command = "spadework pipeline run analyze-documents docs/ --out results.jsonl"
    assert "step 'report'" in run(command, ends=(1,)).stderr
    assert rows("results.jsonl")[0]["private"]
    assert api.requests == []
    assert not Path("results.report.md").exists()


def test_only_the_tickets_that_are_unsure_go_to_claude(project, api, monkeypatch):
    with_claude(project, api, monkeypatch)
    api.says = lambda _: Says("billing")
    command = "spadework pipeline run triage tickets.jsonl --set labels=bug,billing,other"
    run(f"{command} --out sorted.jsonl --set confidence=0")
    assert {row["value"]["by"] for row in rows("sorted.jsonl")} == {"embedded/smollm2"}
    assert api.requests == []
    run(f"{command} --set confidence=1 --out unsure.jsonl")
    assert [row["value"]["label"] for row in rows("unsure.jsonl")] == ["billing", "billing"]
    assert len(api.bodies()) == 2
    report = json.loads(Path("unsure.report.json").read_text("utf-8"))
    assert report == {"labels": {"billing": 2}, "unsure": [], "failed": []}


def test_the_last_commit_is_reviewed_where_nothing_is_named(project, api, monkeypatch):
    with_claude(project, api, monkeypatch)
    api.says = lambda _: Says("It subtracts now.")
    run("spadework pipeline run review-changes --out review.jsonl")
    (row,) = rows("review.jsonl")
    assert row["name"] == "sums.py"
    report = Path("review.report.md").read_text("utf-8")
    assert ("It subtracts now." in report) == bool(row["value"]["findings"])


def test_a_new_script_works_at_once(project):
    run("spadework pipeline new sort-mail")
    run("spadework pipeline run sort_mail.py docs/ --out results.jsonl")
    assert set(rows("results.jsonl")[0]["value"]) == {"title", "points"}
    assert "not by Claude" in Path("results.report.md").read_text("utf-8")


def test_what_failed_and_what_is_never_read_is_told(project):
    Path("fails.py").write_text(
        "from spadework.pipelines import Item, pipeline\n\n\n"
        "@pipeline\nasync def fails(item: Item) -> object:\n    raise ValueError(item.name)\n"
    )
    Path("docs/.env").write_text("KEY=1\n")
    said = run("spadework pipeline run fails.py docs --out failed.jsonl", ends=(1,)).stderr
    assert "skipped: docs/.env: credential file, never read\n" in said
    assert "note: 1 failed: see the `error` of each row" in said
    assert rows("failed.jsonl")[0]["error"] == "ValueError: docs/decision.md"
