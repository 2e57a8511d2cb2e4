"""The endpoint at which shim and daemon meet, and the first lines that they exchange.

Standard library only, and little of it: every import here is paid at the start of every window.

A connection begins with three lines of JSON; then what its role speaks:

    shim    {"spadework": 1, "version": "0.1.0", "role": "mcp", "project": "/…", "pid": 1, …}
    daemon  {"spadework": 1, "version": "0.1.0", "pid": 2, "wants": ["LITELLM_KEY"]}
    shim    {"keys": {"LITELLM_KEY": "…"}}

or, in place of the second, `{"error": "…", "hint": "…", "exit": 1}` and the end; `exit` is the code
that the shim ends with.

In the role `call` one request of our own follows (spadework.remote.messages). In the role `mcp`
lines of MCP follow both ways; one that begins with a zero byte is between the two alone:

    daemon  {"wants": ["LITELLM_KEY", "OTHER_KEY"]}     a changed config asks for other keys
    shim    {"keys": {"LITELLM_KEY": "…", "OTHER_KEY": "…"}}
    shim    {"alive": true}      a call waits, and the daemon has said nothing for long
    daemon  {"alive": true}      it does not hang
    daemon  {"moved": true}      it ends as soon as what it has read is answered
    shim    {"moved": true}      nothing more comes on this connection; the shim finds another one

The socket, its folder and the process behind it must belong to the user. Both ends check that: the
clients before they say anything, the daemon before it listens to anybody.
"""

from __future__ import annotations

import os
import socket
import stat
import sys
from zlib import crc32

from spadework import __version__

PROTOCOL = 1
MCP = "mcp"
CALL = "call"
CONTROL = b"\0"
SUBSCRIPTION_PREFIX = "sk-ant-oat"
"""How the tokens of Claude subscriptions begin; they are never sent anywhere."""
LONGEST_HELLO = 1_000_000
VERSION_VARIABLE = "SPADEWORK_TEST_VERSION"
"""What this process says of its version; for the tests of one version replacing another."""

_LONGEST_SOCKET_PATH = 100
_OWN_FOLDER = "set XDG_RUNTIME_DIR to a folder of yours"
_NO_DAEMON = "`--in-process` needs no daemon"


class NoEndpoint(Exception):
    """A daemon cannot be reached on this machine.

    Args:
        message: why not, in a line.
        hint: what the user can do.
    """

    def __init__(self, message: str, hint: str = _OWN_FOLDER) -> None:
        super().__init__(message)
        self.hint = hint


class Endpoint:
    """The files by which the processes of one config and one data folder find each other.

    Args:
        folder: the runtime folder, private to the user.
        name: tells the daemons of different configs apart.
    """

    def __init__(self, folder: str, name: str) -> None:
        self.folder = folder
        self.name = name
        self.socket = f"{folder}/{name}.sock"
        self.start_lock = f"{folder}/{name}.start"
        """Held by who starts a daemon, until that answers."""
        self.life_lock = f"{folder}/{name}.lock"
        """Held by the daemon as long as it lives; holds its process id."""


def endpoint(config: str | None = None, data: str | None = None) -> Endpoint:
    """Find the place for a config file and a data folder; makes the folder.

    Args:
        config: the config file; None for what `SPADEWORK_CONFIG` says, else the user's own.
        data: the same with `SPADEWORK_DATA`.

    Raises:
        NoEndpoint: the system has no unix sockets, or the folder cannot be made, or it belongs to
            somebody else.
    """
    if not (hasattr(socket, "AF_UNIX") and hasattr(os, "getuid")):
        raise NoEndpoint("this system has no unix sockets", _NO_DAEMON)
    told = os.environ.get
    # However the environment spells it: one config and one ledger are one place.
    config = (told("SPADEWORK_CONFIG") if config is None else config) or (
        f"{told('XDG_CONFIG_HOME') or '~/.config'}/spadework/config.toml"
    )
    data = (told("SPADEWORK_DATA") if data is None else data) or (
        f"{told('XDG_DATA_HOME') or '~/.local/share'}/spadework"
    )
    whole = "\0".join(os.path.abspath(os.path.expanduser(one)) for one in (config, data))  # noqa: PTH100, PTH111 - pathlib takes 12 ms to import
    return Endpoint(_runtime_folder(), f"{crc32(whole.encode(errors='surrogateescape')):08x}")


def own_version() -> str:
    """Return the version that this process says it has."""
    return os.environ.get(VERSION_VARIABLE) or __version__


def is_newer(version: str, than: str) -> bool:
    """Tell whether a version comes after another one; `1.0rc1` comes before `1.0`."""
    return _version_key(version) > _version_key(than)


def _version_key(version: str) -> tuple[tuple[int, ...], int]:
    numbers = []
    for part in version.split("."):
        digits = len(part) - len(part.lstrip("0123456789"))
        if digits:
            numbers.append(int(part[:digits]))
        if digits < len(part):
            return tuple(numbers), 0
    return tuple(numbers), 1


def _runtime_folder() -> str:
    parent = os.environ.get("XDG_RUNTIME_DIR", "")
    if not os.path.isabs(parent):  # noqa: PTH117 - as above
        parent = ""  # the XDG specification takes a relative one for none
    if parent and len(parent) + 40 < _LONGEST_SOCKET_PATH and os.path.isdir(parent):  # noqa: PTH112 - as above
        return _made_private(f"{parent}/spadework")
    user = os.getuid()
    if not parent and os.access(f"/run/user/{user}", os.W_OK):  # a shell of cron or su lacks it
        return _made_private(f"/run/user/{user}/spadework")
    parent = os.path.abspath(os.environ.get("TMPDIR") or os.environ.get("TEMP") or "/tmp")  # noqa: PTH100, S108 - as above; the folder in it is private
    if len(parent) + 60 > _LONGEST_SOCKET_PATH:
        parent = "/tmp"  # noqa: S108 - as above
    return _made_private(f"{parent}/spadework-{user}")


def _made_private(folder: str) -> str:
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103 - as above
        status = os.lstat(folder)
    except OSError as error:
        raise NoEndpoint(f"{folder}: {error.strerror or error}") from None
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise NoEndpoint(f"{folder} is not a folder of yours")
    if stat.S_IMODE(status.st_mode) & 0o077:
        os.chmod(folder, 0o700)  # noqa: PTH101 - as above
    if not os.access(folder, os.W_OK | os.X_OK):
        raise NoEndpoint(f"{folder} cannot be written to")
    return folder


def say(text: str) -> None:
    """Write a line to standard error, if anybody listens."""
    try:
        os.write(2, text.encode(errors="replace") + b"\n")
    except OSError:
        return


_MAC_PEER_CREDENTIALS = 1  # LOCAL_PEERCRED of sys/un.h, at the level 0
_MAC_CREDENTIALS_SIZE = 76


class UntrustedPeer(Exception):
    """The daemon's place is not the user's own; the message says why, in a line."""


def check_place(folder: str, path: str) -> None:
    """See that a folder, and the socket or file in it, are the user's own, and no link.

    Args:
        folder: the runtime folder.
        path: what is to be used in it.

    Raises:
        UntrustedPeer: others may have put something there.
        OSError: it is not there.
    """
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode):
        raise UntrustedPeer(f"{folder} is not a folder")
    if status.st_uid != os.getuid():
        raise UntrustedPeer(f"{folder} belongs to user {status.st_uid}")
    if status.st_mode & 0o022:
        raise UntrustedPeer(f"others may write to {folder}")
    status = os.lstat(path)
    if not (stat.S_ISSOCK(status.st_mode) or stat.S_ISREG(status.st_mode)):
        raise UntrustedPeer(f"{path} is neither a socket nor a file")
    if status.st_uid != os.getuid():
        raise UntrustedPeer(f"{path} belongs to user {status.st_uid}")


def check_peer(connection: socket.socket) -> None:
    """See that the process at the other end of a unix socket runs as the same user.

    Raises:
        UntrustedPeer: it does not.
    """
    user = _user_of(connection)
    if user is not None and user != os.getuid():
        raise UntrustedPeer(f"the process at the other end runs as user {user}")


def process_of(connection: socket.socket) -> int:
    """Return the process at the other end; 0 where the system does not tell."""
    if not hasattr(socket, "SO_PEERCRED"):
        return 0
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int.from_bytes(told[:4], sys.byteorder)


def _user_of(connection: socket.socket) -> int | None:
    """Return the user of the other end; None where the system does not tell."""
    if hasattr(socket, "SO_PEERCRED"):  # three numbers: process, user, group
        told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return int.from_bytes(told[4:8], sys.byteorder)
    try:  # macOS and the BSDs: a structure that begins with version and user
        told = connection.getsockopt(0, _MAC_PEER_CREDENTIALS, _MAC_CREDENTIALS_SIZE)
    except OSError:
        return None
    return int.from_bytes(told[4:8], sys.byteorder)
