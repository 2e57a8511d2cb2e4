"""What one window can cost the others: seconds that another window waits, and memory.

Real windows (`spadework mcp`) before a real daemon and a fake model server. While one of them does
what is measured, another one is asked for its list of tools again and again; the longest wait is
the stall. Memory is what all processes of the benchmark hold together (VmRSS), above what they hold
at rest.

    python benchmarks/flow_control.py [SCENARIO ...]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GIGABYTE = 1_000_000_000
LINE_BYTES = 40_000_000
MOST_SECONDS = 600
PAGE = (
    b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
    b"/Resources << /Font << /F1 5 0 R >> >> >>"
)
CONFIG = """
[backends.fake]
kind = "openai"
url = "{url}"

[references]
convert_seconds = 60

[tools.ask_local_llama]
models = ["fake/fake"]
"""


class Window:
    """One `spadework mcp`."""

    def __init__(self, project: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "spadework", "mcp"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=project,
            env=os.environ | {"CLAUDE_PROJECT_DIR": str(project)},
        )
        self._id = 0
        self._answers: dict[int | None, dict[str, Any]] = {}
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}}
        self.ask("initialize", **hello, clientInfo={"name": "benchmark", "version": "1"})
        self.write(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}\n')

    def write(self, data: bytes) -> None:
        """Write bytes as they are."""
        assert self.process.stdin
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, method: str, **params: Any) -> int:
        """Send a request."""
        self._id += 1
        message = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        self.write(json.dumps(message).encode() + b"\n")
        return self._id

    def answer(self, identity: int | None) -> dict[str, Any]:
        """Read until the answer comes; None is the answer to what is not a message."""
        assert self.process.stdout
        while identity not in self._answers:
            line = self.process.stdout.readline()
            if not line:
                raise EOFError
            message: dict[str, Any] = json.loads(line)
            if "method" not in message:
                self._answers[message.get("id")] = message
        return self._answers.pop(identity)

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a request, and wait for its answer."""
        return self.answer(self.send(method, **params))

    def send_call(self, prompt: str, *files: str) -> int:
        """Ask the model about files."""
        arguments = {"prompt": prompt} | ({"files": list(files)} if files else {})
        return self.send("tools/call", name="ask_local_llama", arguments=arguments)

    def end(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


class Watch:
    """How long another window waits, and what all processes hold, while something goes on."""

    def __init__(self, other: Window, mark: bytes) -> None:
        self.stall = 0.0
        self.most = 0
        self._other, self._mark = other, mark
        self._over = threading.Event()
        self.rest = self._held()

    def _held(self) -> int:
        return sum(map(_resident, _processes_with(self._mark)))

    def _wait_for_answers(self) -> None:
        while not self._over.is_set():
            started = time.monotonic()
            self._other.ask("tools/list")
            self.stall = max(self.stall, time.monotonic() - started)
            time.sleep(0.05)

    def _look_at_memory(self) -> None:
        while not self._over.is_set():
            self.most = max(self.most, self._held() - self.rest)
            time.sleep(0.1)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch as long as the body runs."""
        threads = [
            threading.Thread(target=one, daemon=True)
            for one in (self._wait_for_answers, self._look_at_memory)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join(MOST_SECONDS)


def _processes_with(mark: bytes) -> list[Path]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            with suppress(OSError):
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(folder)
    return found


def _resident(folder: Path) -> int:
    with suppress(OSError):
        for line in (folder / "status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


def _pdf(size: int) -> bytes:
    content = zlib.compress(b"BT /F1 12 Tf (a) Tj ET" + b" " * size, 1)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        PAGE,
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 6\n0000000000 65535 f \n"
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start
    return bytes(out)


def _sparse(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.write(b"a line of a log\n" * 600)  # 20 GB, and no more than this on the disk
        file.truncate(size)


def beginning_of_a_huge_file(window: Window, project: Path) -> None:
    """Eight times lines 1 to 10 of 20 GB."""
    _sparse(project / "huge.txt", 20 * GIGABYTE)
    for identity in [window.send_call("What?", "huge.txt:1-10") for _ in range(8)]:
        window.answer(identity)


def middle_of_a_huge_file(window: Window, project: Path) -> None:
    """Eight times lines that 20 GB have not, for ten seconds; then they are cancelled."""
    _sparse(project / "huge.txt", 20 * GIGABYTE)
    asked = [window.send_call("What?", "huge.txt:5000000-5000010") for _ in range(8)]
    time.sleep(10)
    for identity in asked:
        params = {"requestId": identity}
        note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
        window.write(json.dumps(note).encode() + b"\n")
    window.ask("tools/call", name="ask_local_llama", arguments={"prompt": "x", "files": ["a.md"]})


def _long_line(window: Window, line: bytes) -> None:
    writing = threading.Thread(target=window.write, args=[line], daemon=True)
    writing.start()
    window.answer(1_000_000 if b"1000000" in line[-60:] else None)
    writing.join()


def long_line_of_text(window: Window, _: Path) -> None:
    """One line of 40 MB that is one text."""
    head = b'{"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "ask_local_llama", '
    text = b'"arguments": {"prompt": "' + b"word " * (LINE_BYTES // 5) + b'"}}'
    _long_line(window, head + text + b', "id": 1000000}\n')


def long_line_of_lists(window: Window, _: Path) -> None:
    """One line of 40 MB of empty lists."""
    head = b'{"jsonrpc": "2.0", "method": "ping", "params": {"a": ['
    lists = b"[]," * (LINE_BYTES // 3) + b"[]]}"
    _long_line(window, head + lists + b', "id": 1000000}\n')


def largest_prompt(window: Window, _: Path) -> None:
    """A prompt of 7.5 MB, which is a legitimate call."""
    with suppress(EOFError):
        window.answer(window.send_call("word " * 1_500_000))


def flood(window: Window, _: Path) -> None:
    """Small calls as fast as they are taken, for ten seconds, and no answer is read."""
    assert window.process.stdin
    os.set_blocking(window.process.stdin.fileno(), False)
    until = time.monotonic() + 10
    sent, rest = 0, b""
    while time.monotonic() < until:
        if not rest:
            sent += 1
            message = {"jsonrpc": "2.0", "id": 10_000 + sent, "method": "tools/list", "params": {}}
            rest = json.dumps(message).encode() + b"\n"
        try:
            rest = rest[os.write(window.process.stdin.fileno(), rest) :]
        except BlockingIOError:
            time.sleep(0.01)
    print(f"  {sent:,} requests were taken")


def documents(window: Window, project: Path) -> None:
    """Eight small PDFs at once, each of which takes much memory to convert."""
    pdf = _pdf(300_000_000)
    for number in range(8):
        (project / f"{number}.pdf").write_bytes(pdf)
    for identity in [window.send_call("What?", f"{number}.pdf") for number in range(8)]:
        window.answer(identity)


SCENARIOS: dict[str, Callable[[Window, Path], None]] = {
    one.__name__: one
    for one in (
        beginning_of_a_huge_file,
        middle_of_a_huge_file,
        long_line_of_text,
        long_line_of_lists,
        largest_prompt,
        flood,
        documents,
    )
}


def measure(name: str, url: str) -> None:
    """Run one scenario in folders of its own, with a daemon of its own."""
    with tempfile.TemporaryDirectory(prefix="j-", ignore_cleanup_errors=True) as folder:
        project = Path(folder, "project")
        project.mkdir()
        (project / "a.md").write_text("one line\n")
        config = Path(folder, "config.toml")
        config.write_text(CONFIG.format(url=url))
        here = {"XDG_RUNTIME_DIR": folder, "SPADEWORK_CONFIG": str(config)}
        os.environ.update(here | {"SPADEWORK_DATA": f"{folder}/data", "HOME": folder})
        window, other = Window(project), Window(project)
        ender = threading.Timer(MOST_SECONDS, window.end)
        ender.start()
        for one in (window, other):  # what is loaded at the first call is not what is measured
            one.answer(one.send_call("Hi"))
        try:
            mark = f"HOME={folder}".encode()  # the children of the daemon have it, too
            watch = Watch(other, mark)
            started = time.monotonic()
            with watch.watching(), suppress(EOFError, OSError):
                SCENARIOS[name](window, project)
            seconds = time.monotonic() - started
            figures = f"{seconds:8.1f} s {watch.stall:8.2f} s {watch.most / 1e6:10,.0f} MB"
            print(f"{name:28}{figures}")
        finally:
            ender.cancel()
            window.end()
            other.end()
            command = [sys.executable, "-m", "spadework", "daemon", "stop"]
            subprocess.run(command, capture_output=True, check=False, timeout=60)


def main() -> None:
    """Measure what is named, or everything."""
    server = Path(__file__).with_name("fake_server.py")
    command = [sys.executable, str(server), "10"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as fake:
        assert fake.stdout
        url = fake.stdout.readline().decode().strip()
        print(f"{'':28}{'all':>10} {'stall':>10} {'memory':>13}")
        for name in sys.argv[1:] or SCENARIOS:
            measure(name, url)
        fake.kill()


if __name__ == "__main__":
    main()
