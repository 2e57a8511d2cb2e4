"""A stand-in for the model API on loopback: its model starts agents; each is done at once.

What the client sends is kept: so a test sees on which model, with which tools, each agent runs.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from doubles.messages_api import events

GO = "Start the agents."


@dataclass(frozen=True)
class Seen:
    model: str
    tools: list[str]
    text: str


class AgentTurn:
    """Answers the main session's first message by starting agents; all else with `Done.`"""

    def __init__(self, *agents: str) -> None:
        self.agents = agents
        self.seen: list[Seen] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def agent(self, mark: str) -> Seen:
        """The request of the agent whose text holds this mark."""
        (found,) = [one for one in self.seen if mark in one.text]
        return found

    def _answer(self, request):
        names = [tool["name"] for tool in request.get("tools", [])]
        self.seen.append(Seen(request["model"], names, json.dumps(request.get("system", ""))))
        messages = json.dumps(request["messages"])
        if GO not in messages or any(one["role"] == "assistant" for one in request["messages"]):
            return [{"type": "text", "text": "Done."}]
        tool = "Agent" if "Agent" in names else "Task"
        return [
            {
                "type": "tool_use",
                "id": f"toolu_{number}",
                "name": tool,
                "input": {"description": "x", "prompt": "Do it.", "subagent_type": agent},
            }
            for number, agent in enumerate(self.agents)
        ]

    def _handler(turn):  # noqa: N805 - `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_HEAD(self):
                self._send(b"", 200)

            do_GET = do_HEAD  # noqa: N815 - as http.server wants it

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if "count_tokens" in self.path or "messages" not in self.path:
                    self._send(b"", 404)
                    return
                self._send(_stream(body["model"], turn._answer(body)), 200)

            def _send(self, content, status):
                self.send_response(status)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        return Handler


def _stream(model, blocks):
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": model}
    message |= {"content": blocks, "stop_sequence": None}
    message |= {"stop_reason": "end_turn" if blocks[0]["type"] == "text" else "tool_use"}
    message |= {"usage": {"input_tokens": 1, "output_tokens": 1}}
    return b"".join(events(message))
