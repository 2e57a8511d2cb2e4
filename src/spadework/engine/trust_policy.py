"""Decides to which models a job may be sent, and searches it for secrets before it leaves."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spadework.config.model_patterns import matches
from spadework.errors import PrivateRefused, TrustRefused
from spadework.references import secret_scan
from spadework.util.untrusted_text import display_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from spadework.backends.base import ModelInfo
    from spadework.engine.job import Job
    from spadework.engine.tools import Tool
    from spadework.references.material import Material, Source


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """What one job may be sent to.

    Args:
        tool: the tool's name.
        listed: the models that the user's own config lists for the tool, as patterns; a model that
            is not local answers only if it is among them.
        private: what of the job is private, in words; empty if nothing is.
        confidential: whether the job works in a confidential project.
    """

    tool: str
    listed: tuple[str, ...]
    private: str = ""
    confidential: bool = False

    @classmethod
    def of(cls, tool: Tool, private: str = "", *, confidential: bool = False) -> TrustPolicy:
        """Decide for a tool; what a project's own file lists does not count."""
        config = tool.config
        judge = (config.verify_model,) if config.verify_model else ()
        listed = () if tool.from_project else (*config.models, *judge)
        return cls(tool.name, listed, private, confidential)

    def needs_no_trust(self, model_id: str) -> bool:
        """Tell whether a model may have it whatever its trust is."""
        return not self.private and matches(model_id, self.listed)

    def may_leave(self, backend: str) -> bool:
        """Tell whether a model of a backend may have it though it is not local."""
        listed = (pattern.partition("/")[0] for pattern in self.listed)
        return not self.private and any(matches(backend, [name]) for name in listed)

    def refusal(self, info: ModelInfo) -> PrivateRefused | TrustRefused | None:
        """Say why a model may not have it; None if it may."""
        if info.trust == "local":
            return None
        what = f"{display_name(info.id)}: {_described(info)}"
        if self.private:
            return PrivateRefused(f"{what}, and {self.private}", hint=_private_hint(info))
        if info.is_meant_by(self.listed):
            return None
        return TrustRefused(f"{what}, and {self.tool} does not list it", hint=self._hint(info))

    def require(self, info: ModelInfo) -> None:
        """Stop before anything is sent to a model that may not have it.

        Raises:
            PrivateRefused: something of the job is private and the model is not local.
            TrustRefused: the model is not local and the config does not list it for the tool.
        """
        if refusal := self.refusal(info):
            raise refusal

    def passed_over(self, infos: Iterable[ModelInfo]) -> PrivateRefused | TrustRefused | None:
        """Say in one line how many models of a backend may not have it; None if all may."""
        refused = [info for info in infos if self.refusal(info)]
        if not refused:
            return None
        if len(refused) == 1:
            return self.refusal(refused[0])
        backend = refused[0].backend
        counts = [
            f"{number} {trust}"
            for trust in ("cloud", "unknown")
            if (number := sum(info.trust == trust for info in refused))
        ]
        what = f"{backend}: {len(refused)} models passed over ({', '.join(counts)})"
        if self.private:
            return PrivateRefused(f"{what}, since {self.private}", hint=_private_hint(refused[0]))
        return TrustRefused(
            f"{what}, since {self.tool} does not list them", hint=self._hint(refused[0])
        )

    def _hint(self, info: ModelInfo) -> str:
        hint = f"to allow it, list it under `models` of [tools.{self.tool}] in your own config"
        if info.trust == "unknown":
            hint += "; if it runs on your machines, add it to local_models"
        return f"{hint}; `spadework models` shows the trust of each model"


def _described(info: ModelInfo) -> str:
    kind = "a cloud model" if info.trust == "cloud" else "a model of unknown trust"
    return f"{kind} ({info.trust_source})" if info.trust_source else kind


def _private_hint(info: ModelInfo) -> str:
    hint = "private material goes to local models only"
    if info.trust == "unknown":
        hint += "; if this one runs on your machines, add it to local_models in the config"
    return f"{hint}; `spadework models` shows the trust of each model"


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
