"""The file of results: each row once, whole, whatever the process that wrote it came to."""

import json
import signal
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spadework.errors import ArgumentError, PipelineError
from spadework.pipelines.items import ItemResult
from spadework.pipelines.result_file import Results

ROWS = [
    ItemResult(1, "a.md", {"title": "Ä \u2028 line\n"}, models=("koala/llama",), private=True),
    ItemResult(2, "b.md", error="no model gave an answer"),
    ItemResult(3, "ユニ.md", [1, None, "x" * 40], cost_usd=0.01, repeated=1),
]


def write(path, rows, *, ordered=False, run="r"):
    results = Results(path, ordered=ordered, run=run)
    there = results.open()
    try:
        for row in rows:
            results.write(row)
    finally:
        results.close()
    return there


def lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1]]


def numbers(path):
    return [line["number"] for line in lines(path)]


def test_each_row_is_a_line_of_json_in_a_file_for_its_owner_alone(tmp_path):
    out = tmp_path / "out.jsonl"
    assert write(out, ROWS) == set()
    assert lines(out)[0] == {
        "run": "r", "number": 1, "name": "a.md", "value": {"title": "Ä \u2028 line\n"}, "error": "",
        "models": ["koala/llama"], "cost_usd": 0.0, "private": True, "repeated": 0,
    }  # fmt: skip
    assert out.stat().st_mode & 0o777 == 0o600


def test_a_row_that_comes_again_is_not_written_again(tmp_path):
    out = tmp_path / "out.jsonl"
    write(out, [ROWS[0], ROWS[0]])
    assert write(out, ROWS) == {1}
    assert numbers(out) == [1, 2, 3]


@given(order=st.permutations(range(1, 9)), stop=st.integers(0, 8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_in_order_a_row_waits_for_all_before_it_whenever_it_was_stopped(tmp_path, order, stop):
    out = tmp_path / "out.jsonl"
    out.unlink(missing_ok=True)
    write(out, [ItemResult(number, "x") for number in order[:stop]], ordered=True)
    there = numbers(out)
    assert there == list(range(1, len(there) + 1))
    write(out, [ItemResult(number, "x") for number in order], ordered=True)
    assert numbers(out) == list(range(1, 9))


def test_rows_written_in_no_order_go_on_in_order(tmp_path):
    out = tmp_path / "out.jsonl"
    write(out, [ROWS[2]])
    write(out, [ROWS[1], ROWS[0]], ordered=True)
    assert numbers(out) == [3, 1, 2]


def test_a_file_cut_off_at_any_byte_is_taken_up_with_each_row_once(tmp_path):
    whole = tmp_path / "whole.jsonl"
    write(whole, ROWS)
    data = whole.read_bytes()
    for end in range(len(data) + 1):
        out = tmp_path / f"{end}.jsonl"
        out.write_bytes(data[:end])
        there = write(out, ROWS)
        assert len(there) == data[:end].count(b"\n")
        assert out.read_bytes() == data


@pytest.mark.parametrize(
    "content",
    [
        "a letter",
        "a letter\n",
        "[1]\n",
        '{"number": 1}\n',
        '{"number": "1", "name": "", "value": 1, "error": ""}\n',
        "\n",
        "\0\0",
        "[" * 100_000 + "\n",
    ],
)
def test_a_file_that_holds_something_else_is_refused_and_left_as_it_is(tmp_path, content):
    out = tmp_path / "letter.txt"
    out.write_text(content)
    with pytest.raises(ArgumentError, match="line 1 is no result of a run"):
        write(out, ROWS)
    assert out.read_text() == content


def test_the_results_of_another_run_are_refused_by_its_name(tmp_path):
    out = tmp_path / "out.jsonl"
    write(out, ROWS, run="first")
    before = out.read_bytes()
    with pytest.raises(ArgumentError, match="holds the results of the run first"):
        write(out, ROWS, run="second")
    assert out.read_bytes() == before


def test_two_writers_never_share_a_file(tmp_path):
    out = tmp_path / "out.jsonl"
    first = Results(out, ordered=False)
    first.open()
    with pytest.raises(ArgumentError, match="another process writes to it"):
        Results(out, ordered=False).open()
    first.close()
    write(out, ROWS)


def test_a_symlink_leads_to_the_file_that_is_written(tmp_path):
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "real.jsonl")
    write(tmp_path / "link.jsonl", ROWS)
    assert numbers(tmp_path / "real.jsonl") == [1, 2, 3]
    assert (tmp_path / "link.jsonl").is_symlink()


def test_what_cannot_be_opened_is_one_line(tmp_path):
    for place in (tmp_path, tmp_path / "absent/out.jsonl"):
        with pytest.raises(PipelineError, match="--out"):
            Results(place, ordered=False).open()


def test_a_full_disk_is_one_line(tmp_path):
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(PipelineError, match="No space left on device") as raised:
        write(tmp_path / "full", ROWS)
    assert "resume" in raised.value.hint


def test_a_disk_that_fills_in_a_row_keeps_the_rows_before_it(tmp_path):
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from spadework.errors import PipelineError\n"
        "from spadework.pipelines.result_file import Results\n"
        "from spadework.pipelines.items import ItemResult\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))\n"
        "results = Results(Path(sys.argv[1]), ordered=False, run='r')\n"
        "results.open()\n"
        "try:\n"
        "    for number in range(1, 9):\n"
        "        results.write(ItemResult(number, 'x'))\n"
        "except PipelineError as error:\n"
        "    print(error)\n"
    )
    out = tmp_path / "out.jsonl"
    ended = _python(program, str(out))
    assert ended.stdout == f"--out {out}: File too large\n"
    assert numbers(out) == [1, 2, 3]
    assert write(out, [ItemResult(number, "x") for number in range(1, 9)]) == {1, 2, 3}
    assert numbers(out) == list(range(1, 9))


TO_STANDARD_OUTPUT = (
    "import sys\n"
    "from pathlib import Path\n"
    "from spadework.pipelines.result_file import Results\n"
    "from spadework.pipelines.items import ItemResult\n"
    "print('before')\n"
    "results = Results(Path(sys.argv[1]) if sys.argv[1:] else None, ordered=False)\n"
    "results.open()\n"
    "for number in range(1, int(sys.stdin.read()) + 1):\n"
    "    results.write(ItemResult(number, 'x' * 1000))\n"
    "results.finish('# Report')\n"
    "results.close()\n"
)


def _python(program, *arguments, **options):
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.mark.parametrize("where", [(), ("/dev/stdout",)])
def test_rows_and_report_go_to_standard_output(where):
    ended = _python(TO_STANDARD_OUTPUT, *where, input="2")
    assert ended.stderr == ""
    before, *rows, report = sorted(ended.stdout.splitlines(), key=lambda one: one[:2] != "be")
    assert before == "before"
    assert [json.loads(row)["number"] for row in rows] == [1, 2]
    assert json.loads(report) == {"report": "# Report"}


@pytest.mark.parametrize("where", [(), ("/dev/stdout",)])
def test_a_reader_that_leaves_ends_the_writing(where):
    command = [sys.executable, "-c", TO_STANDARD_OUTPUT, *where]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    _, complaints = process.communicate("1000", timeout=60)
    assert process.returncode not in {0, -signal.SIGKILL}
    assert "BrokenPipeError" in complaints


@pytest.mark.parametrize(("value", "suffix", "text"), [
    ("# Report\n\nÄ", ".report.md", "# Report\n\nÄ\n"),
    ({"count": 3}, ".report.json", '{\n  "count": 3\n}\n'),
])  # fmt: skip
def test_what_came_of_the_whole_run_lies_beside_the_rows(tmp_path, value, suffix, text):
    results = Results(tmp_path / "out.jsonl", ordered=False)
    results.open()
    results.write(ROWS[0])
    results.finish(value)
    results.close()
    report = tmp_path / f"out{suffix}"
    assert report.read_text() == text
    assert report.stat().st_mode & 0o777 == 0o600
    assert {one.name for one in tmp_path.iterdir()} == {"out.jsonl", report.name}
