"""The types of the public API, as a user's type checker sees them; `make lint` runs mypy on it."""

from pathlib import Path
from typing import assert_type

import spadework
from spadework import (
    Answer,
    ArgumentError,
    BackendError,
    ConfigError,
    Figures,
    HandedBack,
    ReferenceRefused,
    Spadework,
    SpadeworkError,
)


async def use_the_daemon_or_not() -> None:
    for choice in (None, True, False):
        async with Spadework(daemon=choice) as opened:
            assert_type(opened, Spadework)


async def use() -> None:
    async with Spadework(project=".", roots=["docs"]) as opened:
        assert_type(opened, Spadework)
        answer = await opened.ask("Summarize.", files=["a.md"], model="koala/*", max_tokens=10)
        assert_type(answer, Answer)
        assert_type(await opened.ask("Sort.", batch=True), Answer)
        assert_type(await opened.ask("Sort.", labels=["a", "b"], schema=None), Answer)
        assert_type(await opened.ask("Who?", schema={"type": "object"}), Answer)
        assert_type(answer.confidence, float | None)
        assert_type(answer.checks, tuple[str, ...])
        assert_type(answer.text, str)
        assert_type(answer.figures, Figures)
        assert_type(answer.figures.prompt_tokens, int | None)


def use_sync() -> None:
    assert_type(spadework.ask("Summarize.", files=["a.md"]), str)
    assert_type(spadework.ask("Summarize.", files=[Path("a.md")]), str)


def use_errors(error: HandedBack) -> None:
    assert_type(error.tries, tuple[str, ...])
    root: SpadeworkError = error
    assert_type(root.hint, str)


def catch_errors() -> SpadeworkError:
    try:
        use_sync()
    except (ArgumentError, ConfigError) as error:
        return error
    except ReferenceRefused as error:
        assert_type(error.rule, str)
        return error
    except BackendError as error:
        assert_type(error.backend, str)
        return error
    return SpadeworkError("none")
