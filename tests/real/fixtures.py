"""Real servers, each started once a test run and only if a test asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from real.litellm_proxy import Proxy
from real.litellm_proxy import litellm_proxy as running_litellm_proxy
from real.llama_server import WINDOW
from real.llama_server import llama_server as running_llama_server
from real.postgres import Postgres
from real.postgres import postgres_server as running_postgres_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def llama_server(demo_model: Path) -> Iterator[str]:
    """The address of a real llama.cpp server with the demonstration model."""
    with running_llama_server(demo_model) as address:
        yield address


@pytest.fixture(scope="session")
def litellm_proxy(llama_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A real LiteLLM proxy with `llama3-local` and `codellama-local` before that server."""
    with running_litellm_proxy(llama_server, WINDOW, tmp_path_factory.mktemp("litellm")) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A real Postgres, one for each worker of pytest-xdist."""
    with running_postgres_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: Postgres) -> Iterator[str]:
    """The address of a fresh database, as `postgresql://…`; mark the test as slow."""
    with postgres_server.fresh_database() as url:
        yield url
