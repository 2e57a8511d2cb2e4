"""A terminal before which a person is believed to sit."""

import os
import pty
import select
import subprocess


class Terminal:
    """A command that believes that a person sits before it."""

    def __init__(self, command, environ, cwd):
        self.screen = ""
        self.main, other = pty.openpty()
        self.process = subprocess.Popen(
            command,
            env=environ | {"TERM": "xterm", "COLUMNS": "200"},
            cwd=cwd,
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
        )
        os.close(other)

    def read(self, until=None):
        """Read until a text stands on the screen, or to the end."""
        while until is None or until not in self.screen:
            ready, _, _ = select.select([self.main], [], [], 30)
            assert ready, self.screen
            try:
                piece = os.read(self.main, 4096)
            except OSError:
                piece = b""
            if not piece:
                assert until is None, self.screen
                return self.screen
            self.screen += piece.decode()
        return self.screen

    def type(self, text):
        os.write(self.main, text.encode())

    def close(self):
        os.close(self.main)
        return self.process.wait()
