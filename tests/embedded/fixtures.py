"""The real demonstration model, for whoever needs a real model."""

from __future__ import annotations

from pathlib import Path

import pytest

from spadework.embedded.demo_model import DEMO_SHA256, install_demo_model
from spadework.embedded.model_file import demo_model_file
from spadework.embedded.model_store import has_digest
from spadework.util.paths import DATA_VARIABLE

CACHE = Path(__file__).parents[2] / ".cache" / "data"


@pytest.fixture(scope="session")
def demo_model() -> Path:
    """The model file: the user's own if it is installed, else one fetched into `.cache/`."""
    installed = demo_model_file()
    if has_digest(installed, DEMO_SHA256):
        return installed
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DATA_VARIABLE, str(CACHE))
        return install_demo_model()


@pytest.fixture
def data_with_demo(demo_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of the test's own in which the demonstration model is installed."""
    folder = tmp_path / "data"
    monkeypatch.setenv(DATA_VARIABLE, str(folder))
    link = demo_model_file()
    link.parent.mkdir(parents=True)
    link.symlink_to(demo_model)
    return folder
