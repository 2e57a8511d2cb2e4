"""What the embedded engine's tests share: folders of their own, and small GGUF files."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request) -> None:
    """Keep every test away from the user's config and data."""
    if "demo_model" in request.fixturenames:
        request.getfixturevalue("demo_model")  # it looks into the user's data folder
    monkeypatch.setenv("SPADEWORK_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("SPADEWORK_DATA", str(tmp_path / "data"))


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _entry(key: str, value: object) -> bytes:
    match value:
        case int():
            return _text(key) + struct.pack("<II", 4, value)
        case str():
            return _text(key) + struct.pack("<I", 8) + _text(value)
        case [int(), *_]:
            numbers = struct.pack(f"<{len(value)}I", *value)
            return _text(key) + struct.pack("<IIQ", 9, 4, len(value)) + numbers
    texts = b"".join(map(_text, value))
    return _text(key) + struct.pack("<IIQ", 9, 8, len(value)) + texts


@pytest.fixture
def make_gguf(tmp_path: Path) -> Callable[..., Path]:
    """Write a GGUF file that has a head and nothing else."""

    def make(name: str = "model.gguf", version: int = 3, **entries: object) -> Path:
        keys = {key.replace("__", "."): value for key, value in entries.items()}
        head = struct.pack("<IQQ", version, 0, len(keys))
        body = b"".join(_entry(key, value) for key, value in keys.items())
        path = tmp_path / name
        path.write_bytes(b"GGUF" + head + body)
        return path

    return make
