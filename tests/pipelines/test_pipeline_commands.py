"""The commands around a run: what they show, what they stop, how they end, what they refuse."""

import json
import signal
import sys
import time

import pytest

from doubles.terminal import Terminal

pytestmark = pytest.mark.slow

WAIT = 60.0
HEAD = "from spadework.pipelines import Item, ask, pipeline, setting, step\n\n@pipeline\n"


@pytest.fixture(autouse=True)
def one_item_after_the_other(place):
    place.items(4)


def until(condition):
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def shown(place, run):
    return json.loads(place.run("pipeline", "show", run, "--json").stdout)


def held(place):
    """The model says nothing until the run is stopped."""
    place.double.plays(hangs_after=0)
    return place


def test_a_run_is_listed_shown_and_told_of(place):
    done = place.run("pipeline", "run", "describe.py", "items.jsonl", "--run", "a", "--json")
    assert done.returncode == 0, done.stderr
    *rows, told = map(json.loads, done.stdout.splitlines())
    assert [row["value"] for row in rows[:-1]] == ["A thing."] * 4
    assert rows[-1] == {"report": "4 rows: A thing."}
    assert (told["run"], told["state"], told["done"], told["value"]) == (
        "a",
        "done",
        4,
        "4 rows: A thing.",
    )
    (listed,) = map(json.loads, place.run("pipeline", "list", "--json").stdout.splitlines())
    assert (listed["run"], listed["state"], listed["done"], listed["failed"]) == ("a", "done", 4, 0)
    assert "4/4" in place.run("pipeline", "list").stdout
    assert shown(place, "a")["pipeline"].endswith("describe.py")
    assert "state: done" in place.run("pipeline", "show", "a").stdout
    (line,) = place.run("pipeline", "logs", "a").stdout.splitlines()
    assert "begun with 4 items" in line
    ready = place.run("pipeline", "list", "--ready").stdout
    assert all(name in ready for name in ("analyze-documents", "triage", "review-changes"))


def test_the_ledger_has_each_call_with_its_run(place):
    place.run("pipeline", "run", "describe.py", "items.jsonl", "--run", "told")
    lines = place.run("log", "--run", "told", "--json").stdout.splitlines()
    assert len(lines) == 5
    assert {json.loads(line)["run"] for line in lines} == {"told"}
    assert not place.run("log", "--run", "other", "--json").stdout


def test_a_run_is_cancelled_from_elsewhere_and_goes_on(place):
    held(place)
    wanted = ("pipeline", "run", "describe.py", "items.jsonl", "--run", "c", "--out", "out.jsonl")
    with place.start(*wanted) as process:
        until(lambda: place.double.chats)
        done = place.run("pipeline", "cancel", "c")
        assert "resume c" in done.stdout
        assert process.wait(WAIT) == 5
        assert "spadework pipeline resume c" in process.stderr.read()
    assert shown(place, "c")["state"] == "cancelled"
    place.double.plays(reply="A thing.", prompt_tokens=120, completion_tokens=4)
    assert place.run("pipeline", "resume", "c").returncode == 0
    assert len(place.rows()) == 4
    assert "nothing to stop" in place.run("pipeline", "cancel", "c").stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_stopped_says_how_to_go_on(place, number, code):
    held(place)
    wanted = ("pipeline", "run", "describe.py", "items.jsonl", "--out", "out.jsonl")
    with place.start(*wanted, "--run", "s") as process:
        until(lambda: place.double.chats)
        process.send_signal(number)
        assert process.wait(WAIT) == code
        said = process.stderr.read()
    assert "to continue: spadework pipeline resume s" in said
    assert "Traceback" not in said
    assert shown(place, "s")["state"] == "interrupted"
    place.double.plays(reply="A thing.", prompt_tokens=120, completion_tokens=4)
    done = place.run(*wanted, "--resume")
    assert done.returncode == 0, done.stderr
    assert "run s: 4 items" in done.stderr
    assert [row["value"] for row in place.rows()] == ["A thing."] * 4


def test_a_second_process_on_one_run_is_refused(place):
    held(place)
    wanted = ("pipeline", "run", "describe.py", "items.jsonl", "--run", "twice")
    with place.start(*wanted) as process:
        try:
            until(lambda: place.double.chats)
            assert shown(place, "twice")["workers"]
            done = place.run(*wanted)
            assert done.returncode == 1
            assert "is about the run twice" in done.stderr
        finally:
            process.kill()


def test_some_none_and_all_have_exit_codes_of_their_own(place):
    for name, condition, code in (("some", "item.number > 2", 4), ("none", "True", 1)):
        body = (
            f"async def go(item: Item):\n    if {condition}:\n        raise ValueError(item.name)\n"
        )
        place.write(f"{name}.py", HEAD + body + "    return item.number\n")
        done = place.run("pipeline", "run", f"{name}.py", "items.jsonl", "--run", name)
        assert done.returncode == code, done.stderr
        logs = place.run("pipeline", "logs", name).stdout
        assert "ValueError: <item-3>" in logs
        assert f"{name}.py" in logs, "the traceback is there"


def test_settings_steps_and_order(place):
    body = """async def go(item: Item):
    return [setting("word", "none"), await twice(item.number)]

@step
async def twice(number):
    return number * 2
"""
    place.write("steps.py", HEAD + body)
    wanted = ("pipeline", "run", "steps.py", "items.jsonl", "--set", "word=yes", "--ordered")
    done = place.run(*wanted)
    assert done.returncode == 0, done.stderr
    rows = list(map(json.loads, done.stdout.splitlines()))
    assert [row["value"] for row in rows] == [["yes", 2], ["yes", 4], ["yes", 6], ["yes", 8]]


def test_a_value_that_json_has_not_fails_its_row_alone(place):
    body = "async def go(item: Item):\n    return object() if item.number == 1 else {'n': (1, 2)}\n"
    place.write("odd.py", HEAD + body)
    done = place.run("pipeline", "run", "odd.py", "items.jsonl", "--ordered")
    assert done.returncode == 4
    first, second, *_ = map(json.loads, done.stdout.splitlines())
    assert "that JSON cannot hold" in first["error"]
    assert second["value"] == {"n": [1, 2]}


def test_what_is_wrong_for_every_item_ends_the_run_and_can_be_mended(place):
    body = "async def go(item: Item):\n    return (await ask('ask_nobody', 'x')).text\n"
    place.write("wrong.py", HEAD + body)
    wanted = ("pipeline", "run", "wrong.py", "items.jsonl", "--run", "w", "--out", "out.jsonl")
    done = place.run(*wanted)
    assert done.returncode == 1
    assert "unknown tool 'ask_nobody'" in done.stderr
    assert shown(place, "w")["state"] == "failed"
    place.write("wrong.py", HEAD + body.replace("ask_nobody", "ask_local_llama"))
    assert place.run("pipeline", "resume", "w").returncode == 0
    assert len(place.rows()) == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\nimport nothing_like_that\n", "(line 2)"),
        ("def broken(:\n", "SyntaxError"),
        ("x = 1\n", "has no pipeline"),
        (HEAD + "def go(item):\n    return 1\n", "is not an async function"),
        (
            HEAD + "async def a(i):\n    return 1\n\n@pipeline\nasync def b(i):\n    return 1\n",
            "several pipelines",
        ),
    ],
)
def test_a_file_that_is_no_pipeline_is_named(place, text, said):
    place.write("bad.py", text)
    done = place.run("pipeline", "run", "bad.py", "items.jsonl")
    assert done.returncode == 2
    assert said in done.stderr
    assert "bad.py" in done.stderr or "go" in done.stderr
    assert "Traceback" not in done.stderr
    assert not place.run("pipeline", "list", "--json").stdout, "nothing has begun"


def test_one_of_several_pipelines_is_chosen_by_its_name(place):
    text = HEAD + "async def a(i):\n    return 1\n\n@pipeline\nasync def b(i):\n    return 2\n"
    place.write("two.py", text)
    done = place.run("pipeline", "run", "two.py:b", "items.jsonl")
    assert done.returncode == 0, done.stderr
    assert {json.loads(line)["value"] for line in done.stdout.splitlines()} == {2}
    assert "no pipeline 'c'" in place.run("pipeline", "run", "two.py:c", "items.jsonl").stderr


@pytest.mark.parametrize(
    ("wanted", "code", "said"),
    [
        (("run", "nothing.py", "items.jsonl"), 2, "no such pipeline file"),
        (("run", "triag", "items.jsonl"), 2, "did you mean triage?"),
        (("run", "describe.py"), 2, "no input was given"),
        (("run", "describe.py", "nowhere/"), 3, "does not exist"),
        (("run", "describe.py", "items.jsonl", "--set", "x"), 2, "is not of the form NAME=VALUE"),
        (("run", "describe.py", "items.jsonl", "--run", "a:b"), 2, "is not a valid id"),
        (("run", "describe.py", "items.jsonl", "--budget-usd", "0"), 2, "is not a valid amount"),
        (("run", "describe.py", "items.jsonl", "--out", "no/o.jsonl"), 2, "no such folder: "),
        (
            ("run", "describe.py", "items.jsonl", "--out", "config.toml"),
            2,
            "is not a result of a run",
        ),
        (("resume", "nobody"), 1, "no such run: 'nobody'"),
        (("show", "nobody"), 1, "spadework pipeline list"),
        (("logs", "nobody"), 1, "no such run: "),
        (("cancel", "nobody"), 1, "no such run: "),
        (("list", "--engine", "mysql://u:secret@h/n"), 2, "is neither postgresql"),
        (("list", "--engine", "host=h password=secret dbname=n"), 2, "is neither postgresql"),
        (("list", "--engine", "sqlite://u:secret@h"), 2, "names no file"),
        (("list", "--engine", "postgresql://u:p@secret@h/n"), 2, "an @ too many"),
        (("list", "--engine", "postgresql://u:secret@h:port/n"), 2, "is neither postgresql"),
        (("run", "describe.py", "items.jsonl", "--budget-usd", "inf"), 2, "is not a valid amount"),
        (("list", "--engine", "postgresql://u:secret@127.0.0.1:9/n"), 1, "cannot be used"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(place, wanted, code, said):
    done = place.run("pipeline", *wanted)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr
    assert not place.double.chats


def test_two_that_begin_on_a_new_database_at_the_same_moment_both_run(place):
    wanted = ("pipeline", "run", "describe.py", "items.jsonl", "--run")
    both = [place.start(*wanted, run) for run in ("a", "b")]
    for process in both:
        _, said = process.communicate(timeout=WAIT)
        assert process.returncode == 0, said


def test_an_error_in_odd_characters_fails_its_row(place):
    body = "async def go(item: Item):\n    raise ValueError('x\\ud800\\0y')\n"
    place.write("odd.py", HEAD + body)
    done = place.run("pipeline", "run", "odd.py", "items.jsonl", "--run", "odd")
    assert done.returncode == 1, done.stderr
    assert "ValueError: x" in done.stdout
    assert "ValueError: x" in place.run("pipeline", "logs", "odd").stdout


def test_a_report_that_stood_there_is_kept(place):
    place.write("out.report.md", "mine\n")
    wanted = ("pipeline", "run", "describe.py", "items.jsonl", "--out", "out.jsonl")
    assert place.run(*wanted).returncode == 0
    assert (place.folder / "out.report.md").read_text() == "4 rows: A thing.\n"
    assert (place.folder / "out.report.md.bak").read_text() == "mine\n"


def test_the_same_id_is_no_run_of_another_pipeline(place):
    place.run("pipeline", "run", "describe.py", "items.jsonl", "--run", "mine")
    place.write("other.py", HEAD + "async def go(item: Item):\n    return 1\n")
    done = place.run("pipeline", "run", "other.py", "items.jsonl", "--run", "mine")
    assert done.returncode == 2
    assert "describe.py" in done.stderr


def test_a_file_of_results_is_named_after_its_run(place):
    wanted = ("pipeline", "run", "describe.py", "items.jsonl", "--out", "r-{run}.jsonl")
    for run in ("one", "two"):
        assert place.run(*wanted, "--run", run).returncode == 0
        assert len((place.folder / f"r-{run}.jsonl").read_text().splitlines()) == 4


def test_standard_input_feeds_a_run(place):
    fed = place.run_apart("pipeline", "run", "describe.py", "-", "--ordered", stdin="one\ntwo\n")
    assert fed.returncode == 0, fed.stderr
    assert [json.loads(line)["name"] for line in fed.stdout.splitlines()[:-1]] == ["one", "two"]


def test_private_items_stay_with_local_backends(place):
    place.configure(
        more='\n[backends.far]\nkind = "openai"\ntrust = "cloud"\nurl = "http://127.0.0.1:9"\n'
    )
    text = (
        (place.folder / "config.toml")
        .read_text()
        .replace('url = "http', 'trust = "cloud"\nurl = "http', 1)
    )
    (place.folder / "config.toml").write_text(text)
    done = place.run("pipeline", "run", "describe.py", "items.jsonl", "--private")
    assert done.returncode == 1, done.stderr
    assert not place.double.chats, "nothing private reached the cloud"
    assert "private" in done.stdout


def test_a_bar_is_shown_on_a_terminal(place):
    command = [sys.executable, "-m", "spadework", "pipeline", "run", "describe.py", "items.jsonl"]
    terminal = Terminal([*command, "--out", "out.jsonl"], place.environment, place.folder)
    terminal.read()
    assert terminal.close() == 0
    assert "4/4" in terminal.screen
    assert "4 of 4 items have a value" in terminal.screen
