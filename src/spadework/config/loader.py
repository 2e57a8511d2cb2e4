"""Load the user's config file; importing this costs nothing, the models come with the first one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spadework.errors import ConfigError
from spadework.util.paths import CONFIG_VARIABLE, user_config_file

if TYPE_CHECKING:
    from pathlib import Path

    from spadework.config.models import Config


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A config, the file that it came from, and whether that file is there."""

    config: Config
    path: Path
    exists: bool


def load_config(path: Path | None = None) -> LoadedConfig:
    """Load the config file, or the defaults where there is none.

    Args:
        path: the file, which then must exist. None: the one that `SPADEWORK_CONFIG` names, which
            must exist too, else the platform's, which need not.

    Raises:
        ConfigError: the file is missing or wrong.
    """
    from spadework.config.error_report import validated  # noqa: PLC0415 - pydantic is heavy
    from spadework.config.models import Config  # noqa: PLC0415 - as above
    from spadework.config.toml_files import parse, read_text  # noqa: PLC0415 - as above

    named = path is not None or bool(os.environ.get(CONFIG_VARIABLE))
    file = (path.expanduser() if path else user_config_file()).absolute()
    if not named and not os.path.lexists(file):
        return LoadedConfig(Config(), file, exists=False)
    try:
        text = read_text(file)
    except ConfigError as error:
        hint = f"--config or {CONFIG_VARIABLE} names it; `spadework config init` writes one"
        raise ConfigError(str(error), hint=error.hint or hint) from None
    return LoadedConfig(validated(Config, parse(text, file), text, file), file, exists=True)
