"""The environment variables that the config names for keys; only these reach the daemon.

Apart from the rest, because only a window whose config has keys pays for the parser.
"""

from __future__ import annotations

import os
import sys
import tomllib

from spadework.shim.rendezvous import say

_MOST_BYTES = 1_000_000


def names_in_config() -> frozenset[str]:
    """Return every `api_key_env` of the config's backends; none where it cannot be read."""
    path = config_path()
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib is slow
            document = tomllib.loads(file.read(_MOST_BYTES).decode("utf-8-sig"))
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or "it is not valid TOML"
        say(f"spadework: no keys are handed to the daemon: {os.path.basename(path)}: {reason}")  # noqa: PTH119 - as above
        return frozenset()
    backends = document.get("backends")
    tables = backends.values() if isinstance(backends, dict) else ()
    names = (table.get("api_key_env") for table in tables if isinstance(table, dict))
    return frozenset(name for name in names if isinstance(name, str))


def config_path() -> str:
    """Return where the user's config is: what `spadework.util.paths` says without its imports."""
    join = os.path.join  # pathlib is slow
    folder = os.environ.get("XDG_CONFIG_HOME", "").strip()
    if chosen := os.environ.get("SPADEWORK_CONFIG"):
        return os.path.abspath(os.path.expanduser(chosen))  # noqa: PTH100, PTH111 - as above
    if sys.platform == "win32":
        folder = os.environ.get("LOCALAPPDATA", "~")
    elif not folder:
        is_mac = sys.platform == "darwin"
        folder = "~/Library/Application Support" if is_mac else "~/.config"
    return os.path.expanduser(join(folder, "spadework", "config.toml"))  # noqa: PTH111 - as above
