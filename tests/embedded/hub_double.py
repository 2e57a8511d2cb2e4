"""A Hugging Face hub on loopback: metadata on one port, file contents on another, as the real one.

Shaped after what huggingface_hub's client reads: `X-Repo-Commit`, `X-Linked-Etag`,
`X-Linked-Size` on a redirect to the storage host, `X-Error-Code` on errors.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMIT = "c0ffee" + "0" * 34
REPO = "owner/tiny-GGUF"


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that arrived."""

    method: str
    path: str
    headers: Mapping[str, str]


@dataclass
class HubDouble:
    """Serves `files` of one repository; the knobs make it misbehave.

    `cut_at`: the first reply of the storage breaks off after so many bytes.
    `stall_at`: each reply of the storage falls silent after so many bytes, until `close`.
    `refuse`: every request to the hub is refused with this status and X-Error-Code.
    `promised_size`: the size that the hub tells, instead of the true one.
    `stored`: what the storage sends, instead of what the hub promised.
    """

    files: dict[str, bytes]
    cut_at: int | None = None
    stall_at: int | None = None
    refuse: tuple[int, str] | None = None
    promised_size: int | None = None
    stored: bytes | None = None
    hub_saw: list[Seen] = field(default_factory=list)
    storage_saw: list[Seen] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._servers = [_serve(_HubHandler, self), _serve(_StorageHandler, self)]
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._servers[0].server_port}"

    @property
    def storage_url(self) -> str:
        return f"http://127.0.0.1:{self._servers[1].server_port}"

    def ranges(self) -> list[str | None]:
        """Return what each download asked for."""
        return [seen.headers.get("range") for seen in self.storage_saw if seen.method == "GET"]


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for the replies in progress: nothing outlives a test
    double: HubDouble


def _serve(handler: type[BaseHTTPRequestHandler], double: HubDouble) -> _Server:
    server = _Server(("127.0.0.1", 0), handler)
    server.double = double
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def _seen(self) -> Seen:
        return Seen(self.command, self.path, {k.lower(): v for k, v in self.headers.items()})

    def _reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _HubHandler(_Handler):
    def do_GET(self) -> None:
        double = self.server.double
        double.hub_saw.append(self._seen())
        if double.refuse:
            status, code = double.refuse
            self._reply(status, X_Error_Code=code, X_Error_Message=f"the hub says {code}")
        elif match := re.fullmatch(rf"/{REPO}/resolve/(.+?)/(.+)", self.path):
            self._resolve(*match.groups())
        elif self.path.split("/revision/")[0] == f"/api/models/{REPO}":
            names = [{"rfilename": name} for name in ["README.md", *double.files]]
            info = json.dumps({"id": REPO, "siblings": names}).encode()
            self._reply(200, info, Content_Type="application/json")
        else:
            self._reply(404, X_Error_Code="RepoNotFound", X_Error_Message="Repository not found")

    def _resolve(self, revision: str, file: str) -> None:
        double = self.server.double
        if revision not in {"main", COMMIT}:
            self._reply(404, X_Error_Code="RevisionNotFound")
        elif file not in double.files:
            self._reply(404, X_Error_Code="EntryNotFound", X_Repo_Commit=COMMIT)
        else:
            content = double.files[file]
            self._reply(
                302,
                Location=f"{double.storage_url}/blob/{file}?signature=abc",
                X_Repo_Commit=COMMIT,
                X_Linked_Etag=f'"{hashlib.sha256(content).hexdigest()}"',
                X_Linked_Size=str(double.promised_size or len(content)),
            )


class _StorageHandler(_Handler):
    def do_GET(self) -> None:
        double = self.server.double
        first = not double.storage_saw
        double.storage_saw.append(self._seen())
        file = self.path.removeprefix("/blob/").partition("?")[0]
        content = double.files[file] if double.stored is None else double.stored
        start = int((self.headers.get("Range") or "bytes=0-")[len("bytes=") : -1])
        body = content[start:]
        self.send_response(206 if "Range" in self.headers else 200)
        if "Range" in self.headers:
            last = len(content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(content)}")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.close_connection = True
        self.end_headers()
        if double.cut_at is not None and first:
            self.wfile.write(body[: double.cut_at])
        elif double.stall_at is not None:
            self.wfile.write(body[: double.stall_at])
            self.wfile.flush()
            double.closing.wait()
        else:
            self.wfile.write(body)
