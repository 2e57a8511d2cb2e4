"""Private keys in files that a patch shows a part of: that part may lie inside the key."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from spadework.references.credential_files import holds_private_key
from spadework.references.git.command import LARGEST_COMPARED
from spadework.references.git.limited_process import GitTooBig
from spadework.references.roots import open_below

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from spadework.references.git.command import Git


def blobs_with_keys(git: Git, hashes: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Look for private keys in blobs.

    Args:
        git: of the repository.
        hashes: of the blobs, in full.

    Returns:
        The hashes of those that hold one, and those that the repository does not have.

    Raises:
        GitTooBig: a blob is larger than what git compares; other errors as in `Git.run`.
    """
    wanted = list(dict.fromkeys(hashes))
    if not wanted:
        return frozenset(), frozenset()
    found: set[str] = set()
    missing: set[str] = set()
    given = "".join(f"{one}\n" for one in wanted).encode()
    with git.stream("cat-file", "--batch", given=given) as printed:
        while head := printed.readline(256).decode().split():
            name = head[0]
            if head[1] == "missing":
                missing.add(name)
                continue
            size = int(head[2])
            if size > LARGEST_COMPARED:
                raise GitTooBig
            if _holds_key(printed.read(size + 1)[:size]):
                found.add(name)
    return frozenset(found), frozenset(missing)


def reason_against_file(top: Path, path: str) -> str:
    """Why a file of the work tree may not be shown in part; empty if it may."""
    try:
        mode = (top / path).lstat().st_mode
        if not stat.S_ISREG(mode):
            return ""  # a link's target or a submodule's commit
        with open_below(top, top / path) as stream:
            data = stream.read(LARGEST_COMPARED + 1)
    except (OSError, ValueError):
        return "changed while it was being read"
    return "it holds a private key" if _holds_key(data) else ""


def _holds_key(data: bytes) -> bool:
    plain = data.replace(b"\0", b"")  # the marker is ASCII, also in UTF-16
    return b"PRIVATE KEY" in plain and holds_private_key(plain.decode("latin-1"))
