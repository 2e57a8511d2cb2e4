"""`spadework pipeline schedule` writes what systemd and cron take, and takes it away again."""

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
    units = sorted(map(str, folder.glob("spadework-pipeline-*")))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", *units],
        capture_output=True,
        text=True,
        check=False,
    )
    return [line for line in done.stderr.splitlines() if "spadework-pipeline" in line]


def test_it_is_shown_and_nothing_is_written(place, units):
    done = place.run(*SCHEDULE, "--", "docs/", "--out", "a b {run}.jsonl")
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
    done = place.run(*SCHEDULE, "--install", "--", "items.jsonl", "--out", "100% $HOME {run}.jsonl")
    assert done.returncode == 0, done.stderr
    assert verified(units) == []
    service = (units / "spadework-pipeline-describe.service").read_text()
    assert f"WorkingDirectory={place.folder}" in service
    assert f"SPADEWORK_CONFIG={place.folder}/config.toml" in service
    assert str(place.folder / "describe.py") in service
    assert '"100%% $$HOME {run}.jsonl"' in service
    assert "ANTHROPIC" not in service
    again = place.run(*SCHEDULE, "--install", "--", "items.jsonl")
    assert "is kept as" in again.stderr
    done = place.run("pipeline", "schedule", "describe.py", "--remove")
    assert "spadework-pipeline-describe.timer" in done.stderr
    assert not list(units.glob("*.timer"))
    assert not list(units.glob("*.service"))
    assert (
        "nothing is scheduled" in place.run("pipeline", "schedule", "describe", "--remove").stderr
    )


def test_the_line_for_cron_runs_the_pipeline(place, with_cron):
    """The shell that cron uses runs the line; an older line of the same schedule makes way."""
    table = place.folder / "crontab"
    table.write_bytes(b"MAILTO=m\xe9\r\n* * * * * true # mine")
    place.items(2)
    wanted = (*SCHEDULE, "--crontab", "--install", "--", "items.jsonl", "--out", "o%1-{run}.jsonl")
    for _ in range(2):
        done = place.run(*wanted, environment=with_cron)
        assert done.returncode == 0, done.stderr
    first, second, line, end = table.read_bytes().split(b"\n")
    assert (first, second, end) == (b"MAILTO=m\xe9\r", b"* * * * * true # mine", b"")
    assert (place.folder / "data" / "crontab").read_bytes().startswith(b"MAILTO=m\xe9\r\n")
    command = line.decode().split(" ", 5)[5].replace(r"\%", "%")
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
    [out] = place.folder.glob("o%1-describe-*.jsonl")
    assert len(out.read_text().splitlines()) == 2
    done = place.run("pipeline", "schedule", "describe.py", "--remove", environment=with_cron)
    assert "a line of your crontab" in done.stderr
    assert table.read_bytes() == b"MAILTO=m\xe9\r\n* * * * * true # mine\n"


def test_a_crontab_that_cannot_be_read_is_not_taken_for_empty(place, with_cron):
    """It was, and the line that was written was then all that it held."""
    table = place.folder / "crontab"
    table.write_text("* * * * * true # mine\n")
    program = place.folder / "programs" / "crontab"
    text = program.read_text()
    program.write_text(text.replace('test -f "$table"', "echo 'not allowed' >&2; exit 1"))
    for wanted in ((*SCHEDULE, "--crontab", "--install"), (*SCHEDULE[:3], "--remove")):
        done = place.run(*wanted, environment=with_cron)
        assert done.returncode == 1
        assert "crontab refuses: not allowed" in done.stderr
    assert table.read_text() == "* * * * * true # mine\n"


def test_two_pipelines_of_one_file_have_a_schedule_each(place, units):
    second = "\n\n@pipeline\nasync def count(item: Item) -> int:\n    return 1\n"
    place.write("both.py", (place.folder / "describe.py").read_text() + second)
    for name in ("describe", "count"):
        done = place.run("pipeline", "schedule", f"both.py:{name}", "@daily", "--install")
        assert done.returncode == 0, done.stderr
    assert {one.name for one in units.glob("*.timer")} == {
        "spadework-pipeline-both-describe.timer",
        "spadework-pipeline-both-count.timer",
    }
    place.run("pipeline", "schedule", "both.py:count", "--remove")
    assert [one.name for one in units.glob("*.timer")] == ["spadework-pipeline-both-describe.timer"]


def test_the_chosen_engine_is_kept_but_never_its_password(place):
    chosen = {"SPADEWORK_ENGINE": "postgresql://me@iguana/runs"}
    done = place.run(*SCHEDULE, environment=chosen)
    assert "Environment=SPADEWORK_ENGINE=postgresql://me@iguana/runs\n" in done.stdout
    chosen = {"SPADEWORK_ENGINE": "postgresql://me:secret@iguana/runs"}
    done = place.run(*SCHEDULE, environment=chosen)
    assert (done.returncode, done.stdout) == (2, "")
    assert "holds a password" in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize("name", ["a b", 'quo"te', "back\\slash", "100%", "$HOME"])
def test_the_folder_may_be_called_anything(place, units, name):
    """A quotation mark or a backslash in it was escaped: systemd takes them as they are there."""
    folder = place.folder / name
    folder.mkdir()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "spadework", "pipeline", "schedule", "triage", "@daily"),
            *("--install", "--", "--set", "labels=a,b"),
        ],
        cwd=folder,
        env=place.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert verified(units) == []
    service = (units / "spadework-pipeline-triage.service").read_text()
    assert f"WorkingDirectory={place.folder}/{name.replace('%', '%%')}\n" in service


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (("describe.py",), "missing schedule"),
        (("describe.py", "soon"), "is not a cron expression"),
        (("nothing.py", "@daily"), "no such pipeline file"),
        (("describe.py", "@daily", "--", "-"), "no standard input"),
        (("describe.py", "@daily", "--", "a\nb"), "has a line break"),
        (("describe.py", "@daily", "--", "--bugdet-usd", "2"), "No such option: --bugdet-usd"),
        (("describe.py", "@daily", "--", "--concurrency", "many"), "valid integer"),
        (("describe.py", "@daily", "--", "--out", "o.jsonl"), "--out 'o-{run}.jsonl'"),
        (("describe.py", "@daily", "--", "--set", "x=sk-abcdefgh12345secret"), "is a key"),
        (("describe.py", "@daily", "--", "--engine", "postgresql://u:secret@h/n"), "a password"),
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
    assert "`crontab` is not installed on this machine" in done.stderr
