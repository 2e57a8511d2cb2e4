"""Claude in a run, by the real command and the real SDK, before a double of the Messages API."""

import json
import re
import threading
import time
from collections import Counter

import pytest

from doubles.messages_api import BATCHES, COUNT, LIMITED, OVERLOADED, Fault, MessagesApi, Says

pytestmark = pytest.mark.slow

WAIT = 60.0
KEY = "sk-ant-api03-not-a-real-key"
JUDGING = """
from spadework.pipelines import Item, ask, claude, pipeline

@pipeline
async def judge(item: Item) -> str:
    found = await ask("ask_local_llama", "What is it?", texts=item.texts)
    reply = await claude(
        "Judge it.", shared="The rules.", texts={**item.texts, "found": found.text}, max_tokens=100
    )
    return reply.text
"""
REPORTING = """
@judge.finish
async def report(rows):
    texts = {"rows": "\\n".join(str(row.value) for row in rows)}
    reply = await claude("<report>", texts=texts, instead="ask_local_llama", max_tokens=100)
    return f"{reply.model}{' for Claude' if reply.stood_in else ''}: {reply.text}"
"""
LOCAL = JUDGING.split("    reply = ", maxsplit=1)[0] + "    return found.text\n"


@pytest.fixture
def api():
    with MessagesApi() as server:
        server.says = lambda _: Says("Fine.", input_tokens=1000, output_tokens=100)
        server.tokens = lambda _: 1000
        yield server


@pytest.fixture
def judged(place, api):
    place.configure(more=f'\n[claude_api]\ntest_url = "{api.url}"\nat_once = 2\n')
    place.write("judge.py", JUDGING)
    place.items(6)
    return place


WANTED = ("pipeline", "run", "judge.py", "items.jsonl", "--run", "j", "--out", "out.jsonl")


def sent(api):
    """How often each item was sent to the API; 0 is the report."""
    found = Counter()
    for body in api.bodies():
        item = re.search(r"<item-(\d+)>", json.dumps(body))
        found[int(item[1]) if item else 0] += 1
    return found


def shown(place):
    """What is told of the run; nothing before it has begun."""
    return json.loads(place.run("pipeline", "show", "j", "--json").stdout or '{"state": ""}')


def until(condition):
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_rows_the_run_and_the_ledger_know_what_claude_cost(judged, api):
    judged.write("judge.py", JUDGING + REPORTING)
    done = judged.run(*WANTED, "--json")
    assert done.returncode == 0, done.stderr
    rows = judged.rows()
    assert {row["value"] for row in rows} == {"Fine."}
    assert {tuple(row["models"]) for row in rows} == {
        ("koala/llama3-local", "claude/claude-sonnet-5-5")
    }
    one = rows[0]["cost_usd"]
    assert one == pytest.approx(0.003)  # 1,000 tokens at 2 USD and 100 at 10 USD a million
    told = json.loads(done.stdout)
    assert told["spent_usd"] == pytest.approx(7 * one)
    assert told["value"] == "claude-sonnet-5-5: Fine."
    assert shown(judged)["spent_usd"] == pytest.approx(7 * one)
    lines = judged.run("log", "--run", "j", "--json", "--limit", "50").stdout.splitlines()
    entries = [json.loads(line) for line in lines]
    assert Counter(entry["tool"] for entry in entries) == {
        "ask_local_llama": 6,
        "judge": 6,
        "report": 1,
    }
    claude = [entry for entry in entries if entry["model"].startswith("claude/")]
    assert sum(entry["cost_usd"] for entry in claude) == pytest.approx(7 * one)
    # What the calls have in common stands first and is cached.
    shared = next(body for body in api.bodies() if "The rules." in json.dumps(body))
    assert "cache_control" in json.dumps(shared)
    assert shared["stream"]


def test_limits_are_waited_for_and_what_is_refused_fails_its_row_alone(judged, api):
    api.faults = [LIMITED, OVERLOADED, Fault(400, "invalid_request_error", "no such thing")]
    done = judged.run(*WANTED)
    assert done.returncode == 4, done.stderr
    failed = [row for row in judged.rows() if row["error"]]
    assert len(failed) == 1
    assert "no such thing" in failed[0]["error"]


def test_the_budget_stops_the_run_and_a_larger_one_goes_on(judged, api):
    # The worst case of one: 1,120 tokens to read, 100 to write, and the price of caching.
    done = judged.run(*WANTED, "--budget-usd", "0.0135")
    assert done.returncode == 5, done.stderr
    assert "budget" in done.stderr
    assert "pipeline resume j" in done.stderr
    first = sent(api)
    assert 1 <= first.total() <= 4
    assert set(first.values()) == {1}
    known = shown(judged)
    assert (known["state"], known["done"]) == ("budget", first.total())
    assert known["spent_usd"] <= 0.0135
    assert judged.run("pipeline", "resume", "j").returncode == 5
    assert sent(api) == first
    done = judged.run("pipeline", "resume", "j", "--budget-usd", "1")
    assert done.returncode == 0, done.stderr
    assert sent(api) == Counter(range(1, 7)), "what was paid for is not asked again"
    assert len(judged.rows()) == 6


def test_the_budget_of_the_config_holds_too(judged, api):
    judged.configure(
        more=f'\n[claude_api]\ntest_url = "{api.url}"\n[pipelines]\nbudget_usd = 0.00001\n'
    )
    done = judged.run(*WANTED)
    assert done.returncode == 5, done.stderr
    assert not api.bodies()


def test_what_was_paid_for_at_the_budget_comes_to_its_end(judged, api):
    held = threading.Event()
    api.says = lambda _: Says("Fine.", input_tokens=1000, output_tokens=100, held=held)
    with judged.start(*WANTED, "--budget-usd", "0.009") as process:
        until(api.bodies)
        until(lambda: shown(judged)["state"] == "running")
        assert process.poll() is None, "it waits for what is under way"
        held.set()
        assert process.wait(WAIT) == 5
    assert len(judged.rows()) == sent(api).total() > 0


@pytest.mark.timeout(300)
def test_a_batch_outlives_its_process_and_is_not_sent_again(judged, api):
    api.looks = 10**6
    api.results = lambda _: Says("Fine.", input_tokens=1000, output_tokens=100)
    with judged.start(*WANTED, "--batch") as process:
        try:
            until(lambda: api.batches)
            until(lambda: any("/msgbatch" in one.path for one in tuple(api.requests)))
        finally:
            process.kill()
    assert sum(map(len, api.batches.values())) == 6
    api.looks = 0
    done = judged.run(*WANTED)
    assert done.returncode == 0, done.stderr
    assert len(api.bodies(BATCHES)) == len(api.batches) == 1
    assert not api.bodies(), "nothing went out but the batch"
    assert {row["value"] for row in judged.rows()} == {"Fine."}
    assert shown(judged)["spent_usd"] == pytest.approx(6 * 0.0015), "half the price"


@pytest.mark.parametrize("marked", ["--private", "jsonl", "one"])
def test_nothing_private_is_sent_and_the_step_is_named(judged, api, marked):
    more = ["--private"] if marked == "--private" else []
    if marked != "--private":
        judged.write("items.jsonl", '{"text": "<item-1>", "private": true}\n{"text": "<item-2>"}\n')
    if marked == "one":  # the rows that the end is made of hold what was made of the private one
        judged.write("judge.py", LOCAL + REPORTING)
    done = judged.run(*WANTED, *more)
    assert done.returncode == 1, done.stderr
    step = "report" if marked == "one" else "judge"
    assert f"step '{step}' of the pipeline" in done.stderr
    assert not sent(api)[1]
    assert not sent(api)[0]
    assert shown(judged)["state"] == "failed"


def test_a_private_file_by_the_config_is_not_sent(judged, api):
    judged.configure(
        more=f'\n[claude_api]\ntest_url = "{api.url}"\n[references]\nprivate = ["*.secret"]\n'
    )
    judged.write("a.secret", "my salary")
    text = JUDGING.replace('texts={**item.texts, "found": found.text}', "files=['a.secret']")
    judged.write("judge.py", text)
    done = judged.run(*WANTED)
    assert done.returncode == 1
    assert "a.secret is private" in done.stderr
    assert not api.bodies()
    assert not api.bodies(COUNT)


def test_what_was_made_of_a_private_file_is_as_private(judged, api):
    judged.configure(
        more=f'\n[claude_api]\ntest_url = "{api.url}"\n[references]\nprivate = ["*.secret"]\n'
    )
    judged.write("a.secret", "my salary")
    local = LOCAL.replace("texts=item.texts", "files=['a.secret']")
    judged.write("judge.py", local + REPORTING)
    done = judged.run(*WANTED)
    assert done.returncode == 1, done.stderr
    assert "step 'report' of the pipeline" in done.stderr
    assert all(row["private"] for row in judged.rows())
    assert not api.requests


def test_a_private_run_goes_on_with_a_local_model_for_claude(judged, api):
    judged.write("judge.py", LOCAL + REPORTING)
    assert judged.run(*WANTED, "--private").returncode == 1
    done = judged.run("pipeline", "resume", "j", "--no-claude", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["value"] == "koala/llama3-local for Claude: A thing."
    assert not api.bodies()
    assert "stood in" in judged.run("pipeline", "logs", "j").stdout


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"ANTHROPIC_API_KEY": "sk-ant-oat01-abcdefgh"}, "token of a Claude subscription"),
        (
            {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": "https://gateway.example.com"},
            "points elsewhere",
        ),
        ({"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": "LOOPBACK"}, "points elsewhere"),
    ],
)
def test_what_may_not_be_used_is_refused_even_where_a_local_model_could_stand_in(
    judged, api, environment, said
):
    judged.configure()
    judged.write("judge.py", LOCAL + REPORTING)
    filled = {name: api.url if one == "LOOPBACK" else one for name, one in environment.items()}
    done = judged.run(*WANTED, environment=filled)
    assert done.returncode == 1, done.stderr
    assert said in done.stderr
    assert not api.requests, "nothing was sent"
    everything = done.stdout + done.stderr + judged.run("pipeline", "logs", "j").stdout
    assert "abcdefgh" not in everything
    assert KEY not in everything


def test_tokens_of_a_subscription_in_other_variables_are_not_looked_at(judged):
    judged.configure()
    judged.write("judge.py", LOCAL + REPORTING)
    tokens = {"CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-x", "ANTHROPIC_AUTH_TOKEN": "sk-ant-oat01-y"}
    done = judged.run(*WANTED, "--json", environment=tokens)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["value"].startswith("koala/llama3-local for Claude")


def test_without_a_key_and_a_stand_in_the_run_ends_with_what_to_do(judged):
    judged.configure()
    done = judged.run(*WANTED)
    assert done.returncode == 1
    assert "ANTHROPIC_API_KEY" in done.stderr
    assert "instead=" in done.stderr


def test_a_dry_run_counts_by_the_api_and_asks_nobody(judged, api):
    judged.write("judge.py", JUDGING + REPORTING)
    done = judged.run(*WANTED, "--dry-run", "--json", "--budget-usd", "0.001")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["items"], told["claude_calls"], told["counted"]) == (6, 7, True)
    assert told["local_calls"] == {"ask_local_llama": 6}
    assert told["input_tokens"] == 7000
    assert told["input_usd"] == pytest.approx(0.014)
    assert told["most_usd"] > told["input_usd"]
    assert not api.bodies()
    assert not judged.double.chats
    assert not judged.run("pipeline", "list", "--json").stdout
    plain = judged.run(*WANTED, "--dry-run", "--budget-usd", "0.001").stdout
    assert "counted by the API" in plain
    assert "could be reached" in plain


def test_a_dry_run_without_a_key_says_who_would_stand_in(judged, api):
    judged.configure()
    judged.write("judge.py", LOCAL + REPORTING)
    plain = judged.run(*WANTED, "--dry-run").stdout
    assert "ask_local_llama: about 7 calls" in plain
    assert "Claude is not asked: ANTHROPIC_API_KEY is not set" in plain
    assert not api.requests
