"""What the demonstration model is worth on a small corpus. Reported, never asserted: it is a toy.

Thirteen real texts are sorted into five kinds, each with its confidence; then described by a JSON
Schema; then quoted from. What counts besides right and wrong is what the checks made of it: marked
unsure, handed back, struck. Baseline: guessing one of five labels.

    python benchmarks/quality.py
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cancelling import demo_model
from spadework.checks.grounding import MARK
from spadework.config.models import Config
from spadework.engine.engine import Engine
from spadework.engine.job import Answer, Job, Session

if TYPE_CHECKING:
    from collections.abc import Mapping

CORPUS = Path(__file__).parents[1] / "tests" / "data" / "corpus"
KINDS = {
    "apache-2.0.txt": "licence",
    "cc0.txt": "licence",
    "udhr.en.txt": "declaration",
    "udhr.de.txt": "declaration",
    "udhr.es.txt": "declaration",
    "udhr.fr.txt": "declaration",
    "bisect.py.txt": "source code",
    "colorsys.py.txt": "source code",
    "deploy.sh.txt": "source code",
    "attrs.md": "documentation",
    "h11.md": "documentation",
    "httpx.md": "documentation",
    "server.log": "log file",
}
LABELS = tuple(dict.fromkeys(KINDS.values()))
LEAST_CONFIDENCE = 0.3
SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "maxLength": 60},
        "kind": {"enum": list(LABELS)},
    },
    "required": ["title", "kind"],
}
LINES = ":1-30"


async def main() -> None:
    """Ask and print."""
    tool = {"use_for": "tests", "models": ["embedded/*"], "max_tokens": 120, "temperature": 0.0}
    with tempfile.TemporaryDirectory() as folder:
        config = Config.model_validate(
            {
                "embedded": {"model": Path(demo_model())},
                "tools": {
                    "sort": {**tool, "least_confidence": LEAST_CONFIDENCE},
                    "read": tool,
                },
                "ledger": {"path": Path(folder) / "ledger.db"},
            }
        )
        async with Engine.from_config(config, {}) as engine:
            await measure(engine)


async def measure(engine: Engine) -> None:
    """Print a line for each kind of answer."""
    session = Session(CORPUS, name="benchmark")

    async def ask(
        tool: str,
        prompt: str,
        name: str,
        labels: tuple[str, ...] = (),
        schema: Mapping[str, object] | None = None,
    ) -> Answer | None:
        job = Job(tool, {"prompt": prompt}, files=(name + LINES,), labels=labels, schema=schema)
        outcome = await engine.delegate(job, session)
        return outcome if isinstance(outcome, Answer) else None

    count = len(KINDS)
    print(f"{'':<26}{'right':>7}{'wrong':>7}{'unsure':>8}{'handed back':>13}")
    rights = []
    for tool, title in (("read", "labels"), ("sort", f"labels, {LEAST_CONFIDENCE:g} wanted")):
        found = {name: await ask(tool, "What is it?", name, labels=LABELS) for name in KINDS}
        right = sum(one is not None and one.text == KINDS[name] for name, one in found.items())
        unsure = sum(one is not None and one.unsure for one in found.values())
        lost = sum(one is None for one in found.values())
        print(f"{title:<26}{right:>7}{count - right - unsure - lost:>7}{unsure:>8}{lost:>13}")
        rights.append(right)
    described = {name: await ask("read", "Describe it.", name, schema=SCHEMA) for name in KINDS}
    fits = sum(
        one is not None and one.value["kind"] == KINDS[name] for name, one in described.items()
    )
    lost = sum(one is None for one in described.values())
    print(f"{'schema':<26}{fits:>7}{count - fits - lost:>7}{'':>8}{lost:>13}")
    quoted = [await ask("read", "Quote one sentence of it.", name) for name in KINDS]
    struck = sum(one is not None and MARK in one.text for one in quoted)
    lost = sum(one is None for one in quoted)
    print(f"{'quotation':<26}{count - lost - struck:>7}{struck:>7}{'':>8}{lost:>13}")
    share = rights[0] / (count / len(LABELS))
    print(f"\nlabels: {share:.1f} times as many right as by guessing (1 in {len(LABELS)})")
    print("quotation: wrong means that what is not in the text was struck and marked")


if __name__ == "__main__":
    asyncio.run(main())
