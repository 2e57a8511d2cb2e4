"""Every pattern of the package takes time in proportion to the text, whatever that is.

Hundreds of texts of 30,000 characters are made for each pattern, out of what it takes. A pattern
that is quadratic needs seconds for each bad text, one that is exponential needs for ever.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ATTACK = Path(__file__).with_name("attack.py")
PARTS = 8
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
