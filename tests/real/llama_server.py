"""A real llama.cpp server on a loopback port, for servers that stand in front of one.

As a script it loads the model, prints its address and serves until its stdin ends.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WINDOW = 2048
"""Tokens that each of its slots has."""

SLOTS = 2

LONG_LIST = {"type": "array", "items": {"type": "integer"}, "minItems": 400}
"""A schema whose grammar holds the model to a list that it could not end in a quarter minute."""


@contextmanager
def llama_server(model: Path, port: int = 0) -> Iterator[str]:
    """Run the server in a child process, on any free port if it is 0; yields its address."""
    with subprocess.Popen(
        [sys.executable, __file__, str(model), str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        try:
            address = process.stdout.readline().strip()
            assert address, "the llama.cpp server did not start"
            yield address
        finally:
            process.kill()


def busy_slots(address: str) -> int:
    """Ask how many slots are at work."""
    with urllib.request.urlopen(f"{address}/slots", timeout=10) as reply:
        return sum(slot["is_processing"] for slot in json.load(reply))


def main() -> None:
    """Serve; the server's destructor can hang, so the process ends without it."""
    import xllamacpp  # noqa: PLC0415 - only the child needs it

    params = xllamacpp.CommonParams()
    params.model.path = sys.argv[1]
    params.hostnames = ["127.0.0.1"]
    params.port = int(sys.argv[2])
    params.n_parallel = SLOTS
    params.n_ctx = WINDOW * SLOTS
    params.n_batch = 256
    # As many threads as cores would bring everything to a halt on a busy machine.
    threads = max(1, (os.cpu_count() or 2) - 1)
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.endpoint_slots = params.endpoint_props = True
    params.verbosity = 0
    server = xllamacpp.Server(params)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
