"""`spadework litellm`: the config of a LiteLLM proxy, and the state of a running one."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from spadework.cli.async_runner import run
from spadework.cli.check_output import print_finding, print_findings, print_json
from spadework.cli.console import check_can_ask
from spadework.cli.exit_codes import EXIT_FAILED
from spadework.cli.options import Json
from spadework.config.loader import load_config
from spadework.discovery.search import LOOPBACK, addresses, default_ports, discover
from spadework.errors import ArgumentError, SpadeworkError
from spadework.litellm import proxy_check
from spadework.litellm.config_file import difference, load, refuse_existing, save, save_new
from spadework.litellm.inspection import inspect
from spadework.litellm.mcp_gateway import gateway_address
from spadework.litellm.merge import merge as merge_into
from spadework.litellm.render import whole
from spadework.litellm.server_offers import as_joined, offer, proxies, servers_of
from spadework.litellm.yaml_document import read
from spadework.util.finding import worst
from spadework.util.text_cleaning import clean
from spadework.util.untrusted_text import printable_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spadework.config.models import Config
    from spadework.discovery.search import FoundServer
    from spadework.litellm.merge import Merged
    from spadework.litellm.server_offers import Offer
    from spadework.util.finding import Finding


def config(
    *,
    host: Annotated[
        list[str] | None,
        typer.Option(
            help="Look at this host too: NAME, NAME:PORT or http://NAME:PORT. May be given again."
        ),
    ] = None,
    merge: Annotated[
        Path | None,
        typer.Option("--merge", metavar="FILE", help="Add what is missing to this config."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="Write a new file there. With --merge: the result."
        ),
    ] = None,
    mcp: Annotated[
        bool, typer.Option("--mcp", help="Let LiteLLM serve Spadework's tools to MCP clients too.")
    ] = False,
    mcp_url: Annotated[
        str, typer.Option(metavar="URL", help="Where `spadework serve` is for --mcp.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show; write nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before writing.")] = False,
    as_json: Json = False,
) -> None:
    """Print the config that a LiteLLM proxy needs for the models there are.

    They are those of the backends in the config and of the servers at --host; where there are
    neither, of the servers at the usual ports of this machine. --merge shows the difference, asks,
    keeps a copy, and changes nothing that is there but blanks.
    """
    settings = load_config().config
    proposed = gateway_address(mcp_url, settings.http.listen)
    wanted = proposed if mcp or mcp_url else ""
    if merge is not None:
        plan = _Plan(merge, out, wanted, writes=not dry_run, asks=not yes, as_json=as_json)
        _merge(plan, settings, host or [])
        return
    if out is not None and not dry_run:
        refuse_existing(out)
    offered = _offer(settings, host or [], needed=not wanted)
    text, data = whole(offered.entries, wanted, offered.notes, proposed)
    if out is not None and not dry_run:
        save_new(out, text)
        _say(f"wrote {out}")
    if as_json:
        _print_json({"config": data, "notes": offered.notes, "failed": offered.failed})
    elif out is None or dry_run:
        print(text, end="")


def check(
    target: Annotated[
        str, typer.Argument(metavar="URL|FILE", help="A running proxy, or its config file.")
    ],
    *,
    ask: Annotated[
        bool,
        typer.Option("--ask", help="Ask every model for one short answer. This loads models."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Say what works at a LiteLLM proxy and what does not, or what is wrong with its config.

    A proxy's key is that of the backend with its address in the config, else LITELLM_API_KEY or
    LITELLM_MASTER_KEY. Exits with 1 at an error; warnings count as 0.
    """
    url = _as_url(target)
    found = _check_proxy(url, ask=ask) if url else _check_file(Path(target), ask=ask)
    if as_json:
        print_json(found, target=target)
    else:
        print_findings(found)
    if worst(found) == "error":
        raise typer.Exit(EXIT_FAILED)


def _as_url(target: str) -> str:
    """Return the address that is meant, with or without its `http://`; empty for a file."""
    if "://" in target:
        return target
    is_host = re.fullmatch(r"[A-Za-z0-9._-]+:\d{1,5}/?", target)
    return f"http://{target}" if is_host and not Path(target).exists() else ""


def _check_proxy(url: str, *, ask: bool) -> list[Finding]:
    try:
        settings = proxy_check.backend_for(url, load_config().config, os.environ)
    except ValidationError:
        raise ArgumentError(
            f"{url!r} is not a proxy URL", hint="write it such as http://koala:4000"
        ) from None
    return run(proxy_check.check(settings, os.environ, ask=ask, tell=_say))


def _check_file(file: Path, *, ask: bool) -> list[Finding]:
    if ask:
        raise ArgumentError("--ask is for a running proxy", hint="give its address, http://…")
    return inspect(read(load(file), str(file)), file, os.environ)


@dataclass(frozen=True, slots=True)
class _Plan:
    """The planned changes to a config."""

    file: Path
    out: Path | None
    mcp_url: str
    writes: bool
    asks: bool
    as_json: bool


def _merge(plan: _Plan, settings: Config, hosts: Sequence[str]) -> None:
    name = str(plan.file)
    before = load(plan.file)
    document = read(before, name)
    if plan.out is not None and plan.writes:
        refuse_existing(plan.out)
    offered = _offer(settings, hosts, needed=not plan.mcp_url)
    merged = merge_into(document, offered.entries, plan.mcp_url, os.environ)
    wrong = [
        one
        for one in inspect(read(merged.text, name), plan.file, os.environ)
        if one.severity != "ok"
    ]
    shown = difference(before, merged.text, name)
    changes = merged.text != before
    if changes and plan.writes and plan.asks:
        if plan.as_json:
            raise ArgumentError("--json asks no questions: pass --yes", hint="or --dry-run")
        check_can_ask()
    if not plan.as_json:
        print(shown, end="")
    for note in merged.notes:
        _say(f"note: {note}")
    if not plan.as_json:
        for finding in wrong:
            print_finding(finding, sys.stderr)
    written = plan.writes and (changes or plan.out is not None) and _write(plan, before, merged)
    if plan.as_json:
        told = {
            "file": name,
            "changed": changes,
            "written": bool(written),
            "added": [entry.as_data() for entry in merged.added],
            "completed": merged.completed,
            "notes": [*offered.notes, *merged.notes],
            "failed": offered.failed,
            "findings": [one.as_data() for one in wrong],
            "difference": shown,
        }
        _print_json(told)


def _write(plan: _Plan, before: str, merged: Merged) -> bool:
    """Write the result, if the user agrees."""
    target = plan.out or plan.file
    if plan.asks and not typer.confirm(f"Write this to {target}?", default=True, err=True):
        raise typer.Exit(EXIT_FAILED)
    if plan.out is not None:
        save_new(plan.out, merged.text)
        _say(f"wrote {plan.out}")
        return True
    copy = save(plan.file, merged.text, before)
    _say(
        f"wrote {plan.file}: {len(merged.added)} added, {len(merged.completed)} completed; "
        f"the one before is {copy}"
    )
    return True


def _offer(settings: Config, hosts: Sequence[str], *, needed: bool) -> Offer:
    """Ask the servers for their models, and report which of them did not answer.

    Raises:
        SpadeworkError: no model was found, and one is needed.
    """
    found: list[FoundServer] = []
    if hosts or len(proxies(settings.backends)) == len(settings.backends):
        looked = addresses(hosts or [LOOPBACK], list(default_ports()))
        _say(f"Looking for model servers at {', '.join(looked)} …")
        found = run(discover(looked))
    servers = servers_of(settings, found, os.environ)
    offered = run(offer(servers, settings, os.environ))
    for line in offered.failed:
        _say(f"not available: {line}")
    for line in offered.notes:
        _say(f"note: {line}")
    for name, behind in as_joined(offered.entries).items():
        _say(f"note: {name} is on {', '.join(behind)}: LiteLLM spreads its requests over them")
    if needed and not offered.entries:
        raise SpadeworkError(
            "no model for the proxy was found",
            hint="start a server, or name its machine: --host koala",
        )
    return offered


def _print_json(told: Mapping[str, Any]) -> None:
    print(printable_json(told, 2))


def _say(text: str) -> None:
    """Tell the person; standard output is for what a program may read."""
    print(clean(text)[0], file=sys.stderr)
