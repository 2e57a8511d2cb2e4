"""A gate before the double of the Messages API, on a database of the test's own."""

import pytest
import sqlalchemy as sa

from doubles.messages_api import MessagesApi
from spadework.config.pipeline_config import ClaudeApiConfig
from spadework.pipelines.claude_api.batches import Timing
from spadework.pipelines.claude_api.service import ClaudeService
from spadework.storage.ledger import Ledger

FAST = Timing(most=100, quiet=0.05, interval=0.01, longest=0.02)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for name in (
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "ANTHROPIC_BASE_URL",
        "ANTHROPIC_CUSTOM_HEADERS",
        "CLAUDE_CODE_OAUTH_TOKEN",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def api():
    with MessagesApi() as server:
        yield server


@pytest.fixture
def ledger(tmp_path):
    opened = Ledger(tmp_path / "ledger.db")
    yield opened
    opened.close()


@pytest.fixture
def database(tmp_path):
    engine = sa.create_engine(f"sqlite:///{tmp_path}/calls.db", connect_args={"timeout": 30})
    yield engine
    engine.dispose()


@pytest.fixture
async def make_gate(api, database, ledger):
    """Makes gates as new processes would, on the same database; all are closed at the end."""
    made = []

    def make(timing=FAST, **keys):
        keys = {"test_url": api.url, "max_retries": 2, **keys}
        gate = ClaudeService(ClaudeApiConfig(**keys), database, ledger, timing=timing)
        made.append(gate)
        return gate

    yield make
    for gate in made:
        await gate.close()


@pytest.fixture
def gate(make_gate):
    return make_gate()
