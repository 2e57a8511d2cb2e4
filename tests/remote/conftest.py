"""Houses with a daemon and without one."""

import pytest

from remote.houses import a_house


@pytest.fixture(scope="module")
def shared_house(tmp_path_factory):
    # A short name: a socket's path has 108 bytes.
    with a_house(tmp_path_factory.mktemp("h")) as house:
        house.start_daemon()
        yield house


@pytest.fixture
def lived_in(shared_house):
    """One daemon for all tests of a module."""
    shared_house.double.plays(reply="Three lines.", prompt_tokens=120, completion_tokens=4)
    shared_house.double.requests.clear()
    return shared_house


@pytest.fixture
def house(tmp_path_factory):
    """A house for one test; no daemon runs yet."""
    with a_house(tmp_path_factory.mktemp("h")) as house:
        house.double.plays(reply="Three lines.", prompt_tokens=120, completion_tokens=4)
        yield house
