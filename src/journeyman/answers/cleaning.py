"""What a local model returns is data from an untrusted writer: what no reader sees is removed.

Terminal escapes, control characters, bidirectional overrides, zero-width and tag characters can
hide instructions from a person that a model still reads (Unicode TR36, "Trojan Source").
"""

from __future__ import annotations

import re

_ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC: titles, links
    r"|[\x1b\x9b]\[?[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
)
_HIDDEN = re.compile(
    "["
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # control characters, but tab and line feed
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff9-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\ud800-\udfff"  # lone surrogates
    "]"
)
# Joiners and emoji selectors carry meaning between non-ASCII characters, and hide data elsewhere.
_STRAY_JOINER = re.compile(
    r"(?<![^\x00-\x7f])[\u200c\u200d]+|[\u200c\u200d]+(?![^\x00-\x7f])|(?<=[\u200c\u200d])[\u200c\u200d]+"
)
_STRAY_SELECTOR = re.compile(
    r"(?<![^\x00-\x7f])[\ufe0e\ufe0f](?!\u20e3)|(?<=[\ufe0e\ufe0f])[\ufe0e\ufe0f]+"
)


def clean(text: str) -> tuple[str, int]:
    """Remove what no reader sees; line ends become line feeds.

    Returns:
        The text, and how many characters were removed (line ends do not count).
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    cleaned = text
    if not text.isascii() or _HIDDEN.search(text):
        for pattern in (_ESCAPES, _HIDDEN, _STRAY_JOINER, _STRAY_SELECTOR):
            cleaned = pattern.sub("", cleaned)
    return cleaned, len(text) - len(cleaned)
