"""What a run shows of itself: a bar on a terminal, else about twenty lines however large it is."""

import pytest

from spadework.cli.console import duration
from spadework.cli.pipeline_execution import Display, line_of, rate_of
from spadework.pipelines.items import RunProgress


def standing(done, of, **more):
    given = {
        "failed": 0, "repeated": 0, "spent_usd": 0.0, "budget_usd": None, "per_model": {},
        "seconds": 10.0, "seconds_left": None,
    }  # fmt: skip
    return RunProgress(done, of, **(given | more))


@pytest.mark.parametrize("of", [1, 2, 19, 20, 21, 100, 2000, 10_001])
@pytest.mark.parametrize("stride", [1, 7])
def test_without_a_terminal_a_run_of_any_size_prints_about_twenty_lines(capsys, of, stride):
    display = Display()
    for done in [*range(0, of, stride), of, of]:
        display.show(standing(done, of))
    display.leave()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) <= 21
    assert lines[-1] == f"{of}/{of} items"
    assert lines.count(lines[-1]) == 1


def test_a_line_tells_failures_rates_money_and_time_left():
    told = line_of(
        standing(
            30, 90, failed=2, spent_usd=0.12345, budget_usd=2.0, seconds_left=3700,
            per_model={"koala/llama": 25, "claude/sonnet": 1},
        )
    )  # fmt: skip
    assert told == (
        "30/90 items, 2 failed, claude/sonnet 6.0/min, koala/llama 2.5/s, "
        "0.1235 of 2.00 USD, about 1 h 1 min left"
    )


def test_rates_and_times_are_as_people_say_them():
    assert [duration(one) for one in (0.2, 59, 60, 3599, 7260)] == [
        "0 s", "59 s", "1 min 0 s", "59 min 59 s", "2 h 1 min"
    ]  # fmt: skip
    assert rate_of(3, 0.0) == "0.0/min"
