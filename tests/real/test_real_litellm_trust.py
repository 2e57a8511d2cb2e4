"""Local and cloud routes behind the real LiteLLM proxy, with dummy keys and recording upstreams.

A server of the test's own plays the cloud of a fallback: if a private text reached it, it would
have left the machine.
"""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from doubles.ollama import OllamaDouble
from doubles.openai_compatible import OpenAIDouble
from doubles.plays import Play
from real.litellm_proxy import MASTER_KEY, litellm_running
from spadework.config.models import Config
from spadework.engine.engine import Engine
from spadework.engine.job import Answer, Job, Session

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

CANARY = "the heron flies at dawn"
PUBLIC = "https://api.example.com/v1"
CONFIG = """\
model_list:
  - model_name: claude-sonnet-4-6
    litellm_params: {{model: anthropic/claude-sonnet-4-6, api_key: sk-dummy}}
  - model_name: berget/llama-70b
    litellm_params: {{model: openai/llama-70b, api_base: "{public}", api_key: sk-dummy}}
  - model_name: gpt-x
    litellm_params: {{model: openai/gpt-x, api_key: sk-dummy}}
  - model_name: ollama-local
    litellm_params: {{model: ollama_chat/smollm2, api_base: "{ollama}"}}
  - model_name: ollama-cloud
    litellm_params: {{model: "ollama_chat/gpt-oss:120b-cloud", api_base: "{ollama}"}}
  - model_name: llama3-local
    litellm_params: {{model: openai/llama3-local, api_base: "{near}/v1", api_key: none}}
  - model_name: down
    litellm_params: {{model: openai/down, api_base: "http://127.0.0.1:9/v1", api_key: none}}
  - model_name: narrow
    litellm_params: {{model: openai/narrow, api_base: "{near}/v1", api_key: none}}
  - model_name: mixed
    litellm_params: {{model: openai/mixed, api_base: "{near}/v1", api_key: none}}
  - model_name: mixed
    litellm_params: {{model: openai/mixed, api_base: "{public}", api_key: sk-dummy}}
  - model_name: far
    litellm_params: {{model: openai/far, api_base: "{far}/v1", api_key: none}}
router_settings:
  num_retries: 0
  fallbacks: [{{down: [far]}}]
  default_fallbacks: [far]
  context_window_fallbacks: [{{narrow: [far]}}]
  model_group_alias: {{also-claude: claude-sonnet-4-6, also-local: llama3-local}}
general_settings: {{master_key: {key}}}
"""
EXPECTED = {
    "claude-sonnet-4-6": "cloud",
    "berget/llama-70b": "cloud",
    "gpt-x": "cloud",
    "ollama-local": "local",
    "ollama-cloud": "cloud",
    "llama3-local": "local",
    "down": "local",
    "narrow": "local",
    "mixed": "cloud",
    "far": "local",  # by its address; the tests declare it a cloud
    "also-claude": "cloud",
    "also-local": "local",
}


class Upstreams:
    def __init__(self, near, far, ollama, url):
        self.near, self.far, self.ollama, self.url = near, far, ollama, url

    def __iter__(self):
        return iter((self.near, self.far, self.ollama))


@pytest.fixture(scope="module")
def proxied(tmp_path_factory):
    folder = tmp_path_factory.mktemp("litellm-trust")
    with (
        OpenAIDouble("llama3-local", "narrow", "mixed") as near,
        OpenAIDouble("far") as far,
        OllamaDouble("smollm2", "gpt-oss:120b-cloud") as ollama,
    ):
        servers = {"near": near.url, "far": far.url, "ollama": ollama.url}
        text = CONFIG.format(**servers, public=PUBLIC, key=MASTER_KEY)
        with litellm_running(text, folder) as url:
            yield Upstreams(near, far, ollama, url)


@pytest.fixture
def house(proxied, tmp_path, monkeypatch):
    monkeypatch.setenv("SPADEWORK_DATA", str(tmp_path))
    for server in proxied:
        server.requests.clear()
        server.plays(Play(prompt_tokens=200))
    return proxied


def engine_for(house, tmp_path, *models):
    key = tmp_path / "key"
    key.write_text(MASTER_KEY)
    key.chmod(0o600)
    backend = {"kind": "litellm", "url": house.url, "api_key_file": Path(key)}
    config = Config.model_validate(
        {
            "backends": {"koala": backend},
            "cloud_models": ["koala/far"],
            "tools": {"ask_local_llama": {"use_for": "tests", "models": list(models)}},
            "references": {"private": ["client*"]},
            "ledger": {"path": tmp_path / "ledger.db"},
        }
    )
    return Engine.from_config(config, environ={})


async def ask(engine, project, **more):
    (project / "client.md").write_text(f"{CANARY}\n")
    job = Job("ask_local_llama", {"prompt": "What?"}, files=("client.md",), **more)
    try:
        return await engine.delegate(job, Session(project=project))
    finally:
        await engine.close()


def far_saw(house):
    return [asked for asked in house.far.requests if CANARY.encode() in asked.body]


async def test_the_trust_of_every_route_is_told(proxied, tmp_path):
    engine = engine_for(proxied, tmp_path)
    backend = engine.catalog.backends["koala"]
    found = {info.name: info.trust for info in await backend.models()}
    assert found == {**EXPECTED, "far": "cloud"}
    for name, trust in found.items():
        assert (await backend.describe(name)).trust == trust
    assert (await backend.describe("not-there")).trust == "unknown"
    await engine.close()


async def test_a_private_file_goes_to_a_local_route_though_clouds_come_first(house, tmp_path):
    outcome = await ask(engine_for(house, tmp_path), tmp_path)
    assert isinstance(outcome, Answer)
    assert EXPECTED[outcome.model.removeprefix("koala/")] == "local"
    assert far_saw(house) == []


@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "berget/llama-70b", "mixed", "also-claude"])
async def test_a_private_file_never_goes_to_a_cloud_that_is_listed(house, tmp_path, model):
    outcome = await ask(engine_for(house, tmp_path, f"koala/{model}"), tmp_path)
    assert [one.code for one in outcome.tries] == ["private-refused"]
    assert all(not asked.body for server in house for asked in server.requests)


async def test_a_server_that_is_down_does_not_let_a_private_text_fall_back(house, tmp_path):
    outcome = await ask(engine_for(house, tmp_path, "koala/down"), tmp_path)
    assert not isinstance(outcome, Answer)
    assert far_saw(house) == []


async def test_a_text_that_is_too_long_does_not_fall_back_either(house, tmp_path):
    message = "This model's maximum context length is 100 tokens"
    kind = {"code": "context_length_exceeded", "type": "invalid_request_error"}
    too_long = json.dumps({"error": {"message": message, **kind}})
    house.near.plays(Play(status=400, body=too_long))
    outcome = await ask(engine_for(house, tmp_path, "koala/narrow"), tmp_path)
    assert not isinstance(outcome, Answer)
    assert len(house.near.chats) >= 1
    assert far_saw(house) == []


async def test_without_our_word_the_same_proxy_does_fall_back(house):
    """The tests above would show nothing if the proxy's fallbacks did not work."""
    body = {"model": "down", "messages": [{"role": "user", "content": CANARY}]}
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        headers = {"Authorization": f"Bearer {MASTER_KEY}"}
        url = f"{house.url}/v1/chat/completions"
        answer = await client.post(url, json={**body, "stream": True}, headers=headers)
    assert answer.status_code == 200
    assert len(far_saw(house)) == 1
