"""An engine before doubles, and a project to read from."""

import socket
from pathlib import Path

import pytest

from spadework.config.models import Config
from spadework.engine.engine import Engine
from spadework.engine.job import Job, Session


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "notes.md").write_text("first line\nsecond line\nthird line\n")
    (folder / "long.txt").write_text("word and another word in a line\n" * 2000)
    return folder


@pytest.fixture
def session(project):
    return Session(project=project, name="test")


@pytest.fixture
async def build(tmp_path):
    """Build engines that are closed in the end: `build(koala=double.url, models=[…])`."""
    engines = []

    def make(
        *,
        models=(),
        tool=None,
        kinds=None,
        trusts=None,
        private=(),
        windows=None,
        backend=None,
        queue=None,
        **urls,
    ):
        backends = {
            name: {
                "kind": (kinds or {}).get(name, "openai"),
                "url": url,
                "trust": (trusts or {}).get(name, "local"),
                "windows": windows or {},
                **(backend or {}),
            }
            for name, url in urls.items()
        }
        config = Config.model_validate(
            {
                "backends": backends,
                "tools": {
                    "ask_local_llama": {"use_for": "tests", "models": list(models), **(tool or {})}
                },
                "queue": queue or {},
                "references": {"private": list(private)},
                "ledger": {"path": Path(tmp_path / "ledger.db")},
            }
        )
        engine = Engine.from_config(config, environ={})
        engines.append(engine)
        return engine

    yield make
    for engine in engines:
        await engine.close()


@pytest.fixture
def job():
    def make(prompt="What?", *files, **changes):
        return Job(tool="ask_local_llama", arguments={"prompt": prompt}, files=files, **changes)

    return make


@pytest.fixture
def free_port():
    """A port at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture
def honest_count(openai_double):
    """The double says that it read about what these tests send."""
    openai_double.plays(prompt_tokens=90)
