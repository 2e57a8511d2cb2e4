"""Run confined by test_confinement.py: does what the request says, and replies what came of it."""

import os
import pathlib
import socket
import subprocess
import sys
import urllib.request

from spadework.references.sandbox import serve


def attempts():
    """What a hostile parser might try, by name."""
    return {
        "read": lambda path: pathlib.Path(path).read_text(),
        "low-level read": lambda path: os.read(os.open(path, os.O_RDONLY), 9),
        "write": lambda path: pathlib.Path(f"{path}.new").write_text("x"),
        "write over Python": lambda _: open(f"{sys.prefix}/x", "w"),  # noqa: PTH123 - one of the ways
        "remove": os.remove,
        "rename": lambda path: os.rename(path, f"{path}.new"),  # noqa: PTH104 - one of the ways
        "run": lambda _: subprocess.run(["true"], check=True),
        "shell": lambda path: os.system(f"touch {path}.new"),
        "fork": lambda _: os.fork(),
        "exec": lambda _: os.execv("/bin/true", ["true"]),
        "connect": lambda _: socket.create_connection(("127.0.0.1", 9)),
        "resolve": lambda _: socket.getaddrinfo("localhost", 80),
        "fetch": lambda _: urllib.request.urlopen("http://127.0.0.1:9"),
        "memory": lambda _: len(bytearray(1 << 31)),
        "environment": lambda _: os.environ.get("SECRET", "unset"),
        "print": lambda _: [sys.stdout.write("noise"), sys.stderr.write("noise")] and "printed",
        "die": lambda _: os._exit(1),
        "nothing": lambda _: "done",
    }


if __name__ == "__main__":
    known = attempts()
    serve(lambda: lambda word, data: str(known[word.replace("_", " ")](data.decode())))
