import contextlib

import pytest
from model_servers import Server, running


@pytest.fixture
def serve():
    """Start a double of a model server: `serve(routes, key=None)`."""
    with contextlib.ExitStack() as servers:
        yield lambda routes, key=None: servers.enter_context(running(Server(routes, key)))
