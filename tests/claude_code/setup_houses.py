"""A user's scratch home, and the real commands run in it."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SCRIPTS = Path(sys.executable).parent


@dataclass(frozen=True)
class House:
    """A user's home, a project in it, and the environment that a shell there has."""

    home: Path
    project: Path
    environ: dict[str, str]

    @property
    def client_file(self):
        return self.home / ".claude.json"

    @property
    def config(self):
        return self.home / ".config" / "spadework" / "config.toml"

    def setup(self, *arguments, cwd=None, **changed):
        """Run `spadework setup`: its exit code, standard output and standard error."""
        return self.run("setup", *arguments, cwd=cwd, **changed)

    def run(self, *arguments, cwd=None, **changed):
        done = subprocess.run(
            [SCRIPTS / "spadework", *arguments],
            env=self.environ | changed,
            cwd=cwd or self.project,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert "hunter2" not in done.stdout + done.stderr
        return done.returncode, done.stdout, done.stderr

    def files(self):
        """Every file of the user's and of the project, with its bytes."""
        ours = self.home / ".local"
        found = [*self.home.rglob("*"), *self.project.rglob("*")]
        return {
            path: path.read_bytes()
            for path in found
            if path.is_file() and not path.is_relative_to(ours)
        }


def make_house(tmp_path, runtime_folder, *programs):
    home, project = tmp_path / "home", tmp_path / "project"
    home.mkdir()
    project.mkdir()
    environ = {name: os.environ[name] for name in ("LANG", "COVERAGE_FILE") if name in os.environ}
    path = os.pathsep.join([str(SCRIPTS), *programs, "/usr/bin", "/bin"])
    environ |= {"HOME": str(home), "PATH": path, "XDG_RUNTIME_DIR": str(runtime_folder)}
    return House(home, project, environ)
