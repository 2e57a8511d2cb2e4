"""`spadework token`: who may call over HTTP."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from spadework.cli.console import print_table
from spadework.cli.options import Json
from spadework.mcp.http.access_tokens import TokenStore


def new(
    name: Annotated[str, typer.Argument(help="A name for the token, such as laptop.")] = "",
    as_json: Json = False,
) -> None:
    """Make a token and print it once: only its hash is kept."""
    token, secret = TokenStore().new(name)
    if as_json:
        told = {"name": token.name, "created": token.created, "token": secret}
        print(json.dumps(told, indent=2))
        return
    print(secret)
    sys.stderr.write(f"kept as {token.name}; it is not shown again\n")


def list_tokens(as_json: Json = False) -> None:
    """List the tokens by name, with the day on which each was created.

    In a pipe: tab-separated, no header.
    """
    tokens = TokenStore().all()
    if as_json:
        print(json.dumps([{"name": one.name, "created": one.created} for one in tokens], indent=2))
        return
    print_table(["name", "created"], [[one.name, one.created] for one in tokens])


def revoke(
    name: Annotated[str, typer.Argument(help="The name of the token.")], as_json: Json = False
) -> None:
    """Delete a token; running servers refuse it from now on too."""
    TokenStore().revoke(name)
    if as_json:
        print(json.dumps({"revoked": name}))
        return
    print(f"revoked {name}")
