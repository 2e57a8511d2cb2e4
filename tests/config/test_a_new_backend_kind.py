"""A new kind of server is one file and one line: nothing else has to know of it."""

import os
import re
import subprocess
import sys
from pathlib import Path

from model_servers import models

import spadework
from spadework.config.backend_kinds import KINDS

FILE = """
from spadework.backends.backend_traits import BackendTraits
from spadework.backends.openai import OpenAIBackend


class VllmBackend(OpenAIBackend):
    \"\"\"A vLLM server.\"\"\"

    kind = "vllm"
    traits = BackendTraits(
        "start vLLM there (`vllm serve …`)",
        "pass it to `vllm serve`",
        default_ports={8123: "vLLM"},
        slots=256,
        signature=("/version", lambda text: "vllm" in text),
        key_variables=("VLLM_API_KEY",),
    )
"""
PROGRAM = """
import asyncio
from spadework.backends.registry import all_kinds, open_backends
from spadework.config.models import Config
from spadework.discovery.search import discover, default_ports
from spadework.discovery.starter_file import key_variable, named
from spadework.engine.engine import Engine
from spadework.errors import SpadeworkError

found = asyncio.run(discover([URL], seconds=5.0))
print(found[0].kind, found[0].models)
print(default_ports()[8123])
(server,) = named(found)
print(key_variable(server, {}))

async def ask():
    config = Config.model_validate({"backends": {"koala": {"kind": "vllm", "url": URL}}})
    async with Engine.from_config(config, {}) as engine:
        print([model.name for model in await engine.catalog.models("koala")])
        print(engine.queue.slots_of("koala/qwen"))
    dead = {"backends": {"koala": {"kind": "vllm", "url": "http://127.0.0.1:9"}}}
    backend = open_backends(Config.model_validate(dead), {})["koala"]
    try:
        await backend.models()
    except SpadeworkError as error:
        print(error.hint)
    await backend.close()

asyncio.run(ask())
"""


def test_a_kind_is_one_file_and_one_line(serve, tmp_path):
    package = Path(spadework.__file__).parent
    copy = tmp_path / "spadework"
    copy.mkdir()
    for one in package.iterdir():
        if one.name not in {"backends", "config", "__pycache__"}:
            (copy / one.name).symlink_to(one)
    for folder in ("backends", "config"):
        (copy / folder).mkdir()
        for one in (package / folder).iterdir():
            if one.name not in {"backend_kinds.py", "__pycache__"}:
                (copy / folder / one.name).symlink_to(one)
    (copy / "backends" / "vllm.py").write_text(FILE)
    kinds = (package / "config" / "backend_kinds.py").read_text()
    last = next(line for line in kinds.splitlines() if "LlamaSwapBackend" in line)
    line = last.replace("llama-swap", "vllm").replace("llama_swap", "vllm")
    line = line.replace("LlamaSwapBackend", "VllmBackend")
    (copy / "config" / "backend_kinds.py").write_text(kinds.replace(last, f"{last}\n{line}"))

    server = serve({"/version": (200, '{"vllm": "0.9"}'), "/v1/models": (200, models("qwen"))})
    done = subprocess.run(
        [sys.executable, "-c", f"URL = {server.url!r}\n{PROGRAM}"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env=dict(os.environ, PYTHONPATH=str(tmp_path)),
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "vllm ('qwen',)",
        "vLLM",
        "VLLM_API_KEY",
        "['qwen']",
        "256",
        "start vLLM there (`vllm serve …`), or correct `url` in [backends.koala]",
    ], done.stderr


def test_what_all_kinds_share_asks_for_no_kind_by_its_name():
    """What is known of a kind is on its class: see `BackendTraits`."""
    package = Path(spadework.__file__).parent
    own = {place.partition(":")[0].rpartition(".")[2] for place in KINDS.values()}
    shared = [
        one
        for folder in ("backends", "discovery")
        for one in (package / folder).glob("*.py")
        if one.stem.removesuffix("_routes") not in own
    ]
    assert package / "backends" / "error_translation.py" in shared
    asked = re.compile(r"\bkind\b *(==|!=|not in|in) *[\"'{(]|\.kind is\b")
    assert not [one for one in shared if asked.search(one.read_text())]
