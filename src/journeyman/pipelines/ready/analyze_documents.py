"""Analyze documents: local models read each of them, Claude writes one report.

    journeyman pipeline run analyze-documents docs/ --out results.jsonl
    journeyman pipeline run analyze-documents "*.pdf" --set question="What is promised to whom?"

The rows hold what was found in each document, `results.report.md` the report.
"""

from collections.abc import Sequence

from journeyman.pipelines import Item, Row, ask, claude, pipeline, setting
from journeyman.pipelines.reporting import material_of, report_of

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
async def report(rows: Sequence[Row]) -> str:
    """Answer the question from what was found."""
    title = "Analysis of the documents"
    found = material_of(rows)
    if not found:
        return report_of(title, "No document could be read.", rows)
    question = setting("question", "What do these documents say? Where do they agree or differ?")
    reply = await claude(
        f"{question}\n\nEach line holds what was found in one document. Answer from these lines "
        "alone, in Markdown without a title, and name the documents that you speak of.",
        texts={"documents": found},
        instead=LOCAL,
    )
    return report_of(title, reply.text, rows, reply)
