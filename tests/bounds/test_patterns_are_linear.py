"""Every pattern of the package takes time in proportion to the text, whatever that is.

Hundreds of texts are made for each pattern, out of what it takes. A pattern that is quadratic takes
sixteen times as long for four times the text; one that is exponential does not end.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ATTACK = Path(__file__).with_name("attack.py")
PARTS = 4
SECONDS = 150
"""For a part of the patterns, on a machine that does much else."""


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_no_pattern_of_the_package_is_superlinear(part):
    process = subprocess.Popen(
        [sys.executable, ATTACK, str(part), str(PARTS)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said, _ = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        said, _ = process.communicate()
    last = said.splitlines()[-1] if said else "nothing"
    assert last == "done", f"too slow, or failed, at {said[-300:]}"
