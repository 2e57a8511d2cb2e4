"""`spadework comply`: are the hard limits kept?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from spadework.claude_code.comply.scan import Inspection, inspect
from spadework.cli.check_output import print_findings, print_json
from spadework.cli.exit_codes import EXIT_FAILED
from spadework.references.roots import current_folder


def comply(
    profile: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A shell profile, ~/.zshrc. May be given again."),
    ] = None,
    env_file: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A pipeline's environment, .env. May be given again."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check that nothing reuses the login of a Claude subscription or points Claude Code elsewhere.

    Looks at the environment, the client's settings and server entries, Spadework's config and the
    files that you name; never at the client's credentials. Shows names and places, never values.
    Exits with 1 if there is anything to see to. Not legal advice: docs/compliance.md.
    """
    found = inspect(
        Inspection(
            project=current_folder(),
            environ=dict(os.environ),
            profiles=_expanded(profile),
            env_files=_expanded(env_file),
        )
    )
    if as_json:
        print_json(found)
    else:
        print_findings(found)
    if any(finding.severity != "ok" for finding in found):
        raise typer.Exit(EXIT_FAILED)


def _expanded(paths: list[Path] | None) -> tuple[Path, ...]:
    return tuple(path.expanduser().absolute() for path in paths or ())
