"""A daemon for tests of the shim: it greets as the real one does, and then does as it is told."""

import json
import os
import socket
from contextlib import suppress
from pathlib import Path

from spadework.shim.rendezvous import CONTROL, endpoint


class Connection:
    """One shim that has connected."""

    def __init__(self, connection):
        connection.settimeout(20)
        self.socket = connection
        self.lines = connection.makefile("rb")
        self.hello = None
        self.keys = None

    def greet(self, wants=(), version="0.1.0"):
        self.hello = json.loads(self.lines.readline())
        greeting = {"spadework": 1, "version": version, "pid": os.getpid(), "wants": list(wants)}
        self.say(greeting)
        self.keys = json.loads(self.lines.readline())["keys"]
        return self

    def say(self, message):
        self.send(json.dumps(message).encode() + b"\n")

    def control(self, message):
        self.send(CONTROL + json.dumps(message).encode() + b"\n")

    def send(self, data):
        self.socket.sendall(data)

    def hear(self):
        """The next line of the client as a message; None at its end."""
        line = self.lines.readline()
        return json.loads(line.removeprefix(CONTROL)) if line else None

    def close(self):
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.lines.close()
        self.socket.close()


class FakeDaemon:
    """Listens where the shim of this environment looks."""

    def __init__(self):
        self.path = endpoint().socket
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(self.path)
        self.listening.listen(16)
        self.listening.settimeout(20)
        self.connections = []

    def accept(self):
        """The next shim; it has not been greeted."""
        connection = Connection(self.listening.accept()[0])
        self.connections.append(connection)
        return connection

    def greet(self, **options):
        return self.accept().greet(**options)

    def close(self):
        for connection in self.connections:
            connection.close()
        self.listening.close()
        with suppress(FileNotFoundError):
            Path(self.path).unlink()
