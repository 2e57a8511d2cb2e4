"""`ask_each` over MCP before a server that goes away and comes back: no row is lost."""

import re
from collections import Counter

import pytest
from mcp import Client
from server_rows import BOTH_WAYS

from doubles.chat_server import Trouble
from doubles.plays import Play

pytestmark = pytest.mark.slow

ROWS = 100


@BOTH_WAYS
async def test_a_server_that_goes_away_costs_no_row_and_the_client_sees_what_is_waited_for(
    stdio_server, project, openai_double
):
    folder = project / "docs"
    folder.mkdir()
    for number in range(ROWS):
        (folder / f"{number:03}.md").write_text(f"<row-{number}>\n")
    openai_double.plays(Play(finds=r"<row-\d+>", prompt_tokens=120, delay=0.02))
    openai_double.trouble = Trouble(leaves_at={40: 3.0})
    heard = []

    async def note(progress, total, message):
        heard.append(message)

    async with Client(stdio_server) as client:
        call = {"prompt": "Which row?", "files": ["docs/"]}
        result = await client.call_tool("ask_each", call, progress_callback=note)
    [block] = result.content
    assert f"{ROWS} of {ROWS} answered" in block.text
    asked = (re.search(rb"<row-(\d+)>", chat.body) for chat in openai_double.answered)
    assert Counter(int(mark[1]) for mark in asked) == Counter(range(ROWS))
    assert any("waiting for koala/llama3-local, at most" in one for one in heard)
