"""The cache of answers: bounded, forgetful of what is not used, shared by processes."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from spadework.errors import CacheError
from spadework.storage.answer_store import AnswerStore, key_of


@pytest.fixture
def cache(tmp_path):
    opened = AnswerStore(tmp_path / "answers.db", 10_000)
    yield opened
    opened.close()


def test_what_is_kept_is_found_and_nothing_else(cache):
    cache.keep("a", {"text": "yes", "value": {"n": [1, None, "é"]}})
    assert cache.find("a") == {"text": "yes", "value": {"n": [1, None, "é"]}}
    assert cache.find("b") is None


def test_it_never_takes_more_than_it_may_and_forgets_what_was_not_used_longest(cache):
    for number in range(12):
        cache.keep(f"{number}", {"text": "x" * 900})
        cache.find("0")
    stats = cache.stats()
    assert stats.bytes <= 10_000
    assert stats.answers >= 9
    assert cache.find("0")
    assert cache.find("11")
    assert cache.find("1") is None


def test_an_answer_larger_than_the_whole_cache_drives_nothing_out(cache):
    cache.keep("small", {"text": "x"})
    cache.keep("large", {"text": "x" * 20_000})
    assert cache.find("small")
    assert cache.find("large") is None


def test_clearing_forgets_everything(cache):
    cache.keep("a", {"text": "x"})
    assert cache.clear().answers == 1
    assert cache.stats().answers == 0


def test_two_processes_share_it(cache):
    other = AnswerStore(cache.path, 10_000)
    try:
        cache.keep("a", {"text": "x"})
        assert other.find("a") == {"text": "x"}
    finally:
        other.close()


def test_many_threads_write_at_once(cache):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: cache.keep(f"{n}", {"text": "x"}), range(100)))
    assert cache.stats().answers == 100


def test_it_is_for_its_owner_alone(cache):
    assert cache.path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_no_cache_is_named(tmp_path):
    path = tmp_path / "answers.db"
    path.write_text("something else entirely" * 100)
    with pytest.raises(CacheError, match=r"answers\.db cannot be used"):
        AnswerStore(path, 1000)


def test_a_row_that_somebody_else_wrote_is_no_answer(cache):
    with sqlite3.connect(cache.path) as connection:
        connection.execute("INSERT INTO answers VALUES ('a', 0, 1, 'no json')")
    assert cache.find("a") is None


def test_a_key_depends_on_all_of_its_parts_and_not_on_their_order_in_objects():
    assert key_of("m", {"a": 1, "b": 2}) == key_of("m", {"b": 2, "a": 1})
    assert key_of("m", "ab", "c") != key_of("m", "a", "bc")
    assert len(key_of("\ud800")) == 64
