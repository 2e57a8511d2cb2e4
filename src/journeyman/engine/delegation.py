"""One delegation under way: the path from a job to an answer or a hand-back."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from journeyman.config.models import OPTIONAL_MARK
from journeyman.engine.attempt import attempt
from journeyman.engine.candidates import candidates, patterns_of
from journeyman.engine.prompt import build_messages
from journeyman.engine.values import Answer, Figures, HandBack, Progress, Try
from journeyman.errors import ArgumentError, JourneymanError, PrivateRefused, ReferenceRefused
from journeyman.inputs.material import Material, read_references
from journeyman.inputs.roots import Roots

if TYPE_CHECKING:
    from pathlib import Path

    from journeyman.backends.base import Backend, Message
    from journeyman.config.models import Config
    from journeyman.engine.catalog import Catalog
    from journeyman.engine.tools import Tool
    from journeyman.engine.values import Job, Listener, Outcome, Session

_SHOWN_LEFT_OUT = 5
# Rules of a refusal that a folder which the client offers can cure.
_CURED_BY_ROOTS = frozenset({"outside-roots", "not-found"})


@dataclass(slots=True)
class Delegation:
    """A job on its way; what the ledger wants to know is kept as it becomes known."""

    job: Job
    session: Session
    tool: Tool
    config: Config
    catalog: Catalog
    listener: Listener
    started: float = field(default_factory=time.monotonic)
    tries: list[Try] = field(default_factory=list)
    hint: str = ""
    bytes_read: int = 0

    async def run(self) -> Outcome:
        """Do the job.

        Raises:
            ArgumentError: a required argument is missing, or one is not known.
            ReferenceRefused: a reference may not be read; no model was asked.
            ConfigError: a model's backend is not configured.
        """
        self._check_arguments()
        material = await self._read()
        messages = build_messages(
            self.tool.config, self.job.arguments, material.sources, self.job.texts
        )
        for name in await self._candidates():
            try:
                return await self._ask(name, messages, material)
            except JourneymanError as error:
                if not error.another_model_may_cure:
                    raise
                self._note_failure(name, error)
        return self._hand_back()

    def elapsed(self) -> float:
        """Seconds since the job came in."""
        return time.monotonic() - self.started

    def _check_arguments(self) -> None:
        known = {
            name.removesuffix(OPTIONAL_MARK): not name.endswith(OPTIONAL_MARK)
            for name in self.tool.config.parameters
        }
        for name, required in known.items():
            if required and not self.job.arguments.get(name, "").strip():
                raise ArgumentError(f"{self.tool.name}: the argument {name!r} is missing or empty")
        for name in self.job.arguments:
            if name not in known:
                raise ArgumentError(
                    f"{self.tool.name}: there is no argument {name!r}",
                    hint=f"it takes {', '.join(known)}, files and max_tokens",
                )

    async def _read(self) -> Material:
        material = Material((), ())
        if self.job.files:
            self.listener.progress(Progress("reading", f"reading {', '.join(self.job.files)}"))
            material = await self._read_references()
        texts = sum(len(text.encode()) for text in self.job.texts.values())
        self.bytes_read = material.bytes + texts
        return material

    async def _read_references(self) -> Material:
        roots = self.session.roots
        try:
            return await self._read_within(roots)
        except ReferenceRefused as error:
            if error.rule not in _CURED_BY_ROOTS or self.session.ask_roots is None:
                raise
            offered = await self.session.ask_roots()
            if set(offered) <= {self.session.project, *roots}:
                raise
        return await self._read_within((*roots, *offered))

    async def _read_within(self, roots: tuple[Path, ...]) -> Material:
        return await asyncio.to_thread(
            read_references,
            self.job.files,
            roots=Roots.of(self.session.project, (*self.config.roots, *roots)),
            limits=self.config.references,
        )

    def _patterns(self) -> tuple[str, ...]:
        return patterns_of(self.job.models or self.tool.config.models, self._backends())

    def _backends(self) -> list[str]:
        backends = self.catalog.backends.items()
        return [
            name for name, one in backends if one.trust == "local" or not self.tool.from_project
        ]

    async def _candidates(self) -> list[str]:
        names, self.tries = await candidates(
            self._patterns(), self._backends(), self.catalog.models
        )
        return names

    async def _ask(self, name: str, messages: tuple[Message, ...], material: Material) -> Answer:
        backend, _ = self.catalog.find(name)
        self._keep_private(backend, name, material)
        info = await self.catalog.describe(name)
        max_tokens = self.job.max_tokens or self.tool.config.max_tokens
        checked, figures = await attempt(
            backend, info, messages, self.tool.config, max_tokens, self.listener
        )
        notes = [info.note] if info.note else []
        if empty := [source.path for source in material.sources if not source.text]:
            notes.append(f"empty: {', '.join(empty)}")
        if material.left_out:
            notes.append(_describe_left_out(material))
        notes += checked.notes
        return Answer(
            text=checked.text,
            model=info.id,
            figures=self._complete(figures, len(checked.text.encode())),
            tries=tuple(self.tries),
            notes=tuple(notes),
        )

    def _keep_private(self, backend: Backend, name: str, material: Material) -> None:
        private = [source.path for source in material.sources if source.private]
        if private and backend.trust == "cloud":
            raise PrivateRefused(
                f"{name}: {private[0]} is private and {backend.name} is a cloud backend",
                hint="ask a local model, or change references.private in the config",
            )

    def _note_failure(self, name: str, error: JourneymanError) -> None:
        self.catalog.forget(name)
        self.hint = error.hint or self.hint
        self.tries.append(Try(name, type(error).__name__, str(error)))
        self.listener.progress(Progress("next-model", str(self.tries[-1])))

    def _hand_back(self) -> HandBack:
        tries = tuple(self.tries)
        if not tries:
            tries = (Try("", "ModelUnknown", f"there is no model {', '.join(self._patterns())}"),)
            self.hint = self.hint or "`journeyman models` lists what there is"
        return HandBack(self.tool.name, tries, self._complete(Figures(), 0), self.hint)

    def _complete(self, figures: Figures, bytes_returned: int) -> Figures:
        return replace(
            figures,
            seconds=self.elapsed(),
            bytes_read=self.bytes_read,
            bytes_returned=bytes_returned,
        )


def _describe_left_out(material: Material) -> str:
    shown = ", ".join(f"{one.path} ({one.reason})" for one in material.left_out[:_SHOWN_LEFT_OUT])
    more = len(material.left_out) - _SHOWN_LEFT_OUT
    return f"left out: {shown}" + (f" and {more} more" if more > 0 else "")
