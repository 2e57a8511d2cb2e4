"""A Claude Code window as the daemon sees it: a shim, its pipes, and calls side by side."""

import asyncio
import itertools
import json
import signal
import sys
from contextlib import suppress

_HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "chaos", "version": "1"},
}


class Killed(Exception):
    """The window was killed while the call was under way."""


class Window:
    """Starts `spadework mcp` and talks to it; once it is `closing` no call should be begun."""

    def __init__(self, folder, environment):
        self.closing = False
        self._folder = folder
        self._environment = environment
        self._ids = itertools.count(1)
        self._waiting = {}
        self._signs = {}
        self._process = None
        self._reading = None

    async def open(self):
        """Start the shim and shake hands."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "spadework", "mcp"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=self._folder,
            env=self._environment,
            limit=1 << 24,
        )
        self._reading = asyncio.ensure_future(self._read())
        await self._ask("initialize", _HELLO)
        self._send({"method": "notifications/initialized"})

    async def call(self, tool, prompt):
        """Call a tool; returns its result, or the error of JSON-RPC.

        Raises:
            Killed: the window was killed meanwhile.
        """
        number = next(self._ids)
        self._signs[number] = asyncio.Event()
        params = {
            "name": tool,
            "arguments": {"prompt": prompt, "max_tokens": 12},
            "_meta": {"progressToken": number},
        }
        try:
            return await self._ask("tools/call", params, number)
        finally:
            self._signs.pop(number).set()

    async def kill(self):
        """Kill the shim once the daemon has shown a sign of every call that is under way."""
        self.closing = True
        await asyncio.gather(*(sign.wait() for sign in list(self._signs.values())))
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
        await self._process.wait()
        await self._reading

    async def close(self):
        """Close the pipe, as a client does that ends."""
        self._process.stdin.close()
        await self._process.wait()
        await self._reading

    async def _ask(self, method, params, number=None):
        number = next(self._ids) if number is None else number
        answer = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        self._send({"id": number, "method": method, "params": params})
        return await answer

    def _send(self, message):
        line = json.dumps({"jsonrpc": "2.0", **message}) + "\n"
        self._process.stdin.write(line.encode())

    async def _read(self):
        async for line in self._process.stdout:
            message = json.loads(line)
            if message.get("method") == "notifications/progress":
                if sign := self._signs.get(message["params"]["progressToken"]):
                    sign.set()
            elif answer := self._waiting.pop(message.get("id"), None):
                answer.set_result(message)
        for answer in self._waiting.values():
            answer.set_exception(Killed())
        self._waiting.clear()
