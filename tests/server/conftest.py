"""A project, and the real server to connect to."""

import os
import sys

import pytest
from mcp.client.stdio import StdioServerParameters


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "notes.md").write_text("first line\nsecond line\nthird line\n")
    return folder


@pytest.fixture
def own_work():
    """What makes the server do without the daemon; `server_rows.BOTH_WAYS` tests that as well."""
    return []


@pytest.fixture
def stdio_server(config_file, project, own_work):
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "spadework", "mcp", *own_work],
        env=dict(os.environ) | {"CLAUDE_PROJECT_DIR": str(project)},
        cwd=str(project),
    )
