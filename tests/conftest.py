"""Fixtures for every test: doubles of the model servers on loopback, and the real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from doubles.llama_swap import LlamaSwapDouble
from doubles.ollama import OllamaDouble
from doubles.openai_compatible import OpenAIDouble

if TYPE_CHECKING:
    from collections.abc import Iterator

# A busy machine is no failure; `make quick` takes fewer examples (--hypothesis-profile=quick).
settings.register_profile("whole", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=20)
settings.load_profile("whole")

pytest_plugins = ["embedded.fixtures", "real.fixtures"]


@pytest.fixture
def openai_double() -> Iterator[OpenAIDouble]:
    with OpenAIDouble() as server:
        yield server


@pytest.fixture
def ollama_double() -> Iterator[OllamaDouble]:
    with OllamaDouble() as server:
        yield server


@pytest.fixture
def llama_swap_double() -> Iterator[LlamaSwapDouble]:
    with LlamaSwapDouble("llama3-local", "codellama-local") as server:
        yield server
