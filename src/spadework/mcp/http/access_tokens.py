"""The bearer tokens of clients on other machines; only their hashes are stored."""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from spadework.errors import ArgumentError, ConfigError
from spadework.shim.file_lock import try_lock
from spadework.util.paths import data_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BEARER = "bearer "
"""What the identity of a token's bearer begins with."""
_PREFIX = "sw_"
_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LOCK_SECONDS = 5.0
_SECONDS_BETWEEN_TRIES = 0.01


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What is kept of a token: its owner's name, the hash in hex, and the day in ISO 8601."""

    name: str
    sha256: str
    created: str

    @property
    def identity(self) -> str:
        """What belongs to its bearer is known by this; a new token of the same name has another."""
        return BEARER + self.sha256


class TokenStore:
    """The file of tokens. What another process changes in it counts from the next look on.

    Args:
        path: the file; None for `tokens.json` in the data folder.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or data_folder() / "tokens.json"
        self._seen: tuple[int, int, int] | None = None
        self._known: tuple[AccessToken, ...] = ()

    def all(self) -> tuple[AccessToken, ...]:
        """Every token, the oldest first.

        Raises:
            ConfigError: the file cannot be read, or is none of ours.
        """
        try:
            status = self.path.stat()
            seen = status.st_mtime_ns, status.st_size, status.st_ino
            if seen != self._seen:
                self._known = _parsed(self.path.read_bytes())
                self._seen = seen
        except FileNotFoundError:
            self._seen, self._known = None, ()
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from None
        except (ValueError, TypeError, KeyError, RecursionError):
            raise self._unusable("it does not hold tokens") from None
        return self._known

    def new(self, name: str = "") -> tuple[AccessToken, str]:
        """Make a token.

        Args:
            name: whose it is; empty for a free one.

        Returns:
            What is kept of it, and the token itself, which nobody can tell again.

        Raises:
            ArgumentError: the name is taken or invalid.
        """
        secret = _PREFIX + secrets.token_urlsafe(_BYTES)
        with self._locked():
            known = self.all()
            name = _checked(name, {one.name for one in known})
            today = datetime.now(UTC).date().isoformat()
            token = AccessToken(name, _hash(secret), today)
            self._write((*known, token))
        return token, secret

    def revoke(self, name: str) -> None:
        """Forget a token; who presents it from now on is refused.

        Raises:
            ArgumentError: there is none of that name.
        """
        with self._locked():
            known = self.all()
            left = tuple(one for one in known if one.name != name)
            if len(left) == len(known):
                names = ", ".join(one.name for one in known) or "there is none"
                raise ArgumentError(f"no such token: {name!r}", hint=f"the tokens: {names}")
            self._write(left)

    def find(self, presented: str) -> AccessToken | None:
        """Find what is kept of a token; None if it is nobody's. The time it takes tells nothing.

        Raises:
            ConfigError: the file cannot be read.
        """
        presented_hash = _hash(presented)
        found = None
        for token in self.all():  # all of them, each compared to its last character
            if hmac.compare_digest(token.sha256, presented_hash):
                found = token
        return found

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            opened = _wait_for_lock(f"{self.path}.lock")
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            yield
        finally:
            os.close(opened)

    def _write(self, tokens: Sequence[AccessToken]) -> None:
        """Put a whole new file in the old one's place, readable for its owner alone."""
        text = json.dumps({"tokens": [asdict(one) for one in tokens]}, indent=2) + "\n"
        try:
            descriptor, written = tempfile.mkstemp(dir=self.path.parent, prefix=".tokens-")
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(descriptor)
            Path(written).replace(self.path)
        except OSError as error:
            with suppress(OSError):
                Path(written).unlink()
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> ConfigError:
        return ConfigError(
            f"{self.path} cannot be written: {error.strerror or error}",
            hint="free disk space or fix the folder's permissions; existing tokens stay valid",
        )

    def _unusable(self, reason: str) -> ConfigError:
        return ConfigError(
            f"{self.path}: {reason}", hint="fix or remove it, then `spadework token new`"
        )


def _hash(secret: str) -> str:
    return sha256(secret.encode(errors="surrogateescape")).hexdigest()


def _parsed(text: bytes) -> tuple[AccessToken, ...]:
    tokens = tuple(AccessToken(**entry) for entry in json.loads(text)["tokens"])
    if not all(isinstance(text, str) and text.isascii() for one in tokens for text in _texts(one)):
        raise ValueError
    return tokens


def _texts(token: AccessToken) -> tuple[object, ...]:
    return token.name, token.sha256, token.created


def _checked(name: str, taken: set[str]) -> str:
    if not name:
        return next(
            one for number in range(1, len(taken) + 2) if (one := f"token-{number}") not in taken
        )
    if not _NAME.fullmatch(name):
        raise ArgumentError(
            f"{name!r} is not a valid token name",
            hint="letters, digits, dots, dashes and underscores, at most 64",
        )
    if name in taken:
        raise ArgumentError(
            f"there is a token {name!r} already",
            hint=f"choose another name, or `spadework token revoke {name}` first",
        )
    return name


def _wait_for_lock(path: str) -> int:
    """Acquire the lock; others hold it for milliseconds only."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while (opened := try_lock(path)) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(0, f"somebody holds {path} for more than {_LOCK_SECONDS:.0f} s")
        time.sleep(_SECONDS_BETWEEN_TRIES)
    return opened
