"""Tracks the calls that pass through the shim, so that a daemon's end costs one error each."""

from __future__ import annotations

import json

from spadework.shim.line_buffer import excess

TYPE_CHECKING = False  # importing `typing` for it would take longer than the rest

if TYPE_CHECKING:
    from typing import Any

INTERNAL_ERROR = -32603
LOST = "the Spadework daemon ended in the middle of this call; call again: a new one is found"

HUNG = (
    "the Spadework daemon hangs: no answer for {:g} s; `spadework daemon stop` ends it, "
    "and the next call starts a new one"
)
LEFT = "standard input ended before this call was answered, which cancels it"

_INITIALIZE = "initialize"
_INITIALIZED = "notifications/initialized"
_CANCELLED = "notifications/cancelled"
_ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
_CHANGED = "notifications/tools/list_changed"
_LISTEN = "subscriptions/listen"
_SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
_GREETINGS = frozenset({_INITIALIZE, "server/discover"})
"""Requests that do nothing, and without whose answer the client gives up: they are sent anew."""


class PendingCalls:
    """The requests of one client that wait for an answer, and what its session stands on."""

    def __init__(self) -> None:
        self._waiting: dict[object, bytes] = {}
        """The requests by id; the line is kept of those that are sent anew."""
        self._listening: dict[object, bytes] = {}
        self._asked: set[object] = set()
        """Ids of what the daemon has asked the client."""
        self._stale: set[object] = set()
        """Those of a daemon that is gone: nobody waits for the answers."""
        self._resumed: set[object] = set()
        """Listening requests that the client has had acknowledged before."""
        self._initialize: tuple[object, bytes] | None = None
        self._initialized = b""

    @property
    def waiting(self) -> tuple[object, ...]:
        """The ids of the requests that have no answer yet, those for changes left out."""
        return tuple(self._waiting)

    @property
    def wait(self) -> bool:
        """Whether there are such requests."""
        return bool(self._waiting)

    @property
    def must_be_read(self) -> bool:
        """Whether a line must be understood before it is passed on, because it may be dropped."""
        return bool(self._stale or self._resumed)

    @property
    def in_greeting(self) -> bool:
        """Whether a request waits that is to be sent anew to another daemon."""
        return any(self._waiting.values())

    def from_client(self, line: bytes) -> bool:
        """Take note of a line of the client.

        Returns:
            Whether to pass it to the daemon.
        """
        if excess(line):
            return True  # the daemon refuses it
        message = load_message(line)
        method, identity = message.get("method"), _identity(message.get("id"))
        if method is None:
            if identity in self._stale:
                self._stale.discard(identity)
                return False
            self._asked.discard(identity)
        elif identity is not None:
            self._request(str(method), identity, line)
        elif method == _INITIALIZED:
            self._initialized = line
        elif method == _CANCELLED:
            self._cancelled(message.get("params"))
        return True

    def _request(self, method: str, identity: object, line: bytes) -> None:
        if method == _LISTEN:
            self._listening[identity] = line
            return
        self._waiting[identity] = line if method in _GREETINGS else b""
        if method == _INITIALIZE:
            self._initialize = identity, line
            self._initialized = b""

    def _cancelled(self, params: Any) -> None:
        identity = _identity(params.get("requestId")) if isinstance(params, dict) else None
        for known in (self._waiting, self._listening):
            for one in [one for one in known if one == identity or _alike(one, identity)]:
                del known[one]

    def from_daemon(self, line: bytes) -> bool:
        """Take note of a line of the daemon.

        Returns:
            Whether to pass it to the client.
        """
        message = load_message(line)
        method, identity = message.get("method"), _identity(message.get("id"))
        if method is None:
            self._waiting.pop(identity, None)
            self._listening.pop(identity, None)
        elif identity is not None:
            self._asked.add(identity)
        elif method == _ACKNOWLEDGED and self._resumed:
            of = _identity(_dig(message, "params", "_meta", _SUBSCRIPTION))
            if of in self._resumed:
                self._resumed.discard(of)
                return False
        return True

    def lost(self, reason: str = LOST) -> bytes:
        """The daemon is gone.

        Args:
            reason: what is said of it.

        Returns:
            The answers to all that wait, except to greetings and to those who listen for changes.
        """
        self._stale |= self._asked
        self._asked.clear()
        self._resumed.clear()
        lost = [identity for identity, line in self._waiting.items() if not line]
        for identity in lost:
            del self._waiting[identity]
        return b"".join(failure(_bare(identity), reason) for identity in lost)

    def given_up(self, reason: str) -> bytes:
        """No other daemon is found: answer the greetings too."""
        answers = b"".join(failure(_bare(identity), reason) for identity in self._waiting)
        self._waiting.clear()
        return answers

    def handshake(self) -> tuple[object, bytes, bytes] | None:
        """What opens the session anew: the id and line of `initialize`, and `initialized`.

        None without a session of the older revision, or during its handshake.
        """
        if self._initialize is None or self._initialize[0] in self._waiting:
            return None
        return _bare(self._initialize[0]), self._initialize[1], self._initialized

    def resumed(self) -> tuple[bytes, bytes]:
        """A new daemon has taken the session over.

        Returns:
            What it must be sent: greetings without an answer, and requests for notices of change;
            what the client must be told: that the tools may be others now.
        """
        to_daemon = [line for line in self._waiting.values() if line]
        to_client = []
        if self._initialized:
            to_client.append(_line({"method": _CHANGED}))
        for identity, line in self._listening.items():
            to_daemon.append(line)
            self._resumed.add(identity)
            if _dig(load_message(line), "params", "notifications", "toolsListChanged") is True:
                meta = {_SUBSCRIPTION: _bare(identity)}
                to_client.append(_line({"method": _CHANGED, "params": {"_meta": meta}}))
        return b"".join(to_daemon), b"".join(to_client)


def is_answer_to(line: bytes, identity: object) -> bool:
    """Tell whether a line is the answer to the request with this id."""
    message = load_message(line)
    return "method" not in message and _identity(message.get("id")) == _identity(identity)


def failure(identity: object, reason: str) -> bytes:
    """Return an error as the answer to a request."""
    return _line({"id": identity, "error": {"code": INTERNAL_ERROR, "message": reason}})


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"


def load_message(line: bytes) -> dict[str, Any]:
    """Read a line as generously as the daemon does; what is not a message becomes an empty one."""
    try:
        message = json.loads(line.decode(errors="replace"))
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def _identity(value: Any) -> object:
    """Return an id as a key: 1, 1.0, true and "1" are four."""
    return (type(value), value) if isinstance(value, str | int | float) else None


def _bare(identity: object) -> object:
    return identity[1] if isinstance(identity, tuple) else None


def _alike(one: object, other: object) -> bool:
    """Some clients cancel "1" where they called 1; the daemon takes them for the same, too."""
    return other is not None and str(_bare(one)) == str(_bare(other))


def _dig(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
