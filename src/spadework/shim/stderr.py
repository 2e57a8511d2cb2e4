"""Writes to standard error without what `print` imports and buffers."""

from __future__ import annotations

import os


def say(text: str) -> None:
    """Write a line to standard error, if anybody listens."""
    try:
        os.write(2, text.encode(errors="replace") + b"\n")
    except OSError:
        return
