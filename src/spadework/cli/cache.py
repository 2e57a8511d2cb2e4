"""`spadework cache`: the answers that are kept so as not to ask again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from spadework.cli.console import printable_json
from spadework.config.loader import load_config

if TYPE_CHECKING:
    from spadework.storage.answer_store import AnswerStore, CacheStats

app = typer.Typer(help="The answers that are kept so as not to ask again.", no_args_is_help=True)


@app.command()
def show(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print where the cache is and how much it holds."""
    from spadework.storage.answer_store import cache_path  # noqa: PLC0415 - sqlite3

    config = load_config().config.cache
    standing = _standing()
    if as_json:
        told = {
            "path": str(cache_path()),
            "enabled": config.enabled,
            "answers": standing.answers,
            "bytes": standing.bytes,
            "max_bytes": config.max_bytes,
        }
        print(printable_json(told, 2))
        return
    state = "" if config.enabled else " (switched off in the config)"
    print(f"{cache_path()}{state}")
    print(f"{standing.answers} answers, {_megabytes(standing.bytes)}", end="")
    print(f" of at most {_megabytes(config.max_bytes)}")


@app.command()
def clear() -> None:
    """Forget every answer."""
    from spadework.storage.answer_store import CacheStats, cache_path  # noqa: PLC0415 - sqlite3

    before = CacheStats(0, 0)
    if cache_path().exists():
        cache = _open()
        try:
            before = cache.clear()
        finally:
            cache.close()
    print(f"forgot {before.answers} answers, {_megabytes(before.bytes)}")


def _standing() -> CacheStats:
    """Tell how much it holds; looking does not make the file."""
    from spadework.storage.answer_store import CacheStats, cache_path  # noqa: PLC0415 - sqlite3

    if not cache_path().exists():
        return CacheStats(0, 0)
    cache = _open()
    try:
        return cache.stats()
    finally:
        cache.close()


def _open() -> AnswerStore:
    from spadework.storage.answer_store import AnswerStore, cache_path  # noqa: PLC0415 - sqlite3

    return AnswerStore(cache_path(), load_config().config.cache.max_bytes)


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"
