"""Material that fits no window: planned, read in parts, merged as a tree, answered and checked."""

import asyncio
import re

import pytest
from engine_rows import rows
from held_doubles import until
from reading_double import ReadingDouble, marks, reading_reply, step_of

from doubles.plays import Play
from spadework.engine.job import Answer, HandBack, Listener

MODEL = "koala/llama3-local"
LINES = 3000
MARKED = range(100, LINES, 300)
PLACES = [f"big.txt:{number}" for number in MARKED]


@pytest.fixture
def big(project):
    """A file of thirty thousand words, in which every three hundredth line is marked."""
    text = [
        f"line {n} MARK of some words" if n in MARKED else f"line {n} has ten words in it or so"
        for n in range(1, LINES + 1)
    ]
    (project / "big.txt").write_text("\n".join(text) + "\n")
    return project / "big.txt"


@pytest.fixture
def reader():
    with ReadingDouble() as double:
        yield double


def built(build, double, window=2000, **tool):
    return build(koala=double.url, models=[MODEL], windows={"llama3-local": window}, tool=tool)


async def test_it_is_read_whole_and_the_answer_cites_the_lines_of_the_original(
    build, job, session, big, reader
):
    answer = await built(build, reader).delegate(job("Where are the marks?", "big.txt"), session)
    assert isinstance(answer, Answer), answer
    assert answer.text == f"There are {len(PLACES)} marks: {', '.join(PLACES)}."
    assert "citation" in answer.checks
    assert not [note for note in answer.notes if "not in the source" in note]
    parts = [one for one in reader.prompts if step_of(one) == "part"]
    assert f"read in {len(parts)} parts" in answer.notes[-1]
    numbers = [int(n) for one in parts for n in re.findall(r"^ *(\d+)\| ", one, re.MULTILINE)]
    assert sorted(numbers) == list(range(1, LINES + 1)), "every line in one part"


async def test_what_it_took_is_one_row_with_all_of_its_tokens(
    build, job, session, big, reader, tmp_path
):
    answer = await built(build, reader).delegate(job("Where?", "big.txt"), session)
    [row] = rows(tmp_path)
    assert row.outcome == "answered", answer
    assert row.prompt_tokens == answer.figures.prompt_tokens > 30_000
    assert row.bytes_read == big.stat().st_size
    assert row.first_token_seconds is None, "it would be the last step's alone"


async def test_the_plan_is_told_before_the_first_model_is_asked(build, job, session, big, reader):
    heard = []

    def hear(progress):
        heard.append((progress.message, progress.done, progress.of, len(reader.chats)))

    await built(build, reader).delegate(job("Where?", "big.txt"), session, Listener(progress=hear))
    plans = [one for one in heard if re.match(r"1 file, \d+ KB, \d+ parts on koala/llama3", one[0])]
    message, done, of, asked = plans[0]
    assert asked == 0
    parts = int(re.search(r"(\d+) parts", message)[1])
    assert (done, of) == (0, parts + 1)
    steps = [(done, of) for message, done, of, _ in heard if message.startswith("step ")]
    assert [done for done, _ in steps] == list(range(1, len(steps) + 1))
    assert all(done < of for done, of in steps)


async def test_where_the_models_pace_is_known_the_plan_says_how_long(
    build, job, session, big, reader, project
):
    engine = built(build, reader)
    for _ in range(2):
        await engine.delegate(job("Where?", "notes.md"), session)
    heard = []
    listener = Listener(progress=lambda progress: heard.append(progress.message))
    await engine.delegate(job("Where?", "big.txt"), session, listener)
    assert [one for one in heard if re.search(r"parts, about \d+ s on koala", one)]


async def test_notes_that_are_too_long_are_merged_as_a_tree(build, job, session, big):
    def verbose(prompt):
        if step_of(prompt) == "part":
            notes = "\n".join(f"- A mark stands here ({place})." for place in marks(prompt))
            return f"{notes}\n" + " ".join(f"remark{n}" for n in range(250))
        return reading_reply(prompt)

    with ReadingDouble(reply=verbose) as double:
        answer = await built(build, double).delegate(job("Where?", "big.txt"), session)
        merges = sum(step_of(one) == "merge" for one in double.prompts)
    assert isinstance(answer, Answer), answer
    assert merges >= 4
    assert answer.text.endswith(f"{PLACES[-1]}.")
    assert answer.text.startswith(f"There are {len(PLACES)} marks")


async def test_an_answer_from_notes_is_held_against_the_material_itself(build, job, session, big):
    def inventing(prompt):
        end = "The marks are at big.txt:100 and big.txt:400, one more at big.txt:99999."
        return end if step_of(prompt) == "end" else reading_reply(prompt)

    with ReadingDouble(reply=inventing) as double:
        answer = await built(build, double).delegate(job("Where?", "big.txt"), session)
    assert "big.txt:99999~~ [not in the source]" in answer.text
    assert any("struck" in note for note in answer.notes)


async def test_labels_and_schemas_hold_for_the_answer_and_not_for_the_notes(
    build, job, session, big
):
    def labelling(prompt):
        return '"prose"' if step_of(prompt) == "end" else reading_reply(prompt)

    with ReadingDouble(reply=labelling) as double:
        engine = built(build, double)
        asked = job("What is it?", "big.txt", labels=("prose", "code"))
        answer = await engine.delegate(asked, session)
        formats = {step_of(c.json["messages"][-1]["content"]): c.json for c in double.chats}
    assert answer.text == "prose"
    assert "response_format" in formats["end"]
    assert "response_format" not in formats["part"]


async def test_standard_input_is_read_in_parts_too(build, job, session, reader, big):
    asked = job("Where?", texts={"standard input": big.read_text()})
    answer = await built(build, reader).delegate(asked, session)
    assert isinstance(answer, Answer), answer
    assert "parts" in answer.notes[-1]


async def test_several_small_files_share_a_part_and_a_large_one_has_several(
    build, job, session, project, reader
):
    folder = project / "docs"
    folder.mkdir()
    for number in range(200):
        mark = "MARK" if number % 50 == 0 else "and"
        (folder / f"{number:03}.md").write_text(f"document {number} {mark} has a few words\n" * 3)
    answer = await built(build, reader).delegate(job("Where?", "docs/"), session)
    assert isinstance(answer, Answer), answer
    parts = [one for one in reader.prompts if step_of(one) == "part"]
    assert 2 <= len(parts) < 40
    assert sum(one.count("File docs/") for one in parts) == 200


async def test_more_parts_than_allowed_are_handed_back_with_what_to_do_and_nobody_is_asked(
    build, job, session, big, reader
):
    outcome = await built(build, reader, max_parts=5).delegate(job("Where?", "big.txt"), session)
    assert isinstance(outcome, HandBack)
    assert re.search(r"that is 1 file, \d+ KB, \d+ parts .*at most 5 parts", outcome.reason)
    assert "name fewer files" in outcome.hint
    assert reader.chats == []


async def test_a_tool_may_forbid_parts(build, job, session, big, reader):
    outcome = await built(build, reader, max_parts=0).delegate(job("Where?", "big.txt"), session)
    assert isinstance(outcome, HandBack)
    assert [one.code for one in outcome.tries] == ["context-exceeded"]
    assert reader.chats == []


async def test_a_part_that_fails_on_every_model_hands_the_whole_back(
    build, job, session, big, tmp_path
):
    def broken(prompt):
        return "" if "line 1500 " in prompt else reading_reply(prompt)

    with ReadingDouble(reply=broken) as double:
        outcome = await built(build, double).delegate(job("Where?", "big.txt"), session)
        assert not any(step_of(one) == "end" for one in double.prompts)
    assert isinstance(outcome, HandBack)
    assert "on one of the parts" in outcome.reason
    assert outcome.reason.count("empty answer [empty]") == 1
    assert outcome.reason.count("[empty]") == 1
    assert [row.outcome for row in rows(tmp_path)] == ["handed-back"]


async def test_a_part_that_does_not_fit_after_all_is_halved(build, job, session, big):
    """The config says too much of the window; the server knows better."""
    with ReadingDouble(window=1200) as double:
        answer = await built(build, double, window=2000).delegate(job("Where?", "big.txt"), session)
        parts = [one for one in double.prompts if step_of(one) == "part"]
    assert isinstance(answer, Answer), answer
    assert answer.text.startswith(f"There are {len(PLACES)} marks")
    assert len(parts) > 30


async def test_a_model_with_a_larger_window_reads_it_whole(build, job, session, big):
    with ReadingDouble() as small, ReadingDouble(window=100_000) as large:
        engine = build(koala=small.url, iguana=large.url, models=[MODEL, "iguana/llama3-local"])
        await engine.reconfigure(
            engine.config.model_copy(
                update={
                    "backends": {
                        name: one.model_copy(update={"windows": {"llama3-local": size}})
                        for (name, one), size in zip(
                            engine.config.backends.items(), (2000, 100_000), strict=True
                        )
                    }
                }
            ),
            {},
        )
        answer = await engine.delegate(job("Where?", "big.txt"), session)
        assert answer.model == "iguana/llama3-local"
        assert len(large.chats) == 1
        assert not any("parts" in note for note in answer.notes)


async def test_cancelling_stops_every_part(build, job, session, big):
    with ReadingDouble(reply=lambda _: Play(hangs_after=1, prompt_tokens=1500)) as double:
        engine = built(build, double)
        call = asyncio.ensure_future(engine.delegate(job("Where?", "big.txt"), session))
        await until(lambda: len(double.chats) >= 2)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        for chat in double.chats:
            assert await asyncio.to_thread(chat.wait_until_left)
    assert engine.running == 0
    snapshot = engine.queue.snapshot()
    assert not snapshot.running
    assert not snapshot.waiting


async def test_a_window_that_leaves_no_room_for_material_is_handed_back(build, job, session, big):
    with ReadingDouble(window=300) as double:
        outcome = await built(build, double, window=300).delegate(job("Where?", "big.txt"), session)
        assert double.chats == []
    assert isinstance(outcome, HandBack)
