"""Every form of answer from a real model, on real text: nothing unchecked gets out.

What a toy model says is not asserted, only what the engine promises of it.
"""

from pathlib import Path

import pytest

from spadework.checks.grounding import MARK
from spadework.checks.structured_output import structured
from spadework.config.models import Config
from spadework.engine.engine import Engine
from spadework.engine.job import Answer, HandBack, Job, Session

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

CORPUS = Path(__file__).parents[1] / "data" / "corpus"
LABELS = ("licence", "recipe", "declaration")
SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "maxLength": 60},
        "kind": {"enum": ["licence", "declaration"]},
    },
    "required": ["title", "kind"],
}


@pytest.fixture
async def delegate(data_with_demo, tmp_path):
    """Ask the embedded model about the corpus."""
    tools = {"ask_local_llama": {"use_for": "tests", "models": ["embedded/*"], "max_tokens": 120}}
    tools["judged"] = {**tools["ask_local_llama"], "verify": "second-model"}
    config = Config.model_validate({"tools": tools, "ledger": {"path": tmp_path / "ledger.db"}})

    async with Engine.from_config(config, environ={}) as engine:

        async def ask(prompt, *files, tool="ask_local_llama", **form):
            job = Job(tool=tool, arguments={"prompt": prompt}, files=files, **form)
            return await engine.delegate(job, Session(CORPUS))

        yield ask


async def test_real_answers_come_in_their_form_with_their_checks_or_are_handed_back(delegate):
    label = await delegate("What is it?", "udhr.en.txt", labels=LABELS)
    assert isinstance(label, Answer)
    assert label.text in LABELS
    assert 0 <= label.confidence <= 1

    data = await delegate("Describe it.", "udhr.en.txt", schema=SCHEMA)
    if isinstance(data, Answer):
        assert structured(data.text, SCHEMA)[0] == data.value
        assert {"json", "schema"} <= set(data.checks)

    quoted = await delegate("Quote one sentence of it.", "udhr.en.txt")
    code = await delegate("Write a Python function that adds two numbers.")
    judged = await delegate("What is forbidden?", "udhr.en.txt", tool="judged")
    for outcome in (data, quoted, code, judged):
        if isinstance(outcome, HandBack):
            assert all(one.check for one in outcome.tries)
        else:
            assert {"cut-off", "empty", "refusal"} <= set(outcome.checks)
            assert (MARK in outcome.text) == any("struck" in note for note in outcome.notes)
    if isinstance(judged, Answer):
        assert any("no second model judged this" in note for note in judged.notes)
