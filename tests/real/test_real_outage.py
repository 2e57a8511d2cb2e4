"""A batch is_recoverable the restart of a real llama.cpp server behind a real LiteLLM proxy."""

import asyncio
import contextlib
import socket
import time

import pytest

from real.litellm_proxy import MASTER_KEY, litellm_running
from real.llama_server import WINDOW, llama_server
from spadework import Spadework

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROWS = 200
AWAY_SECONDS = 4.0

PROXY = """\
model_list:
  - model_name: llama3-local
    litellm_params: {{model: openai/llama3, api_base: "{llama}/v1", api_key: none}}
    model_info: {{max_input_tokens: {window}}}
general_settings: {{master_key: {key}}}
"""
CONFIG = """
[backends.koala]
kind = "litellm"
url = "{url}"
api_key_env = "TEST_LITELLM_KEY"

[tools.ask_local_llama]
use_for = "sorting"
models = ["koala/llama3-local"]
labels = ["plants", "machines"]
max_tokens = 16
temperature = 0.0
verify = "none"
"""


class Server:
    """The llama.cpp server, which a test can stop and start on the same port."""

    def __init__(self, model):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._port = probe.getsockname()[1]
        self._model = model
        self._running = contextlib.ExitStack()

    def start(self):
        self.address = self._running.enter_context(llama_server(self._model, self._port))

    def stop(self):
        self._running.close()


@pytest.fixture
def server(demo_model):
    one = Server(demo_model)
    one.start()
    yield one
    one.stop()


async def test_no_row_is_lost_behind_a_proxy(tmp_path, server, monkeypatch):
    """After a third of the rows the server is killed, and started again later."""
    monkeypatch.setenv("TEST_LITELLM_KEY", MASTER_KEY)
    monkeypatch.setenv("SPADEWORK_DATA", str(tmp_path / "data"))
    config = tmp_path / "config.toml"
    steps, restarts = [], []

    def restart():
        server.stop()
        time.sleep(AWAY_SECONDS)
        server.start()

    def note(step):
        steps.append(step)
        if step.done >= ROWS // 3 and not restarts:
            restarts.append(asyncio.ensure_future(asyncio.to_thread(restart)))

    items = [f"Text {number}: the oak has leaves and roots." for number in range(ROWS)]
    proxy = PROXY.format(llama=server.address, window=WINDOW, key=MASTER_KEY)
    with litellm_running(proxy, tmp_path) as url:
        config.write_text(CONFIG.format(url=url))
        async with Spadework(config=config, project=tmp_path, daemon=False) as spadework:
            table = await spadework.ask_each(
                "Is this about plants or machines?", items=items, on_step=note
            )
        await asyncio.gather(*restarts)
    assert restarts
    assert [row.error for row in table.failed] == []
    assert len(table.rows) == ROWS
    assert {row.answer for row in table.rows} <= {"plants", "machines"}
    assert any(step.away for step in steps), "nothing was said of what was waited for"
