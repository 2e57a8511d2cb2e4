"""Pass lines both ways between standard input and output and the daemon's socket.

One loop, one thread. Nothing here blocks on one side while the other could go on, except for the
time in which a new daemon is found.
"""

from __future__ import annotations

import os
import select
import socket
import time

from spadework.shim.client import DaemonConnection, DaemonUnavailable, keys_line
from spadework.shim.line_buffer import LineBuffer
from spadework.shim.rendezvous import CONTROL, is_newer, own_version, say

TYPE_CHECKING = False  # importing `typing` for it would take longer than the rest

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from spadework.shim.pending_calls import PendingCalls

_IN, _OUT = 0, 1
_AT_ONCE = 65536
_LONGEST_ANSWER = 64 * 1024 * 1024
"""Bytes of a line of the daemon, which is our own and bounds what it says."""
_FULL = 1024 * 1024
"""Nothing more is read for a side that has so many bytes to take."""
_SECONDS_AFTER_END = 2.0
_SECONDS_FOR_HANDSHAKE = 30.0
_PING_AFTER = 5.0
"""After these a daemon that owes an answer is asked whether it lives."""
_PONG_TIMEOUT = 10.0
"""A model may take as long as it likes; a daemon that lives says so at once."""
_MOST_TRIES_OF_GREETING = 3
_ENDED = select.POLLERR | select.POLLHUP | select.POLLNVAL if hasattr(select, "poll") else 0


class Relay:
    """One client, and one daemon after the other.

    Args:
        find: finds the daemon, or starts one; raises `DaemonUnavailable`.
    """

    def __init__(self, find: Callable[[], DaemonConnection]) -> None:
        self._find = find
        self._known_calls: PendingCalls | None = None
        self._from_client = LineBuffer()
        self._from_daemon = LineBuffer(_LONGEST_ANSWER)
        self._to_client = bytearray()
        self._to_daemon = bytearray()
        self._daemon: socket.socket | None = None
        self._is_newer = False
        """Whether we are of a later version than the daemon."""
        self._moving = False
        """Whether the daemon has told us to find another one."""
        self._tries = 0
        self._silent_since: float | None = None
        """When the daemon, which owes an answer, was heard or asked last."""
        self._ping_pending = False
        self._until: float | None = None
        """When we end, after the client's end of input."""

    @property
    def _calls(self) -> PendingCalls:
        """The calls; with them comes `json`, once the first line is on its way."""
        if self._known_calls is None:
            self._known_calls = _pending_calls().PendingCalls()
        return self._known_calls

    def run(self) -> None:
        """Serve the client until it leaves.

        Raises:
            DaemonUnavailable: the first connection failed.
        """
        self._take(self._find())
        poll = select.poll()
        while not self._is_over():
            for descriptor, events in poll_once(poll, self._interests(), self._timeout()):
                if descriptor == _OUT:
                    if events & _ENDED:
                        return
                    self._write_client()
                elif descriptor != _IN:
                    self._serve_daemon(events)
                elif not self._moving:
                    self._read_client()
            self._heartbeat()

    def _is_over(self) -> bool:
        if self._until is None:
            return False
        gone = self._daemon is None and not self._to_client
        return gone or time.monotonic() > self._until

    def _timeout(self) -> float | None:
        until = self._until
        if until is None and self._silent_since is not None:
            most = _PONG_TIMEOUT if self._ping_pending else _PING_AFTER
            until = self._silent_since + most
        return None if until is None else max(0.0, until - time.monotonic()) * 1000

    def _interests(self) -> dict[int, int]:
        """Say what to wait for. The daemon comes first: its end is known before a line is lost."""
        interests = {}
        if self._daemon is not None:
            wanted = select.POLLOUT if self._to_daemon else 0
            if len(self._to_client) < _FULL:
                wanted |= select.POLLIN
            interests[self._daemon.fileno()] = wanted
        interests[_OUT] = select.POLLOUT if self._to_client else 0
        if self._until is None and not self._moving and len(self._to_daemon) < _FULL:
            interests[_IN] = select.POLLIN
        return interests

    # The client's side

    def _read_client(self) -> None:
        try:
            data = os.read(_IN, _AT_ONCE)
        except OSError:  # closed, or a terminal that is gone
            data = b""
        if not data:
            self._end_of_input()
            return
        for line, whole in self._from_client.feed(data):
            self._pass_to_daemon(line, whole=whole)

    def _end_of_input(self) -> None:
        self._until = time.monotonic() + _SECONDS_AFTER_END
        if rest := self._from_client.take():
            self._pass_to_daemon(rest + b"\n", whole=True)
        self._half_close()

    def _half_close(self) -> None:
        if self._daemon is not None and not self._to_daemon:
            try:
                self._daemon.shutdown(socket.SHUT_WR)
            except OSError:
                self._lose()

    def _pass_to_daemon(self, line: bytes, *, whole: bool) -> None:
        if line.startswith(CONTROL):  # only we speak to the daemon in this way
            line = b" " + line
        if self._moving or self._daemon is None:
            self._pass_to_next_daemon(line, whole=whole)
            return
        if whole and self._known_calls and self._calls.must_be_read:
            if self._calls.from_client(line):
                self._send_daemon(line)
            return
        self._send_daemon(line)
        if whole:
            self._calls.from_client(line)

    def _pass_to_next_daemon(self, line: bytes, *, whole: bool) -> None:
        if self._moving:
            self._lose()
        reason = self._resume()
        wanted = not whole or self._calls.from_client(line)
        if reason:
            self._to_client += self._calls.given_up(reason)
        elif wanted:
            self._send_daemon(line)

    def _write_client(self) -> None:
        # So many bytes never block on a pipe that is ready, which then needs no flag set on it that
        # others who have it open would feel.
        piece = bytes(self._to_client[: select.PIPE_BUF])
        try:
            del self._to_client[: os.write(_OUT, piece)]
        except BlockingIOError:
            return
        except OSError:  # the client is gone, or its disk is full
            raise SystemExit(0) from None

    # The daemon's side

    def _serve_daemon(self, events: int) -> None:
        if events & select.POLLOUT and self._daemon is not None:
            self._write_daemon()
        if events & ~select.POLLOUT and self._daemon is not None:
            self._read_daemon()

    def _send_daemon(self, data: bytes) -> None:
        at_once = not self._to_daemon
        self._to_daemon += data
        if at_once:
            self._write_daemon()

    def _write_daemon(self) -> None:
        if self._daemon is None:
            return
        try:
            while self._to_daemon:
                del self._to_daemon[: self._daemon.send(bytes(self._to_daemon[:_AT_ONCE]))]
        except BlockingIOError:
            return
        except OSError:
            self._to_daemon.clear()  # its end comes as the end of what it says
            return
        if self._until is not None:
            self._half_close()

    def _read_daemon(self) -> None:
        if self._daemon is None:
            return
        try:
            data = self._daemon.recv(_AT_ONCE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._hear(data)
        else:
            self._daemon_ended()

    def _heartbeat(self) -> None:
        """See that a daemon that hangs costs a call an error and not for ever."""
        if not self._expects_to_hear:
            self._silent_since, self._ping_pending = None, False
            return
        now = time.monotonic()
        if self._silent_since is None:
            self._silent_since = now
        silence = now - self._silent_since
        if self._ping_pending and silence >= _PONG_TIMEOUT:
            reason = _pending_calls().HUNG.format(_PING_AFTER + _PONG_TIMEOUT)
            self._lose(reason)
            self._to_client += self._calls.given_up(reason)
        elif silence >= _PING_AFTER and not self._ping_pending:
            self._silent_since, self._ping_pending = now, True
            self._send_daemon(CONTROL + b'{"alive": true}\n')

    @property
    def _expects_to_hear(self) -> bool:
        """Whether a daemon that says nothing may hang: no line is half said, and we listen."""
        calls = self._known_calls
        if self._daemon is None or self._until is not None or calls is None or not calls.wait:
            return False
        is_free = not self._moving and not self._from_client.in_long_line
        return is_free and len(self._to_client) < _FULL

    def _hear(self, data: bytes) -> None:
        self._silent_since, self._ping_pending = None, False
        for line, whole in self._from_daemon.feed(data):
            if whole and line.startswith(CONTROL):
                self._control(line)
            elif not whole or self._calls.from_daemon(line):
                self._to_client += line

    def _control(self, line: bytes) -> None:
        message = _pending_calls().load_message(line[len(CONTROL) :])
        if message.get("moved"):
            self._send_daemon(CONTROL + b'{"moved": true}\n')
            self._moving = True
        if "wants" in message:
            self._send_daemon(CONTROL + b'{"keys": ' + keys_line(message["wants"]) + b"}\n")

    def _daemon_ended(self) -> None:
        find_at_once = self._moving and self._is_newer
        self._lose()
        if self._until is not None:
            return
        if self._calls.in_greeting and self._tries < _MOST_TRIES_OF_GREETING:
            self._tries += 1
            find_at_once = True
        if find_at_once and (reason := self._resume()):
            self._to_client += self._calls.given_up(reason)

    def _lose(self, reason: str = "") -> None:
        """The daemon is gone: close what led to it, and answer who waits."""
        if self._daemon is not None:
            self._daemon.close()
            self._daemon = None
        self._moving = False
        self._to_daemon.clear()
        if self._from_daemon.in_long_line:  # what was given out of it must not spoil the next line
            self._to_client += b"\n"
        self._from_daemon = LineBuffer(_LONGEST_ANSWER)
        if self._known_calls is not None:
            self._to_client += self._calls.lost(reason or self._reason())

    def _reason(self) -> str:
        reason: str = _pending_calls().LOST if self._until is None else _pending_calls().LEFT
        return reason

    # From one daemon to the next

    def _take(self, met: DaemonConnection) -> None:
        met.socket.setblocking(False)
        self._daemon = met.socket
        self._is_newer = is_newer(own_version(), met.version)
        if met.rest:
            self._hear(met.rest)

    def _resume(self) -> str:
        """Find a daemon and open the client's session on it anew; returns why that failed."""
        try:
            met = self._find()
        except DaemonUnavailable as failure:
            reason = f"{failure}; {failure.hint}" if failure.hint else str(failure)
            say(f"spadework: {reason}")
            return reason
        if (handshake := self._calls.handshake()) and not self._repeat(met, *handshake):
            met.socket.close()
            return "the new Spadework daemon did not take this session over; call again"
        # What it has sent is heard last: after "moved" nothing more may be sent to it.
        sent, met.rest = met.rest, b""
        self._take(met)
        to_daemon, to_client = self._calls.resumed()
        self._send_daemon(to_daemon)
        self._to_client += to_client
        if sent:
            self._hear(sent)
        return ""

    def _repeat(
        self, met: DaemonConnection, identity: object, initialize: bytes, initialized: bytes
    ) -> bool:
        """Send the client's handshake again; the client does not hear its answer."""
        met.socket.settimeout(_SECONDS_FOR_HANDSHAKE)
        lines = LineBuffer()
        controls: list[bytes] = []
        try:
            met.socket.sendall(initialize)
            pending = lines.feed(met.rest)
            while True:
                for number, (line, _) in enumerate(pending):
                    if line.startswith(CONTROL):
                        controls.append(line)
                    elif _pending_calls().is_answer_to(line, identity):
                        rest = [one for one, _ in pending[number + 1 :]]
                        met.rest = b"".join((*controls, *rest)) + lines.take()
                        met.socket.sendall(initialized)
                        return True
                data = met.socket.recv(_AT_ONCE)
                if not data:
                    return False
                pending = lines.feed(data)
        except OSError:
            return False


def _pending_calls() -> ModuleType:
    """Import what reads messages, and with it `json`: 5 ms that can wait for the first line."""
    from spadework.shim import pending_calls  # noqa: PLC0415 - see above

    return pending_calls


def poll_once(
    poll: select.poll, interests: dict[int, int], timeout: float | None
) -> list[tuple[int, int]]:
    """Wait for an event of interest, by descriptor; return what happened in their order."""
    for descriptor, events in interests.items():
        poll.register(descriptor, events)
    try:
        happened = dict(poll.poll(timeout))
    finally:
        for descriptor in interests:
            poll.unregister(descriptor)
    return [(one, happened[one]) for one in interests if one in happened]
