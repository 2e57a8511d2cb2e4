"""Triage: sort many items by labels; only what local models are unsure of goes to Claude.

    spadework pipeline run triage tickets.jsonl --set labels=bug,billing,other --out sorted.jsonl
    spadework pipeline run triage inbox/ --set confidence=0.8

An item that is unsure stays so where Claude is not asked: it is private, or there is no key.
`sorted.report.json` counts the labels.
"""

from collections import Counter
from collections.abc import Sequence

from spadework.errors import ArgumentError, ClaudeAbsent, HandedBack
from spadework.pipelines import Item, ItemResult, ask, claude, pipeline, setting
from spadework.pipelines.report import why

LOCAL = "ask_local_llama"
UNSURE = "unsure"


@pipeline
async def triage(item: Item) -> object:
    """Sort items by labels; the unsure ones go to Claude."""
    labels = labels_of(setting("labels", "bug,question,request,other"))
    enough = confidence_of(setting("confidence", "0.5"))
    question = "Which label fits best?"
    try:
        answer = await ask(LOCAL, question, files=item.files, texts=item.texts, labels=labels)
    except HandedBack as error:  # no local model could say: as good as unsure
        reason = why(error)
    else:
        reason = f"{answer.model} was not sure"
        # Not every server tells how sure its model was.
        if not answer.unsure and (answer.confidence is None or answer.confidence >= enough):
            return {"label": answer.text, "by": answer.model, "confidence": answer.confidence}
    if item.private:
        return unsure(f"{reason}; private: Claude was not asked")
    try:
        reply = await claude(
            f"{question} Answer with the label alone, one of: {', '.join(labels)}.",
            files=item.files,
            texts=item.texts,
            max_tokens=64,
        )
    except ClaudeAbsent as absent:  # no local model stands in: it would be as unsure as before
        return unsure(f"{reason}; {absent}")
    label = next((one for one in labels if one.casefold() == _bare(reply.text)), "")
    if not label:
        return unsure(f"{reply.model} said none of the labels")
    return {"label": label, "by": reply.model, "confidence": None}


@triage.finish
async def count(rows: Sequence[ItemResult]) -> object:
    """Count the labels, and name what nobody could tell."""
    labels = [(row.name, row.value["label"]) for row in rows if not row.failed]
    return {
        "labels": dict(Counter(label for _, label in labels).most_common()),
        "unsure": [name for name, label in labels if label == UNSURE],
        "failed": [row.name for row in rows if row.failed],
    }


def unsure(note: str) -> object:
    """Make the value of an item that nobody could tell."""
    return {"label": UNSURE, "by": "", "confidence": None, "note": note}


def labels_of(text: str) -> list[str]:
    """Read the labels from a list with commas."""
    labels = [one for one in (part.strip() for part in text.split(",")) if one]
    if len({one.casefold() for one in labels}) != len(labels) or len(labels) < 2:  # noqa: PLR2004 - one label is no choice
        raise ArgumentError(
            f"--set labels={text}: at least two labels that differ", hint="labels=bug,billing,other"
        )
    return labels


def confidence_of(text: str) -> float:
    """Read how much more probable a label must be than the next one."""
    try:
        confidence = float(text)
    except ValueError:
        confidence = -1.0
    if not 0 <= confidence <= 1:
        raise ArgumentError(f"--set confidence={text}: a number from 0 to 1")
    return confidence


def _bare(text: str) -> str:
    return text.strip().strip("`*\"'.").casefold()
