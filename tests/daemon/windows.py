"""One Claude Code window: `spadework mcp` over real pipes, in raw lines."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress

from mcp.client.stdio import StdioServerParameters

from embedded.waiting import is_gone, wait_until

COMMAND = [sys.executable, "-m", "spadework"]
INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "x", "version": "1"},
}


class Window:
    """A process, and what it is asked."""

    def __init__(self, project, *arguments, command=None, **environment):
        self.process = subprocess.Popen(
            command or [*COMMAND, *arguments, "mcp"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"CLAUDE_PROJECT_DIR": str(project)} | environment,
            cwd=project,
            text=True,
        )
        self._id = 0
        self._answers = {}

    def send(self, method, **params):
        """Send a request; returns its id."""
        self._id += 1
        message = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        return self._id

    def answer(self, identity):
        """Read until the answer to a request comes; answers to others are kept."""
        while identity not in self._answers:
            line = self.process.stdout.readline()
            if not line:
                raise EOFError(self.process.stderr.read())
            message = json.loads(line)
            if "method" not in message:
                self._answers[message.get("id")] = message
        return self._answers.pop(identity)

    def ask(self, method, **params):
        return self.answer(self.send(method, **params))

    def open(self):
        """Do the handshake of the older revision."""
        assert "result" in self.ask("initialize", **INITIALIZE)
        note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        self.process.stdin.write(json.dumps(note) + "\n")
        self.process.stdin.flush()
        return self

    def send_call(self, prompt="Hi"):
        return self.send("tools/call", name="ask_local_llama", arguments={"prompt": prompt})

    def call(self, prompt="Hi"):
        """Ask the model; the text of the result."""
        return self.answer(self.send_call(prompt))["result"]["content"][0]["text"]

    def leave(self, seconds=20):
        """Close standard input; the exit code and what was said on standard error."""
        _, said = self.process.communicate(timeout=seconds)
        return self.process.returncode, said

    def end(self):
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            with suppress(BrokenPipeError):
                stream.close()


def parameters(project, **environment):
    """The same for the SDK's client."""
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "spadework", "mcp"],
        env=os.environ | {"CLAUDE_PROJECT_DIR": str(project)} | environment,
        cwd=str(project),
    )


def kill(pid):
    """Kill a daemon. Its connections are closed with its last thread, which may be a moment later:
    a call that is made at once may be lost with it.
    """
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: is_gone(pid))
