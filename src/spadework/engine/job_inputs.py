"""Validates a job's arguments, and reads the material that its references name.

The client is asked for its roots only if a reference cannot be resolved without them.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar

from spadework.config.call_arguments import SHARED_ARGUMENTS
from spadework.config.confidential_folders import ConfidentialFolders
from spadework.config.models import OPTIONAL_MARK
from spadework.engine.thread_pools import CHECKING, READING
from spadework.errors import ArgumentError, ReferenceRefused
from spadework.references import refusals
from spadework.references.cancellation import Cancellation, OutOfTime
from spadework.references.reader import Material, read_references
from spadework.references.roots import Roots
from spadework.util.untrusted_text import display_path

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from spadework.config.models import Config
    from spadework.engine.job import Job, Session
    from spadework.engine.tools import Tool


_SHOWN_LEFT_OUT = 5
_SECONDS_TO_READ = 600.0


def check_arguments(tool: Tool, job: Job) -> None:
    """Make sure that a job has the tool's arguments.

    Raises:
        ArgumentError: a required one is missing, or one is not known.
    """
    known = {
        name.removesuffix(OPTIONAL_MARK): not name.endswith(OPTIONAL_MARK)
        for name in tool.config.parameters
    }
    for name, required in known.items():
        if required and not job.arguments.get(name, "").strip():
            raise ArgumentError(f"{tool.name}: the argument {name!r} is missing or empty")
    for name in job.arguments:
        if name not in known:
            raise ArgumentError(
                f"{tool.name}: unknown argument {name!r}",
                hint=f"expected one of {', '.join([*known, *SHARED_ARGUMENTS])}",
            )


async def read_material(
    job: Job, session: Session, config: Config, deadline: float | None = None
) -> Material:
    """Read what a job's references stand for; the client is asked for its folders if need be.

    Args:
        job: names the references.
        session: the client.
        config: limits, and further roots.
        deadline: when reading must have ended, on the clock of `time.monotonic`; None for ten
            minutes from now.

    Raises:
        ReferenceRefused: one of them may not be read, not until the deadline, or all are empty and
            the job has no texts.
    """
    if not job.files:
        return Material((), ())
    until = time.monotonic() + _SECONDS_TO_READ if deadline is None else deadline

    async def read(session: Session) -> Material:
        with localized(session, job.files) as references:
            return await in_reading_thread(
                session,
                until,
                read_references,
                references,
                roots=roots_of(session, config),
                limits=config.references,
                confidential=ConfidentialFolders.of(config),
            )

    material, _ = await within_roots(session, read)
    if material.is_empty and not any(text.strip() for text in job.texts.values()):
        raise refusals.all_empty(material.sources)
    return material


async def confidential_reason(session: Session, config: Config, problem: str) -> str:
    """Say why a session's project is confidential; empty if it is not.

    Args:
        session: whose project it is.
        config: names confidential folders.
        problem: what is wrong with the config file as it is now: it may say more than `config`.
    """
    if problem:
        return "the config file is invalid, so only local models are asked"
    return await CHECKING.run(ConfidentialFolders.of(config).reason, session.project)


def private_reason(job: Job, material: Material, confidential: str) -> str:
    """Say what of a job is private; empty if nothing is.

    Args:
        job: the job.
        material: what its references stand for.
        confidential: why its project is confidential; empty if it is not.
    """
    if confidential:
        return confidential
    if job.private:
        return "this job is private"
    sources = (display_path(source.path) for source in material.sources if source.private)
    return next((f"{path} is private" for path in sources), "")


def prefix_digest(material: Material) -> str:
    """Name what the prompt begins with, so that it goes to the server that has it in its cache."""
    if not material.sources:
        return ""
    texts = "\0".join(source.text for source in material.sources)
    return sha256(texts.encode(errors="surrogatepass")).hexdigest()


def notes_on(material: Material) -> list[str]:
    """Say what of the material was empty or left out."""
    notes = []
    blank = [source for source in material.sources if not source.text.strip()]
    if empty := [display_path(one.path) + (f" ({one.note})" if one.note else "") for one in blank]:
        notes.append(f"empty: {', '.join(empty)}")
    notes += _describe_sources(material)
    if material.left_out:
        notes.append(_describe_left_out(material))
    return notes


def _describe_sources(material: Material) -> list[str]:
    """Say what was read in another form than it has on disk: its lines are not the file's."""
    paths: dict[str, list[str]] = {}
    for source in material.sources:
        if source.note and source.text:
            paths.setdefault(source.note, []).append(display_path(source.path))
    return [f"{note}: {_named(found)}" for note, found in paths.items()]


def _named(what: list[str]) -> str:
    more = len(what) - _SHOWN_LEFT_OUT
    return ", ".join(what[:_SHOWN_LEFT_OUT]) + (f" and {more} more" if more > 0 else "")


def _describe_left_out(material: Material) -> str:
    return "left out: " + _named(
        [f"{display_path(one.path)} ({one.reason})" for one in material.left_out]
    )


Found = TypeVar("Found")

# Rules of a refusal that a folder which the client offers can cure.
_CURED_BY_ROOTS = frozenset({"outside-roots", "not-found"})


async def within_roots(
    session: Session, read: Callable[[Session], Awaitable[Found]]
) -> tuple[Found, Session]:
    """Read with the folders that are known; if that finds nothing, with those offered too.

    Args:
        session: the client.
        read: reads on behalf of a session.

    Returns:
        What was read, and the session with the folders that it took.

    Raises:
        ReferenceRefused: a reference may not be read, or stands for nothing.
    """
    try:
        return await read(session), session
    except ReferenceRefused as error:
        if error.rule not in _CURED_BY_ROOTS or session.ask_roots is None:
            raise
        offered = await session.ask_roots()
        if set(offered) <= {session.project, *session.roots}:
            raise
    wider = replace(session, roots=(*session.roots, *offered))
    return await read(wider), wider


async def in_reading_thread(
    session: Session,
    deadline: float,
    read: Callable[..., Found],
    references: tuple[str, ...],
    *args: Any,
    **kwargs: Any,
) -> Found:
    """Read references in one of the threads that the session may use.

    Args:
        session: whose share of the threads it takes.
        deadline: when it must have ended, on the clock of `time.monotonic`.
        read: reads; is given the references first.
        references: what is read; there is one at least.
        *args: the other arguments.
        **kwargs: the same by name.

    Raises:
        ReferenceRefused: it may not be read, or not until the deadline.
    """
    cancellation = Cancellation(session.client or session.name, deadline)
    try:
        return await READING.run(cancellation, read, references, *args, **kwargs)
    except OutOfTime as error:
        raise refusals.out_of_time(references[0]) from error


def roots_of(session: Session, config: Config) -> Roots:
    """Where a session's references may lead.

    Raises:
        ArgumentError: its project folder does not exist.
    """
    own = session.roots if session.localize else (*config.roots, *session.roots)
    return Roots.of(session.project, own, session.names)


@contextmanager
def localized(session: Session, references: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Give references as they are called here; what is refused is called as the client named it.

    Raises:
        ReferenceRefused: one leads to the client's own disk, which is not ours.
    """
    if session.localize is None:
        yield references
        return
    here = tuple(map(session.localize, references))
    try:
        yield here
    except ReferenceRefused as error:
        given = dict(zip(here, references, strict=True))
        reference = given.get(error.reference, error.reference)
        path = given.get(error.path, error.path)
        raise ReferenceRefused(
            session.conceal(reference) if reference == error.reference else reference,
            session.conceal(path) if path == error.path else path,
            error.rule,
            session.conceal(error.reason),
            hint=session.conceal(error.hint),
        ) from None
