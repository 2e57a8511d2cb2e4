"""The wheel, installed as users install it, answers."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = [sys.executable, "-m", "uv"]
PIPX = "pipx==1.18.4"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# The small model then always says the same.
CONFIG = "[tools.ask_local_llama]\ntemperature = 0.0\n"


@dataclass(frozen=True)
class Installed:
    """An installed `journeyman`; `folder` is the user's: data, config and current folder."""

    bin: Path
    python: Path
    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments):
        """Run the command as a user whose only programs are the system's and this one's."""
        places = {"JOURNEYMAN_CONFIG": "config.toml", "JOURNEYMAN_DATA": "data"}
        mine = {name: str(self.folder / place) for name, place in places.items()}
        path = f"{self.bin}:/usr/bin:/bin"
        return subprocess.run(
            [self.bin / "journeyman", *arguments],
            env=os.environ | mine | self.environ | {"PATH": path},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def packages(self):
        code = "from importlib.metadata import distributions as all\n"
        code += "print(*(one.name.lower() for one in all()))"
        return set(must(self.python, "-I", "-c", code).split())


def must(*command, **environ):
    done = subprocess.run(
        [str(part) for part in command],
        env=os.environ | {name: str(value) for name, value in environ.items()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The wheel of this checkout; building it leaves nothing behind."""
    folder = tmp_path_factory.mktemp("wheel")
    before = set(ROOT.iterdir())
    must(*UV, "build", "--quiet", "--wheel", "--out-dir", folder, ROOT)
    assert set(ROOT.iterdir()) - before == set()
    [built] = folder.glob("journeyman-*.whl")
    return built


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.toml").write_text(CONFIG)
    return tmp_path


def by_pip(wheel, folder):
    environment = folder / "venv"
    must(sys.executable, "-m", "venv", environment)
    must(environment / "bin" / "pip", "install", "--quiet", f"{wheel}[embedded]")
    return Installed(environment / "bin", environment / "bin" / "python", folder)


def by_uv(wheel, folder):
    """`uv` itself is at hand, since it is what this user has."""
    programs, tools = folder / "bin", folder / "tools"
    places = {"UV_TOOL_DIR": tools, "UV_TOOL_BIN_DIR": programs}
    must(*UV, "tool", "install", "--python", sys.executable, f"{wheel}[embedded]", **places)
    (programs / "uv").symlink_to(must(*UV[:2], "uv_path") if False else uv_program())
    return Installed(programs, tools / "journeyman" / "bin" / "python", folder)
