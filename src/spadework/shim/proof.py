"""Mutual authentication over loopback TCP, where any user may listen or connect.

Each side names a number used once; the other shows by it that it knows the token of the port file,
which itself is never sent. Apart from the rest, because only TCP pays for these imports.
"""

from __future__ import annotations

import hashlib
import hmac
import os

DAEMON = "daemon"
VISITOR = "visitor"

_BYTES = 16


def nonce() -> str:
    """Return a number that is used once, in hex."""
    return os.urandom(_BYTES).hex()


def proof(token: str, side: str, visitors: str, daemons: str) -> str:
    """Return what shows that a side knows the token.

    Args:
        token: of the port file.
        side: `DAEMON` or `VISITOR`; so that neither can be answered with its own words.
        visitors: the client's nonce.
        daemons: the daemon's nonce.
    """
    said = f"{side} {visitors} {daemons}".encode(errors="replace")  # ours has no spaces
    return hmac.new(token.encode(), said, hashlib.sha256).hexdigest()


def is_proof(told: object, expected: str) -> bool:
    """Compare what was told with what it must be; the time it takes tells nothing."""
    said = told.encode(errors="replace") if isinstance(told, str) else b""
    return hmac.compare_digest(said, expected.encode())
