"""What a server over HTTP may read."""

import pytest


@pytest.fixture
def here(tmp_path):
    """A folder of this machine that clients elsewhere have, too."""
    folder = tmp_path / "here"
    (folder / "docs").mkdir(parents=True)
    (folder / "notes.md").write_text("first line\nsecond line\nthird line\n")
    (folder / "docs" / "guide.md").write_text("how to\n")
    return folder
