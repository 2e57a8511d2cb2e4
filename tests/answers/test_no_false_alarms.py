"""Honest answers pass every check, whole and unmarked: 200 of them, made from the corpus."""

from honest import EXCHANGES
from hypothesis import given, settings

from spadework.checks.reply_checks import ModelReply, check_reply


@given(EXCHANGES)
@settings(max_examples=200)
def test_an_honest_answer_passes_every_check(exchange):
    requirements, text = exchange
    reply = ModelReply(
        text=text,
        finish="stop",
        max_tokens=4000,
        had_thinking=False,
        prompt_tokens=900,
        expected_tokens=880,
        expected_source="counted by words",
    )
    checked = check_reply(reply, requirements)
    assert checked.notes == ()
    if requirements.schema is None and not text.startswith("```"):
        assert checked.text == text.strip()
