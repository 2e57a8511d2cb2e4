"""The benchmark of lost rows runs in small; which seconds come out is not tested."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

BENCHMARK = Path(__file__).parents[2] / "benchmarks/lost_rows.py"
SERVERS = ["hangs up", "empty 502", "429 over 10", "away for 4 s", "steady"]


def test_every_server_gets_a_line_with_the_rows_of_both_and_none_is_lost():
    done = subprocess.run(
        [sys.executable, str(BENCHMARK), "64", "10"],
        capture_output=True,
        text=True,
        check=True,
        timeout=150,
    )
    lines = [line.split("|") for line in done.stdout.splitlines() if line.count("|") == 3]
    rows = {name.strip(): (bare.split(), ours.split()) for name, bare, ours, _ in lines[1:]}
    assert list(rows) == SERVERS
    for name, (bare, ours) in rows.items():
        assert (bare[0], ours[0]) == ("64", "64"), name
        assert int(ours[2]) >= 65 + (name != "steady"), "the server did no harm"
    assert "rows lost: 0 (target: 0)" in done.stdout
    assert re.search(r"highest ratio: \d+\.\d\d \(target: at most 1\.10\)", done.stdout)
