"""The handshake of a new connection to the daemon: who the peer is, and whether it is accepted."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spadework.config.api_keys import checked_key
from spadework.daemon.daemon_service import ConnectionStatus
from spadework.errors import ConfigError
from spadework.shim.rendezvous import (
    CALL,
    LONGEST_HELLO,
    MCP,
    PROTOCOL,
    UntrustedPeer,
    check_peer,
    own_version,
    process_of,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping, Sequence

_SECONDS_TO_GREET = 10.0
_FIELDS = {
    "role": (str, "a string"),
    "version": (str, "a string"),
    "project": (str, "a string"),
    "pid": (int, "an integer"),
}
_VERSION = re.compile(r"[0-9A-Za-z.+!-]{1,64}")


class HandshakeRefused(Exception):
    """The connection is rejected; the message says why, in one line."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(slots=True, eq=False)
class Peer:
    """The other end of a connection, after the handshake.

    `keys` are those of its own environment by name; they live here only, as long as it is
    connected. `refused` names the variables whose content is not a key.
    """

    hello: Mapping[str, Any]
    keys: dict[str, str] = field(default_factory=dict, repr=False)
    refused: tuple[str, ...] = ()
    process: int = 0
    """Its process, if the system tells; else what it says of itself."""
    session: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    since: float = field(default_factory=time.time)

    @property
    def role(self) -> str:
        """What is spoken with it: `mcp` or `call`."""
        return str(self.hello["role"])

    @property
    def version(self) -> str:
        """Which Spadework it says it is."""
        version = str(self.hello.get("version", ""))
        return version if _VERSION.fullmatch(version) else ""

    @property
    def project(self) -> str:
        """The absolute folder that it was started in; the root of the disk if it tells none."""
        told = self.hello.get("project")
        is_folder = isinstance(told, str) and os.path.isabs(told) and "\0" not in told  # noqa: PTH117 - no pathlib for what may be no path
        return str(told) if is_folder and _is_file_name(str(told)) else "/"

    def take_keys(self, told: Mapping[str, Any], wants: Sequence[str]) -> None:
        """Keep the keys that are wanted; what cannot be one is dropped, and only named."""
        refused = []
        self.keys.clear()
        for name in wants:
            key = told.get(name)
            if not isinstance(key, str) or not key.strip():
                continue
            try:
                self.keys[name] = checked_key(key.strip(), name)
            except ConfigError:
                refused.append(name)
        self.refused = tuple(refused)

    def describe(self) -> ConnectionStatus:
        """Return what may be shown of it."""
        return ConnectionStatus(
            role=self.role,
            session=self.session,
            project=self.project,
            pid=self.hello.get("pid"),
            version=self.version,
            since=self.since,
        )


def _is_file_name(text: str) -> bool:
    """Tell whether the system can be asked for it: JSON may hold what no file name can."""
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True


async def accept_peer(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    wants: Sequence[str],
    admit: Callable[[Peer], None] | None = None,
) -> Peer:
    """Greet who has connected.

    Args:
        reader: what they say.
        writer: takes what we say.
        wants: the names of the keys that the config asks for.
        admit: raises `HandshakeRefused` if the limit is reached.

    Raises:
        Refused: they are somebody else, or speak another language.
        TimeoutError: they do not say enough in time.
        OSError: they are gone.
    """
    connection = writer.get_extra_info("socket")
    try:
        check_peer(connection)
    except UntrustedPeer:
        raise HandshakeRefused("this daemon belongs to another user") from None
    async with asyncio.timeout(_SECONDS_TO_GREET):
        hello = await _line(reader)
        _check(hello)
        peer = _peer_of(hello, connection)
        if admit:
            admit(peer)
        # Field for field as the shim recognizes it without a parser.
        greeting = {
            "spadework": PROTOCOL,
            "version": own_version(),
            "pid": os.getpid(),
            "wants": list(wants),
        }
        writer.write(json.dumps(greeting).encode() + b"\n")
        answer = await _line(reader)
    keys = answer.get("keys")
    peer.take_keys(keys if isinstance(keys, dict) else {}, wants)
    return peer


def _peer_of(hello: Mapping[str, Any], connection: socket.socket) -> Peer:
    told = hello.get("pid")
    process = process_of(connection) or (told if isinstance(told, int) else 0)
    return Peer(hello, process=process)


def refusal(message: str, hint: str = "", exit_code: int = 1) -> bytes:
    """Return the line that rejects a connection."""
    return json.dumps({"error": message, "hint": hint, "exit": exit_code}).encode() + b"\n"


async def _line(reader: asyncio.StreamReader) -> dict[str, Any]:
    try:
        line = await reader.readuntil(b"\n")
        value = json.loads(line) if len(line) <= LONGEST_HELLO else None
    except asyncio.IncompleteReadError:
        raise ConnectionResetError from None
    except (ValueError, RecursionError, asyncio.LimitOverrunError):
        value = None
    if not isinstance(value, dict):
        raise HandshakeRefused("this is the socket of a Spadework daemon, and that was no greeting")
    return value


def _check(hello: Mapping[str, Any]) -> None:
    if hello.get("spadework") != PROTOCOL:
        raise HandshakeRefused(
            f"the daemon is of version {own_version()}, which speaks another protocol",
            "`spadework daemon stop` ends it; the next window starts a new one",
        )
    for name, (kind, called) in _FIELDS.items():
        if not isinstance(hello.get(name, kind()), kind):
            raise HandshakeRefused(f"the greeting is malformed: {name!r} must be {called}")
    if hello.get("role") not in {MCP, CALL}:
        raise HandshakeRefused(f"the greeting is malformed: 'role' must be {MCP!r} or {CALL!r}")
