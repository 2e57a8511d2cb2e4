"""`spadework pipeline new`: a pipeline of your own that works at once."""

from __future__ import annotations

import json
import shlex
from typing import Annotated

import typer

from spadework.pipelines.scaffold import scaffold


def new(
    name: Annotated[str, typer.Argument(help="The pipeline's name, such as sort-mail.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the files; write nothing.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was written as JSON.")
    ] = False,
) -> None:
    """Write NAME.py, a working pipeline, and test_NAME.py, its tests.

    A local model extracts structure from each item, Claude synthesizes; change it as you like.
    No file is overwritten.
    """
    made = scaffold(name)
    run = f"spadework pipeline run {shlex.quote(str(made.script))} INPUTS --out results.jsonl"
    if dry_run:
        for path, content in zip((made.script, made.test), made.contents, strict=True):
            typer.echo(f"--- {path}\n{content}")
        return
    made.write()
    if as_json:
        print(json.dumps({"script": str(made.script), "test": str(made.test), "run": run}))
        return
    typer.echo(f"written: {made.script}, {made.test}")
    typer.echo(f"run it:  {run}")
    typer.echo(f"test it: pytest {shlex.quote(str(made.test))}")
    readme = f"- `{made.script.name}`: a local model reads each item, Claude writes one report: "
    typer.echo(f"for your README:\n{readme}`{run}`")
