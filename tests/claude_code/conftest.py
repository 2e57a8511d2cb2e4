"""The real `spadework setup` of a user with a scratch home, before a double of a model server."""

import pytest

from claude_code.setup_houses import make_house


@pytest.fixture
def house(tmp_path, runtime_folder):
    """A machine without a `claude` command."""
    return make_house(tmp_path, runtime_folder)


@pytest.fixture
def models(openai_double):
    """The options that make setup find a double, and nothing else."""
    openai_double.plays(reply="ready", prompt_tokens=12, completion_tokens=1)
    return ("--port", str(openai_double.port))
