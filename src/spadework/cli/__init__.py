"""The command line; one file per command or group of commands."""

from __future__ import annotations

import os
import sys

_CONFIG_VARIABLE = "SPADEWORK_CONFIG"  # as in spadework.util.paths, which imports pathlib


def main() -> None:
    """Run the command line; the plain `mcp` becomes the shim, which must start fast."""
    if _is_shim(sys.argv[1:]):
        from spadework.shim.main import main as relay  # noqa: PLC0415 - the shim imports nothing else

        relay()
    else:
        from spadework.cli.entry_point import run  # noqa: PLC0415 - the shim does without

        run()


def _is_shim(arguments: list[str]) -> bool:
    """Recognize the plain `mcp`, which typer would make ten times as slow; sets the config."""
    match arguments:
        case ["mcp"]:
            return True
        case ["--config", file, "mcp"]:
            os.environ[_CONFIG_VARIABLE] = os.path.abspath(file)  # noqa: PTH100 - pathlib is slow
            return True
    return False
