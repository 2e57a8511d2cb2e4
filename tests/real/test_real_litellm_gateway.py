"""A real LiteLLM proxy as MCP gateway: its clients reach our tools through it."""

import asyncio
from contextlib import asynccontextmanager, contextmanager

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from doubles.plays import Play
from real.litellm_proxy import MASTER_KEY, litellm_running
from spadework.config.loader import load_config
from spadework.engine.engine import Engine
from spadework.mcp.http.access_tokens import TokenStore
from spadework.mcp.http.http_server import HttpServer, HttpSettings
from spadework.mcp.reloading_engine import ReloadingEngine
from spadework.storage.ledger import Filter, Ledger

# The first test installs the proxy.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

GATEWAY = """\
model_list: []
general_settings: {{master_key: {key}}}
mcp_servers:
  spadework:
    url: "{url}"
    transport: http
    auth_type: bearer_token
    auth_value: "{token}"
"""
CONFIG = """
[backends.koala]
kind = "openai"
url = "{url}"

[tools.ask_local_llama]
use_for = "bulk summarization"
models = ["koala/llama3-local"]
"""
TOOL = "spadework-ask_local_llama"
"""As the gateway calls it: the server's name before it."""


@contextmanager
def gateway(url, token, folder):
    """Run the proxy in front of the server; yields the address of its own MCP server."""
    with litellm_running(GATEWAY.format(key=MASTER_KEY, url=url, token=token), folder) as proxy:
        yield f"{proxy}/mcp/"


@asynccontextmanager
async def face(config_file):
    """Our server, which wants a token."""
    loaded = load_config(config_file)
    async with Engine.from_config(loaded.config, {}) as engine:
        settings = HttpSettings("127.0.0.1:0", require_token=True)
        face = HttpServer(ReloadingEngine(engine, loaded.path), settings)
        try:
            yield await face.start()
        finally:
            await face.stop()


@asynccontextmanager
async def through_gateway(url, token, folder):
    """The SDK's own client at the proxy's own MCP server."""
    running = gateway(url, token, folder)
    address = await asyncio.to_thread(running.__enter__)
    headers = {"x-litellm-api-key": f"Bearer {MASTER_KEY}"}
    try:
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False) as http,
            Client(streamable_http_client(address, http_client=http)) as mcp,
        ):
            yield mcp
    finally:
        await asyncio.to_thread(running.__exit__, None, None, None)


async def test_tools_are_listed_and_called_through_the_gateway(
    tmp_path, monkeypatch, openai_double
):
    openai_double.plays(Play(reply="Three lines."), Play(hangs_after=1))
    config_file = tmp_path / "config.toml"
    config_file.write_text(CONFIG.format(url=openai_double.url))
    monkeypatch.setenv("SPADEWORK_DATA", str(tmp_path / "data"))
    _, token = TokenStore().new("gateway")
    async with face(config_file) as url:
        async with through_gateway(url, token, tmp_path) as mcp:
            listed = await mcp.list_tools()
            result = await mcp.call_tool(TOOL, {"prompt": "How many lines?"})
            refused = await mcp.call_tool(TOOL, {"prompt": "?", "files": ["/etc/hostname"]})
            asking = asyncio.create_task(mcp.call_tool(TOOL, {"prompt": "Go on."}))
            while len(openai_double.chats) < 2:
                await asyncio.sleep(0.01)
        # The gateway keeps a notice of cancellation to itself; what it passes on is the end.
        await asyncio.gather(asking, return_exceptions=True)
        assert await asyncio.to_thread(openai_double.chats[1].wait_until_left)
    assert [tool.name for tool in listed.tools] == [
        TOOL,
        "spadework-ask_coding_model",
        "spadework-ask_each",
        "spadework-list_available_local_models",
    ]
    assert result.content[0].text == "Three lines."
    assert refused.is_error
    assert "[no-shared-disk]" in refused.content[0].text
    ledger = Ledger(tmp_path / "data" / "ledger.db")
    kept = [(row.outcome, row.session.startswith("gateway")) for row in ledger.entries(Filter())]
    ledger.close()
    assert ("answered", True) in kept
    assert ("cancelled", True) in kept
