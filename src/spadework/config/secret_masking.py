"""What looks like a secret, so that it is neither accepted in a config file nor ever shown."""

from __future__ import annotations

import re

from spadework.shim import rendezvous

SUBSCRIPTION_PREFIX = rendezvous.SUBSCRIPTION_PREFIX
SUBSCRIPTION_VARIABLES = frozenset({"CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_OAUTH_REFRESH_TOKEN"})

_NAME = re.compile(r"key|token|passw|secret|bearer|authoriz|credential", re.IGNORECASE)
# How the keys begin that providers give out.
_MARKED = r"(?:sk[-_]|(?:pk|gsk|hf|ghp|xai|nvapi)[-_](?=[\w-]{20}))[\w-]"
_UNMARKED = r"(?=[\w-]*[a-z])(?=[\w-]*\d)[\w-]{32,}"  # hexadecimal and base64
_VALUE = re.compile(rf"{_MARKED}{{8,}}")
_ANY_VALUE = re.compile(rf"{_MARKED}{{8,}}|{_UNMARKED}")
_IN_TEXT = re.compile(rf"(?<![\w-])(?:{_MARKED}+|{_UNMARKED})")


def is_secret_name(name: str) -> bool:
    """Tell whether a key's name promises a secret: `api_key`, `token`, `password`, …."""
    return bool(_NAME.search(name))


def is_secret_value(value: str) -> bool:
    """Tell whether a value begins like the keys that providers give out: `sk-…`, `hf_…`."""
    return bool(_VALUE.fullmatch(value.strip()))


def may_be_secret_value(value: str) -> bool:
    """Tell the same, and whether it could be a key without such a beginning."""
    return bool(_ANY_VALUE.fullmatch(value.strip()))


def masked(text: str) -> str:
    """Return the text with whatever could be a key taken out of it."""
    return _IN_TEXT.sub("***", text)
