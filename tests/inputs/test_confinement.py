"""A confined process can take apart what it is given, and nothing else."""

from pathlib import Path

import pytest
from confined_probe import attempts

from spadework.references.confined_process import Confined, ConfinedFailure, TooLong

pytestmark = pytest.mark.slow
HARMLESS = {"environment": "unset", "print": "printed", "nothing": "done"}


@pytest.fixture
def probe(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setenv("SECRET", "hunter2")
    with Confined("confined_probe", 1000, memory=1 << 30) as process:
        yield process


def ask(process, name, path=""):
    return process.ask(name.replace(" ", "_"), str(path).encode(), 60)


def test_nothing_is_opened_started_or_reached(probe, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    # The tests' folder is on the path of this probe, so it may be read; nothing else may.
    for name in attempts().keys() - HARMLESS.keys() - {"die", "memory"}:
        with pytest.raises(ConfinedFailure, match="PermissionError"):
            ask(probe, name, secret)
    assert secret.read_text() == "secret"
    assert list(tmp_path.iterdir()) == [secret]
    assert {name: ask(probe, name) for name in HARMLESS} == HARMLESS


def test_memory_is_limited_and_a_death_is_told_and_survived(probe):
    with pytest.raises(ConfinedFailure, match="MemoryError"):
        ask(probe, "memory")
    with pytest.raises(ConfinedFailure, match="gave up"):
        ask(probe, "die")
    assert ask(probe, "nothing") == "done"


def test_a_reply_over_the_limit_is_refused(probe):
    probe.most = 3
    with pytest.raises(TooLong):
        ask(probe, "nothing")
