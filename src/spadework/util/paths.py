"""Where Spadework keeps its files; the one place that asks the platform."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from platformdirs import PlatformDirs

CONFIG_VARIABLE = "SPADEWORK_CONFIG"
DATA_VARIABLE = "SPADEWORK_DATA"
PROJECT_CONFIG_NAME = ".spadework.toml"


def user_config_file() -> Path:
    """The user's config file: `SPADEWORK_CONFIG`, else the platform's config folder."""
    if chosen := os.environ.get(CONFIG_VARIABLE):
        return Path(chosen).expanduser()
    return _platform_folders().user_config_path / "config.toml"


def data_folder() -> Path:
    """The folder for the ledger and for models: `SPADEWORK_DATA`, else the platform's."""
    if chosen := os.environ.get(DATA_VARIABLE):
        return Path(chosen).expanduser()
    return _platform_folders().user_data_path


def _platform_folders() -> PlatformDirs:
    from platformdirs import PlatformDirs  # noqa: PLC0415 - keeps `import spadework` cheap

    return PlatformDirs("spadework", appauthor=False)


def models_folder() -> Path:
    """The folder that holds downloaded GGUF models."""
    return data_folder() / "models"
