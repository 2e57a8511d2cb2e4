import pytest


@pytest.fixture
def project(tmp_path):
    """An empty project folder with room beside it."""
    folder = tmp_path / "project"
    folder.mkdir()
    return folder
