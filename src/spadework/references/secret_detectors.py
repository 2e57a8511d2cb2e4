"""The formats of secrets that are known with high confidence.

Detectors come from detect-secrets 1.5 (Yelp, Apache 2.0), those whose format is specific enough to
refuse a text for it: none for entropy or for words such as "password". Formats that it lacks, or
that take it more than linear time, are in `secret_formats`. To import this module costs what
detect-secrets does, about 0.3 s.

Every detector names keywords of which each of its secrets holds one, so that ordinary text is
passed over at the speed of one search for all of them.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import re2  # type: ignore[import-untyped]  # it has no stubs
from detect_secrets.filters.heuristic import (
    is_not_alphanumeric_string,
    is_sequential_string,
    is_templated_secret,
)
from detect_secrets.plugins.aws import AWSKeyDetector
from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.plugins.cloudant import CloudantDetector
from detect_secrets.plugins.discord import DiscordBotTokenDetector
from detect_secrets.plugins.ibm_cos_hmac import IbmCosHmacDetector
from detect_secrets.plugins.jwt import JwtTokenDetector
from detect_secrets.plugins.mailchimp import MailchimpDetector
from detect_secrets.plugins.pypi_token import PypiTokenDetector
from detect_secrets.plugins.sendgrid import SendGridDetector
from detect_secrets.plugins.slack import SlackDetector
from detect_secrets.plugins.softlayer import SoftlayerDetector
from detect_secrets.plugins.square_oauth import SquareOAuthDetector
from detect_secrets.plugins.stripe import StripeDetector

from spadework.references.secret_formats import FORMATS

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

_ALWAYS_FOUND = b" end of text"
_AUTOMATON_BYTES = 32 << 20
_FEWEST_CHARACTERS = 8
"""A token of fewer different characters is a placeholder: `ghp_xxxxxxxx…`."""
_AWS_SECRET = 40  # characters
_WORD_CHARACTER = re.compile(r"[A-Za-z0-9_]")
_PLACEHOLDER = re.compile(
    r"example|placeholder|redacted|dummy|your[-_]|xxxx|\.\.\.|\*\*\*|1234567890|0123456789"
    r"|0000000|abcdefgh",
    re.IGNORECASE,
)
_PLACEHOLDER_WORDS = """
password passwd passphrase pass pwd pw secret token key apikey api_key api-key changeme test testing
foo bar baz user username guest anonymous admin root postgres mysql redis mongo rabbitmq pa55 mypass
mypassword my_password userpass pass123 hunter2 xx xxx hidden none null psw passw0rd auth abc abc123
x-oauth-basic x-access-token token_value access_token the_password some_password yourpassword pypi
db_password pass1 pass2 password1 password2 sekret s3cret letmein tiger qwerty 123 1234 12345 123456
hello world proxy-pass proxypass basic_auth dbpass
"""
_PLACEHOLDER_PASSWORDS = frozenset(_PLACEHOLDER_WORDS.split())
_NO_HOST = re.compile(
    r"(?:^|\.)example(?:\.\w+)?$|\.(?:test|invalid|example|localdomain)$"
    r"|^(?:host|hostname|server|proxy|domain|site|localhost|127\.0\.0\.1|0\.0\.0\.0)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, eq=False)
class Detector:
    """A plugin of detect-secrets, and the lower-case keywords without which it finds nothing."""

    plugin: RegexBasedDetector
    keywords: tuple[str, ...]

    @property
    def kind(self) -> str:
        """What it finds, for the message."""
        return str(self.plugin.secret_type)

    def may_find(self, text: str) -> bool:
        """Tell whether lines of a text are worth looking at one by one."""
        return any(pattern.search(text) for pattern in self.plugin.denylist)

    def finds(self, piece: str) -> bool:
        """Tell whether a piece of a line holds such a secret, placeholders apart."""
        return any(not is_placeholder(value) for value in self.plugin.analyze_string(piece))


class TokenFormat(RegexBasedDetector):
    """A format that detect-secrets does not know."""

    secret_type = ""
    denylist: Iterable[re.Pattern[str]] = ()

    def __init__(self, kind: str, pattern: str) -> None:
        self.secret_type = kind
        self._pattern = re.compile(pattern)
        self.denylist = (self._pattern,)

    def analyze_string(self, string: str) -> Generator[str, None, None]:
        """Yield the secrets in a piece of a line."""
        for match in self._pattern.finditer(string):
            # Not a lookbehind: a pattern that begins with letters is searched for faster.
            if not (match.start() and _WORD_CHARACTER.match(string, match.start() - 1)):
                yield match[0]


class UrlPassword(RegexBasedDetector):
    """A user's password in a URL; detect-secrets' own takes `user:password@host` for one too."""

    secret_type = "password in a URL"  # noqa: S105 - the name of a kind
    denylist = (
        re.compile(
            r"://([^\s:/?#@\[\]\"'`<>(){}$%|]{0,128}):([^\s/?#@\[\]\"'`<>(){}|]{3,256})@([\w.-]{1,253})"
        ),
    )

    def analyze_string(self, string: str) -> Generator[str, None, None]:
        """Yield the secrets in a piece of a line."""
        for match in self.denylist[0].finditer(string):
            user, password, host = match.groups()
            if _is_password(user, password, host):
                yield password


class SignedToken(RegexBasedDetector):
    """A JSON Web Token with a signature: without one it proves nothing to anybody."""

    secret_type = "JSON Web Token"  # noqa: S105 - the name of a kind
    # Bounded, because detect-secrets' own takes quadratic time where many tokens begin.
    denylist = (re.compile(r"(?<![\w-])eyJ[\w-]{10,4000}\.eyJ[\w-]{10,8000}\.[\w-]{20,2000}"),)

    def analyze_string(self, string: str) -> Generator[str, None, None]:
        """Yield the secrets in a piece of a line."""
        yield from filter(JwtTokenDetector.is_formally_valid, super().analyze_string(string))


class AwsSecretKey(AWSKeyDetector):
    """A quoted secret key; detect-secrets' form of a key's number is met in any base64 too."""

    def analyze_string(self, string: str) -> Generator[str, None, None]:
        """Yield the secrets in a piece of a line."""
        yield from (value for value in super().analyze_string(string) if len(value) == _AWS_SECRET)


class DiscordToken(DiscordBotTokenDetector):
    """A bot's token, whose first part is the bot's number; a dotted name in a program has none."""

    def analyze_string(self, string: str) -> Generator[str, None, None]:
        """Yield the secrets in a piece of a line."""
        for value in super().analyze_string(string):
            if _decoded(value.partition(".")[0]).isdigit():
                yield value


class EncodedPrivateKey(RegexBasedDetector):
    """A private key in base64, as in a kubeconfig or a Kubernetes secret."""

    secret_type = "private key in base64"  # noqa: S105 - the name of a kind
    denylist = (re.compile(r"LS0tLS1CRUdJTi[A-Za-z0-9+/]{50,120}"),)

    def analyze_string(self, string: str) -> Generator[str, None, None]:
        """Yield the secrets in a piece of a line."""
        for value in super().analyze_string(string):
            if "PRIVATE KEY-" in _decoded(value[: len(value) // 4 * 4]):
                yield value


def detectors_for(text: str) -> list[Detector]:
    """Return the detectors that may find something in a text."""
    owners, search = _keyword_search()
    indexes = search.Match(text.encode(errors="replace") + _ALWAYS_FOUND)
    if not indexes:  # out of memory, which the library does not tell from "nothing found"
        return list(detectors())
    named = dict.fromkeys(owner for index in sorted(indexes) if (owner := owners[index]))
    return [one for one in named if one.may_find(text)]


@cache
def _keyword_search() -> tuple[list[Detector | None], re2.Set]:
    """Make one automaton of all keywords; in it, 150 of them cost no more than a few one by one."""
    options = re2.Options()
    options.case_sensitive = False
    options.max_mem = _AUTOMATON_BYTES
    search = re2.Set.SearchSet(options)
    owners: list[Detector | None] = [None]
    search.Add(re.escape(_ALWAYS_FOUND.decode()))
    for detector in detectors():
        for word in detector.keywords:
            search.Add(re.escape(word))
            owners.append(detector)
    search.Compile()
    return owners, search


@cache
def detectors() -> tuple[Detector, ...]:
    """Return all detectors."""
    known = (
        Detector(AwsSecretKey(), ("aws",)),
        Detector(AzureStorageKeyDetector(), ("accountkey=",)),
        Detector(CloudantDetector(), ("cloudant",)),
        Detector(DiscordToken(), (".",)),
        Detector(EncodedPrivateKey(), ("ls0tls1crudjti",)),
        Detector(IbmCosHmacDetector(), ("secret",)),
        Detector(SignedToken(), ("eyj",)),
        Detector(MailchimpDetector(), ("-us",)),
        Detector(PypiTokenDetector(), ("pypi-ag",)),
        Detector(SendGridDetector(), ("sg.",)),
        Detector(SlackDetector(), ("xox", "hooks.slack.com")),
        Detector(SoftlayerDetector(), ("softlayer",)),
        Detector(SquareOAuthDetector(), ("sq0csp-",)),
        Detector(StripeDetector(), ("k_live_",)),
        Detector(UrlPassword(), ("://",)),
    )
    added = tuple(
        Detector(TokenFormat(kind, pattern), tuple(word.lower() for word in words))
        for kind, words, pattern in FORMATS
    )
    return known + added


def is_placeholder(value: str) -> bool:
    """Tell whether a value only shows what a secret looks like."""
    if (
        is_templated_secret(value)
        or is_sequential_string(value)
        or is_not_alphanumeric_string(value)
    ):
        return True
    return bool(_PLACEHOLDER.search(value)) or (
        len(value) > 2 * _FEWEST_CHARACTERS and len(set(value)) < _FEWEST_CHARACTERS
    )


def _is_password(user: str, password: str, host: str) -> bool:
    word = password.lower()
    if word in _PLACEHOLDER_PASSWORDS or word == user.lower() or password.startswith(("$", "%")):
        return False
    return not _NO_HOST.search(host) and not is_placeholder(user)


def _decoded(part: str) -> str:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
