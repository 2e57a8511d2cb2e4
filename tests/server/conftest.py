"""A config file, a project, and the real server to connect to."""

import os
import sys

import pytest
from mcp.client.stdio import StdioServerParameters

CONFIG = """
[backends.koala]
kind = "openai"
url = "{url}"

[tools.ask_local_llama]
use_for = "bulk summarization"
models = ["koala/llama3-local"]
"""


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "notes.md").write_text("first line\nsecond line\nthird line\n")
    return folder


@pytest.fixture
def config_file(tmp_path, monkeypatch, openai_double, runtime_folder):
    openai_double.plays(reply="Three lines.", prompt_tokens=120, completion_tokens=4)
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.format(url=openai_double.url))
    monkeypatch.setenv("JOURNEYMAN_CONFIG", str(path))
    monkeypatch.setenv("JOURNEYMAN_DATA", str(tmp_path / "data"))
    return path


@pytest.fixture
def own_work():
    """What makes the server do without the daemon; `server_rows.BOTH_WAYS` tests that as well."""
    return []


@pytest.fixture
def stdio_server(config_file, project, own_work):
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "journeyman", "mcp", *own_work],
        env=dict(os.environ) | {"CLAUDE_PROJECT_DIR": str(project)},
        cwd=str(project),
    )
