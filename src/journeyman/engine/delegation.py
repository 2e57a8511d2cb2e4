"""One delegation under way: the path from a job to an answer or a hand-back."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING

from journeyman.config.models import OPTIONAL_MARK
from journeyman.engine.attempt import Limits, attempt, out_of_time
from journeyman.engine.candidates import candidates, patterns_of
from journeyman.engine.prompt import build_messages
from journeyman.engine.scheduling.tiers import tiers_of
from journeyman.engine.scheduling.values import Request
from journeyman.engine.values import Answer, Figures, HandBack, Progress, Try
from journeyman.errors import (
    ArgumentError,
    DeadlinePassed,
    JourneymanError,
    Overloaded,
    PrivateRefused,
    ReferenceRefused,
)
from journeyman.inputs.material import Material, read_references
from journeyman.inputs.roots import Roots

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from journeyman.backends.base import Message
    from journeyman.config.models import Config
    from journeyman.engine.catalog import Catalog
    from journeyman.engine.queue import Queue
    from journeyman.engine.scheduling.gate import Slot
    from journeyman.engine.scheduling.snapshot import Place
    from journeyman.engine.tools import Tool
    from journeyman.engine.values import Job, Listener, Outcome, Session

_SHOWN_LEFT_OUT = 5
# Seconds; with the scatter of cooldowns it stays below the scheduler's patience.
_WORTH_ASKING_AGAIN = 4.0
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
    queue: Queue
    listener: Listener
    on_failure: Callable[[str, JourneymanError], None]
    started: float = field(default_factory=time.monotonic)
    tries: list[Try] = field(default_factory=list)
    hint: str = ""
    bytes_read: int = 0
    asked_again: set[str] = field(default_factory=set)
    prefix: str = ""

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
        self.prefix = _digest(material)
        names = self._without_untrusted(await self._candidates(), material)
        while names:
            asked: list[str] = []
            try:
                return await self._ask_one_of(names, asked, messages, material)
            except JourneymanError as error:
                if not error.another_model_may_cure:
                    raise
                names = self._left_after(error, names, asked)
        return self._hand_back()

    @property
    def _deadline(self) -> float:
        return self.started + self.tool.config.deadline

    def _seconds_left(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

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
        localize = self.session.localize
        return await asyncio.to_thread(
            read_references,
            tuple(map(localize, self.job.files)) if localize else self.job.files,
            roots=Roots.of(
                self.session.project, roots if localize else (*self.config.roots, *roots)
            ),
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
        """Name the models in order; none if the servers take longer than there is time."""
        try:
            async with asyncio.timeout(self._seconds_left()):
                names, self.tries = await candidates(
                    self._patterns(), self._backends(), self.catalog.models
                )
        except TimeoutError:
            self._note("", out_of_time(", ".join(self._patterns()), ""))
            return []
        return names

    def _without_untrusted(self, names: list[str], material: Material) -> list[str]:
        """Leave out the cloud where something is private; the refusal counts as a try."""
        private = [source.path for source in material.sources if source.private]
        left = []
        for name in names:
            backend, _ = self.catalog.find(name)
            if private and backend.trust == "cloud":
                what = f"{name}: {private[0]} is private and {backend.name} is a cloud backend"
                hint = "ask a local model, or change references.private in the config"
                self._note_failure(name, PrivateRefused(what, hint=hint))
            else:
                left.append(name)
        return left

    async def _ask_one_of(
        self,
        names: list[str],
        asked: list[str],
        messages: tuple[Message, ...],
        material: Material,
    ) -> Answer:
        """Wait for a slot of one of these models and ask it; its name is noted in `asked`."""
        trust = {name: backend.trust for name, backend in self.catalog.backends.items()}
        request = Request(
            id=uuid.uuid4().hex,
            session=self.session.name,
            tiers=tiers_of(names, trust),
            kind=self.job.kind,
            prefix=self.prefix,
            deadline=self._deadline,
            tool=self.tool.name,
        )
        async with self.queue.slot(request, self._tell_place) as slot:
            asked.append(str(slot.model))
            self._note_passed_over(names[: names.index(asked[0])])
            if slot.cold:
                self.listener.progress(Progress("loading", f"{slot.model} is being loaded"))
            return await self._ask(slot, messages, material)

    def _tell_place(self, place: Place) -> None:
        about = f", about {place.seconds:.0f} s" if place.seconds >= 1 else ""
        message = f"place {place.position} in the queue for {place.model}{about}"
        self.listener.progress(Progress("waiting", message))

    def _left_after(self, error: JourneymanError, names: list[str], asked: list[str]) -> list[str]:
        """Note a failure; name the models that may still be asked."""
        if not asked:  # the queue refused them all
            self._note_refusal(error, names)
            return []
        (name,) = asked
        if isinstance(error, DeadlinePassed):
            self._note(name, error)
            return []
        if name not in self.asked_again and _is_soon_free(error):
            self.asked_again.add(name)  # it is set aside just that long, so it waits its turn
            return names
        self._note_failure(name, error)
        return [other for other in names if other != name]

    def _note_refusal(self, error: JourneymanError, names: list[str]) -> None:
        if isinstance(error, Overloaded) or not self._note_passed_over(names):
            self._note(names[0], error)

    def _note_passed_over(self, names: list[str]) -> bool:
        """Note each model that is set aside as tried, once; tell whether there was one."""
        refusals = {name: self.queue.refusal_of(name) for name in names}
        tried = {one.model for one in self.tries}
        for name, refusal in refusals.items():
            if refusal and name not in tried:
                self._note(name, refusal)
        return any(refusals.values())

    async def _ask(self, slot: Slot, messages: tuple[Message, ...], material: Material) -> Answer:
        name = str(slot.model)
        backend, _ = self.catalog.find(name)
        tool = self.tool.config
        try:
            async with asyncio.timeout(self._seconds_left()):
                info = await self.catalog.describe(name)
        except TimeoutError:
            raise out_of_time(*slot.model) from None
        left = self._seconds_left()
        max_tokens = self.job.max_tokens or tool.max_tokens
        checked, figures = await attempt(
            backend,
            info,
            messages,
            Limits(max_tokens, min(tool.timeout, left), of_call=left < tool.timeout),
            tool,
            self.listener,
            slot.first_token,
        )
        notes = [info.note] if info.note else []
        if empty := [source.path for source in material.sources if not source.text]:
            notes.append(f"empty: {', '.join(empty)}")
        notes += _describe_sources(material)
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

    def _note_failure(self, name: str, error: JourneymanError) -> None:
        self.catalog.forget(name)
        self.on_failure(name, error)
        self._note(name, error)

    def _note(self, name: str, error: JourneymanError) -> None:
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


def _digest(material: Material) -> str:
    """Name what the prompt begins with, so that it goes to the server that has it in its cache."""
    if not material.sources:
        return ""
    texts = "\0".join(source.text for source in material.sources)
    return sha256(texts.encode(errors="surrogatepass")).hexdigest()


def _is_soon_free(error: JourneymanError) -> bool:
    """Tell whether a server said itself that it will take the request in a moment."""
    if not isinstance(error, Overloaded) or error.retry_after is None:
        return False
    return error.retry_after <= _WORTH_ASKING_AGAIN


def _describe_sources(material: Material) -> list[str]:
    """Say what was read in another form than it has on disk: its lines are not the file's."""
    paths: dict[str, list[str]] = {}
    for source in material.sources:
        if source.note and source.text:
            paths.setdefault(source.note, []).append(source.path)
    return [f"{note}: {_named(found)}" for note, found in paths.items()]


def _named(what: list[str]) -> str:
    more = len(what) - _SHOWN_LEFT_OUT
    return ", ".join(what[:_SHOWN_LEFT_OUT]) + (f" and {more} more" if more > 0 else "")


def _describe_left_out(material: Material) -> str:
    return "left out: " + _named([f"{one.path} ({one.reason})" for one in material.left_out])
