"""A daemon outlives the installation of a newer version: it loads its modules at the start."""

import subprocess
import sys

PROGRAM = """
import asyncio, sys
asyncio.run = lambda serving: serving.close()
from spadework.config.backend_kinds import KINDS
from spadework.daemon.process import serve

serve(None, log="", stay=True)
print([kind for kind, place in KINDS.items() if place.partition(":")[0] not in sys.modules])
"""


def test_every_kind_of_backend_is_there_though_the_config_names_none(tmp_path, monkeypatch):
    monkeypatch.setenv("SPADEWORK_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("SPADEWORK_DATA", str(tmp_path))
    (tmp_path / "config.toml").write_text("")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n", done.stderr
