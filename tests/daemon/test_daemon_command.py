"""`spadework daemon` as a shell runs it."""

import json
import plistlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from windows import COMMAND

from embedded.waiting import is_gone, wait_until
from spadework.daemon.service_units import _launchd

pytestmark = pytest.mark.slow


def test_it_is_started_shown_and_stopped(spadework, daemon_pid, config_file, window, project):
    assert spadework("daemon", "stop").stdout == "no daemon is running\n"
    nothing = spadework("daemon", "status")
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert nothing.stderr.startswith("no daemon is running")
    assert json.loads(spadework("daemon", "status", "--json").stdout) == {"running": False}

    started = spadework("daemon", "start")
    pid = daemon_pid()
    assert started.stdout == f"started: process {pid}\n", started.stderr
    assert spadework("daemon", "start").stdout == f"already running: process {pid}\n"
    window()
    shown = spadework("daemon", "status").stdout
    assert f"process   {pid}\n" in shown
    assert f"config    {config_file}\n" in shown
    assert "windows   1\n" in shown
    assert str(project) in shown
    told = json.loads(spadework("daemon", "status", "--json").stdout)
    assert told["pid"] == pid
    assert told["config"] == str(config_file)

    assert spadework("daemon", "stop").stdout == f"stopped: process {pid}\n"
    assert is_gone(pid)


def test_a_wrong_config_is_told(spadework, config_file):
    config_file.write_text("[daemon]\nidle_stop = -1\n")
    for command in ("start", "run"):
        done = spadework("daemon", command)
        assert done.returncode == 2
        assert "idle_stop" in done.stderr
        assert done.stderr.startswith("error: ")
        assert "Traceback" not in done.stderr


def test_the_log_is_shown(spadework, window):
    missing = spadework("daemon", "logs")
    assert missing.returncode == 1
    assert "no log yet" in missing.stderr
    window()
    spadework("daemon", "stop")
    assert "listens on" in spadework("daemon", "logs").stdout
    last = spadework("daemon", "logs", "-n", "1").stdout
    assert last.count("\n") == 1
    assert last.endswith("stopped\n")
    assert spadework("daemon", "logs", "-n", "0").stdout == ""


def test_the_log_is_the_users_alone(window, config_file):
    window()
    assert (config_file.parent / "data" / "daemon.log").stat().st_mode & 0o777 == 0o600


def test_the_log_is_followed(window, spadework):
    with subprocess.Popen(
        [*COMMAND, "daemon", "logs", "-f"], stdout=subprocess.PIPE, text=True
    ) as following:
        window()
        assert "listens on" in following.stdout.readline()
        spadework("daemon", "stop")
        assert "stopped" in following.stdout.readline()
        following.terminate()


def test_the_log_is_renewed_before_it_grows_large(tmp_path, monkeypatch):
    program = """
import logging
from spadework.daemon.log_file import start_log
start_log(to_screen=False)
for number in range(1200):
    logging.getLogger("spadework.x").warning("%s", "x" * 3000)
"""
    environment = {"SPADEWORK_DATA": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["daemon.log", "daemon.log.1", "daemon.log.2"]
    assert all(file.stat().st_size <= 1_000_000 for file in files)
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)


def test_a_service_is_written_shown_and_removed(spadework, config_file, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "conf ig%"))
    shown = spadework("daemon", "install", "--print").stdout
    file = tmp_path / "conf ig%" / "systemd" / "user" / "spadework.service"
    assert not file.exists()
    installed = spadework("daemon", "install")
    assert installed.stdout == (
        f"wrote {file}\n"
        "next: systemctl --user daemon-reload && systemctl --user enable --now spadework.service\n"
    )
    assert file.read_text() == shown
    assert "daemon run --stay\n" in shown
    assert f"Environment=SPADEWORK_CONFIG={config_file}\n" in shown
    assert f'Environment="XDG_CONFIG_HOME={tmp_path}/conf ig%%"\n' in shown
    removed = spadework("daemon", "install", "--remove")
    assert removed.stdout.startswith(f"removed {file}\nnext: systemctl --user disable")
    assert not file.exists()
    again = spadework("daemon", "install", "--remove")
    assert again.returncode == 1
    assert "no service is installed" in again.stderr


def test_a_service_that_the_user_has_edited_is_kept(spadework, tmp_path, config_file):
    """It was overwritten, and the key in it was gone."""
    file = tmp_path / ".config" / "systemd" / "user" / "spadework.service"
    file.parent.mkdir(parents=True)
    file.write_text("[Service]\nEnvironment=LITELLM_KEY=mine\n")
    kept = file.with_name("spadework.service.bak")
    said = spadework("daemon", "install").stdout
    assert said.startswith(f"the previous file is kept as {kept}\n")
    assert kept.read_text() == "[Service]\nEnvironment=LITELLM_KEY=mine\n"
    assert spadework("daemon", "install").stdout.startswith(f"wrote {file}\n")


def test_a_service_that_cannot_be_written_is_one_line_and_a_hint(spadework, tmp_path, config_file):
    (tmp_path / ".config").write_text("no folder\n")
    done = spadework("daemon", "install")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "\nhint: " in done.stderr


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not here")
def test_systemd_understands_the_service(spadework, tmp_path, monkeypatch, config_file):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "conf ig%"))
    spadework("daemon", "install")
    file = next(tmp_path.rglob("spadework.service"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "spadework" not in done.stderr


def test_the_command_of_the_service_runs_the_daemon(spadework, daemon_pid, config_file):
    shown = spadework("daemon", "install", "--print").stdout
    [command] = [line for line in shown.splitlines() if line.startswith("ExecStart=")]
    words = command.removeprefix("ExecStart=").split()
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as daemon:
        wait_until(lambda: daemon_pid() == daemon.pid)
        daemon.terminate()


def test_launchd_gets_a_plist(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    unit = _launchd(["python", "-m", "spadework"], {"SPADEWORK_DATA": "/a & b"})
    assert unit.path == tmp_path / "Library" / "LaunchAgents" / "spadework.daemon.plist"
    content = plistlib.loads(unit.text.encode())
    assert content["ProgramArguments"] == ["python", "-m", "spadework"]
    assert content["EnvironmentVariables"] == {"SPADEWORK_DATA": "/a & b"}


def test_a_config_that_is_named_on_the_command_line_counts(project, config_file, monkeypatch):
    monkeypatch.delenv("SPADEWORK_CONFIG")
    shutil.copy(config_file, project / "other.toml")
    command = [*COMMAND, "--config", "other.toml"]
    done = subprocess.run(
        [*command, "daemon", "start"], cwd=project, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("started")
    told = subprocess.run(
        [*command, "daemon", "status"], cwd=project, capture_output=True, text=True, check=True
    )
    assert f"config    {project / 'other.toml'}\n" in told.stdout
    done = subprocess.run(
        [*command, "mcp"], cwd=project, capture_output=True, text=True, check=True, input=""
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert Path(project / "other.toml").exists()
