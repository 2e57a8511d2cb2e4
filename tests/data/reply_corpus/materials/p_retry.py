"""Calls a function again when it fails, with growing pauses."""

import random
import time

MAX_TRIES = 5
BASE_DELAY = 0.25
MAX_DELAY = 8.0


class GaveUp(Exception):
    """Raised when every try has failed; `last` is the last error."""

    def __init__(self, tries, last):
        super().__init__(f"gave up after {tries} tries: {last!r}")
        self.tries = tries
        self.last = last


def delay_for(attempt, jitter=True):
    """Seconds to wait before the given attempt (the first is 1)."""
    if attempt <= 1:
        return 0.0
    delay = min(MAX_DELAY, BASE_DELAY * 2 ** (attempt - 2))
    if jitter:
        delay *= random.uniform(0.5, 1.0)
    return delay


def call(function, *args, tries=MAX_TRIES, retry_on=(OSError,), sleep=time.sleep):
    """Call function(*args); try again on the errors named in retry_on.

    Other errors are passed on at once. Raises GaveUp at the end.
    """
    last = None
    for attempt in range(1, tries + 1):
        sleep(delay_for(attempt))
        try:
            return function(*args)
        except retry_on as error:
            last = error
    raise GaveUp(tries, last)


def wrap(**options):
    """A decorator: the function is called through call()."""

    def outer(function):
        def inner(*args):
            return call(function, *args, **options)

        return inner

    return outer
