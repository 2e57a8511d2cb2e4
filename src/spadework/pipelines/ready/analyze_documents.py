"""Analyze documents: local models read each of them, Claude writes one report.

    spadework pipeline run analyze-documents docs/ --out results.jsonl
    spadework pipeline run analyze-documents "*.pdf" --set question="What is promised to whom?"

The rows hold what was found in each document, `results.report.md` the report.
"""

from collections.abc import Sequence

from spadework.errors import HandedBack
from spadework.pipelines import Item, ItemResult, ask, claude, pipeline, setting
from spadework.pipelines.report import material_of, report_of, why

LOCAL = "ask_local_llama"
SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "maxLength": 120},
        "topics": {"type": "array", "maxItems": 5, "items": {"type": "string", "maxLength": 60}},
        "claims": {"type": "array", "maxItems": 5, "items": {"type": "string", "maxLength": 200}},
    },
    "required": ["title", "topics", "claims"],
    "additionalProperties": False,
}


@pipeline
async def analyze_documents(item: Item) -> object:
    """Local models find what each document says, Claude writes one report of all."""
    answer = await ask(
        LOCAL,
        "Extract the document's title, its main topics, and the most important things it claims.",
        files=item.files,
        texts=item.texts,
        schema=SCHEMA,
    )
    return answer.value


@analyze_documents.finish
async def report(rows: Sequence[ItemResult]) -> str:
    """Answer the question from what was found, and list it."""
    title = "Analysis of the documents"
    good = [row for row in rows if not row.failed]
    if not good:
        return report_of(title, "No document could be read.", rows)
    question = setting("question", "What do these documents say? Answer in a few sentences.")
    try:
        reply = await claude(
            f"{question} Each line holds what was found in one document: answer from these alone.",
            texts={"documents": material_of(good)},
            instead=LOCAL,
        )
    except HandedBack as error:  # the local model that stood in for Claude
        return report_of(title, f"No synthesis: {why(error)}.\n\n{_listed(good)}", rows)
    return report_of(title, f"{reply.text}\n\n{_listed(good)}", rows, reply)


def _listed(rows: Sequence[ItemResult]) -> str:
    found = ((row.name, row.value["title"], ", ".join(row.value["topics"])) for row in rows)
    lines = [f"- {name}: {title} ({topics})" for name, title, topics in found]
    return "\n".join(["## Documents", "", *lines])
