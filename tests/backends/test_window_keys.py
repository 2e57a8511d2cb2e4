"""Every window sends its own key, though all of them share one client."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest

from doubles.asking import chunks, request, settings, text
from doubles.contracts import exchange
from doubles.ollama import OllamaDouble
from doubles.openai_compatible import OpenAIDouble
from doubles.plays import Play
from spadework.backends.litellm import LiteLLMBackend
from spadework.backends.ollama import OllamaBackend
from spadework.backends.openai import OpenAIBackend
from spadework.backends.registry import open_backend
from spadework.config.api_keys import window_keys
from spadework.config.models import BackendConfig
from spadework.errors import AuthFailed, BackendUnavailable

VARIABLE = "KOALA_KEY"
BOTH = pytest.mark.parametrize(
    ("double", "kind"), [(OpenAIDouble, OpenAIBackend), (OllamaDouble, OllamaBackend)]
)


async def in_window(asking, key=None, variable=VARIABLE):
    """Do it as a task of a window that has this key in its environment."""

    async def work():
        window_keys.set({variable: key} if key else {})
        return await asking()

    return await asyncio.create_task(work())


def sent(server):
    return [(asked.path, asked.headers.get("authorization")) for asked in server.requests]


def echo_keys(server, together=1):
    """Reply with the key that was sent, once so many chats have come."""
    answer = server.answer

    async def answer_with_key(asked, wire):
        if asked.path != server.chat_path:
            return await answer(asked, wire)
        while len(server.chats) < together:
            await asyncio.sleep(0.005)
        said = asked.headers.get("authorization", "nothing")
        half = len(said) // 2
        play = Play(pieces=(said[:half], said[half:]), pause=0.02)
        return await server._stream(play, asked.json, wire)

    server.answer = answer_with_key


@BOTH
async def test_windows_that_ask_at_once_each_send_their_own_key(double, kind):
    with double("smollm2") as server:
        echo_keys(server, together=8)
        backend = kind(settings(server.url, key_env=VARIABLE))
        keys = [f"key-of-window-{number}" for number in range(8)]
        ask = lambda: text(backend, request("smollm2"))  # noqa: E731 - short, and used once
        replies = await asyncio.gather(*(in_window(ask, key) for key in keys))
        await backend.close()
    assert replies == [f"Bearer {key}" for key in keys]


@BOTH
async def test_every_question_of_a_window_carries_its_key(double, kind):
    with double("smollm2") as server:
        backend = kind(settings(server.url, api_key="our-own", key_env=VARIABLE))

        async def ask_everything():
            await backend.models()
            await backend.describe("smollm2")
            await backend.count_tokens("smollm2", request().messages)
            await backend.probe()
            await backend.loaded()
            await backend.learn_capacity()
            await text(backend, request("smollm2"))

        await in_window(ask_everything, "key-of-the-window")
        assert {key for _, key in sent(server)} == {"Bearer key-of-the-window"}
        server.requests.clear()
        await in_window(ask_everything)
        assert {key for _, key in sent(server)} == {"Bearer our-own"}
        await backend.close()


@BOTH
async def test_a_window_whose_keys_are_for_others_sends_none(double, kind):
    with double("smollm2") as server:
        for named in (VARIABLE, None):
            backend = kind(settings(server.url, key_env=named))
            await in_window(backend.models, "key-for-another", "IGUANA_KEY")
            await backend.close()
    assert {key for _, key in sent(server)} == {None}


async def test_a_request_that_is_sent_again_carries_the_same_key():
    with OpenAIDouble() as server:
        server.plays(unbidden="stream_options")
        backend = OpenAIBackend(settings(server.url, key_env=VARIABLE))
        await in_window(lambda: text(backend), "key-of-the-window")
        await backend.close()
    assert sent(server) == [("/v1/chat/completions", "Bearer key-of-the-window")] * 2


async def test_a_window_without_the_key_is_told_which_variable_is_missing():
    with OpenAIDouble(key="right") as server:
        config = BackendConfig(kind="openai", url=server.url, api_key_env=VARIABLE)
        backend = open_backend("koala", config, {})
        assert await in_window(backend.models, "right")
        with pytest.raises(AuthFailed, match="it wants a key") as missing:
            await in_window(backend.models)
        with pytest.raises(AuthFailed, match="the key was refused") as refused:
            await in_window(backend.models, "wrong")
        await backend.close()
    hint = "set the environment variable KOALA_KEY to the key of 'koala'"
    assert missing.value.hint == refused.value.hint == hint


async def test_litellm_breaking_down_is_about_the_key_only_in_the_window_that_has_none():
    broken = exchange("litellm", "no key")
    with OpenAIDouble() as server:
        server.answer = lambda _, wire: wire.send(broken.body, status=broken.status)
        backend = LiteLLMBackend(settings(server.url, key_env=VARIABLE))
        with pytest.raises(AuthFailed):
            await in_window(lambda: text(backend))
        with pytest.raises(BackendUnavailable):
            await in_window(lambda: text(backend), "key-of-the-window")
        await backend.close()


@BOTH
async def test_a_windows_key_is_never_shown(double, kind, caplog):
    key = "hunter2-of-the-window"
    with double("smollm2") as server:
        backend = kind(settings(server.url, api_key="hunter2-of-ours", key_env=VARIABLE))
        with caplog.at_level(logging.DEBUG):
            await in_window(lambda: chunks(backend, request("smollm2")), key)
            server.answer = lambda _, wire: wire.send(f"no such key: {key}", status=401)
            with pytest.raises(AuthFailed) as caught:
                await in_window(lambda: text(backend, request("smollm2")), key)
        await backend.close()
    assert "***" in str(caught.value)
    assert "hunter2" not in repr(caught.value) + caught.value.hint + repr(backend._settings)
    assert "hunter2" not in caplog.text
    assert "hunter2" not in repr(replace(backend._settings, name="iguana"))


@BOTH
async def test_the_token_of_a_subscription_is_never_sent(double, kind):
    token = "sk-ant-oat01-hunter2hunter2"
    with double("smollm2") as server:
        backend = kind(settings(server.url, key_env=VARIABLE))
        for asking in (backend.models, backend.probe, lambda: text(backend, request("smollm2"))):
            with pytest.raises(AuthFailed, match="the token of a Claude subscription") as caught:
                await in_window(asking, token)
            assert "hunter2" not in str(caught.value) + caught.value.hint
        await backend.close()
    assert server.requests == []
