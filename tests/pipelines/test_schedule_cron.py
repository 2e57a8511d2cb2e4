"""What a cron expression means to systemd is what it means to cron, by the word of both."""

import re
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spadework.errors import ArgumentError
from spadework.pipelines.schedules.cron import read_cron

START = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
EXPRESSIONS = [
    "30 9 * * MON-FRI",
    "*/15 * * * *",
    "0 0 1 1 *",
    "5,10-20/5 */6 * feb,Aug *",
    "0 12 13 * 5",
    "59 23 31 12 *",
    "0 4 * * 0",
    "0 4 * * 7",
    "0 4 * * 6-7",
    "@daily",
    "@hourly",
    "@weekly",
    "@monthly",
    "@yearly",
    "0 0 29 2 *",
    "0 12 * 3-3/4 sat-6",
]


def by_systemd(cron, count):
    """The next times by `systemd-analyze calendar`, over all lines of the timer."""
    found = set()
    for line in cron.on_calendar():
        done = subprocess.run(
            [
                "systemd-analyze",
                "calendar",
                f"--iterations={count}",
                f"--base-time={START:%Y-%m-%d %H:%M:%S} UTC",
                f"{line} UTC",
            ],
            capture_output=True,
            text=True,
            check=True,
            env={"TZ": "UTC", "PATH": "/usr/bin:/bin"},
        )
        for moment in re.findall(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", done.stdout):
            found.add(datetime.strptime(moment, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC))
    return sorted(one for one in found if one > START)[:count]


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_systemd_reads_the_same_times(text):
    cron = read_cron(text)
    times = cron.next_times(START, 4)
    assert len(times) == 4
    assert by_systemd(cron, 8)[:4] == times


def numbers(least, most):
    one = st.integers(least, most)
    pair = st.tuples(one, one).map(sorted).map(lambda ends: f"{ends[0]}-{ends[1]}")
    step = st.integers(1, 7).map(lambda step: f"*/{step}")
    few = st.lists(one.map(str) | pair, min_size=1, max_size=3).map(",".join)
    return st.just("*") | step | few


DAY_OR_WEEKDAY = st.tuples(numbers(1, 28), st.just("*")) | st.tuples(st.just("*"), numbers(0, 6))


@settings(max_examples=40)
@given(numbers(0, 59), numbers(0, 23), DAY_OR_WEEKDAY, numbers(1, 12))
def test_any_expression_means_the_same_to_both(minute, hour, days, month):
    cron = read_cron(f"{minute} {hour} {days[0]} {month} {days[1]}")
    assert by_systemd(cron, 3) == cron.next_times(START, 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not a cron expression"),
        ("1 2 3", "is not a cron expression"),
        ("@sometimes", "is not a cron expression"),
        ("60 * * * *", "not a minute from 0 to 59"),
        ("0 0 * * XYZ", "is not a weekday"),
        ("0 0 31 2 *", "never comes"),
        ("*/0 * * * *", "is not a minute"),
        ("9-5 * * * *", "runs backwards"),
        ("0 0 */2 * 1", "do not agree"),
    ],
)
def test_what_is_no_time_is_said_in_one_line(text, said):
    with pytest.raises(ArgumentError, match=re.escape(said) if "*" not in said else said):
        read_cron(text)


def test_the_next_times_lie_in_the_future_and_in_order():
    times = read_cron("0 12 13 * 5").next_times(START, 10)
    assert times == sorted(set(times))
    assert times[0] > START
    assert times[0] - START < timedelta(days=7)
