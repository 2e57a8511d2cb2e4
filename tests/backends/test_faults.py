from __future__ import annotations

import re
import socket
import threading
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles.asking import DEAD_URL, settings, text
from doubles.contracts import exchange, exchanges
from doubles.openai_compatible import OpenAIDouble
from doubles.plays import Play, compact
from spadework.backends.embedded import EmbeddedBackend
from spadework.backends.error_translation import RequestContext, error_from_response
from spadework.backends.litellm import LiteLLMBackend
from spadework.backends.llama_swap import LlamaSwapBackend
from spadework.backends.ollama import OllamaBackend
from spadework.backends.openai import OpenAIBackend
from spadework.backends.registry import all_kinds
from spadework.errors import (
    AuthFailed,
    BackendError,
    BackendUnavailable,
    BadReply,
    ContextExceeded,
    CoolingDown,
    ModelUnknown,
    Overloaded,
    RequestRejected,
    ServerFailed,
    Unreachable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "sk-local-0123456789"
BACKENDS = {
    "litellm": LiteLLMBackend,
    "llama-swap": LlamaSwapBackend,
    "ollama": OllamaBackend,
    "openai": OpenAIBackend,
}
# Every error that was recorded, and what it must become.
RECORDED = {
    ("litellm", "unknown model"): ModelUnknown,
    ("litellm", "bad key"): AuthFailed,
    ("litellm", "no key"): ServerFailed,  # with a key sent; without: see below
    ("litellm", "down"): ServerFailed,
    ("litellm", "down, cooling"): CoolingDown,
    ("litellm", "backend 500"): ServerFailed,
    ("litellm", "timeout"): ServerFailed,
    ("litellm", "ctx too long embedded"): ContextExceeded,
    ("litellm", "bad json"): RequestRejected,
    ("litellm", "no messages"): RequestRejected,
    ("litellm", "bad param"): RequestRejected,
    ("litellm", "no such path"): BadReply,
    ("litellm", "embeddings"): BadReply,
    ("llama-swap", "unknown"): ModelUnknown,
    ("llama-swap", "no model"): RequestRejected,
    ("llama-swap", "bad json"): RequestRejected,
    ("llama-swap", "broken"): ServerFailed,
    ("llama-swap", "neverhealthy"): ServerFailed,
    ("llama-swap", "climit"): Overloaded,
    ("llama-swap", "concurrency limit"): Overloaded,
    ("llama-swap", "unload unknown"): ModelUnknown,
    ("llama-swap", "upstream unknown"): ModelUnknown,
    ("llama-swap", "v1 embeddings passthrough"): BadReply,
    ("llama-swap", "tokenize via v1?"): BadReply,
    ("llama-swap", "404"): BadReply,
    ("ollama", "unknown chat"): ModelUnknown,
    ("ollama", "unknown generate"): ModelUnknown,
    ("ollama", "unknown show"): ModelUnknown,
    ("ollama", "unknown v1"): ModelUnknown,
    ("ollama", "v1 model get unknown"): ModelUnknown,
    ("ollama", "bad json"): RequestRejected,
    ("ollama", "no model"): RequestRejected,
    ("ollama", "v1 bad json"): RequestRejected,
    ("ollama", "LONG single msg truncate false"): ContextExceeded,
    ("ollama", "LONG single msg shift false"): ContextExceeded,
    ("ollama", "multi msg truncate=false"): ContextExceeded,
    ("ollama", "format bad"): RequestRejected,
    ("ollama", "think true on non-thinking"): RequestRejected,
    ("ollama", "tools unsupported"): RequestRejected,
    ("ollama", "v1 tools"): RequestRejected,
    ("ollama", "bad option"): RequestRejected,
    ("ollama", "images"): RequestRejected,
    ("ollama", "bad keepalive"): RequestRejected,
    ("ollama", "tokenize?"): BadReply,
    ("ollama", "/api/delete"): BadReply,
}
LOADING = '{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}'
BUSY = '{"error":"server busy, please try again.  maximum pending requests exceeded"}'
# Errors of servers that were not recorded, in the words of their sources and documentation.
OTHERS = [
    (401, '{"error":{"message":"Incorrect key: x","code":"invalid_api_key"}}', AuthFailed),
    (403, "Forbidden", AuthFailed),
    (404, '{"error":{"message":"The model `x` does not exist.","code":404}}', ModelUnknown),
    (404, '{"error":{"message":"no","code":"model_not_found"}}', ModelUnknown),
    (404, "<html><h1>404 Not Found</h1></html>", BadReply),
    (302, "moved", BadReply),
    (422, '{"detail":[{"loc":["body"],"msg":"extra fields not permitted"}]}', RequestRejected),
    (500, "", ServerFailed),
    (502, "<html>Bad Gateway</html>", ServerFailed),
    (503, LOADING, BackendUnavailable),
    (503, BUSY, Overloaded),
    (504, "upstream timed out", ServerFailed),
    (529, "{}", ServerFailed),
]
LLAMA_CPP = "request (5031 tokens) exceeds the available context size (2048 tokens), try"
VLLM = "maximum context length is 4096 tokens. However, you requested 5000 tokens (4900 in the"
VLLM_SHORT = "maximum context length is 4096 tokens and your request has 100 input tokens"
OPENAI = "maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."
LM_STUDIO = (
    "Trying to keep the first 5031 tokens when context overflows. However, the model is loaded "
    "with context length of only 4096 tokens"
)
TGI = "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens and 20 `max"
CONTEXTS = [
    (LLAMA_CPP, 5031, 2048),
    (VLLM, 5000, 4096),
    (VLLM_SHORT, 100, 4096),
    (OPENAI, 9000, 8192),
    (LM_STUDIO, 5031, 4096),
    (TGI, 5000, None),
]
STRANGE = {
    "nothing": (b"", BackendUnavailable, "hung up"),
    "another protocol": (b"+OK POP3 ready\r\n\r\n", BadReply, "not the reply of a server"),
    "html": (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>",
        BadReply,
        "not the reply of a server",
    ),
    "no gzip": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
        BadReply,
        "not the reply of a server",
    ),
    "redirect": (
        b"HTTP/1.1 307 x\r\nLocation: http://elsewhere\r\nContent-Length: 0\r\n\r\n",
        BadReply,
        "307",
    ),
    "half an error": (
        b"HTTP/1.1 500 x\r\nContent-Length: 99\r\n\r\nshort",
        BackendUnavailable,
        "hung up",
    ),
    "a list": (b"HTTP/1.1 400 x\r\nContent-Length: 2\r\n\r\n[]", RequestRejected, "400"),
}
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["error", "detail", "message", "code", "n_ctx", "x"]), inner
        )
    ),
)

FACTS = {**all_kinds(), "embedded": EmbeddedBackend.traits}


def asked(kind="openai", key=KEY, model="llama3-local"):
    return RequestContext(kind, settings("http://koala:4000", api_key=key), FACTS[kind], model)


def test_every_recorded_error_is_in_the_table():
    recorded = {
        (server, what)
        for server in ("litellm", "llama-swap", "ollama")
        for what, reply in exchanges(server).items()
        if reply.status != 200
    }
    assert recorded == set(RECORDED)


@pytest.mark.parametrize(("server", "what"), RECORDED)
async def test_every_recorded_error_becomes_its_exception_over_the_wire(server, what):
    with OpenAIDouble() as double:
        recorded = exchange(server, what)
        play = Play.answering(recorded)
        double.answer = lambda _, wire: wire.send(
            play.body, status=play.status, content_type=play.content_type
        )
        backend = BACKENDS[server](
            settings(double.url, api_key=KEY, windows={"llama3-local": 1024})
        )
        with pytest.raises(BackendError) as caught:
            await text(backend)
        await backend.close()
    assert type(caught.value) is RECORDED[server, what]
    assert str(caught.value).startswith("koala/llama3-local: ")
    assert (caught.value.backend, caught.value.model) == ("koala", "llama3-local")


@pytest.mark.parametrize(("status", "body", "fault"), OTHERS)
def test_other_servers_errors_become_their_exceptions(status, body, fault):
    assert type(error_from_response(asked(), status, body)) is fault


@pytest.mark.parametrize(("message", "tokens", "window"), CONTEXTS)
def test_the_counts_of_a_prompt_that_is_too_long_are_read(message, tokens, window):
    fault = error_from_response(asked(), 400, compact({"error": {"message": message}}))
    assert isinstance(fault, ContextExceeded)
    assert (fault.tokens, fault.window) == (tokens, window)


def test_llama_cpp_tells_the_counts_in_fields_of_their_own():
    error = {"type": "exceed_context_size_error", "n_prompt_tokens": 5031, "n_ctx": 2048}
    fault = error_from_response(asked(), 400, compact({"error": {"message": "too long", **error}}))
    assert str(fault).endswith("the prompt has 5031 tokens and does not fit the window of 2048")


def test_ollama_tells_the_counts_in_json_within_a_string():
    body = exchange("ollama", "LONG single msg truncate false").body
    fault = error_from_response(asked("ollama"), 400, body)
    assert (fault.tokens, fault.window) == (18312, 1024)


def test_litellm_without_a_key_breaks_down_and_that_is_about_the_key():
    reply = exchange("litellm", "no key")
    fault = error_from_response(asked("litellm", key=None), reply.status, reply.body)
    assert isinstance(fault, AuthFailed)
    assert fault.hint == "set KOALA_KEY"


def test_a_key_that_litellm_itself_has_wrong_is_not_blamed_on_the_user():
    body = compact({"error": {"message": "litellm.AuthenticationError: Incorrect API key"}})
    fault = error_from_response(asked("litellm"), 401, body)
    assert isinstance(fault, AuthFailed)
    assert "the key is right" in fault.hint


def test_cooling_down_says_how_long():
    reply = exchange("litellm", "down, cooling")
    fault = error_from_response(asked("litellm"), reply.status, reply.body)
    assert fault.retry_after == 5
    assert fault.hint == "ask again in 5 s; see whether that server runs"


def test_overloaded_says_how_long_in_seconds_or_by_a_date():
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    past = "Wed, 21 Oct 2015 07:28:00 GMT"
    told = {
        header: error_from_response(asked(), 429, "{}", {"retry-after": header}).retry_after
        for header in ("7", "1.5", soon, past, "-3", "nan", "soon", "", "999999999")
    }
    assert 80 < told.pop(soon) <= 90
    assert told.pop("999999999") == 3600, "a typing error suspends nothing for thirty years"
    assert told == {"7": 7, "1.5": 1.5, past: 0, "-3": None, "nan": None, "soon": None, "": None}


@pytest.mark.parametrize(
    ("kind", "status", "body", "hint"),
    [
        ("ollama", 404, '{"error":"model \'x\' not found"}', "run `ollama pull llama3-local`"),
        ("litellm", 400, '{"error":{"message":"Invalid model name"}}', "`model_list` in LiteLLM"),
        ("llama-swap", 404, '{"error":"model not found"}', "llama-swap's config"),
        ("openai", 404, '{"error":"model x not found"}', "`spadework models` lists"),
        ("openai", 503, '{"error":"Loading model"}', "ask again in a moment"),
        ("openai", 404, "nothing here", "`url` and `kind` in [backends.koala]"),
    ],
)
def test_the_hint_says_what_to_do_next(kind, status, body, hint):
    assert hint in error_from_response(asked(kind), status, body).hint


@pytest.mark.parametrize("body", [f"bad key {KEY}", f"Bearer {KEY[3:]} refused", "sk-abcdef123"])
def test_a_key_is_never_in_a_message(body):
    fault = str(error_from_response(asked(), 401, body))
    assert "***" in fault
    assert KEY[3:] not in fault
    assert "abcdef123" not in fault


@given(st.text(max_size=2000), st.sampled_from([400, 401, 404, 429, 500, None]), st.booleans())
def test_any_body_makes_one_short_clean_line(said, status, as_json):
    body = compact({"error": {"message": said}}) if as_json else said
    message = str(error_from_response(asked(), status, body))
    assert len(message) < 500
    assert message.isprintable()


@given(ANY_JSON)
def test_any_json_makes_a_fault(body):
    assert isinstance(error_from_response(asked(), 400, compact(body)), BackendError)


def test_json_nested_too_deep_makes_a_fault():
    assert isinstance(error_from_response(asked(), 500, '{"error":' * 100_000), BackendUnavailable)


@contextmanager
def answering(said: bytes) -> Iterator[str]:
    """A server that answers each connection with these bytes, whatever it is asked."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            with suppress(OSError):  # the listener was shut down: the test is over
                while True:
                    with listener.accept()[0] as client:
                        client.recv(65536)
                        client.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


async def fault_of(url, kind="openai", **changes):
    backend = BACKENDS[kind](settings(url, **changes))
    with pytest.raises(BackendError) as caught:
        await text(backend)
    await backend.close()
    return caught.value


@pytest.mark.parametrize("kind", ["openai", "ollama"])
async def test_nothing_there_says_what_to_start(kind):
    fault = await fault_of(DEAD_URL, kind)
    assert type(fault) is Unreachable
    assert str(fault).endswith(f"nothing answers at {DEAD_URL} (connection refused)")
    assert (
        fault.hint.endswith("there, or correct `url` in [backends.koala]") or "serve" in fault.hint
    )


@pytest.mark.parametrize("kind", ["openai", "ollama"])
async def test_an_unknown_host_is_said_to_be_unknown(kind):
    fault = await fault_of("http://no-such-host.invalid:4000", kind)
    assert type(fault) is Unreachable
    assert "the host of http://no-such-host.invalid:4000 is not known" in str(fault)


@pytest.mark.parametrize("kind", ["openai", "ollama"])
async def test_https_to_an_http_server_is_no_secure_connection(kind):
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as url:
        fault = await fault_of(url.replace("http://", "https://"), kind)
    assert type(fault) is Unreachable
    assert "no secure connection" in str(fault)
    assert "http:// or https://" in fault.hint


@pytest.mark.parametrize("kind", ["openai", "ollama"])
async def test_a_server_whose_queue_is_full_does_not_connect_in_time(kind):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        fault = await fault_of(url, kind, connect_timeout=0.2)
        for one in waiting:
            one.close()
    assert type(fault) is Unreachable
    assert str(fault).endswith(f"no connection to {url} within 0.2 s")


@pytest.mark.parametrize("kind", ["openai", "ollama"])
@pytest.mark.parametrize("strange", STRANGE)
async def test_what_answers_strangely_is_named(kind, strange):
    said, fault, words = STRANGE[strange]
    with answering(said) as url:
        caught = await fault_of(url, kind, windows={"llama3-local": 2048})
    assert type(caught) is fault
    assert words in str(caught)


@pytest.mark.parametrize("kind", ["openai", "ollama"])
@pytest.mark.parametrize("key", ["two\nlines", "clé"])
async def test_a_key_that_cannot_be_sent_is_about_the_key_and_not_shown(kind, key, openai_double):
    fault = await fault_of(openai_double.url, kind, api_key=key)
    assert type(fault) is AuthFailed
    assert fault.hint == "set KOALA_KEY"
    assert not re.search("two|lines|clé", str(fault))


async def test_a_password_in_the_address_is_not_shown():
    fault = await fault_of("http://me:hunter2@127.0.0.1:9")
    assert "hunter2" not in str(fault)
    assert fault.__cause__ is None


async def test_a_fault_met_while_another_is_handled_is_not_mistaken_for_it(openai_double):
    openai_double.plays(status=429, body='{"error":"busy"}')
    busy = OpenAIBackend(settings(openai_double.url))
    dead = OpenAIBackend(settings(DEAD_URL))

    async def first_busy_then_dead():
        try:
            await text(busy)
        except Overloaded:
            await text(dead)

    with pytest.raises(BackendUnavailable, match="connection refused"):
        await first_busy_then_dead()
    await busy.close()
    await dead.close()
