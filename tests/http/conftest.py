"""A config before a double, in folders of the test's own."""

import pytest

CONFIG = """
[backends.koala]
kind = "openai"
url = "{url}"

[tools.ask_local_llama]
use_for = "bulk summarization"
models = ["koala/llama3-local"]
"""


@pytest.fixture
def config_file(tmp_path, monkeypatch, openai_double, runtime_folder):
    openai_double.plays(reply="Three lines.", prompt_tokens=120, completion_tokens=4)
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.format(url=openai_double.url))
    monkeypatch.setenv("JOURNEYMAN_CONFIG", str(path))
    monkeypatch.setenv("JOURNEYMAN_DATA", str(tmp_path / "data"))
    return path


@pytest.fixture
def here(tmp_path):
    """A folder of this machine that clients elsewhere have, too."""
    folder = tmp_path / "here"
    (folder / "docs").mkdir(parents=True)
    (folder / "notes.md").write_text("first line\nsecond line\nthird line\n")
    (folder / "docs" / "guide.md").write_text("how to\n")
    return folder
