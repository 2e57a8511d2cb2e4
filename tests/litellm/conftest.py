import os
import subprocess
import sys

import pytest


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder in which a command runs, with no config and no keys."""
    for name in ("LITELLM_API_KEY", "LITELLM_MASTER_KEY", "SPADEWORK_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("SPADEWORK_DATA", str(tmp_path / "data"))
    here = tmp_path / "here"
    here.mkdir()
    return here


@pytest.fixture
def litellm(folder):
    """Run `spadework litellm` as a shell does."""

    def run(*arguments, **variables):
        done = subprocess.run(
            [sys.executable, "-m", "spadework", "litellm", *map(str, arguments)],
            cwd=folder,
            env=os.environ | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert "hunter2" not in done.stdout + done.stderr
        return done

    return run
