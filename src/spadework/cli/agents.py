"""`spadework agents`: Claude Code's agents, and the models that they run on."""

from __future__ import annotations

from typing import Annotated

import typer

from spadework.claude_code.agents.inventory import agent_inventory
from spadework.claude_code.agents.new_agents import model_change
from spadework.claude_code.agents.tiering import suggest
from spadework.cli import agents_editing, agents_output
from spadework.cli.check_output import print_findings, print_json
from spadework.cli.exit_codes import EXIT_FAILED
from spadework.cli.options import Json
from spadework.errors import ArgumentError
from spadework.util.finding import worst
from spadework.util.untrusted_text import printable_json


def list_agents(as_json: Json = False) -> None:
    """List every agent, what it runs on and what is found about it.

    Those of the user, the project and the plugins, and the built-in ones; with the model that
    each names, and what that comes to by the client's precedence. A narrow terminal leaves out
    tools and file. In a pipe: tab-separated, no header: name, from, model, runs on, tools,
    findings, file.
    """
    survey = agent_inventory()
    findings = survey.findings()
    if as_json:
        _print_json(
            [agents_output.agent_data(one, survey.setup, findings) for one in survey.agents]
        )
        return
    agents_output.print_agents(survey, findings)


def lint(as_json: Json = False) -> None:
    """Say what is wrong with agents and skills, or too dear, and the cure.

    Exits with 1 if there is an error or a warning; a note is none. The codes: docs/agents.md.
    """
    findings = agent_inventory().findings()
    if as_json:
        print_json(findings)
    else:
        print_findings(findings)
    if worst(findings) in {"warning", "error"}:
        raise typer.Exit(EXIT_FAILED)


def suggest_models(
    *,
    apply: Annotated[
        bool, typer.Option("--apply", help="Set the models in the files of your agents.")
    ] = False,
    dry_run: agents_editing.DryRun = False,
    yes: agents_editing.Yes = False,
    as_json: Json = False,
) -> None:
    """Explain tier by tier which agent belongs where; --apply sets the models.

    An agent whose model was chosen on purpose is left as it is, unless the choice is dear reading
    or reasoning on haiku.
    """
    if as_json and apply:
        raise ArgumentError("--json tells what is suggested, --apply does it: one of them")
    survey = agent_inventory()
    suggestions = suggest(survey.agents, survey.setup)
    if not apply:
        if as_json:
            _print_json([agents_output.suggestion_data(one) for one in suggestions])
        else:
            agents_output.print_suggestions(suggestions)
        return
    changes, refused = [], []
    for one in suggestions:
        if one.action == "set" and one.tier:
            try:
                changes.append(model_change(one.agent, one.tier))
            except ArgumentError as error:
                refused.append(str(error))
    agents_editing.carry_out([one for one in changes if one], dry_run=dry_run, yes=yes)
    for reason in refused:
        typer.echo(f"left as it is: {reason}", err=True)
    if refused:
        raise typer.Exit(EXIT_FAILED)


def _print_json(data: object) -> None:
    print(printable_json(data, 2))
