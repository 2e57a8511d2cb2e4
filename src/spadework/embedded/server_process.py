"""The child process of the embedded engine: llama.cpp's server on a unix socket.

It lives in a process of its own because the server's destructor can hang for ever and because a
crash of the native code must not take Spadework along. Run as
`python -m spadework.embedded.server_process SETTINGS`, SETTINGS being `WorkerSettings` in JSON.

The parent holds the other end of stdin: when the parent ends, killed or not, stdin ends and so
does the worker. Loading a model holds the interpreter's lock, so an orphan that is still loading
ends when it has loaded.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# A cancelled request is noticed at the end of a batch and taken out at the end of the next one: up
# to two batches later. So it is the batch that decides how soon a cancelled prompt frees its slot.
# llama.cpp's flash attention is slow with batches of fewer than 64 tokens on a processor; without
# it they cost a seventh of the reading speed. benchmarks/cancelling.py measures both.
BATCH_TOKENS = 16
FLASH_ATTENTION = False
# A graphics card reads a large batch in no time and starves on small ones.
_GPU_BATCH_TOKENS = 256
# Prompts are remembered beyond the slots; llama.cpp's own limit of 8 GiB would fill a laptop.
_PROMPT_CACHE_MIB = 512
# Besides the slots: every stream, waiting ones too, holds a thread. llama.cpp starts with few and
# adds more, but a request can then wait for seconds behind the streams.
_SPARE_HTTP_THREADS = 64
# Errors only: the log is kept for the message about a model that does not load.
_LOG_ERRORS = 1


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What the worker needs to know.

    `context` is in tokens for each slot. `batch`, in tokens, and `flash_attention` are what suits
    the hardware where they are None.
    """

    model: str
    name: str
    socket: str
    context: int
    slots: int
    threads: int
    batch: int | None = None
    flash_attention: bool | None = None

    def to_json(self) -> str:
        """Write the settings as the worker's argument."""
        return json.dumps(asdict(self))


def start_server(settings: WorkerSettings) -> Any:
    """Load the model and serve it; return the server, which lives as long as it is referred to.

    Raises:
        RuntimeError: the model does not load; the reason is on stderr.
    """
    # the parent imports this module for its settings alone, and the package carries no types
    import xllamacpp  # type: ignore[import-untyped]  # noqa: PLC0415 - see above

    params = xllamacpp.CommonParams()
    params.model.path = settings.model
    params.model_alias = {settings.name}
    params.hostnames = [settings.socket]
    params.n_parallel = settings.slots
    params.n_ctx = settings.context * settings.slots  # the slots share it
    on_gpu = any("GPU" in device["type"].name for device in xllamacpp.get_device_info())
    # Every slot that answers takes a token of each batch; the rest is for prompts.
    suitable = (_GPU_BATCH_TOKENS if on_gpu else BATCH_TOKENS) + settings.slots
    params.n_batch = settings.batch or suitable
    flash_attention = settings.flash_attention
    if flash_attention is None:
        flash_attention = on_gpu or FLASH_ATTENTION
    if not flash_attention:
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings.threads
    params.n_threads_http = settings.slots + _SPARE_HTTP_THREADS
    params.cache_ram_mib = _PROMPT_CACHE_MIB
    params.endpoint_metrics = params.endpoint_slots = params.endpoint_props = True
    params.verbosity = _LOG_ERRORS
    return xllamacpp.Server(params)


def main() -> None:
    """Serve until stdin ends, then end at once, without the server's destructor."""
    status = 1
    try:
        settings = WorkerSettings(**json.loads(sys.argv[1]))
        _server = start_server(settings)
        sys.stdin.buffer.read()
        # The parent is gone and cannot clear up after us.
        shutil.rmtree(Path(settings.socket).parent, ignore_errors=True)
        status = 0
    except BaseException:  # noqa: BLE001 - whatever it is goes to the log, for the parent to read
        traceback.print_exc()
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()
