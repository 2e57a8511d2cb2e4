"""A key or a password in a text does not reach a model that is not local."""

import pytest

from doubles.litellm import CLOUD, LOCAL, LiteLLMDouble
from doubles.plays import Play
from spadework.config.models import Config
from spadework.engine.engine import Engine
from spadework.engine.job import Answer, Job, Session

KEY = "AKIA" + "QYLPMN5HFIQR7XYA"


@pytest.fixture
def proxy():
    with LiteLLMDouble({"claude": CLOUD, "here": LOCAL}) as double:
        double.plays(Play(prompt_tokens=9000))
        yield double


@pytest.fixture
async def ask(tmp_path, proxy, monkeypatch):
    monkeypatch.setenv("SPADEWORK_DATA", str(tmp_path / "data"))
    project = tmp_path / "project"
    project.mkdir()
    engines = []

    async def asked(*models, files=None, tool=None, **more):
        for name, text in (files or {}).items():
            (project / name).write_text(text)
        config = Config.model_validate(
            {
                "backends": {"koala": {"kind": "litellm", "url": proxy.url}},
                "tools": {
                    "ask_local_llama": {"use_for": "x", "models": list(models), **(tool or {})}
                },
                "ledger": {"path": tmp_path / "ledger.db"},
            }
        )
        engines.append(Engine.from_config(config, environ={}))
        job = {"arguments": {"prompt": "What?"}, "files": tuple(files or ()), **more}
        return await engines[-1].delegate(Job("ask_local_llama", **job), Session(project=project))

    yield asked
    for engine in engines:
        await engine.close()


PLACES = {
    "a file": {"files": {"notes.py": f"one\ntwo\nkey = '{KEY}'\n"}},
    "a text": {"texts": {"standard input": f"one\n{KEY}\n"}},
    "a file's name": {"files": {f"{KEY}.md": "one\n"}},
    "a label": {"labels": (KEY, "no")},
    "the schema": {"schema": {"type": "object", "properties": {"a": {"const": KEY}}}},
    "escaped text": {"texts": {"x.json": '{"source": ["a=1\\n' + KEY + '\\nb=2"]}'}},
    "the prompt": {"arguments": {"prompt": f"Is {KEY} a key?"}},
}


@pytest.mark.parametrize("place", PLACES)
async def test_a_cloud_model_is_not_sent_a_secret(ask, proxy, place):
    outcome = await ask("koala/claude", **PLACES[place])
    assert [one.code for one in outcome.tries] == ["secret-refused"]
    assert proxy.served == []
    assert KEY not in outcome.reason
    assert "AWS" in outcome.reason
    if place == "a file":
        assert "notes.py:3" in outcome.reason


@pytest.mark.parametrize("place", PLACES)
async def test_a_local_model_may_have_it(ask, proxy, place):
    await ask("koala/claude", "koala/here", **PLACES[place])
    assert {model for model, _ in proxy.served} == {"here"}


async def test_a_large_material_is_searched_before_its_first_part_is_sent(ask, proxy):
    proxy.window = 2048
    text = "word and word\n" * 2000 + f"{KEY}\n"
    outcome = await ask("koala/claude", files={"long.txt": text})
    assert not isinstance(outcome, Answer)
    assert proxy.served == []


async def test_a_judge_in_a_cloud_is_not_sent_a_secret(ask, proxy):
    tool = {"verify": "second-model", "verify_model": "koala/claude"}
    outcome = await ask("koala/here", files={"notes.py": f"key = '{KEY}'\n"}, tool=tool)
    assert isinstance(outcome, Answer)
    assert {model for model, _ in proxy.served} == {"here"}


async def test_what_has_no_secret_goes_to_a_cloud_that_is_listed(ask, proxy):
    outcome = await ask("koala/claude", files={"notes.py": "password = os.environ['X']\n"})
    assert isinstance(outcome, Answer)
    assert {model for model, _ in proxy.served} == {"claude"}
