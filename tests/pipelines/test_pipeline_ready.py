"""The ready pipelines: what they ask, what they keep from Claude, what they report."""

import asyncio
import json
import re
from pathlib import Path

import pytest

from spadework.errors import ArgumentError, ClaudeAbsent, HandedBack, PrivateRefused
from spadework.pipelines import Item, ItemResult, Reply
from spadework.pipelines.definition import find_pipeline, ready_names
from spadework.pipelines.ready.analyze_documents import analyze_documents, report
from spadework.pipelines.ready.review_changes import judge, review_changes
from spadework.pipelines.ready.triage import count, triage
from spadework.pipelines.testing import answering

FOUND = {"title": "A", "topics": ["x", "y"], "claims": ["z"]}
FINDING = {"code": "a - b", "problem": "It subtracts.", "severity": "high"}
LABELS = {"labels": "bug, billing"}
NO = HandedBack("no model gave an answer")


def run(doing):
    return asyncio.run(doing)


def text_item(**more):
    return Item(1, "a", text="It crashes.", **more)


def test_each_ready_pipeline_is_found_by_its_name_and_says_what_it_does():
    assert set(ready_names()) == {"analyze-documents", "review-changes", "triage"}
    for name in ready_names():
        pipeline = find_pipeline(name)
        assert pipeline.doc
        assert pipeline.end
    assert find_pipeline("review-changes").inputs == ("git:HEAD~1..HEAD",)


def test_documents_are_read_by_local_models_and_claude_sees_what_was_found():
    with answering(ask=FOUND, claude="All agree.") as asked:
        assert run(analyze_documents(Item(1, "a.md", path="/p/a.md"))) == FOUND
        text = run(report([ItemResult(1, "a.md", FOUND), ItemResult(2, "b.pdf", error="broken")]))
    assert asked[0].files == ("/p/a.md",)
    assert asked[1].tool == ""
    assert asked[1].texts == {"documents": f"a.md: {json.dumps(FOUND, separators=(',', ':'))}"}
    for part in ("All agree.", "- a.md: A (x, y)", "- b.pdf: broken", "1 of 2 items were read"):
        assert part in text


def test_a_question_of_ones_own_is_asked():
    with answering(settings={"question": "Who pays?"}) as asked:
        run(report([ItemResult(1, "a.md", FOUND)]))
    assert asked[0].prompt.startswith("Who pays? ")


def test_where_no_document_was_read_claude_is_not_asked():
    with answering() as asked:
        assert "No document could be read." in run(report([ItemResult(1, "a.md", error="broken")]))
    assert asked == []


@pytest.mark.parametrize(("finish", "value"), [(report, FOUND), (judge, {"findings": [FINDING]})])
def test_what_was_found_is_reported_where_nobody_can_write_it_up(finish, value):
    with answering(claude=NO):
        text = run(finish([ItemResult(1, "a.md", value)]))
    assert "no model gave an answer" in text
    assert "a.md" in text.partition("no model gave")[2]


def test_nothing_private_goes_to_claude():
    with answering(ask=FOUND, private=True), pytest.raises(PrivateRefused):
        run(report([ItemResult(1, "a.md", FOUND, private=True)]))


@pytest.mark.parametrize("confidence", [None, 0.5, 1.0])
def test_a_label_that_is_sure_stays_local(confidence):
    with answering(ask="bug", confidence=confidence, settings=LABELS) as asked:
        assert run(triage(text_item()))["label"] == "bug"
    assert [(call.tool, call.labels) for call in asked] == [("ask_local_llama", ("bug", "billing"))]


@pytest.mark.parametrize(
    ("local", "said", "label"),
    [("bug", "Billing.", "billing"), (NO, "**bug**", "bug"), ("bug", "I cannot tell", "unsure")],
)
def test_only_what_is_unsure_goes_to_claude(local, said, label):
    with answering(ask=local, claude=said, confidence=0.2, settings=LABELS) as asked:
        assert run(triage(text_item()))["label"] == label
    assert [call.tool for call in asked] == ["ask_local_llama", ""]


def test_a_private_item_that_is_unsure_stays_so():
    with answering(ask="bug", confidence=0.0, settings=LABELS) as asked:
        assert run(triage(text_item(private=True)))["label"] == "unsure"
    assert len(asked) == 1


def test_what_is_unsure_stays_so_where_claude_is_not_asked():
    absent = ClaudeAbsent("there is no key")
    with answering(ask="bug", claude=absent, confidence=0.2, settings=LABELS) as asked:
        value = run(triage(text_item()))
    assert (value["label"], value["note"]) == ("unsure", "test/model was not sure; there is no key")
    assert [call.tool for call in asked] == ["ask_local_llama", ""]


def test_a_report_says_which_model_stood_in_for_claude():
    stood_in = Reply("Fine.", "koala/x", stood_in=True, note="there is no key")
    with answering(claude=stood_in):
        text = run(report([ItemResult(1, "a.md", FOUND)]))
    assert "Written by the local model koala/x, not by Claude: there is no key." in text


@pytest.mark.parametrize(
    "settings",
    [
        {"labels": "bug"},
        {"labels": "bug,Bug"},
        {"labels": ","},
        {"confidence": "2"},
        {"confidence": "nan"},
        {"confidence": "high"},
    ],
)
def test_settings_that_cannot_be_are_refused(settings):
    with answering(settings=settings) as asked, pytest.raises(ArgumentError, match="--set "):
        run(triage(text_item()))
    assert asked == []


def test_labels_are_counted_and_what_nobody_could_tell_is_named():
    rows = [
        ItemResult(n, str(n), {"label": one}) for n, one in enumerate(["a", "b", "a", "unsure"])
    ]
    assert run(count([*rows, ItemResult(9, "9", error="broken")])) == {
        "labels": {"a": 2, "b": 1, "unsure": 1}, "unsure": ["3"], "failed": ["9"],
    }  # fmt: skip


def test_changes_are_reviewed_file_by_file_and_claude_judges_what_was_found():
    with answering(ask={"findings": [FINDING]}, claude="One is real.") as asked:
        item = Item(1, "a.py", path="git:diff 1..2 -- a.py")
        value = run(review_changes(item))
        text = run(judge([ItemResult(1, "a.py", value), ItemResult(2, "b.py", {"findings": []})]))
    assert asked[0].files == ("git:diff 1..2 -- a.py",)
    assert asked[0].tool == "ask_coding_model"
    assert "It subtracts." in asked[1].texts["findings"]
    assert "b.py" not in asked[1].texts["findings"]
    assert "One is real." in text


def test_where_nothing_was_found_claude_is_not_asked():
    with answering() as asked:
        assert "Nothing was found." in run(judge([ItemResult(1, "b.py", {"findings": []})]))
    assert asked == []


def test_the_pipeline_of_the_docs_works(tmp_path):
    page = (Path(__file__).parents[2] / "docs/pipelines.md").read_text("utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    file = tmp_path / "describe.py"
    file.write_text(block)
    pipeline = find_pipeline(str(file))
    with answering(ask="They want an invoice.", claude="One page.") as asked:
        row = ItemResult(1, "a", run(pipeline(text_item())))
        assert run(pipeline.end([row, ItemResult(2, "b", error="broken")])) == "One page."
    assert asked[1].texts == {"found": "a: They want an invoice."}
