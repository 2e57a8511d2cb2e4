"""Secrets in texts are found by their form; what is said of one never shows it."""

import base64
import json
import random
import string
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spadework.errors import SecretRefused
from spadework.references.secret_detectors import detectors, is_placeholder
from spadework.references.secret_scan import MOST_FOUND, find_secrets, refuse_secrets

LETTERS = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
BASE32 = string.ascii_uppercase + "234567"


def some(length, alphabet=LETTERS, seed=7):
    """Give random characters, so that no scanner takes this file for one that leaks."""
    return "".join(random.Random(f"{seed}{length}{alphabet}").choices(alphabet, k=length))


def signed_token():
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": some(12), "name": "a"})
    packed = [base64.urlsafe_b64encode(json.dumps(one).encode()).decode() for one in parts]
    return ".".join(one.rstrip("=") for one in [*packed, some(43)])


def private_key(kind="", before="", line_end="\n"):
    rows = [f"-----BEGIN {kind}PRIVATE" + " KEY-----", some(64), some(64)]
    return line_end.join(before + row for row in rows)


def bot_token():
    number = base64.urlsafe_b64encode(b"123986427501938274").decode().rstrip("=")
    return f"{number}.{some(6)}.{some(27)}"


SECRETS = {
    "AWS access key": "AKIA" + some(16, BASE32),
    "AWS secret key": "aws_secret_access_key = " + some(40),
    "AWS Access Key": f'AWS_SECRET_KEY: "{some(40)}"',
    "Azure Storage Account access key": "AccountKey=" + some(86) + "==",
    "Cloudant Credentials": f"cloudant_password = {some(64, HEX)}",
    "Discord Bot Token": bot_token(),
    "GitHub token": "ghp_" + some(36),
    "GitLab token": "glpat-" + some(20),
    "IBM COS HMAC Credentials": f"cos_hmac_secret_access_key: {some(48, HEX)}",
    "JSON Web Token": signed_token(),
    "Mailchimp Access Key": some(32, HEX) + "-us14",
    "OpenAI key": f"sk-proj-{some(74)}T3BlbkFJ{some(74)}",
    "PyPI Token": "pypi-AgEIcHlwaS5vcmc" + some(80),
    "SendGrid API Key": f"SG.{some(22)}.{some(43)}",
    "Slack Token": f"xoxb-{some(12, string.digits)}-{some(12, string.digits)}-{some(24)}",
    "SoftLayer Credentials": f"softlayer_api_key: {some(64, HEX)}",
    "Square OAuth Secret": "sq0csp-" + some(43),
    "Stripe Access Key": "sk_live_" + some(24),
    "Telegram bot token": f"{some(10, '123456789')}:AA{some(33)}",
    "Twilio key": "SK" + some(32, HEX),
    "password in a URL": f"postgres://app:{some(14)}@db.internal:5432/orders",
    "private key": private_key("RSA "),
    "private key in base64": base64.b64encode(private_key("EC ").encode()).decode(),
    "Anthropic key": f"sk-ant-api03-{some(93)}AA",
    "OpenRouter key": "sk-or-v1-" + some(64, HEX),
    "Hugging Face token": "hf_" + some(34),
    "xAI key": "xai-" + some(80),
    "Groq key": "gsk_" + some(52),
    "Google API key": "AIza" + some(35),
    "npm token": "npm_" + some(36),
    "Docker token": "dckr_pat_" + some(27),
    "HashiCorp Vault token": "hvs." + some(90),
    "Terraform Cloud token": f"{some(14)}.atlasv1.{some(67)}",
    "age secret key": "AGE-SECRET-KEY-1" + some(58, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"),
    "Tailscale key": f"tskey-auth-{some(12)}CNTRL-{some(32)}",
    "WireGuard key": f"PrivateKey = {some(43)}=",
    "password hash of a system's user": f"root:$6${some(12)}${some(86)}:19000:0:99999:7:::",
    "DigitalOcean token": "dop_v1_" + some(64, HEX),
    "Databricks token": "dapi" + some(32, HEX),
    "Shopify token": "shpat_" + some(32, HEX),
    "Linear key": "lin_api_" + some(40),
    "Grafana token": f"glsa_{some(32)}_{some(8, HEX)}",
    "Postman key": f"PMAK-{some(24, HEX)}-{some(34, HEX)}",
}


def kinds(text):
    return {one.kind for one in find_secrets("a.txt", text)}


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_found_where_it_is_and_never_shown(kind):
    secret = SECRETS[kind]
    text = f"one\n\ntwo\nvalue = {secret}\nthree\n"
    if secret.startswith(("-----", "root:")):
        text = f"one\n\ntwo\n{secret}\nthree\n"
    found = find_secrets("deploy/notes.md", text, first_line=11)
    assert kind in {one.kind for one in found}
    assert {(one.label, one.line) for one in found} == {("deploy/notes.md", 14)}
    with pytest.raises(SecretRefused) as raised:
        refuse_secrets("deploy/notes.md", text, first_line=11)
    said = f"{raised.value} {raised.value.hint}"
    assert said.startswith("deploy/notes.md:14: ")
    assert not any(part in said for part in secret.split() if len(part) > 20)


@pytest.mark.parametrize(
    "before", ['"', "'", "(", "=", ": ", "+", "-", "> ", "  12 | ", "\t", "@", "`"]
)
@pytest.mark.parametrize("after", ['"', "'", ")", ",", "\r", " # mine", "\\n", "`", ";"])
def test_what_stands_beside_a_secret_does_not_hide_it(before, after):
    for kind in ("GitHub token", "Anthropic key", "AWS access key", "GitLab token", "OpenAI key"):
        assert kind in kinds(before + SECRETS[kind] + after)


@pytest.mark.parametrize(
    "text",
    [
        private_key(),
        private_key("OPENSSH "),
        private_key("ENCRYPTED ", before="    "),
        private_key("RSA ", before="+"),
        private_key("RSA ", before="> "),
        private_key("EC ", before="# "),
        private_key("EC ", line_end="\\n"),
        private_key("DSA ", line_end="\r\n"),
        "\n".join(f"{n:4} | {row}" for n, row in enumerate(private_key("RSA ").split("\n"), 8)),
        private_key("PGP ").replace("KEY-----", "KEY BLOCK-----\n\nVersion: GnuPG v2"),
    ],
)
def test_a_private_key_is_found_in_a_quotation_a_diff_and_numbered_lines(text):
    assert kinds("text\n" + text) == {"private key"}


@pytest.mark.parametrize(
    "text",
    [
        "if text.startswith('-----BEGIN RSA PRIVATE" + " KEY-----'):\n    raise ValueError\n",
        "-----BEGIN PRIVATE" + " KEY-----\n...\n-----END PRIVATE" + " KEY-----\n",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_" + "x" * 36,
        "ghp_" + "0" * 36,
        "sk-ant-api03-your-key-here",
        "sk-" + "X" * 48,
        "export OPENAI_API_KEY=sk-...",
        "https://user:password@host/path",
        "https://user:{password}@db.internal/",
        "https://user:${PASSWORD}@db.internal/",
        "https://user:$PASSWORD@db.internal/",
        "https://user:%s@db.internal/",
        "https://<user>:<password>@db.internal/",
        "https://me:letmypass@example.com/",
        "postgresql://postgres:postgres@db:5432/x",
        "see http://[::1]:8080/@scope/package and ssh://git@host:22/x",
        "commit 3f786850e387550fdab836ed7e6dc881de23001b",
        "sha512-" + some(86) + "==",
        "id: 123e4567-e89b-12d3-a456-426614174000",
        "skill-based-routing sk-navigation-bar-item-with-a-long-css-class-name",
        "_ASIAN_LANGUAGES_OF_THE_WORLD_ALL = 1",
        "AC" + some(32, HEX),
        "NotImplementedErrorHandler.method.function_with_a_long_name_in_it",
    ],
)
def test_what_only_looks_like_a_secret_is_let_through(text):
    assert kinds(text) == set()


def test_every_form_of_a_vendor_is_found():
    for prefix in ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"):
        assert kinds(prefix + some(36)) == {"GitHub token"}
    assert kinds(f"github_pat_{some(22)}_{some(59)}") == {"GitHub token"}
    for prefix in ("glpat-", "gldt-", "glrt-", "glagent-"):
        assert kinds(prefix + some(50)) == {"GitLab token"}
    for prefix in ("sk_live_", "rk_live_", "sk_test_", "rk_test_", "whsec_"):
        assert kinds(prefix + some(40)) & {"Stripe key", "Stripe Access Key"}


def test_what_a_text_says_of_itself_is_not_believed():
    line = f"token = '{SECRETS['GitHub token']}'  # pragma: allowlist secret, gitleaks:allow, nosec"
    assert kinds(line) == {"GitHub token"}


@pytest.mark.parametrize("at", [0, 100, 3500, 4060, 4096, 7000, 65_500, 65_536, 140_000])
def test_neither_a_long_line_nor_the_end_of_a_block_hides_a_secret(at):
    secret = SECRETS["Anthropic key"]
    for filler in ("a ", "a\n", "(){};"):
        before = (filler * at)[:at]
        text = before + " " + secret + " " + filler * 40_000
        found = find_secrets("x.js", text)
        assert [(one.line, one.kind) for one in found] == [
            (before.count("\n") + 1, "Anthropic key")
        ]


def test_a_text_full_of_secrets_is_refused_after_a_bounded_number():
    text = "\n".join(f"ghp_{some(36, seed=seed)}" for seed in range(500))
    found = find_secrets("x", text)
    assert len(found) == MOST_FOUND
    assert [one.line for one in found] == list(range(1, MOST_FOUND + 1))
    keys = "\n".join([private_key("RSA ")] * 500)
    assert len(find_secrets("x", keys)) == MOST_FOUND


MEGABYTE = 1 << 20
SLOW_FOR_SOMEBODY = {
    "blanks around an assignment": "cloudant_key" + " " * MEGABYTE + "x",
    "tabs": ("secret_access_key" + "\t" * 4000 + "\n") * 250,
    "token beginnings": "eyJ" * (MEGABYTE // 3),
    "segments": "eyJaaaaaaaaaa." * (MEGABYTE // 14),
    "prefixes": "sk-" * (MEGABYTE // 3) + "T3BlbkFJ",
    "slashes": "/" * MEGABYTE + ":_authToken=",
    "urls": "://a:bbb@" * (MEGABYTE // 9),
    "one url": "://" + "a:" * (MEGABYTE // 2),
    "key markers": ("-----BEGIN PRIVATE" + " KEY-----") * (MEGABYTE // 27),
    "dashes": "-----BEGIN PRIVATE" + " KEY" + "-" * MEGABYTE,
    "empty lines": "\n" * MEGABYTE,
    "all keywords": " ".join(word for one in detectors() for word in one.keywords) * 600,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW_FOR_SOMEBODY)
def test_no_text_takes_more_than_linear_time(name):
    start = time.process_time()
    find_secrets("x", SLOW_FOR_SOMEBODY[name][: MEGABYTE + 100])
    assert time.process_time() - start < 30  # 1 MB; it is done in a second or so


def test_every_detector_finds_nothing_without_one_of_its_keywords():
    samples = [*SECRETS.values(), *(f"x = '{secret}'" for secret in SECRETS.values())]
    for detector in detectors():
        for sample in samples:
            if detector.finds(sample):
                assert any(word in sample.lower() for word in detector.keywords)


@given(st.text(max_size=300), st.text(max_size=300), st.sampled_from(sorted(SECRETS)))
@settings(deadline=None)
def test_any_text_around_a_secret_neither_breaks_the_scan_nor_hides_it(before, after, kind):
    found = find_secrets("x", f"{before}\n{SECRETS[kind]}\n{after}")
    assert (before.count("\n") + 2, kind) in {(one.line, one.kind) for one in found}


@given(st.text(max_size=2000))
@settings(deadline=None)
def test_any_text_is_scanned(text):
    for one in find_secrets("x", text):
        assert 1 <= one.line <= text.count("\n") + 1


@pytest.mark.parametrize("value", ["{password}", "<token>", "${TOKEN}", "abcdefghijkl", "*" * 20])
def test_placeholders_are_known(value):
    assert is_placeholder(value)
