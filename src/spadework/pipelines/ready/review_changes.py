"""Review changes: a local model looks at each changed file, Claude judges what it found.

    spadework pipeline run review-changes
    spadework pipeline run review-changes git:main..HEAD --out review.jsonl

Without inputs it is the last commit. `review.report.md` is the review.
"""

from collections.abc import Sequence

from spadework.errors import HandedBack
from spadework.pipelines import Item, ItemResult, ask, claude, pipeline
from spadework.pipelines.report import material_of, report_of, why

LOCAL = "ask_coding_model"
FINDING = {
    "type": "object",
    "properties": {
        "code": {"type": "string", "maxLength": 160},
        "problem": {"type": "string", "maxLength": 200},
        "severity": {"enum": ["high", "medium", "low"]},
    },
    "required": ["code", "problem", "severity"],
    "additionalProperties": False,
}
SCHEMA = {
    "type": "object",
    "properties": {"findings": {"type": "array", "maxItems": 5, "items": FINDING}},
    "required": ["findings"],
    "additionalProperties": False,
}


@pipeline(inputs=["git:HEAD~1..HEAD"])
async def review_changes(item: Item) -> object:
    """A local model reviews each file of a git range, Claude judges the findings."""
    answer = await ask(
        LOCAL,
        "Review this diff. List only real problems that the added lines bring: wrong results, "
        "crashes, leaks, security. `code` is the line as it stands. An empty list is fine.",
        files=item.files,
        texts=item.texts,
        schema=SCHEMA,
    )
    return answer.value


@review_changes.finish
async def judge(rows: Sequence[ItemResult]) -> str:
    """Keep the findings that are worth a person's time."""
    title = "Review of the changes"
    found = [row for row in rows if not row.failed and row.value["findings"]]
    if not found:
        looked = any(not row.failed for row in rows)
        said = "Nothing was found." if looked else "No file could be reviewed."
        return report_of(title, said, rows)
    try:
        reply = await claude(
            "A small model reviewed changes, file by file; each line holds its findings for one "
            "file. It is often wrong. Keep the findings that are likely to be true and matter, the "
            "gravest first, as a Markdown list: the file, the code, the problem, what to do. Say "
            "in a last sentence how many you left out.",
            texts={"findings": material_of(found)},
            instead=LOCAL,
        )
    except HandedBack as error:  # the local model that stood in for Claude
        return report_of(title, f"Nobody judged these: {why(error)}.\n\n{_listed(found)}", rows)
    return report_of(title, reply.text, rows, reply)


def _listed(rows: Sequence[ItemResult]) -> str:
    return "\n".join(
        f"- {row.name}: {one['severity']}: {one['problem']} (`{one['code']}`)"
        for row in rows
        for one in row.value["findings"]
    )
