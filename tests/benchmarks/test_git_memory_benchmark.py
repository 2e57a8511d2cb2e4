"""A small repository that holds a lot takes no more memory than git may have."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

BENCHMARK = Path(__file__).parents[2] / "benchmarks/git_memory.py"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits another process's memory")
def test_no_reference_makes_git_take_more_than_its_limit():
    done = subprocess.run(
        [sys.executable, str(BENCHMARK), "300", "--without-baseline"],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "git needs more memory than 512 MiB" in done.stdout  # the traps are real
