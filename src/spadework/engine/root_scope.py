"""Asks the client for its roots only if a reference cannot be resolved without them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from spadework.engine.thread_pools import READING
from spadework.errors import ReferenceRefused
from spadework.references import refusals
from spadework.references.cancellation import Cancellation, OutOfTime
from spadework.references.roots import Roots

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from spadework.config.models import Config
    from spadework.engine.job import Session

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
