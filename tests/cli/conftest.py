"""The real command in a project of its own, before a double."""

import os
import subprocess
import sys

import pytest

CONFIG = """
[backends.koala]
kind = "openai"
url = "{url}"

[tools.ask_local_llama]
use_for = "bulk summarization"
models = ["koala/llama3-local", "koala/codellama-local"]
"""


@pytest.fixture
def project(tmp_path, monkeypatch, openai_double, runtime_folder):
    openai_double.plays(reply="Three lines.", prompt_tokens=120, completion_tokens=4)
    (tmp_path / "config.toml").write_text(CONFIG.format(url=openai_double.url))
    monkeypatch.setenv("SPADEWORK_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("SPADEWORK_DATA", str(tmp_path / "data"))
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "notes.md").write_text("first line\nsecond line\nthird line\n")
    return folder


@pytest.fixture
def spadework(project):
    """Run the command as a shell does."""

    def run(*arguments, stdin=None, **options):
        return subprocess.run(
            [sys.executable, "-m", "spadework", *arguments],
            cwd=project,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=dict(os.environ),
            **options,
        )

    return run
