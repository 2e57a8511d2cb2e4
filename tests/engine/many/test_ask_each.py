"""One question, many items: through the engine, before doubles."""

import asyncio
import subprocess

import pytest
from engine_rows import LLAMA, rows
from held_doubles import HeldOpenAI, until

from doubles.asking import DEAD_URL
from doubles.plays import Play
from spadework.engine.batch.runner import ask_each, items_of
from spadework.engine.batch.table import EachJob
from spadework.errors import ArgumentError, ReferenceRefused

GOOD = Play(reply="Fine.", prompt_tokens=90)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPADEWORK_DATA", str(tmp_path / "data"))


@pytest.fixture
def docs(project):
    folder = project / "docs"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number:02}.md").write_text(f"document {number}\n")
    return folder


@pytest.fixture
def staged(docs, project):
    """The project as a repository in which one file is staged."""
    for command in (["init", "-q"], ["add", "docs/00.md"]):
        subprocess.run(["git", *command], cwd=project, check=True)


async def asked(engine, session, at_once=4, hear=lambda _: None, **changes):
    job = EachJob(tool="ask_local_llama", arguments={"prompt": "What is it?"}, **changes)
    listed = await items_of(job, session, engine.config)
    return await ask_each(
        lambda one, listener: engine.delegate(one, session, listener),
        job,
        listed.items,
        listed.left_out,
        at_once=at_once,
        hear=hear,
    )


async def test_every_file_of_a_folder_is_asked_about_once_and_the_rows_keep_its_order(
    build, session, docs, openai_double
):
    openai_double.plays(GOOD)
    table = await asked(build(koala=openai_double.url, models=[LLAMA]), session, files=("docs/",))
    assert [row.item for row in table.rows] == [f"docs/{number:02}.md" for number in range(12)]
    assert {row.answer for row in table.rows} == {"Fine."}
    assert not table.failed
    sent = [chat.json["messages"][-1]["content"] for chat in openai_double.chats]
    assert sorted(sum(f"document {n}\n" in one for one in sent) for n in range(12)) == [1] * 12


async def test_a_file_that_is_named_twice_is_one_item(build, session, docs, openai_double):
    openai_double.plays(GOOD)
    engine = build(koala=openai_double.url, models=[LLAMA])
    table = await asked(engine, session, files=("docs/01.md", "docs/0*.md", "docs/01.md:1-1"))
    assert [row.item for row in table.rows].count("docs/01.md") == 1
    assert table.rows[-1].item == "docs/01.md:1-1"


async def test_what_git_shows_is_one_item_and_a_file_of_such_a_name_is_a_file(
    build, session, docs, staged, openai_double
):
    openai_double.plays(GOOD)
    (docs / "git:log").write_text("a file of an odd name\n")
    engine = build(koala=openai_double.url, models=[LLAMA])
    table = await asked(engine, session, files=("git:diff --staged", "docs/git*"))
    assert [row.item for row in table.rows] == ["git:diff --staged", "docs/git:log"]
    assert not table.failed
    sent = [chat.json["messages"][-1]["content"] for chat in openai_double.chats]
    assert any("+document 0" in one for one in sent)
    assert any("a file of an odd name" in one for one in sent)


async def test_texts_are_items_too(build, session, openai_double):
    openai_double.plays(GOOD)
    engine = build(koala=openai_double.url, models=[LLAMA])
    table = await asked(engine, session, items=("one\ntext", "x" * 100))
    assert [row.item for row in table.rows] == ["one text", "x" * 59 + "…"]
    assert any("one\ntext" in c.json["messages"][-1]["content"] for c in openai_double.chats)


async def test_an_item_that_fails_costs_the_others_nothing_and_says_why(
    build, session, docs, openai_double
):
    (docs / "05.md").write_bytes(b"\0\1\2binary")
    (docs / "06.md").write_text("")
    openai_double.plays(GOOD)
    files = tuple(f"docs/{number:02}.md" for number in range(12))
    table = await asked(build(koala=openai_double.url, models=[LLAMA]), session, files=files)
    assert [row.item for row in table.failed] == ["docs/05.md", "docs/06.md"]
    assert "binary" in table.failed[0].error
    assert "empty" in table.failed[1].error  # there is nothing to answer from
    assert sum(row.answer == "Fine." for row in table.rows) == 10


async def test_a_dead_server_gives_rows_that_say_so_and_no_exception(build, session, docs):
    impatient = build(koala=DEAD_URL, models=[LLAMA], queue={"patience": 0})
    table = await asked(impatient, session, files=("docs/",))
    assert len(table.failed) == 12
    assert all("koala" in row.error for row in table.rows)


async def test_credential_files_of_a_folder_are_left_out_and_named(
    build, session, docs, openai_double
):
    (docs / ".env").write_text("SECRET=1")
    openai_double.plays(GOOD)
    table = await asked(build(koala=openai_double.url, models=[LLAMA]), session, files=("docs/",))
    assert [one.path for one in table.left_out] == ["docs/.env"]
    assert len(table.rows) == 12


async def test_the_same_call_again_asks_only_what_is_missing_or_changed(
    build, session, docs, openai_double
):
    openai_double.plays(GOOD)
    engine = build(koala=openai_double.url, models=[LLAMA])
    await asked(engine, session, files=("docs/",))
    (docs / "03.md").write_text("another document 3\n")
    (docs / "12.md").write_text("document 12\n")
    before = len(openai_double.chats)
    table = await asked(engine, session, files=("docs/",))
    assert len(openai_double.chats) - before == 2
    assert table.known == 11
    assert {row.item for row in table.rows if not row.known} == {"docs/03.md", "docs/12.md"}
    assert {row.answer for row in table.rows} == {"Fine."}
    assert len(rows(session.project.parent)) == 12 + 13, "each has its row, known ones too"


@pytest.mark.parametrize(
    "changes",
    [{"fresh": True}, {"max_tokens": 7}, {"arguments": {"prompt": "And now?"}}],
    ids=["fresh", "another limit", "another question"],
)
async def test_what_is_asked_otherwise_is_asked_anew(build, session, docs, openai_double, changes):
    openai_double.plays(GOOD)
    engine = build(koala=openai_double.url, models=[LLAMA])
    await asked(engine, session, files=("docs/",))
    job = EachJob(**{"tool": "ask_local_llama", "arguments": {"prompt": "What is it?"}} | changes)
    listed = await items_of(
        EachJob(tool="ask_local_llama", arguments={}, files=("docs/",)), session, engine.config
    )
    table = await ask_each(
        lambda one, listener: engine.delegate(one, session, listener),
        job,
        listed.items,
        at_once=4,
        hear=lambda _: None,
    )
    assert table.known == 0
    assert len(openai_double.chats) == 24


async def test_an_answer_that_failed_its_checks_is_not_remembered(
    build, session, docs, openai_double
):
    openai_double.plays(reply="")
    engine = build(koala=openai_double.url, models=[LLAMA])
    assert len((await asked(engine, session, files=("docs/00.md",))).failed) == 1
    openai_double.plays(GOOD)
    table = await asked(engine, session, files=("docs/00.md",))
    assert (table.rows[0].answer, table.rows[0].known) == ("Fine.", False)


async def test_a_call_that_is_cancelled_keeps_what_is_done(build, session, docs, openai_double):
    openai_double.plays(GOOD)
    seen = []
    with HeldOpenAI() as held:
        held.plays(GOOD)
        engine = build(koala=openai_double.url, held=held.url, models=[LLAMA])
        await asked(engine, session, files=("docs/0[0-4].md",))
        slow = EachJob(
            tool="ask_local_llama",
            arguments={"prompt": "What is it?"},
            files=("docs/",),
            models=("held/llama3-local",),
        )
        listed = await items_of(slow, session, engine.config)
        call = asyncio.ensure_future(
            ask_each(
                lambda one, listener: engine.delegate(one, session, listener),
                slow,
                listed.items,
                at_once=3,
                hear=seen.append,
            )
        )
        await until(lambda: held.at_once == 3)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await until(lambda: held.at_once == 0)
    assert engine.running == 0
    assert (await asked(engine, session, files=("docs/",))).known == 5


async def test_steps_count_up_to_all_and_tell_the_time_left(build, session, docs, openai_double):
    openai_double.plays(GOOD)
    steps = []
    engine = build(koala=openai_double.url, models=[LLAMA])
    await asked(engine, session, files=("docs/",), hear=steps.append)
    assert [step.done for step in steps] == list(range(13))
    assert {step.of for step in steps} == {12}
    assert str(steps[0]) == "0 of 12"
    assert "s left" in str(steps[5])
    assert str(steps[-1]) == "12 of 12"


async def test_no_more_are_at_work_at_once_than_allowed(build, session, docs):
    with HeldOpenAI() as held:
        held.plays(GOOD)
        engine = build(koala=held.url, models=[LLAMA])
        call = asyncio.ensure_future(asked(engine, session, at_once=3, files=("docs/",)))
        await until(lambda: held.at_once == 3)
        assert engine.running == 3
        held.free.set()
        assert not (await call).failed


async def test_what_is_wrong_for_all_is_said_once_and_no_model_is_asked(
    build, session, docs, openai_double
):
    engine = build(koala=openai_double.url, models=[LLAMA])
    with pytest.raises(ReferenceRefused, match="not-found"):
        await asked(engine, session, files=("nowhere/",))
    with pytest.raises(ArgumentError, match="nothing to ask about"):
        await asked(engine, session)
    with pytest.raises(ArgumentError, match="both files and items"):
        await asked(engine, session, files=("docs/",), items=("a",))
    assert openai_double.chats == []


async def test_more_items_than_allowed_are_refused_by_number(build, session, docs, openai_double):
    engine = build(koala=openai_double.url, models=[LLAMA])
    few = engine.config.model_copy(
        update={"each": engine.config.each.model_copy(update={"max_items": 5})}
    )
    await engine.reconfigure(few, {})
    with pytest.raises(ReferenceRefused, match="more than 5 files"):
        await asked(engine, session, files=("docs/",))
    with pytest.raises(ArgumentError, match="6 items are more than 5"):
        await asked(engine, session, items=tuple("abcdef"))


async def test_a_cache_that_cannot_be_used_costs_no_answer(
    build, session, docs, openai_double, tmp_path
):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "answers.db").write_text("no database at all, but a text" * 100)
    openai_double.plays(GOOD)
    engine = build(koala=openai_double.url, models=[LLAMA])
    for _ in range(2):
        table = await asked(engine, session, files=("docs/",))
        assert not table.failed
    assert len(openai_double.chats) == 24


async def test_the_cache_can_be_switched_off(build, session, docs, openai_double, tmp_path):
    openai_double.plays(GOOD)
    engine = build(koala=openai_double.url, models=[LLAMA])
    off = engine.config.cache.model_copy(update={"enabled": False})
    await engine.reconfigure(engine.config.model_copy(update={"cache": off}), {})
    await asked(engine, session, files=("docs/",))
    await asked(engine, session, files=("docs/",))
    assert len(openai_double.chats) == 24
    assert not (tmp_path / "data" / "answers.db").exists()
