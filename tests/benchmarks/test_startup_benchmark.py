"""The start-up benchmark measures what a client would see; which figures come out is not tested."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def run(*arguments):
    return subprocess.run(
        [sys.executable, str(BENCHMARKS / "startup.py"), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=150,
    ).stdout


def measured_by_handshake(command, folder):
    """Measure a command in a process of its own, since the benchmarks are no package."""
    program = """
import json, os, pathlib, sys
from dataclasses import asdict
from handshake import StartFailed, start
try:
    print(json.dumps(asdict(start(sys.argv[2:], dict(os.environ), pathlib.Path(sys.argv[1])))))
except StartFailed as error:
    print(json.dumps({"failed": str(error)}))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder), *command],
        env=dict(os.environ) | {"PYTHONPATH": str(BENCHMARKS)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_help_says_what_can_be_chosen():
    told = run("--help")
    assert "--without-peers" in told
    assert "--markdown" in told


def test_every_way_to_start_gets_a_line_with_its_tools():
    told = run("--runs", "1", "--without-peers", "--markdown")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in told.splitlines()
        if line.startswith("| spadework")
    ]
    assert [row[0] for row in rows] == [
        "spadework mcp",
        "spadework mcp, first ever start",
        "spadework mcp --in-process",
    ]
    for row in rows:
        assert float(row[1]) > 0, row
        assert row[5] == "4", row
    assert "memory of the shim" in told


def test_only_the_answer_that_lists_the_tools_counts(tmp_path):
    server = """
import json, sys
def say(**message): print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    say(method="notifications/message", params={})
    say(id=asked["id"], method="roots/list")
    say(id=asked["id"], result={"tools": [{"name": "one"}, {"name": "two"}]})
"""
    measured = measured_by_handshake([sys.executable, "-c", server], tmp_path)
    answer = '{"jsonrpc": "2.0", "id": 2, "result": {"tools": [{"name": "one"}, {"name": "two"}]}}'
    assert measured["listed_bytes"] == len(answer)
    assert measured["tools"] == 2
    assert measured["milliseconds"] > 0


def test_a_server_that_ends_is_told_with_its_last_words(tmp_path):
    program = "import sys; sys.exit('no model server')"
    measured = measured_by_handshake([sys.executable, "-c", program], tmp_path)
    assert measured == {"failed": "no model server"}
