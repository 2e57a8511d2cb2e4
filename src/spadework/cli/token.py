"""`spadework token`: who may call over HTTP."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from spadework.cli.table import print_table

app = typer.Typer(help="The bearer tokens of clients that call over HTTP.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Whose it is, such as laptop.")] = "",
    as_json: Json = False,
) -> None:
    """Make a token and print it, once: only its hash is kept."""
    from spadework.mcp.http.access_tokens import TokenStore  # noqa: PLC0415 - beside its use

    token, secret = TokenStore().new(name)
    if as_json:
        told = {"name": token.name, "created": token.created, "token": secret}
        print(json.dumps(told, indent=2))
        return
    print(secret)
    sys.stderr.write(f"kept as {token.name}; it is not shown again\n")


@app.command(name="list")
def list_tokens(as_json: Json = False) -> None:
    """List the tokens by name, with the day on which each was made.

    In a pipe: tab-separated, no header.
    """
    from spadework.mcp.http.access_tokens import TokenStore  # noqa: PLC0415 - beside its use

    tokens = TokenStore().all()
    if as_json:
        print(json.dumps([{"name": one.name, "created": one.created} for one in tokens], indent=2))
        return
    print_table(["name", "created"], [[one.name, one.created] for one in tokens])


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(help="Whose token it is.")], as_json: Json = False
) -> None:
    """Forget a token: who presents it is refused from now on, in servers that run too."""
    from spadework.mcp.http.access_tokens import TokenStore  # noqa: PLC0415 - beside its use

    TokenStore().revoke(name)
    if as_json:
        print(json.dumps({"revoked": name}))
        return
    print(f"revoked {name}")
