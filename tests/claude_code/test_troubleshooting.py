"""docs/troubleshooting.md speaks of what is really printed."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
CODE = " ".join(
    re.sub(r'"\s*f?"', "", file.read_text("utf-8")) for file in (ROOT / "src").rglob("*.py")
)
# What the client prints; tests/real/test_doctor_client.py sees it.
OF_THE_CLIENT = {
    "claude mcp list",
    "✘ Failed to connect",
    "⏸ Pending approval",
    "No MCP servers configured",
    "settings.json",
    "model:",
    "429",
}
QUOTED = sorted(
    {
        words
        for head in re.findall(r"^### (.*)", PAGE, re.MULTILINE)
        for words in re.findall("`([^`]+)`", head)
    }
    | set(re.findall(r"\*\*See\*\* .*?: `([a-z][^`]+)`", PAGE))
)


@pytest.mark.parametrize("words", [one for one in QUOTED if one not in OF_THE_CLIENT])
def test_the_words_of_a_symptom_are_those_of_the_program(words):
    for part in filter(str.strip, words.split("…")):
        assert part.strip() in CODE


def test_many_symptoms_are_there():
    assert len(re.findall(r"^### ", PAGE, re.MULTILINE)) >= 18
