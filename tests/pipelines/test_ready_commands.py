"""The ready pipelines and a new script, by the command before doubles of both kinds of server."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from doubles.messages_api import MessagesApi, Says
from doubles.plays import Play

pytestmark = pytest.mark.slow

FOUND = {"title": "A bridge", "topics": ["steel"], "claims": ["It holds."]}
FINDING = {"code": "return a - b", "problem": "It subtracts.", "severity": "high"}
CODING = '[tools.ask_coding_model]\nmodels = ["koala/codellama-local"]\n'
LABELS = ("--set", "labels=bug,billing")
ONE_BY_ONE = ("--concurrency", "1", "--ordered", "--out", "out.jsonl")
KEY = {"ANTHROPIC_API_KEY": "sk-ant-api03-test"}

PAGE = Path(__file__).parents[2] / "docs" / "pipelines.md"


@pytest.fixture
def api(place):
    with MessagesApi() as double:
        place.configure(more=f'{CODING}[claude_api]\ntest_url = "{double.url}"\n')
        yield double


def says(value):
    return Play(reply=json.dumps(value), prompt_tokens=120)


def label(name, chance):
    """A label and how probable it was beside the other one."""
    other = "billing" if name == "bug" else "bug"
    chances = ({'"': 0.99}, {name: chance, other: 1 - chance}, {'"': 0.99})
    return Play(pieces=('"', name, '"'), chances=chances, prompt_tokens=120)


def run(place, *arguments, ends=0, **options):
    done = place.run("pipeline", "run", *arguments, **options)
    assert done.returncode == ends, f"{done.returncode}\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    return done


def values(place):
    return [row["value"] for row in place.rows()]


def report(place):
    return (place.folder / "out.report.md").read_text("utf-8")


def git(place, *arguments):
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgSign=false"]
    command = ["git", *identity, *arguments]
    subprocess.run(command, cwd=place.folder, check=True, capture_output=True)


@pytest.fixture
def documents(place, openai_double):
    """Two documents, of which the second one gets no answer."""
    for name in ("a.md", "b.md"):
        place.write(name, f"What {name} says.\n")
    cut = Play(reply='{"title": "A', finish="length", prompt_tokens=120)
    openai_double.plays(says(FOUND), cut, Play(reply="Bridges are fine.", prompt_tokens=120))


def test_without_a_key_a_local_model_writes_the_report_which_names_it_and_what_failed(
    place, documents, openai_double
):
    run(place, "analyze-documents", "a.md", "b.md", *ONE_BY_ONE, ends=4)
    assert values(place) == [FOUND, None]
    written = report(place)
    assert "Bridges are fine." in written
    assert "- a.md: A bridge (steel)" in written
    assert "- b.md: " in written
    assert "[cut-off]" in written
    assert "local model koala/llama3-local, not by Claude: ANTHROPIC_API_KEY is not set" in written
    assert len(openai_double.chats) == 3


def test_claude_gets_what_was_found_once_and_not_the_documents(
    place, api, documents, openai_double
):
    api.says = lambda _: Says("All of it is about bridges.")
    run(place, "analyze-documents", "a.md", "b.md", *ONE_BY_ONE, ends=4, environment=KEY)
    (sent,) = (json.dumps(body) for body in api.bodies())
    assert sent.count("It holds.") == 1
    assert "What a.md says." not in sent
    assert "All of it is about bridges." in report(place)
    assert len(openai_double.chats) == 2


@pytest.fixture
def tickets(place, openai_double):
    """A ticket that is sure, one that is not, and one that no local model can sort."""
    place.write("tickets.jsonl", '"It crashes."\n"Hm."\n"???"\n')
    openai_double.plays(
        label("bug", 0.98), label("billing", 0.55), Play(reply="I like both.", prompt_tokens=120)
    )


def test_without_a_key_what_is_unsure_stays_so_and_says_why(place, tickets, openai_double):
    run(place, "triage", "tickets.jsonl", *LABELS, *ONE_BY_ONE)
    sure, *others = values(place)
    assert (sure["label"], sure["by"]) == ("bug", "koala/llama3-local")
    assert sure["confidence"] > 0.9
    for value in others:
        assert (value["label"], value["by"]) == ("unsure", "")
        assert "ANTHROPIC_API_KEY is not set" in value["note"]
    assert "koala/llama3-local was not sure" in others[0]["note"]
    assert "[label]" in others[1]["note"]
    told = json.loads((place.folder / "out.report.json").read_text())
    assert told == {"labels": {"unsure": 2, "bug": 1}, "unsure": ["Hm.", "???"], "failed": []}
    assert not [one for one in openai_double.chats if b"Answer with the label alone" in one.body]


def test_no_claude_keeps_unsure_items_from_claude_even_with_a_key(place, api, tickets):
    run(place, "triage", "tickets.jsonl", *LABELS, *ONE_BY_ONE, "--no-claude", environment=KEY)
    assert [value["label"] for value in values(place)] == ["bug", "unsure", "unsure"]
    assert "--no-claude was given" in values(place)[1]["note"]
    assert api.requests == []


def test_only_what_is_unsure_goes_to_claude_who_is_held_to_the_labels(place, api, tickets):
    replies = iter([Says("**Billing**."), Says("It is a feature.")])
    api.says = lambda _: next(replies)
    run(place, "triage", "tickets.jsonl", *LABELS, *ONE_BY_ONE, environment=KEY)
    sent = json.dumps(api.bodies())
    assert "It crashes." not in sent
    assert len(api.bodies()) == 2
    sure, hers, none = values(place)
    assert sure["by"] == "koala/llama3-local"
    assert (hers["label"], none["label"]) == ("billing", "unsure")
    assert hers["by"].startswith("claude-")
    assert "said none of the labels" in none["note"]
    assert [row["cost_usd"] > 0 for row in place.rows()] == [False, True, True]


def test_a_dry_run_says_that_nobody_stands_in_where_claude_is_not_asked(place, api, tickets):
    command = ("triage", "tickets.jsonl", *LABELS, "--dry-run")
    told = run(place, *command, "--no-claude", environment=KEY).stdout
    assert "Claude: about" not in told
    assert "Claude: about 3 calls" in run(place, *command, environment=KEY).stdout


@pytest.fixture
def changes(place, api):
    """A commit that changes two files."""
    git(place, "init", "-q")
    for sign in "+-":
        place.write("sums.py", f"def add(a, b):\n    return a {sign} b\n")
        place.write("words.py", f'SIGN = "{sign}"\n')
        git(place, "add", "sums.py", "words.py")
        git(place, "commit", "-qm", "Change")


def test_only_files_with_findings_reach_the_judge(place, api, changes, openai_double):
    openai_double.plays(says({"findings": [FINDING]}), says({"findings": []}))
    api.says = lambda _: Says("It subtracts now: fix it.")
    run(place, "review-changes", "git:HEAD~1..HEAD", *ONE_BY_ONE, environment=KEY)
    (sent,) = (json.dumps(body) for body in api.bodies())
    assert "sums.py" in sent
    assert "words.py" not in sent
    assert "It subtracts now: fix it." in report(place)


def test_a_local_model_judges_where_claude_is_not_to_be_asked(place, api, changes, openai_double):
    judges = Play(reply="It subtracts now: fix it.", prompt_tokens=120)
    openai_double.plays(says({"findings": [FINDING]}), says({"findings": []}), judges)
    command = ("review-changes", "git:HEAD~1..HEAD", *ONE_BY_ONE, "--no-claude")
    run(place, *command, environment=KEY)
    assert "It subtracts now: fix it." in report(place)
    said = "Written by the local model koala/codellama-local, not by Claude: --no-claude was given"
    assert said in report(place)
    assert api.requests == []


def test_a_review_that_finds_nothing_asks_no_judge(place, api, changes, openai_double):
    openai_double.plays(says({"findings": []}), model="codellama-local")
    run(place, "review-changes", *ONE_BY_ONE, environment=KEY)
    assert "Nothing was found." in report(place)
    assert len(openai_double.chats) == 2
    assert api.requests == []


def test_a_range_that_is_none_is_refused_with_what_to_write(place, changes):
    said = run(place, "review-changes", "git:nonsense..HEAD", ends=3).stderr
    assert "nonsense" in said
    assert len(said.splitlines()) <= 2


def test_a_new_script_runs_at_once_without_a_key(place, openai_double):
    assert place.run("pipeline", "new", "sort-mail").returncode == 0
    found = {"title": "A letter", "points": ["It is short."]}
    openai_double.plays(says(found), Play(reply="One short letter.", prompt_tokens=120))
    place.write("x.md", "Dear reader\n")
    run(place, "sort_mail.py", "x.md", *ONE_BY_ONE)
    assert values(place) == [found]
    assert "One short letter." in report(place)
    assert "not by Claude: ANTHROPIC_API_KEY is not set" in report(place)
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_sort_mail.py"]
    done = subprocess.run(tests, cwd=place.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_pipeline_of_the_docs_runs_as_it_stands(place):
    (script,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    place.write("describe.py", script)
    place.write("x.md", "Dear reader\n")
    run(place, "describe.py", "x.md", *ONE_BY_ONE)
    assert values(place) == ["A thing."]
    assert report(place) == "A thing.\n"
