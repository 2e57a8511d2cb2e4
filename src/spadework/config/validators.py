"""What the models of the config share: their base, paths, names, how a rule names the wrong key."""

from __future__ import annotations

import ipaddress
import re
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationInfo

from spadework.config.secret_masking import SUBSCRIPTION_VARIABLES, may_be_secret_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KeyPath = tuple[str | int, ...]

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class ConfigSection(BaseModel):
    """A table of the config file: unknown keys are errors, values do not change."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )


class RuleViolations(ValueError):
    """Keys below the one that is looked at are wrong: the path of each from there, and why."""

    def __init__(self, found: tuple[tuple[KeyPath, str], ...]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, path))}: {why}" for path, why in found))
        self.found = found


_HIGHEST_PORT = 65535


def misfits(found: Iterable[tuple[KeyPath, str]]) -> None:
    """Raise `RuleViolations` if anything was found."""
    if problems := tuple(found):
        raise RuleViolations(problems)


def plain_names(taken: Mapping[str, str]) -> AfterValidator:
    """Refuse keys that a model id or a tool list cannot carry, and those that are taken."""

    def check(table: dict[str, Any]) -> dict[str, Any]:
        wrong = "is not a valid name: use 1 to 64 letters, digits, '-' and '_'"
        misfits(
            ((name,), taken.get(name, wrong))
            for name in table
            if name in taken or not _NAME.fullmatch(name)
        )
        return table

    return AfterValidator(check)


def no_such(kind: str, name: str, known: Iterable[str]) -> str:
    """Say that a name is unknown, and which known one comes near it."""
    near = get_close_matches(name, list(known), 1)
    return f"unknown {kind} {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def http_address(url: str) -> str:
    """Return a server's address without a slash at its end.

    Raises:
        ValueError: it is none, or it carries a password or a query.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not re.fullmatch(r"[!-~]+", url):
        raise ValueError("is not an http:// or https:// URL")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("is an address only: no user, password, '?' or '#' in it")
    return url.rstrip("/")


def listening_address(text: str) -> str:
    """Return an address to listen at, `HOST:PORT`, or nothing.

    Raises:
        ValueError: it is none.
    """
    match = re.fullmatch(r"(?:\[[0-9a-fA-F:.%]+\]|[^\s:\[\]]+):(\d{1,5})", text)
    if text and (match is None or int(match[1]) > _HIGHEST_PORT):
        raise ValueError("is not an address to listen on, such as 127.0.0.1:8765 or [::1]:8765")
    return text


def network(text: str) -> str:
    """Return an IP address, or a network in CIDR notation.

    Raises:
        ValueError: it is neither.
    """
    try:
        ip_network(text)
    except ValueError:
        raise ValueError("is not an IP address or a network such as 10.0.0.0/8") from None
    return text


def local_host(host: str) -> str:
    """Return a host, `*.DOMAIN`, or a network that is said to be the user's own.

    Raises:
        ValueError: it is none of these.
    """
    try:
        ipaddress.ip_network(host, strict=False)
    except ValueError:
        if not re.fullmatch(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?", host):
            raise ValueError(
                "is not a host, *.DOMAIN or a network such as 203.0.113.0/24"
            ) from None
    return host


def loopback_address(url: str) -> str:
    """Return the address of a server on this machine, or nothing.

    Raises:
        ValueError: it is none, or it lies elsewhere.
    """
    if url and urlsplit(http_address(url)).hostname not in {"127.0.0.1", "::1", "localhost"}:
        raise ValueError("is not a URL on this machine, such as http://127.0.0.1:8080")
    return url.rstrip("/")


def engine_address(url: str) -> str:
    """Return the address of the database that keeps pipeline runs, or nothing.

    Raises:
        ValueError: it is none, or it carries a password.
    """
    if not url:
        return url
    parts = urlsplit(url)
    if parts.scheme not in {"postgresql", "postgres", "sqlite"}:
        raise ValueError("is neither postgresql://HOST/NAME nor sqlite:///FILE")
    if parts.password:
        raise ValueError("carries a password: put that into PGPASSWORD or ~/.pgpass")
    return url


def variable_name(name: str) -> str:
    """Return the name of an environment variable.

    Raises:
        ValueError: it is none, it is a key itself, or it holds a subscription's token.
    """
    if not _VARIABLE.fullmatch(name) or may_be_secret_value(name):
        raise ValueError("takes the name of an environment variable, not the key itself")
    if name in SUBSCRIPTION_VARIABLES:
        raise ValueError(f"{name} holds the token of a subscription, which is never used")
    return name


def _absolute(value: object, info: ValidationInfo) -> object:
    """Make `~` the home folder, and let a relative path count from the config file's folder."""
    if not isinstance(value, str):
        return value
    if not value or "\0" in value:
        raise ValueError("is not a valid path")
    try:
        path = Path(value).expanduser()
    except RuntimeError:
        raise ValueError(f"no home folder for {value.partition('/')[0]!r}") from None
    return (info.context or {}).get("folder", Path()) / path


ConfigPath = Annotated[Path, BeforeValidator(_absolute)]
