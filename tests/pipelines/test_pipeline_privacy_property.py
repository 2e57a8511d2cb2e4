"""Random pipelines over private and public items: nothing private reaches the Messages API.

Each item carries a little program of its own, which the pipeline below carries out: sequences and
gathers of asks, questions to Claude and steps. What is private holds a canary, and so does whatever
a local model makes of it.
"""

import asyncio
import json
import os
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from doubles.messages_api import COUNT, MESSAGES, MessagesApi
from doubles.openai_compatible import OpenAIDouble
from spadework.config.loader import load_config
from spadework.pipelines.dry_run import estimate
from spadework.pipelines.durable.worker_process import working
from spadework.pipelines.items import Item
from spadework.pipelines.store.database import Database, engine_url
from spadework.pipelines.store.records import Options, Run
from spadework.pipelines.store.runs import prepare

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

WAIT = 400.0
AT_ONCE = 4
CANARY = "CANARY-51b2"
OWN = """
import asyncio
from spadework.errors import HandedBack
from spadework.pipelines import Item, ask, claude, pipeline, step

TOOL = "ask_local_llama"

@pipeline
async def own(item: Item):
    found = [item.text]
    await do(item.data["program"], found)
    return found

@own.finish
async def end(rows):
    return (await claude("Sum up.", texts={"rows": str(rows)})).text

@step
async def kept(program, text):
    found = [text]
    await do(program, found)
    return found

async def do(program, found):
    for kind, more in program:
        if kind == "ask":
            texts = {"x": more["text"], "found": str(found)}
            answer = await ask(TOOL, "?", texts=texts, private=more["private"])
            found.append(answer.text)
        elif kind == "read":
            found.append((await ask(TOOL, "?", files=[more])).text)
        elif kind == "claude":
            found.append((await claude("?", texts={"x": more, "found": str(found)})).text)
        elif kind == "step":
            found += await kept(more, found[0])
        else:
            parts = [list(found) for _ in more]
            await asyncio.gather(*map(do, more, parts))
            found += [one for part in parts for one in part[len(found):]]
"""


class Echo(OpenAIDouble):
    """Answers with the canary where it was asked about it."""

    async def chat(self, request, wire):
        asked = CANARY.encode() in request.body
        self.plays(reply=f"It says {CANARY}." if asked else "A thing.", prompt_tokens=500)
        await super().chat(request, wire)


class Place:
    """A folder with a config, a pipeline and files, one of them private by two names."""

    def __init__(self, folder, local, api):
        self.folder, self.api = folder, api
        (folder / "own.py").write_text(OWN)
        (folder / "a.secret").write_text(f"It is {CANARY}.")
        os.link(folder / "a.secret", folder / "link.txt")
        (folder / "plain.txt").write_text("Nothing.")
        (folder / "config.toml").write_text(
            f'[backends.koala]\nkind = "openai"\nurl = "{local.url}"\nslots = 16\n'
            '[tools.ask_local_llama]\nmodels = ["koala/llama3-local"]\n'
            f'[claude_api]\ntest_url = "{api.url}"\n[references]\nprivate = ["*.secret"]\n'
        )
        self.config = load_config(folder / "config.toml").config

    def database(self):
        return Database(engine_url(f"sqlite:///{self.folder}/runs.db", ""))

    async def do_all(self, plans):
        """Estimate and do runs, some of them at once; gives how each ended."""
        opened = self.database()
        prepare(opened)
        runs = [self._run(number, *one) for number, one in enumerate(plans)]
        for run, items in runs:
            await estimate(self.config, self.database(), run, items)
        assert not self.api.bodies(MESSAGES), "an estimate asks nobody"
        ended = []
        async with working(self.config, opened, "property", concurrency=16) as here:
            for some in range(0, len(runs), AT_ONCE):
                doing = (self._done(here, *one) for one in runs[some : some + AT_ONCE])
                ended += await asyncio.gather(*doing)
                assert CANARY.encode() not in self.sent(), plans[some : some + AT_ONCE]
        return ended

    def sent(self):
        return b"".join(one.body for one in tuple(self.api.requests))

    def _run(self, number, programs, budgeted):
        items = [
            Item(
                place,
                f"item {place}",
                text=f"It is {'public' if mark else CANARY}.",
                data={"program": program},
                private=not mark,
            )
            for place, (program, mark) in enumerate(programs, 1)
        ]
        options = Options(str(self.folder), budget_usd=5.0 if budgeted else None)
        pipeline = f"{self.folder}/own.py:own"
        return Run(f"r{number}", pipeline, "running", time.time(), len(items), options), items

    async def _done(self, here, run, items):
        here.runs.create(run, items)
        await here.stage.put_in_queues(run, here.items_queue)
        async with asyncio.timeout(WAIT):
            while (found := here.runs.find(run.id)).state == "running":
                await asyncio.sleep(0.02)
            while run.id in here.stage.active:
                await asyncio.sleep(0.02)
        return found


@pytest.fixture
def place(tmp_path, monkeypatch):
    for name in [name for name in os.environ if "ANTHROPIC" in name]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SPADEWORK_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with Echo() as local, MessagesApi() as api:
        yield lambda: Place(Path(tempfile.mkdtemp(dir=tmp_path)), local, api)


def ask(text="x", *, private=False):
    return ["ask", {"text": text, "private": private}]


SECRET = [["read", "a.secret"], ["read", "link.txt"], ask(CANARY, private=True)]
PUBLIC = [["read", "plain.txt"], ask()]
QUESTION = ["claude", "x"]


def declares(branch):
    """Whether a branch says that something is private as it begins, or in a step before Claude."""
    first = branch[0]
    if first[0] != "step":
        return first in SECRET
    kinds = [one for one in first[1] if one in SECRET or one == QUESTION]
    return bool(kinds) and kinds[0] in SECRET


def gathered(branches):
    """Branches that begin together; if one declares something, Claude is asked about just that."""
    if any(map(declares, branches)):
        text = json.dumps(branches).replace(json.dumps(QUESTION), json.dumps(["claude", CANARY]))
        branches = json.loads(text)
    return ["gather", branches]


CALLS = st.sampled_from([*SECRET, *PUBLIC, *PUBLIC, QUESTION, QUESTION, QUESTION])
STEPS = st.lists(CALLS, min_size=1, max_size=3).map(lambda program: ["step", program])
BRANCHES = st.lists(st.one_of(CALLS, STEPS), min_size=1, max_size=2)
GATHERS = st.lists(BRANCHES, min_size=2, max_size=3).map(gathered)
PROGRAMS = st.lists(st.one_of(CALLS, STEPS, GATHERS, GATHERS), min_size=1, max_size=3)
RUNS = st.tuples(
    st.lists(st.tuples(PROGRAMS, st.integers(0, 4)), min_size=1, max_size=2), st.booleans()
)
EXAMPLES = [
    ([([SECRET[0], QUESTION], 1)], True),
    ([([SECRET[1], QUESTION], 1)], False),
    ([([gathered([[QUESTION], [SECRET[2]]])], 1)], True),
    ([([gathered([[QUESTION], [["step", [PUBLIC[1], SECRET[0]]]]])], 1)], False),
    ([([gathered([[["step", [QUESTION]]], [["step", [PUBLIC[1], SECRET[0]]]]])], 1)], False),
    ([([["step", [SECRET[0]]], QUESTION], 1)], True),
    ([([SECRET[0]], 1), ([PUBLIC[1]], 1)], False),
    ([([PUBLIC[0], QUESTION, ["step", [QUESTION]], QUESTION], 1)], True),
    ([([gathered([[["step", [QUESTION]]], [["step", [PUBLIC[1], QUESTION]]]])], 1)], False),
    ([([QUESTION, SECRET[2]], 1)], False),
]


# All of an example is drawn before anything runs: the engine's threads would disturb the drawing.
@settings(max_examples=2, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(RUNS, min_size=16, max_size=16, unique_by=json.dumps))
@example(EXAMPLES)
def test_nothing_private_is_sent_or_counted(place, plans):
    here = place()
    here.api.requests.clear()
    ended = asyncio.run(here.do_all(plans))
    for (programs, _), run in zip(plans, ended, strict=True):
        kinds = json.dumps([program for program, _ in programs])
        is_private = any(json.dumps(one) in kinds for one in SECRET)
        if not is_private and all(mark for _, mark in programs):
            assert run.state == "done", run.error
    if plans == EXAMPLES:  # so that it is seen to ask and to refuse
        assert {run.state for run in ended} == {"done", "failed"}
        assert here.api.bodies(MESSAGES)
        assert here.api.bodies(COUNT)
