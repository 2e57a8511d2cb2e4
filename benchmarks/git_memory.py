"""What git may take of this machine for a small repository that was made to hold a lot.

Four repositories are written, each of a megabyte or so: two versions of a file of zeros, of a file
of line ends and of a commit message, and packs in which each object is twice the one before. Each
reference is read in a process of its own; the baseline is git itself with the same arguments, which
takes up to 45 bytes of memory for each byte: mind what the machine has. Target: no more than the
limit of one git, its code and the part of a pack that it maps.

    python benchmarks/git_memory.py [MEGABYTES] [--without-baseline]
"""

from __future__ import annotations

import hashlib
import multiprocessing
import resource
import shlex
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

from spadework.config.models import ReferencesConfig
from spadework.errors import ReferenceRefused
from spadework.references.reader import read_references
from spadework.references.roots import Roots

MOST = 700 << 20  # bytes: git's limit, its code, and the part of a pack that it maps
CASES = ("zeros", "lines", "message", "deltas")
REFERENCES = ("git:diff HEAD~1", "git:show HEAD", "git:show HEAD:big", "git:log -p")
_BLOB, _REF_DELTA = 3, 7


def main() -> int:
    """Print the table; 1 if a target is missed."""
    numbers = [one for one in sys.argv[1:] if one.isdecimal()]
    megabytes = int(numbers[0]) if numbers else 64
    readers = (_ours,) if "--without-baseline" in sys.argv else (_plainly, _ours)
    processes = multiprocessing.get_context("forkserver")  # it imports this file once
    missed = 0
    print(f"{megabytes} MB in each\n{'':36}{'MB':>7}{'seconds':>9}  ended with")
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            project = Path(folder)
            make(project, case, megabytes << 20)
            size = sum(one.stat().st_size for one in project.rglob("*") if one.is_file()) / 1e6
            print(f"{case}, {size:.1f} MB on disk")
            for reference in REFERENCES:
                for read in readers:
                    with processes.Pool(1) as pool:
                        most, seconds, ended = pool.apply(read, (folder, reference))
                    missed += read is _ours and most > MOST
                    who = "" if read is _ours else "git alone: "
                    print(f"  {who + reference:34}{most / 1e6:7.0f}{seconds:9.1f}  {ended[:70]}")
    return 1 if missed else 0


def make(project: Path, case: str, size: int) -> None:
    """Write a repository with two commits, of which each has the file `big`."""
    _git(project, "init", "-qb", "main")
    parent: tuple[str, ...] = ()
    for version in (b"0", b"1"):
        if case == "deltas":
            blob = _pack_of_deltas(project, size, version)
        else:
            content = {"zeros": b"\0" * size, "lines": b"\n" * size}.get(case, b"x\n")
            blob = _object(project, b"blob", content + version + b"\n")
        tree = _object(project, b"tree", b"100644 big\0" + bytes.fromhex(blob))
        message = b"x" * (size if case == "message" else 1)
        who = b"A <a@example.org> 0 +0000"
        lines = [b"tree " + tree.encode(), *(b"parent " + one.encode() for one in parent)]
        lines += [b"author " + who, b"committer " + who, b"", message + b"\n"]
        parent = (_object(project, b"commit", b"\n".join(lines)),)
    (project / ".git/refs/heads/main").write_text(f"{parent[0]}\n")


def _object(project: Path, kind: bytes, content: bytes) -> str:
    """Write a loose object."""
    head = kind + b" %d\0" % len(content)
    whole = hashlib.sha1(head, usedforsecurity=False)
    whole.update(content)
    name = whole.hexdigest()
    path = project / ".git/objects" / name[:2] / name[2:]
    path.parent.mkdir(exist_ok=True)
    squeezed = zlib.compressobj(1)
    path.write_bytes(squeezed.compress(head) + squeezed.compress(content) + squeezed.flush())
    return name


def _pack_of_deltas(project: Path, size: int, version: bytes) -> str:
    """Write a pack whose objects are each twice the one before, and return the last one's name."""
    content = version * 1024
    entries = [_entry(_BLOB, len(content), zlib.compress(content))]
    name = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
    while len(content) < size:
        delta = _number(len(content)) + _number(2 * len(content)) + 2 * _copies(len(content))
        data = name.digest() + zlib.compress(delta)
        entries.append(_entry(_REF_DELTA, len(delta), data))
        content += content
        name = hashlib.sha1(b"blob %d\0" % len(content), usedforsecurity=False)
        name.update(content)
    body = b"PACK" + struct.pack(">II", 2, len(entries)) + b"".join(entries)
    pack = body + hashlib.sha1(body, usedforsecurity=False).digest()
    path = project / ".git/objects/pack" / f"pack-{version.hex() * 20}.pack"
    path.write_bytes(pack)
    _git(project, "index-pack", str(path))
    return name.hexdigest()


def _entry(kind: int, size: int, data: bytes) -> bytes:
    head = [kind << 4 | size & 15]
    size >>= 4
    while size:
        head[-1] |= 128
        head.append(size & 127)
        size >>= 7
    return bytes(head) + data


def _number(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def _copies(size: int) -> bytes:
    """Instructions that copy the whole base, at most 0xffff00 bytes each."""
    found, at = b"", 0
    while at < size:
        length = min(size - at, 0xFFFF00)
        found += b"\xff" + struct.pack("<I", at) + struct.pack("<I", length)[:3]
        at += length
    return found


def _git(project: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=project, check=True, stdout=subprocess.DEVNULL)


def _plainly(folder: str, reference: str) -> tuple[int, float, str]:
    """Run git as it is; its memory in bytes, its seconds, how it ended."""
    command = ["git", *shlex.split(reference.removeprefix("git:"))]
    started = time.monotonic()
    nothing = subprocess.DEVNULL
    done = subprocess.run(command, cwd=folder, check=False, stdout=nothing, stderr=nothing)
    return _most(), time.monotonic() - started, f"status {done.returncode}"


def _ours(folder: str, reference: str) -> tuple[int, float, str]:
    started = time.monotonic()
    try:
        (source,) = read_references(
            [reference], roots=Roots.of(folder), limits=ReferencesConfig()
        ).sources
        ended = f"{source.bytes} bytes"
    except ReferenceRefused as error:
        ended = str(error).rpartition("refused: ")[2]
    return _most(), time.monotonic() - started, ended


def _most() -> int:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


if __name__ == "__main__":
    sys.exit(main())
