"""The README's table is what the benchmark prints; a hundred files stay within the target."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def test_what_claude_sees_of_each_job_stands_in_the_readme():
    done = subprocess.run(
        [sys.executable, "benchmarks/context.py", "--markdown"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    header, _, *rows = done.stdout.splitlines()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert header in readme
    assert len(rows) == 5
    for row in rows:
        job = row.split(" | ")[0]
        assert f"\n{job} | " in readme
    share = float(re.search(r"([\d.]+)% \|$", rows[0])[1])
    assert share <= 2.0
