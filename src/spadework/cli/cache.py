"""`spadework cache`: the answers that are kept so that the same question is not asked again."""

from __future__ import annotations

from spadework.cli.options import Json
from spadework.config.loader import load_config
from spadework.storage.answer_store import AnswerStore, CacheStats, cache_path
from spadework.util.untrusted_text import printable_json


def show(as_json: Json = False) -> None:
    """Print where the cache is and how much it holds."""
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
    state = "" if config.enabled else " (disabled in the config)"
    print(f"{cache_path()}{state}")
    print(f"{standing.answers} answers, {_megabytes(standing.bytes)}", end="")
    print(f" of at most {_megabytes(config.max_bytes)}")


def clear() -> None:
    """Delete every cached answer."""
    before = CacheStats(0, 0)
    if cache_path().exists():
        cache = _open()
        try:
            before = cache.clear()
        finally:
            cache.close()
    print(f"deleted {before.answers} answers, {_megabytes(before.bytes)}")


def _standing() -> CacheStats:
    """Return how much it holds; reading does not create the file."""
    if not cache_path().exists():
        return CacheStats(0, 0)
    cache = _open()
    try:
        return cache.stats()
    finally:
        cache.close()


def _open() -> AnswerStore:
    return AnswerStore(cache_path(), load_config().config.cache.max_bytes)


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"
