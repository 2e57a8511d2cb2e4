"""Connect to the daemon and do the handshake; never starts one."""

from __future__ import annotations

import os
import socket
import time

from spadework.shim.rendezvous import (
    LONGEST_HELLO,
    PROTOCOL,
    SUBSCRIPTION_PREFIX,
    Endpoint,
    UntrustedPeer,
    check_peer,
    check_place,
    own_version,
    say,
)

TYPE_CHECKING = False  # importing `typing` for it would take longer than the rest

if TYPE_CHECKING:
    from types import ModuleType

PROJECT_VARIABLE = "CLAUDE_PROJECT_DIR"

_SECONDS_TO_ANSWER = 5.0
_SECONDS_BETWEEN_TRIES = 0.02
_STARTUP_GRACE = 30.0
"""A daemon that listens answers only once its engine is there."""
_STOP_HINT = "`spadework daemon stop` ends it; the next window starts a new one"


class DaemonUnavailable(Exception):
    """The daemon that was found cannot be used, or none can be started.

    Args:
        message: what is wrong, in a line.
        hint: what the user can do.
        exit_code: what the shim ends with.
        cannot_start: whether the machine has no room for a daemon, so that this process should
            do the work by itself.
    """

    def __init__(
        self, message: str, hint: str = "", *, exit_code: int = 1, cannot_start: bool = False
    ) -> None:
        super().__init__(message)
        self.hint = hint
        self.exit_code = exit_code
        self.cannot_start = cannot_start


class DaemonConnection:
    """A connection after the handshake.

    `rest` is what the daemon has already sent after the handshake; `pid` and `version` are the
    daemon's.
    """

    def __init__(self, connection: socket.socket, rest: bytes, pid: int, version: str) -> None:
        self.socket = connection
        self.rest = rest
        self.pid = pid
        self.version = version


def connect_to_daemon(
    place: Endpoint, role: str, *, deadline: float | None = None
) -> DaemonConnection | None:
    """Greet the daemon, if one runs.

    Args:
        place: where it is met.
        role: what is spoken afterwards.
        deadline: seconds to wait for its answer; None: 5, and more while it is young.

    Returns:
        None if nobody listens, or if it ended before it answered.

    Raises:
        DaemonUnavailable: it refuses, it does not answer, or it is not a daemon.
    """
    try:
        connection = _dial(place)
    except UntrustedPeer as reason:
        raise DaemonUnavailable(
            f"no daemon is used here: {reason}",
            "remove what is there, or set XDG_RUNTIME_DIR to a folder of your own",
        ) from None
    except BlockingIOError:
        raise _hung(place) from None
    except PermissionError as error:
        raise DaemonUnavailable(
            f"the daemon's socket {error.filename or place.socket} is not open to you",
            "remove it if it is a leftover",
        ) from None
    except OSError:
        return None
    try:
        connection.settimeout(deadline or _seconds_to_answer(place))
        connection.sendall(_greeting(role))
        line, rest = _first_line(connection)
        if not line:
            connection.close()
            return None
        met, wants = _understood(connection, line, rest)
        connection.sendall(b'{"keys": ' + keys_line(wants) + b"}\n")
    except TimeoutError:
        connection.close()
        raise _hung(place) from None
    except OSError:  # it ended
        connection.close()
        return None
    except BaseException:
        connection.close()
        raise
    return met


def _dial(place: Endpoint) -> socket.socket:
    check_place(place.folder, place.socket)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(_SECONDS_TO_ANSWER)
        _connect(connection, place)
        check_peer(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(connection: socket.socket, place: Endpoint) -> None:
    deadline = time.monotonic() + _seconds_to_answer(place)
    while True:
        try:
            connection.connect(place.socket)
        except BlockingIOError:  # many come at once, or it hangs: no more are let in
            if time.monotonic() > deadline:
                raise
            time.sleep(_SECONDS_BETWEEN_TRIES)
        else:
            return


def _hung(place: Endpoint) -> DaemonUnavailable:
    return DaemonUnavailable(f"the daemon at {place.socket} does not answer", _STOP_HINT)


def _seconds_to_answer(place: Endpoint) -> float:
    try:
        age = time.time() - os.stat(place.socket).st_mtime  # noqa: PTH116 - pathlib is slow
    except OSError:
        age = 0.0
    youth = _STARTUP_GRACE - age if age >= 0 else 0.0
    return max(youth, _SECONDS_TO_ANSWER)


def _refused(said: dict[str, object]) -> DaemonUnavailable:
    code = said.get("exit")
    return DaemonUnavailable(
        str(said.get("error")),
        str(said.get("hint", "")),
        exit_code=code if isinstance(code, int) else 1,
    )


def _greeting(role: str) -> bytes:
    project = os.environ.get(PROJECT_VARIABLE) or _current_folder()
    quoted = f'"{project}"'
    if not (project.isascii() and project.isprintable()) or set('"\\') & set(project):
        quoted = _json().dumps(project)
    return (
        f'{{"spadework": {PROTOCOL}, "version": "{own_version()}", "role": "{role}", '
        f'"project": {quoted}, "pid": {os.getpid()}}}\n'
    ).encode()


def _current_folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - pathlib is slow
    except OSError:  # it was deleted
        return "/"


def _first_line(connection: socket.socket) -> tuple[bytes, bytes]:
    got = b""
    while b"\n" not in got and len(got) < LONGEST_HELLO:
        data = connection.recv(65536)
        if not data:
            return b"", b""
        got += data
    line, _, rest = got.partition(b"\n")
    return line, rest


def _understood(
    connection: socket.socket, line: bytes, rest: bytes
) -> tuple[DaemonConnection, list[str]]:
    """Read the daemon's greeting; the usual one needs no JSON, which takes 3 ms to import."""
    usual = b'{"spadework": %d, "version": "%s", "pid": ' % (PROTOCOL, own_version().encode())
    if line.startswith(usual) and line.endswith(b', "wants": []}'):
        number = line[len(usual) : -len(b', "wants": []}')]
        if number.isdigit():
            return DaemonConnection(connection, rest, int(number), own_version()), []
    try:
        said = _json().loads(line)
    except ValueError:
        said = None
    if not isinstance(said, dict) or ("spadework" not in said and "error" not in said):
        raise DaemonUnavailable("what answers at the daemon's socket is not a daemon", _STOP_HINT)
    if said.get("error"):
        raise _refused(said)
    if said["spadework"] != PROTOCOL:
        raise DaemonUnavailable(
            f"the daemon is of version {said.get('version')}, which speaks another protocol",
            _STOP_HINT,
        )
    wants = said.get("wants")
    names = [name for name in wants if isinstance(name, str)] if isinstance(wants, list) else []
    pid = said.get("pid")
    version = str(said.get("version", ""))
    return DaemonConnection(connection, rest, pid if isinstance(pid, int) else 0, version), names


def keys_line(wants: list[str]) -> bytes:
    """Return those of the wanted keys that the config names and the environment has, as JSON.

    What the daemon asks for is not enough: the environment holds more than it needs to know.
    """
    if not wants:
        return b"{}"
    from spadework.shim.key_names import names_in_config  # noqa: PLC0415 - with it comes `tomllib`

    named = names_in_config()
    keys = {}
    for name in wants:
        if name not in named:
            continue
        value = os.environ.get(name, "")
        if value.strip().startswith(SUBSCRIPTION_PREFIX):
            say(f"{name} holds the token of a Claude subscription: not used")
        elif value:
            keys[name] = value
    written: str = _json().dumps(keys)
    return written.encode()


def _json() -> ModuleType:
    """Import `json`, which takes 3 ms that most starts do without."""
    import json  # noqa: PLC0415 - see above

    return json
