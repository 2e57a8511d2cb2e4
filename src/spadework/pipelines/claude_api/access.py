"""The key for the Claude API: your own, from `ANTHROPIC_API_KEY` or the file that the config names.

Nothing else is taken: no subscription's token, no `ANTHROPIC_AUTH_TOKEN`, no login of Claude Code.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spadework.claude_code.json_files import is_credential_file
from spadework.config.secret_masking import SUBSCRIPTION_PREFIX
from spadework.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spadework.config.pipeline_config import ClaudeApiConfig

KEY_VARIABLE = "ANTHROPIC_API_KEY"
ADDRESS_VARIABLE = "ANTHROPIC_BASE_URL"
HEADERS_VARIABLE = "ANTHROPIC_CUSTOM_HEADERS"
ADDRESS = "https://api.anthropic.com"
STAND_IN_KEY = "stand-in-no-key"
"""What a stand-in on this machine is sent in place of a key."""

_AUTH_HEADERS = frozenset({"authorization", "proxy-authorization", "x-api-key", "cookie", "host"})


@dataclass(frozen=True, slots=True)
class Access:
    """The API's URL and key; the key never appears in a `repr`."""

    address: str
    key: str = field(repr=False)


def access(config: ClaudeApiConfig, environment: Mapping[str, str] | None = None) -> Access:
    """Find the address and the key; nothing is sent.

    Raises:
        ConfigError: the key is missing or must not be used here, or the environment points
            elsewhere than at Anthropic.
    """
    environment = os.environ if environment is None else environment
    _check_headers(environment)
    if config.test_url:
        return Access(config.test_url, STAND_IN_KEY)
    _check_address(environment)
    return Access(ADDRESS, _key(config, environment))


def has_key(config: ClaudeApiConfig, environment: Mapping[str, str] | None = None) -> bool:
    """Tell whether Claude can be asked: there is a key, or a stand-in.

    Raises:
        ConfigError: what is set as the key must not be used; falling back to a local model
            must not hide that.
    """
    environment = os.environ if environment is None else environment
    if not config.test_url and not _given(config, environment):
        return False
    access(config, environment)
    return True


def _given(config: ClaudeApiConfig, environment: Mapping[str, str]) -> bool:
    if environment.get(KEY_VARIABLE, "").strip():
        return True
    return config.api_key_file is not None and config.api_key_file.exists()


def _check_address(environment: Mapping[str, str]) -> None:
    given = environment.get(ADDRESS_VARIABLE, "").strip()
    if given and given.rstrip("/") != ADDRESS:
        raise ConfigError(
            f"{ADDRESS_VARIABLE} points elsewhere than at {ADDRESS}: your key is sent to "
            "nobody else, so nothing was sent",
            hint=f"unset {ADDRESS_VARIABLE}; claude_api.test_url names a stand-in on this machine",
        )


def _check_headers(environment: Mapping[str, str]) -> None:
    for line in environment.get(HEADERS_VARIABLE, "").splitlines():
        name = line.partition(":")[0].strip().lower()
        if name in _AUTH_HEADERS:
            raise ConfigError(
                f"{HEADERS_VARIABLE} sets the header {name}, which would go in place of your key; "
                "nothing was sent",
                hint=f"take {name} out of {HEADERS_VARIABLE}",
            )


def _key(config: ClaudeApiConfig, environment: Mapping[str, str]) -> str:
    if key := environment.get(KEY_VARIABLE, "").strip():
        return _checked(key, KEY_VARIABLE)
    file = config.api_key_file
    if file is None:
        raise ConfigError(
            "no API key for Claude was found",
            hint=f"set {KEY_VARIABLE} to an API key from the Claude Console, or "
            "claude_api.api_key_file; a Claude subscription is none",
        )
    if is_credential_file(file):
        raise ConfigError(
            f"claude_api.api_key_file names the client's login {file}, which is for Claude Code "
            "alone",
            hint="name a file with an API key from the Claude Console",
        )
    try:
        first = file.read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ConfigError(
            f"claude_api.api_key_file {file} cannot be read: {reason}",
            hint=f"write the key into its first line, or set {KEY_VARIABLE}",
        ) from None
    if not first:
        raise ConfigError(
            f"the first line of claude_api.api_key_file {file} is empty",
            hint=f"write the key into it, or set {KEY_VARIABLE}",
        )
    return _checked(first, f"claude_api.api_key_file {file}")


def _checked(key: str, where: str) -> str:
    if SUBSCRIPTION_PREFIX in key:
        raise ConfigError(
            f"{where} holds the token of a Claude subscription, which is for Claude Code alone; "
            "nothing was sent",
            hint="put an API key from the Claude Console in its place; it is billed by itself",
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(
            f"{where} holds no key: there are characters in it that no key has",
            hint="copy the key anew from the Claude Console",
        )
    return key
