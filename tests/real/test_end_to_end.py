"""The whole chain with nothing played: MCP client, our server, LiteLLM proxy, a real model."""

import os
import sys

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters

from spadework.mcp.tool_results import FIGURES_KEY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

CONFIG = """
[backends.koala]
kind = "litellm"
url = "{url}"
api_key_env = "TEST_LITELLM_KEY"

[tools.ask_local_llama]
models = ["koala/llama3-local"]

[tools.ask_coding_model]
models = ["koala/down", "koala/codellama-local"]

[tools.sort_passage]
use_for = "sorting passages"
labels = ["legal text", "recipe"]
max_tokens = 32
models = ["koala/llama3-local"]
"""


@pytest.fixture
def server(litellm_proxy, tmp_path, runtime_folder):
    (tmp_path / "config.toml").write_text(CONFIG.format(url=litellm_proxy.url))
    (tmp_path / "licence.txt").write_text("Permission is granted to use, copy and sell this.\n")
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "spadework", "mcp"],
        env=dict(os.environ)
        | {
            "SPADEWORK_CONFIG": str(tmp_path / "config.toml"),
            "SPADEWORK_DATA": str(tmp_path / "data"),
            "TEST_LITELLM_KEY": litellm_proxy.key,
            "CLAUDE_PROJECT_DIR": str(tmp_path),
        },
    )


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_real_client_asks_real_models_through_a_real_proxy(server, mode):
    async with Client(server, mode=mode) as client:
        listing = (await client.call_tool("list_available_local_models", {})).content[0].text
        assert (
            "koala/llama3-local; local (route openai/, local host 127.0.0.1); window 2048"
            in listing
        )

        sorted_ = await client.call_tool(
            "sort_passage", {"prompt": "What kind of text is it?", "files": ["licence.txt"]}
        )
        assert sorted_.content[0].text in {"legal text", "recipe"}
        assert sorted_.meta[FIGURES_KEY]["bytes_read"] == 50

        hello = await client.call_tool(
            "ask_coding_model", {"question": "Say hello in five words.", "max_tokens": 200}
        )
        # The first model of the list is down, so the second answers, or hands back what it rambles.
        said = hello.content[-1].text
        assert "koala/down" in said
        assert "koala/codellama-local" in said


async def test_what_does_not_fit_the_real_window_is_handed_back(server, tmp_path):
    (tmp_path / "long.txt").write_text("one two three four five six\n" * 800)
    async with Client(server) as client:
        result = await client.call_tool(
            "ask_local_llama", {"prompt": "Summarize.", "files": ["long.txt"]}
        )
    assert result.is_error
    assert "the window is 2048, by max_input_tokens" in result.content[0].text
    assert "would fit" in result.content[0].text
