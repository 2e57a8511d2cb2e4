"""Peer checks: the socket, its folder and the process behind it must belong to the user.

Both ends use it: the clients before they say anything, the daemon before it listens to anybody.
"""

from __future__ import annotations

import os
import socket
import stat
import sys

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
