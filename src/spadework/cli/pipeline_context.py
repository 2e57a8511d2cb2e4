"""What the commands of `spadework pipeline` begin with: the config and the database of runs."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from spadework.config.loader import load_config
from spadework.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spadework.config.models import Config
    from spadework.pipelines.store.database import Database
    from spadework.pipelines.store.runs import Runs

EXIT_SOME = 4
EXIT_STOPPED = 5
_NEEDED = ("dbos", "sqlalchemy", "anthropic", "genai_prices")


def check_extra() -> None:
    """Make sure that the extra `pipelines` is installed.

    Raises:
        ArgumentError: it is not.
    """
    if not all(map(find_spec, _NEEDED)):
        raise ArgumentError(
            "pipelines need the extra `pipelines`",
            hint="put it into the brackets when you install: 'spadework[embedded,pipelines]'",
        )


def open_database(engine: str) -> tuple[Config, Database]:
    """Read the config and open the database of runs.

    Raises:
        ArgumentError: the extra is not installed, or the engine's address is wrong.
        PipelineError: the database cannot be used.
    """
    check_extra()
    from spadework.pipelines.store.database import Database, engine_url  # noqa: PLC0415 - as above
    from spadework.pipelines.store.runs import prepare  # noqa: PLC0415 - as above

    config = load_config().config
    database = Database(engine_url(engine, config.pipelines.engine))
    prepare(database)
    return config, database


@contextmanager
def opened_runs(engine: str) -> Iterator[tuple[Config, Database, Runs]]:
    """Open the runs to look at them."""
    config, database = open_database(engine)
    from spadework.pipelines.store.runs import Runs  # noqa: PLC0415 - heavy

    try:
        yield config, database, Runs(database)
    finally:
        database.close()
