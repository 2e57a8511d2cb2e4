"""The texts of a job that would leave the machine, and the search for secrets in them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spadework.references import secret_scan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from spadework.engine.job import Job
    from spadework.references.material import Material, Source


@dataclass(frozen=True, slots=True)
class Text:
    """A text under the name that the user knows; `first_line` is its first line in its file."""

    label: str
    text: str
    first_line: int = 1


def sent_texts(sources: Iterable[Source], texts: Mapping[str, str]) -> Iterator[Text]:
    """Walk through the material of a job: its files, and further texts by name."""
    for source in sources:
        yield Text(source.path, source.text, source.first_line)
    for name, text in texts.items():
        yield Text(name, text)


def texts_of_job(job: Job, material: Material, labels: Iterable[str]) -> Iterator[Text]:
    """Walk through all that a job sends, names and wanted format included."""
    yield from (Text(name, text) for name, text in job.arguments.items())
    yield from sent_texts(material.sources, job.texts)
    names = [source.path for source in material.sources]
    yield Text("the names of files and texts", "\n".join([*names, *job.texts]))
    yield Text("the tool's labels", "\n".join(labels))
    for name, value in job.shared().items():
        if name != "files":
            text = json.dumps(value, default=str, ensure_ascii=False, indent=0)
            yield Text(f"the {name}", "\n".join(value) if isinstance(value, tuple) else text)


def refuse_secrets(texts: Iterable[Text]) -> None:
    """Refuse texts that hold a key or a password. It takes CPU time: run it in a thread.

    Raises:
        SecretRefused: one of them does; it names the place and the kind, never the secret.
    """
    for one in texts:
        secret_scan.refuse_secrets(one.label, one.text, one.first_line)
