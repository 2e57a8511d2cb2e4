"""The embedded engine belongs to the daemon, and does not outlive it."""

import os
import signal
from pathlib import Path

import pytest

from embedded.waiting import is_gone, wait_until

pytestmark = pytest.mark.slow

CONFIG = """
[tools.ask_local_llama]
use_for = "anything"
models = ["embedded/*"]
max_tokens = 16
"""


@pytest.fixture
def workers(runtime_folder):
    """The process ids of the engines that run for this test."""
    mark = f"XDG_RUNTIME_DIR={runtime_folder}".encode()

    def find():
        found = []
        for folder in Path("/proc").iterdir():
            try:
                if (
                    b"journeyman.embedded.worker" in (folder / "cmdline").read_bytes()
                    and mark in (folder / "environ").read_bytes()
                ):
                    found.append(int(folder.name))
            except OSError:
                continue
        return found

    return find


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_two_windows_share_one_engine_that_ends_with_the_daemon(
    config_file, data_with_demo, window, workers, daemon_pid, number
):
    config_file.write_text(CONFIG)
    for one in (window(), window()):
        one.call("Say hello.")
    [worker] = workers()
    os.kill(daemon_pid(), number)
    wait_until(lambda: is_gone(worker))
    assert workers() == []
