"""Nothing private reaches a model that is not local, whatever way a job takes through the engine.

A recording proxy says which model really got what.
"""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doubles.litellm import CLOUD, LOCAL, LiteLLMDouble
from doubles.plays import Play
from spadework.config.model_patterns import matches
from spadework.config.models import Config
from spadework.engine.batch.runner import ask_each, items_of
from spadework.engine.batch.table import EachJob
from spadework.engine.engine import Engine
from spadework.engine.job import Answer, Job, Session

PUBLIC = {"model": "openai/x", "api_base": "https://api.example.com/v1"}
UNTOLD = {"model": "ollama_chat/x"}
ROUTES = {"local": LOCAL, "claude": CLOUD, "public": PUBLIC, "untold": UNTOLD}
SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}
REPLIES = ["Two of them.", "", '{"n": 1}', '{"n": "one"}', '"quoted words that are nowhere"']
NAMES = ("a", "b", "c")


def engine_for(folder, proxy, *, models, tool, private=(), projects=()):
    config = Config.model_validate(
        {
            "backends": {"koala": {"kind": "litellm", "url": proxy.url}},
            "tools": {"ask_local_llama": {"use_for": "tests", "models": list(models), **tool}},
            "references": {"private": list(private)},
            "projects": [{"path": Path(one)} for one in projects],
            "ledger": {"path": folder / "ledger.db"},
        }
    )
    return Engine.from_config(config, environ={})


def is_allowed(proxy, model, listed, *, private):
    route = proxy.routes[model][0]
    return route is LOCAL or (not private and matches(f"koala/{model}", listed))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
async def test_no_way_through_the_engine_leads_to_a_model_that_may_not_have_it(data):
    draw = data.draw
    routes = {name: ROUTES[draw(st.sampled_from(sorted(ROUTES)))] for name in NAMES}
    fallbacks = draw(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(NAMES), max_size=2))
    listed = draw(
        st.sampled_from([(), ("koala/*",), ("koala/a", "koala/b"), ("koala/c", "koala/*")])
    )
    why = draw(st.sampled_from(["pattern", "flag", "confidential", "own file", "no"]))
    tool = {
        "verify": draw(st.sampled_from(["checks", "second-model", "none"])),
        "max_tokens": 64,
    }
    if draw(st.booleans()) and tool["verify"] == "second-model":
        tool["verify_model"] = draw(st.sampled_from(["koala/a", "koala/b"]))
    long = draw(st.booleans())
    shape = draw(st.sampled_from(["prose", "schema", "labels"]))
    asked_models = draw(st.sampled_from([(), ("koala/b",), ("koala/*",)]))
    with (
        tempfile.TemporaryDirectory() as scratch,
        LiteLLMDouble(routes, fallbacks) as proxy,
        pytest.MonkeyPatch.context() as environ,
    ):
        folder = Path(scratch)
        environ.setenv("SPADEWORK_DATA", scratch)  # the cache of answers
        project = folder / "client"
        project.mkdir()
        (project / "notes.md").write_text("word and word\n" * (1500 if long else 3))
        if why == "own file":
            (project / ".spadework.toml").write_text("confidential = true\n")
        proxy.window = 2048
        proxy.plays(
            *(Play(reply=reply, prompt_tokens=9000) for reply in draw(st.permutations(REPLIES)))
        )
        engine = engine_for(
            folder,
            proxy,
            models=listed,
            tool=tool,
            private=["notes*"] if why == "pattern" else [],
            projects=[project] if why == "confidential" else [],
        )
        job = Job(
            tool="ask_local_llama",
            arguments={"prompt": "How many?"},
            files=("notes.md",),
            private=why == "flag",
            models=asked_models,
            use_cache=draw(st.booleans()),
            schema=SCHEMA if shape == "schema" else None,
            labels=("one", "two") if shape == "labels" else (),
        )
        session = Session(project=project, name="test")
        try:
            for _ in range(2):
                outcome = await engine.delegate(job, session)
                if isinstance(outcome, Answer):
                    model = outcome.model.partition("/")[2]
                    opened = (*listed, tool.get("verify_model", ""))
                    assert is_allowed(proxy, model, opened, private=why != "no")
        finally:
            await engine.close()
        opened = (*listed, tool.get("verify_model", ""))
        for model, _ in proxy.served:
            assert is_allowed(proxy, model, opened, private=why != "no"), (model, why)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPADEWORK_DATA", str(tmp_path))


@pytest.fixture
def proxy():
    with LiteLLMDouble({"claude": CLOUD, "here": LOCAL, "untold": UNTOLD}) as double:
        yield double


@pytest.fixture
async def build(tmp_path, proxy):
    engines = []

    def make(models=(), tool=None, **more):
        engines.append(engine_for(tmp_path, proxy, models=models, tool=tool or {}, **more))
        return engines[-1]

    yield make
    for engine in engines:
        await engine.close()


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "client.md").write_text("The client is Acme.\n" * 3)
    return folder


@pytest.fixture
def session(project):
    return Session(project=project, name="test")


def job(**changes):
    return Job(tool="ask_local_llama", arguments={"prompt": "Who?"}, **changes)


async def test_a_tool_without_models_asks_local_ones_only(build, session, proxy):
    outcome = await build().delegate(job(), session)
    assert outcome.model == "koala/here"
    assert [model for model, _ in proxy.served] == ["here"]


async def test_where_nothing_is_local_the_hand_back_says_what_to_do(build, session, proxy):
    proxy.routes = {"claude": [CLOUD], "untold": [UNTOLD]}
    proxy.entries = [{"id": name} for name in proxy.routes]
    outcome = await build().delegate(job(), session)
    assert {one.code for one in outcome.tries} == {"trust-refused"}
    assert "local_models" in outcome.hint
    assert proxy.served == []


async def test_a_cloud_model_answers_where_the_config_lists_it(build, session, proxy):
    engine = build(models=["koala/claude"])
    assert (await engine.delegate(job(), session)).model == "koala/claude"
    private = await engine.delegate(job(private=True), session)
    assert [one.code for one in private.tries] == ["private-refused"]
    assert len(proxy.served) == 1


async def test_a_model_that_is_asked_for_by_name_must_be_listed_too(build, session, proxy):
    outcome = await build(models=["koala/here"]).delegate(job(models=("koala/claude",)), session)
    assert [one.code for one in outcome.tries] == ["trust-refused"]
    assert proxy.served == []


async def test_many_models_that_may_not_answer_are_one_line(build, session, proxy):
    proxy.routes = {f"cloud-{number}": [CLOUD] for number in range(40)}
    proxy.entries = [{"id": name} for name in proxy.routes]
    outcome = await build().delegate(job(), session)
    assert len(outcome.tries) == 1
    assert "40 cloud" in outcome.tries[0].message


async def test_a_file_of_a_confidential_folder_is_private_for_every_project(
    build, session, proxy, tmp_path, project
):
    other = tmp_path / "other"
    other.mkdir()
    engine = build(models=["koala/claude"], projects=[project])
    elsewhere = Session(project=other, roots=(project,), name="test")
    outcome = await engine.delegate(job(files=(str(project / "client.md"),)), elsewhere)
    assert [one.code for one in outcome.tries] == ["private-refused"]
    assert proxy.served == []


async def test_an_answer_of_a_confidential_project_says_where_it_was_processed(
    build, session, project
):
    (project / ".spadework.toml").write_text("confidential = true\n")
    outcome = await build().delegate(job(), session)
    assert outcome.private
    assert "confidential: processed by koala/here, a local model" in outcome.notes


async def test_a_projects_own_file_cannot_take_confidentiality_back(build, session, proxy, project):
    (project / ".spadework.toml").write_text("confidential = false\n")
    engine = build(models=["koala/claude"], projects=[project.parent / "*"])
    outcome = await engine.delegate(job(), session)
    assert [one.code for one in outcome.tries] == ["private-refused"]
    assert proxy.served == []


async def test_a_projects_file_that_cannot_be_read_counts_as_confidential(
    build, session, proxy, project
):
    (project / ".spadework.toml").write_text("confidential = tru")
    outcome = await build(models=["koala/claude"]).delegate(job(), session)
    assert [one.code for one in outcome.tries] == ["private-refused"]
    assert proxy.served == []


@pytest.mark.parametrize("text", ["confidental = true\n", "private = true\n", "[[projects]]\n"])
async def test_a_projects_file_with_an_unknown_key_counts_as_confidential(
    build, session, proxy, project, text
):
    (project / ".spadework.toml").write_text(text)
    outcome = await build(models=["koala/claude"]).delegate(job(), session)
    assert [one.code for one in outcome.tries] == ["private-refused"]
    assert proxy.served == []


async def test_with_an_invalid_config_file_only_local_models_are_asked(build, session, proxy):
    engine = build(models=["koala/claude", "koala/here"])
    engine.config_problem = "config.toml:1: not valid TOML"
    assert (await engine.delegate(job(), session)).model == "koala/here"
    assert {model for model, _ in proxy.served} == {"here"}


async def test_models_that_are_passed_over_as_usual_are_no_news(build, session):
    assert (await build().delegate(job(), session)).tries == ()


async def test_where_nothing_was_asked_the_hand_back_says_so(build, session):
    outcome = await build(models=["koala/claude"]).delegate(job(private=True), session)
    assert "may be asked this" in outcome.reason


async def test_the_ledger_keeps_no_word_of_a_confidential_file_that_is_named_from_outside(
    build, proxy, project, tmp_path
):
    proxy.plays(prompt_tokens=90, reply='It says "the client is a secret agent of some kingdom".')
    engine = build(models=["koala/here"], projects=[project])
    outside = Session(project=tmp_path, name="test")
    outcome = await engine.delegate(job(files=("project/client.md",)), outside)
    assert "secret agent" in outcome.reason
    wal = tmp_path / "ledger.db-wal"
    kept = (tmp_path / "ledger.db").read_bytes() + (wal.read_bytes() if wal.exists() else b"")
    assert b"secret agent" not in kept
    proxy.plays(prompt_tokens=90, reply="A client.")
    answer = await engine.delegate(job(files=("project/client.md",)), outside)
    assert "confidential: processed by koala/here, a local model" in answer.notes


async def test_a_folder_below_a_confidential_one_is_confidential(build, proxy, project):
    (project / ".spadework.toml").write_text("confidential = true\n")
    below = project / "src" / "deep"
    below.mkdir(parents=True)
    outcome = await build(models=["koala/claude"]).delegate(job(), Session(project=below))
    assert [one.code for one in outcome.tries] == ["private-refused"]
    assert proxy.served == []


async def test_the_ledger_keeps_no_word_of_a_confidential_project(
    build, session, proxy, project, tmp_path
):
    (project / ".spadework.toml").write_text("confidential = true\n")
    proxy.plays(
        prompt_tokens=90, reply='The file says "the client is a secret agent of some kingdom".'
    )
    outcome = await build(models=["koala/here"]).delegate(job(files=("client.md",)), session)
    assert "secret agent" in outcome.reason  # the caller may know
    kept = (tmp_path / "ledger.db").read_bytes()
    wal = tmp_path / "ledger.db-wal"
    assert b"secret agent" not in kept + (wal.read_bytes() if wal.exists() else b"")
    assert b"check-failed" in kept + (wal.read_bytes() if wal.exists() else b"")


async def test_many_items_of_a_private_question_stay_local(build, session, proxy):
    engine = build(models=["koala/claude", "koala/here"])
    question = EachJob("ask_local_llama", {"prompt": "Who?"}, items=("x", "y"), private=True)
    listed = await items_of(question, session, engine.config)

    async def delegate(one, listener):
        return await engine.delegate(one, session, listener)

    table = await ask_each(delegate, question, listed.items, at_once=2, hear=lambda _: None)
    assert [row.model for row in table.rows] == ["koala/here"] * 2
    assert {model for model, _ in proxy.served} == {"here"}


async def test_an_answer_that_was_kept_from_a_cloud_is_not_given_for_something_private(
    build, session, proxy
):
    engine = build(models=["koala/claude"])
    assert isinstance(await engine.delegate(job(use_cache=True), session), Answer)
    again = await engine.delegate(job(use_cache=True, private=True), session)
    assert not isinstance(again, Answer)
    assert len(proxy.served) == 1


async def test_a_proxy_that_passes_a_private_request_on_is_found_out(build, session, proxy):
    proxy.fallbacks, proxy.obeys = {"here": "claude"}, False
    outcome = await build(models=["koala/here"]).delegate(job(private=True), session)
    assert [one.code for one in outcome.tries] == ["sent-to-cloud"]
