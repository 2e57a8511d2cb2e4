"""The tree of commands: what loads when, and what a command without its extra says."""

import json
import os
import subprocess
import sys

import pytest

from spadework.cli.lazy_group import COMMANDS, CommandGroup


def outcome_of(program, **environment):
    return subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def without(module, *arguments):
    """Run a command where a module is not installed."""
    return outcome_of(
        f"import sys; sys.modules[{module!r}] = None;"
        f" sys.argv = ['spadework', *{arguments!r}]; from spadework.cli import main; main()"
    )


@pytest.mark.parametrize("arguments", [("list",), ("schedule", "--help"), ("run", "x.py")])
def test_a_command_without_its_extra_says_how_to_install_it(arguments):
    done = without("sqlalchemy", "pipeline", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "error: this command needs the extra `pipelines`",
        "hint: name it in the brackets when you install: 'spadework[embedded,pipelines]'",
    ]


def test_what_needs_no_extra_works_without_it():
    done = without("sqlalchemy", "pipeline", "--help")
    assert done.returncode == 0
    assert "schedule" in done.stdout
    assert without("sqlalchemy", "pipeline", "new", "--help").returncode == 0


def test_a_module_of_ours_that_is_missing_is_not_taken_for_an_extra():
    done = without("spadework.cli.pipeline_runs", "pipeline", "list")
    assert "ModuleNotFoundError" in done.stderr


@pytest.mark.parametrize("typed", ["", "pipeline"])
def test_completing_a_commands_name_imports_no_command(typed):
    words = f"spadework {typed}".split()
    done = outcome_of(
        """
import contextlib, io, json, sys
out = io.StringIO()
sys.argv = ["spadework"]
from spadework.cli import main
with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
    main()
print(json.dumps([out.getvalue().split(), sorted(sys.modules)]))
""",
        _SPADEWORK_COMPLETE="complete_bash",
        COMP_WORDS=" ".join(words) + " ",
        COMP_CWORD=str(len(words)),
    )
    offered, modules = json.loads(done.stdout)
    entry = COMMANDS.get(typed)
    commands = entry.commands if isinstance(entry, CommandGroup) else COMMANDS
    assert offered == list(commands)
    assert {name for name in modules if name.startswith("spadework.cli.")} <= {
        "spadework.cli.app",
        "spadework.cli.entry_point",
        "spadework.cli.exit_codes",
        "spadework.cli.lazy_group",
    }
