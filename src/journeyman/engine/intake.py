"""What comes in with a job: its arguments, and the material that its references stand for."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import TYPE_CHECKING

from journeyman.config.models import OPTIONAL_MARK
from journeyman.errors import ArgumentError, ReferenceRefused
from journeyman.inputs.material import Material, read_references
from journeyman.inputs.roots import Roots

if TYPE_CHECKING:
    from pathlib import Path

    from journeyman.config.models import Config
    from journeyman.engine.tools import Tool
    from journeyman.engine.values import Job, Session

_SHOWN_LEFT_OUT = 5
# Rules of a refusal that a folder which the client offers can cure.
_CURED_BY_ROOTS = frozenset({"outside-roots", "not-found"})


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
                f"{tool.name}: there is no argument {name!r}",
                hint=f"it takes {', '.join(known)}, files, max_tokens, schema and labels",
            )


async def read_material(job: Job, session: Session, config: Config) -> Material:
    """Read what a job's references stand for; the client is asked for its folders if need be.

    Raises:
        ReferenceRefused: one of them may not be read.
    """
    if not job.files:
        return Material((), ())
    roots = session.roots
    try:
        return await _read_within(roots, job, session, config)
    except ReferenceRefused as error:
        if error.rule not in _CURED_BY_ROOTS or session.ask_roots is None:
            raise
        offered = await session.ask_roots()
        if set(offered) <= {session.project, *roots}:
            raise
    return await _read_within((*roots, *offered), job, session, config)


async def _read_within(
    roots: tuple[Path, ...], job: Job, session: Session, config: Config
) -> Material:
    localize = session.localize
    return await asyncio.to_thread(
        read_references,
        tuple(map(localize, job.files)) if localize else job.files,
        roots=Roots.of(session.project, roots if localize else (*config.roots, *roots)),
        limits=config.references,
    )


def digest(material: Material) -> str:
    """Name what the prompt begins with, so that it goes to the server that has it in its cache."""
    if not material.sources:
        return ""
    texts = "\0".join(source.text for source in material.sources)
    return sha256(texts.encode(errors="surrogatepass")).hexdigest()


def notes_on(material: Material) -> list[str]:
    """Say what of the material was empty or left out."""
    notes = []
    if empty := [source.path for source in material.sources if not source.text]:
        notes.append(f"empty: {', '.join(empty)}")
    if material.left_out:
        notes.append(_describe_left_out(material))
    return notes


def _describe_left_out(material: Material) -> str:
    shown = ", ".join(f"{one.path} ({one.reason})" for one in material.left_out[:_SHOWN_LEFT_OUT])
    more = len(material.left_out) - _SHOWN_LEFT_OUT
    return f"left out: {shown}" + (f" and {more} more" if more > 0 else "")
