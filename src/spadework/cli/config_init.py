"""`spadework config init`: the search for model servers, which `setup` shares, and a config."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from spadework.cli.async_runner import run
from spadework.cli.console import confirm, count, say
from spadework.config.api_keys import checked_key
from spadework.config.loader import load_config
from spadework.config.toml_files import parse, read_text, write_config
from spadework.discovery.model_ranking import with_facts
from spadework.discovery.search import LOOPBACK, addresses, default_ports, discover, with_models
from spadework.discovery.starter_file import WHOLE_LIST, key_variable, left_out, named, starter
from spadework.errors import ConfigError, LedgerError
from spadework.storage.ledger import Ledger, ledger_path
from spadework.util.paths import data_folder, user_config_file
from spadework.util.untrusted_text import display_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from spadework.discovery.model_ranking import RankedServer


_MOST_PASSED_OVER = 20


def init(
    *,
    host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST",
            help="Also look at this host: NAME, NAME:PORT or http://NAME:PORT. Repeatable.",
        ),
    ] = None,
    port: Annotated[
        list[int] | None,
        typer.Option(
            metavar="PORT", help="Look at this port instead of the default ones. Repeatable."
        ),
    ] = None,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", "-y", help="Do not ask: send LiteLLM its key if it is set, and write the file."
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the file, which is kept as a copy.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the file; write nothing.")
    ] = False,
) -> None:
    """Look for model servers and write a config file that uses them."""
    file = user_config_file()
    if os.path.lexists(file) and not (force or dry_run or sets_nothing(file)):
        raise ConfigError(
            f"{file} already exists",
            hint="--force replaces it and keeps a copy; --dry-run only shows the new one",
        )
    servers, looked = find_servers(host or [], port or [], ask=not yes)
    text = starter(servers, looked, os.environ)
    print(text)
    for tool, rest in left_out(servers).items():
        say(f"{count(rest, 'more model')} for {tool} are not in the file: {WHOLE_LIST}")
    if dry_run:
        return
    if not yes:
        confirm(f"Write this to {file}?")
    backup = write_config(file, text)
    say(f"wrote {file}" + (f"; the previous one is {backup}" if backup else ""))
    if not servers:
        say("no server was found: `spadework embedded install` fetches the demonstration model")


def find_servers(
    hosts: Sequence[str], ports: Sequence[int], *, ask: bool
) -> tuple[list[RankedServer], list[str]]:
    """Look for servers here and on other hosts, and say what is found.

    Args:
        hosts: the other hosts, as `addresses` takes them.
        ports: the ports; none: the usual ones.
        ask: whether to ask before a key is sent.

    Returns:
        What was found, and the addresses that were looked at.

    Raises:
        ArgumentError: a host or a port is invalid.
        ConfigError: a variable does not hold a valid key.
    """
    looked = addresses([LOOPBACK, *hosts], list(ports) or list(default_ports()))
    say(f"Looking for model servers at {', '.join(looked)} …")
    servers = _with_their_models(named(run(discover(looked))), ask=ask)
    for server in servers:
        say(f"found {described(server)}")
    servers = _with_facts(servers)
    for server in servers:
        _say_passed_over(server)
    return servers, looked


def _say_passed_over(server: RankedServer) -> None:
    passed_over = server.passed_over
    for one in passed_over[:_MOST_PASSED_OVER]:
        say(f"skipped {server.name}/{one.name}: {one.trust} ({one.trust_source})")
    if (more := len(passed_over) - _MOST_PASSED_OVER) > 0:
        say(f"skipped {count(more, 'more model')} of {server.name}: not known to be local")


def described(server: RankedServer) -> str:
    """Say in a line what a server is, how many models it has, and which key it wants."""
    found = server.found
    text = f"{found.kind} at {found.url}: {count(len(found.models), 'model')}"
    if not found.needs_key:
        return text
    variable = key_variable(server, os.environ)
    state = "is set" if os.environ.get(variable) else "is not set"
    return f"{text}; it needs a key, taken from {variable}, which {state}"


def sets_nothing(file: Path) -> bool:
    """Whether a config file holds no key: what `init` writes where it finds no server."""
    try:
        return not parse(read_text(file), file)
    except ConfigError:
        return False


def _with_their_models(servers: list[RankedServer], *, ask: bool) -> list[RankedServer]:
    """Ask those that want a key for their models, if the key is set and the user agrees."""
    told = []
    for server in servers:
        variable = key_variable(server, os.environ)
        key = _key(server)
        question = f"Ask {server.found.url} for its models, with the key in {variable}?"
        if key and (not ask or (sys.stdin.isatty() and typer.confirm(question, err=True))):
            key = checked_key(key, f"the environment variable {variable}")
            found = run(with_models(server.found, key))
            told.append(replace(server, found=found))
        else:
            told.append(server)
    return told


def _with_facts(servers: list[RankedServer]) -> list[RankedServer]:
    """Ask for windows and trust too; a key goes only where it was sent with consent already."""
    keys = {one.name: _key(one) for one in servers if one.found.needs_key and one.found.models}
    failing = _failing()
    return [_noting_failures(one, failing) for one in run(with_facts(servers, keys))]


def _failing() -> dict[str, str]:
    """Read off the ledger which models failed when they were last asked, and how."""
    try:
        path = ledger_path(load_config().config)
    except ConfigError:  # it is about to be replaced
        path = data_folder() / "ledger.db"
    if not path.exists():
        return {}
    try:
        with closing(Ledger(path)) as ledger:
            return ledger.failing()
    except LedgerError:  # nothing of it is needed to find servers
        return {}


def _noting_failures(server: RankedServer, failing: Mapping[str, str]) -> RankedServer:
    facts = {
        model: replace(fact, failed=fact.failed or failing.get(_shown(server, model), ""))
        for model, fact in server.facts.items()
    }
    return replace(server, facts=facts)


def _shown(server: RankedServer, model: str) -> str:
    return display_name(f"{server.name}/{model}")


def _key(server: RankedServer) -> str:
    if not server.found.needs_key:
        return ""
    return os.environ.get(key_variable(server, os.environ), "").strip()
