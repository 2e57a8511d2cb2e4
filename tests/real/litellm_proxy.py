"""A real LiteLLM proxy, in a virtual environment of its own that is made once."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REQUIREMENT = "litellm[proxy]==1.106.2"
CONSTRAINTS = Path(__file__).with_name("litellm-constraints.txt")
ENVIRONMENT = Path(__file__).parents[2] / ".cache" / "litellm-venv"
MASTER_KEY = "sk-master-of-the-test-proxy"
START_SECONDS = 120.0

# `allowed_fails: 0` suspends a model at its first failure.
CONFIG = """\
model_list:
  - model_name: llama3-local
    litellm_params: {{model: openai/llama3, api_base: "{llama}/v1", api_key: none}}
    model_info: {{max_input_tokens: {window}}}
  - model_name: codellama-local
    litellm_params: {{model: openai/codellama, api_base: "{llama}/v1", api_key: none}}
    model_info: {{max_input_tokens: {window}}}
  - model_name: old-route
    litellm_params: {{model: ollama/smollm2, api_base: "http://127.0.0.1:9"}}
  - model_name: down
    litellm_params: {{model: openai/down, api_base: "http://127.0.0.1:9/v1", api_key: none}}
router_settings: {{allowed_fails: 0, cooldown_time: 5, num_retries: 0}}
general_settings: {{master_key: {key}}}
"""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A running proxy; `llama` is the address of the llama.cpp server behind it."""

    url: str
    llama: str
    key: str = MASTER_KEY


def litellm_environment() -> Path:
    """Make the virtual environment unless it is there, whole and of these very versions."""
    wanted = hashlib.sha256(CONSTRAINTS.read_bytes() + sys.version.encode()).hexdigest()
    stamp = ENVIRONMENT / "complete"
    ENVIRONMENT.parent.mkdir(exist_ok=True)
    with ENVIRONMENT.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.is_file() and stamp.read_text() == wanted:
            return ENVIRONMENT
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        uv = [sys.executable, "-m", "uv", "--quiet"]
        subprocess.run([*uv, "venv", "--python", sys.executable, str(ENVIRONMENT)], check=True)
        python = str(ENVIRONMENT / "bin" / "python")
        install = ["pip", "install", "--python", python, "-c", str(CONSTRAINTS), REQUIREMENT]
        subprocess.run([*uv, *install], check=True)
        stamp.write_text(wanted)
    return ENVIRONMENT


@contextmanager
def litellm_proxy(llama: str, window: int, folder: Path) -> Iterator[Proxy]:
    """Run the proxy in front of a llama.cpp server.

    Args:
        llama: that server's address.
        window: its window in tokens, which the proxy is told to tell.
        folder: where the proxy's config and log go.
    """
    with litellm_running(CONFIG.format(llama=llama, window=window, key=MASTER_KEY), folder) as url:
        yield Proxy(url, llama)


@contextmanager
def litellm_running(
    config_text: str, folder: Path, variables: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Run the proxy with a config of its own; yields its address.

    Args:
        config_text: in YAML.
        folder: where the config and the log go.
        variables: what its environment holds besides.
    """
    program = litellm_environment() / "bin" / "litellm"
    config, log = folder / "litellm.yaml", folder / "litellm.log"
    config.write_text(config_text)
    port = _free_port()
    command = [program, "--config", config, "--host", "127.0.0.1", "--port", str(port)]
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "NO_PROXY": "*"}
    environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
    environ |= variables or {}
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, env=environ, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        ) as process,
    ):
        try:
            _wait_until_alive(f"http://127.0.0.1:{port}", process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def _wait_until_alive(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health/liveliness", timeout=2):
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.2)
    raise RuntimeError(f"LiteLLM did not start:\n{log.read_text('utf-8', 'replace')[-2000:]}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
