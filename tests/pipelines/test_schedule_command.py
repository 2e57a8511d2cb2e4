"""`journeyman pipeline schedule` writes what systemd and cron take, and takes it away again."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

# Cron is not on every machine: this keeps the table in a file, as the real program does.
CRONTAB = """#!/bin/sh
table="$HOME/crontab"
if [ "$1" = -l ]; then test -f "$table" && cat "$table" || { echo "no crontab" >&2; exit 1; }
else cat > "$table"; fi
"""
SCHEDULE = ("pipeline", "schedule", "describe.py", "30 6 * * MON-FRI")


@pytest.fixture
def units(place):
    return place.folder / ".config" / "systemd" / "user"


@pytest.fixture
def with_cron(place):
    programs = place.folder / "programs"
    programs.mkdir()
    (programs / "crontab").write_text(CRONTAB)
    (programs / "crontab").chmod(0o755)
    return {"PATH": f"{programs}:/usr/bin:/bin"}


def verified(folder):
    """What systemd has against the units."""
    units = sorted(map(str, folder.glob("journeyman-pipeline-*")))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", *units],
        capture_output=True,
        text=True,
        check=False,
    )
    return [line for line in done.stderr.splitlines() if "journeyman-pipeline" in line]


def test_it_is_shown_and_nothing_is_written(place, units):
    done = place.run(*SCHEDULE, "--", "docs/", "--out", "a b.jsonl")
    assert done.returncode == 0, done.stderr
    assert "OnCalendar=Mon..Fri *-*-* 06:30:00" in done.stdout
    assert "systemctl --user" in done.stdout
    assert done.stderr.startswith("next: 20")
    assert not units.exists()
    line = place.run(*SCHEDULE, "--crontab", "--", "docs/").stdout
    assert line.startswith("30 6 * * 1-5 cd ")
    told = json.loads(place.run(*SCHEDULE, "--json", "--", "docs/").stdout)
    assert told["name"] == "describe"
    assert len(told["next"]) == 3


def test_the_units_start_the_run_from_this_folder_with_this_config(place, units):
    done = place.run(*SCHEDULE, "--install", "--", "items.jsonl", "--out", "100% $HOME.jsonl")
    assert done.returncode == 0, done.stderr
    assert verified(units) == []
    service = (units / "journeyman-pipeline-describe.service").read_text()
    assert f"WorkingDirectory={place.folder}" in service
    assert f"JOURNEYMAN_CONFIG={place.folder}/config.toml" in service
    assert str(place.folder / "describe.py") in service
    assert '"100%% $$HOME.jsonl"' in service
    assert "ANTHROPIC" not in service
    again = place.run(*SCHEDULE, "--install", "--", "items.jsonl")
    assert "is kept as" in again.stderr
    done = place.run("pipeline", "schedule", "describe.py", "--remove")
    assert "journeyman-pipeline-describe.timer" in done.stderr
    assert not list(units.glob("*.timer"))
    assert not list(units.glob("*.service"))
    assert (
        "nothing is scheduled" in place.run("pipeline", "schedule", "describe", "--remove").stderr
    )


def test_the_line_for_cron_runs_the_pipeline(place, with_cron):
    """The shell that cron uses runs the line; an older line of the same schedule makes way."""
    table = place.folder / "crontab"
    table.write_text("MAILTO=me\n* * * * * true # mine")
    place.items(2)
    wanted = (*SCHEDULE, "--crontab", "--install", "--", "items.jsonl", "--out", "o%1.jsonl")
    for _ in range(2):
        done = place.run(*wanted, environment=with_cron)
        assert done.returncode == 0, done.stderr
    first, second, line = table.read_text().splitlines()
    assert (first, second) == ("MAILTO=me", "* * * * * true # mine")
    command = line.split(" ", 5)[5].replace(r"\%", "%")
    assert shlex.split(command)[0] == "cd"
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env={"PATH": "/usr/bin:/bin", "HOME": str(place.folder)},
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    assert len((place.folder / "o%1.jsonl").read_text().splitlines()) == 2
    done = place.run("pipeline", "schedule", "describe.py", "--remove", environment=with_cron)
    assert "a line of your crontab" in done.stderr
    assert table.read_text() == "MAILTO=me\n* * * * * true # mine\n"


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (("describe.py",), "when shall it run?"),
        (("describe.py", "soon"), "is no time for cron"),
        (("nothing.py", "@daily"), "there is no pipeline file"),
        (("describe.py", "@daily", "--", "-"), "no standard input"),
        (("describe.py", "@daily", "--", "--engine=postgresql://u:secret@h/n"), "holds a password"),
    ],
)
def test_what_cannot_be_scheduled_is_said_in_one_line(place, wanted, said):
    done = place.run("pipeline", "schedule", *wanted)
    assert done.returncode == 2
    assert said in done.stderr
    assert "secret" not in done.stderr


def test_a_machine_without_cron_says_so(place, tmp_path):
    program = Path(sys.executable).parent
    done = place.run(*SCHEDULE, "--crontab", "--install", environment={"PATH": str(program)})
    assert done.returncode == 1
    assert "no crontab on this machine" in done.stderr
