"""Validates a job's arguments, and reads the material that its references name."""

from __future__ import annotations

import time
from hashlib import sha256
from typing import TYPE_CHECKING

from spadework.config.call_arguments import SHARED_ARGUMENTS
from spadework.config.confidential_folders import ConfidentialFolders
from spadework.config.models import OPTIONAL_MARK
from spadework.engine.root_scope import in_reading_thread, localized, roots_of, within_roots
from spadework.engine.thread_pools import CHECKING
from spadework.errors import ArgumentError
from spadework.references import refusals
from spadework.references.reader import Material, read_references
from spadework.util.untrusted_text import display_path

if TYPE_CHECKING:
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


def digest(material: Material) -> str:
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
