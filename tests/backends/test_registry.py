from __future__ import annotations

import pytest

from doubles.asking import DEAD_URL
from spadework.backends.litellm import LiteLLMBackend
from spadework.backends.llama_swap import LlamaSwapBackend
from spadework.backends.ollama import OllamaBackend
from spadework.backends.openai import OpenAIBackend
from spadework.backends.registry import open_backend, open_backends
from spadework.config.models import BackendConfig, Config
from spadework.errors import ConfigError


@pytest.mark.parametrize(
    ("kind", "backend"),
    [
        ("openai", OpenAIBackend),
        ("litellm", LiteLLMBackend),
        ("ollama", OllamaBackend),
        ("llama-swap", LlamaSwapBackend),
    ],
)
def test_the_kind_picks_the_class(kind, backend):
    opened = open_backend("koala", BackendConfig(kind=kind, url=DEAD_URL, trust="cloud"), {})
    assert type(opened) is backend
    assert (opened.name, opened.kind) == ("koala", kind)
    assert (opened.first_token_timeout, opened.idle_timeout) == (300, 300)


def test_the_key_and_what_to_set_come_from_the_config():
    config = BackendConfig(
        kind="litellm",
        url=DEAD_URL,
        api_key_env="KOALA_KEY",
        windows={"m": 2048},
        idle_timeout=9.0,
        first_token_timeout=7.0,
    )
    settings = open_backend("koala", config, {"KOALA_KEY": "our-key"})._settings
    assert settings.api_key == "our-key"
    assert "KOALA_KEY" in settings.key_hint
    assert settings.key_env == "KOALA_KEY"
    assert settings.windows == {"m": 2048}
    assert (settings.first_token_timeout, settings.idle_timeout) == (7.0, 9.0)
    assert "our-key" not in repr(settings)


def test_a_key_file_that_is_missing_is_said_at_once(tmp_path):
    config = BackendConfig(kind="openai", url=DEAD_URL, api_key_file=str(tmp_path / "key"))
    with pytest.raises(ConfigError):
        open_backend("koala", config, {})


async def test_every_backend_is_opened_and_the_embedded_one_and_nothing_connects():
    config = Config(backends={"koala": BackendConfig(kind="ollama", url=DEAD_URL)})
    opened = open_backends(config, {})
    assert list(opened) == ["koala", "embedded"]
    for backend in opened.values():
        await backend.close()
