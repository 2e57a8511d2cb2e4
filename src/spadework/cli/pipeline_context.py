"""The config and the database of runs, which the commands of `spadework pipeline` work on."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from spadework.cli.lazy_group import missing_extra
from spadework.config.loader import load_config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spadework.config.models import Config
    from spadework.pipelines.store.database import Database
    from spadework.pipelines.store.runs import Runs

RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]
EngineUrl = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="URL",
        help="The database that keeps the runs: postgresql://… or sqlite:///…",
    ),
]
_NEEDED = ("dbos", "sqlalchemy", "anthropic", "genai_prices")


@dataclass(frozen=True, slots=True)
class PipelineContext:
    """The config, the open database and the runs in it."""

    config: Config
    database: Database
    runs: Runs


def check_extra() -> None:
    """Make sure that the extra `pipelines` is installed.

    Raises:
        ArgumentError: it is not.
    """
    if not all(map(find_spec, _NEEDED)):
        raise missing_extra("pipelines")


def open_database(engine: str) -> PipelineContext:
    """Load the config and open the database of runs.

    Raises:
        ArgumentError: the extra is not installed, or the engine's address is wrong.
        PipelineError: the database cannot be used.
    """
    check_extra()
    from spadework.pipelines.store.database import Database, engine_url
    from spadework.pipelines.store.runs import Runs, prepare

    config = load_config().config
    database = Database(engine_url(engine, config.pipelines.engine))
    prepare(database)
    return PipelineContext(config, database, Runs(database))


@contextmanager
def opened_database(engine: str) -> Iterator[PipelineContext]:
    """Open the database, and close it in the end."""
    context = open_database(engine)
    try:
        yield context
    finally:
        context.database.close()
