"""Fixtures for every test: doubles of the model servers on loopback, and the real ones."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from doubles.llama_swap import LlamaSwapDouble
from doubles.ollama import OllamaDouble
from doubles.openai_compatible import OpenAIDouble

if TYPE_CHECKING:
    from collections.abc import Iterator

# A busy machine is no failure; `make quick` takes fewer examples (--hypothesis-profile=quick).
settings.register_profile("whole", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=20)
settings.load_profile("whole")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A job in the background inherits that from its shell; what the tests start must not.
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["embedded.fixtures", "real.fixtures"]

LONGEST_FILES = (
    "pipelines/test_pipeline_durable.py",
    "real/test_install.py",
    "test_docs.py",
    "pipelines/test_pipeline_claude.py",
    "pipelines/test_pipeline_workers.py",
    "server/test_foreign_text.py",
    "real/test_real_outage.py",
    "pipelines/test_pipeline_ready_runs.py",
    "real/test_real_many.py",
    "pipelines/test_pipeline_privacy.py",
    "real/test_end_to_end.py",
    "pipelines/test_pipeline_commands.py",
    "claude_code/test_setup_command.py",
    "cli/test_ask_command.py",
    "claude_code/test_setup_odd_files.py",
    "server/test_mcp_stdio.py",
    "claude_code/test_doctor_command.py",
    "pipelines/test_pipeline_new.py",
    "cli/test_narrow_terminals.py",
    "pipelines/test_ready_commands.py",
    "real/test_setup_client.py",
    "remote/test_ask_by_daemon.py",
    "http/test_http_serve.py",
    "benchmarks/test_git_memory_benchmark.py",
    "cli/test_foreign_output.py",
    "real/test_doctor_client.py",
    "daemon/test_daemon_start.py",
    "real/test_litellm_config.py",
    "server/test_mcp_process.py",
    "server/test_ask_each_tool.py",
    "cli/test_each_command.py",
    "real/test_real_litellm_gateway.py",
    "litellm/test_litellm_config_command.py",
    "pipelines/test_pipeline_user_code.py",
    "pipelines/test_pipeline_retrying.py",
    "pipelines/test_schedule_command.py",
    "real/test_agents_in_claude.py",
    "daemon/test_daemon_embedded.py",
    "claude_code/test_comply_command.py",
    "bounds/test_patterns_are_linear.py",
    "daemon/test_daemon_windows.py",
    "server/test_structured_calls.py",
    "real/test_real_litellm.py",
    "cli/test_trust_commands.py",
    "embedded/test_embedded_backend.py",
    "cli/test_other_commands.py",
    "daemon/test_daemon_command.py",
    "engine/scheduling/test_fair_queue.py",
    "daemon/test_daemon_idle.py",
)
"""They begin first, so that no worker is left alone with one of them in the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; the order within a file stays."""
    here = Path(__file__).parent
    order = {here / name: place for place, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


@contextmanager
def _own_runtime_folder() -> Iterator[Path]:
    # Not tmp_path: the path of a socket must be short.
    with tempfile.TemporaryDirectory(prefix="j-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
        _end_processes(f"XDG_RUNTIME_DIR={folder}".encode())


@pytest.fixture
def runtime_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime folder of the test's own; every process that was started with it is ended."""
    with _own_runtime_folder() as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
        yield folder


@pytest.fixture(scope="module")
def module_runtime_folder() -> Iterator[Path]:
    """The same for the tests of a file that share a daemon; it is not in their environment."""
    with _own_runtime_folder() as folder:
        yield folder


def _end_processes(mark: bytes) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + 10
        for pid in _processes_with(mark):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
                os.kill(pid, signal.SIGCONT)
        while _processes_with(mark):
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        else:
            return


def _processes_with(mark: bytes) -> list[int]:
    """The living processes that were started with this in their environment."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            with suppress(OSError):  # it has ended, or is nobody's business
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
    return found


ONE_TOOL = """
[backends.koala]
kind = "openai"
url = "{url}"

[tools.ask_local_llama]
use_for = "bulk summarization"
models = ["koala/llama3-local"]
"""


@pytest.fixture
def config_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    openai_double: OpenAIDouble,
    runtime_folder: Path,
) -> Path:
    """A config of one tool before a double, in folders of the test's own."""
    del runtime_folder  # a daemon that the test starts is ended with it
    openai_double.plays(reply="Three lines.", prompt_tokens=120, completion_tokens=4)
    path = tmp_path / "config.toml"
    path.write_text(ONE_TOOL.format(url=openai_double.url))
    monkeypatch.setenv("SPADEWORK_CONFIG", str(path))
    monkeypatch.setenv("SPADEWORK_DATA", str(tmp_path / "data"))
    return path


@pytest.fixture
def openai_double() -> Iterator[OpenAIDouble]:
    with OpenAIDouble() as server:
        yield server


@pytest.fixture
def ollama_double() -> Iterator[OllamaDouble]:
    with OllamaDouble() as server:
        yield server


@pytest.fixture(params=["v235", "2026-08"])
def llama_swap_double(request: pytest.FixtureRequest) -> Iterator[LlamaSwapDouble]:
    with LlamaSwapDouble("llama3-local", "codellama-local", form=request.param) as server:
        yield server
