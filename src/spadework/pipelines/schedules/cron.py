"""Cron expressions as croniter reads them, for crontabs and for systemd."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

from croniter import CroniterError, croniter

from spadework.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

_HINT = "five fields: minute hour day month weekday, as in '30 9 * * MON-FRI', or @daily"
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_NUMBERS = tuple(f"{number:02}" for number in range(60))
# What every cron has: croniter also knows the last day of a month, and times by chance.
_PART = re.compile(
    r"\*(/\d+)?|(?P<first>\d+|[a-z]{3})(-(?P<last>\d+|[a-z]{3})(/\d+)?)?",
    re.ASCII | re.IGNORECASE,
)
_WEEKDAY = 4
_FEW = 2


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed cron expression.

    Attributes:
        text: the five fields in numbers, as every cron reads them.
        values: what each field allows, in order; a weekday from 0, which is Sunday.
    """

    text: str
    values: tuple[tuple[int, ...], ...]

    def next_times(self, after: datetime, count: int) -> list[datetime]:
        """The next times, fewer where there are none in the fifty years to come."""
        times = croniter(self.text, after, ret_type=type(after), max_years_between_matches=50)
        return list(islice(times.all_next(), count))

    def on_calendar(self) -> tuple[str, ...]:
        """The same for systemd: of two fields of days, cron takes what either of them allows."""
        minute, hour, day, month, weekday = self.values
        at = f"{_calendar(hour, 0, 23)}:{_calendar(minute, 0, 59)}:00"
        months = _calendar(month, 1, 12)
        on = _ranges(sorted((number - 1) % 7 for number in weekday), _WEEKDAYS, "..")
        lines = (f"*-{months}-{_calendar(day, 1, 31)} {at}", f"{on} *-{months}-* {at}")
        _, _, day_text, _, weekday_text = self.text.split()
        if weekday_text == "*":
            return lines[:1]
        return lines[1:] if day_text == "*" else lines


def read_cron(text: str) -> Cron:
    """Understand a cron expression of five fields, or `@hourly` and the like.

    Raises:
        ArgumentError: it is none, crons do not agree about it, or it never comes.
    """
    words = text.split()
    if text.strip().startswith("@"):
        with suppress(CroniterError):
            words = [",".join(map(str, one)) for one in croniter.expand(text.strip())[0]]
    if len(words) != len(_FIELDS):
        raise ArgumentError(f"{text!r} is not a cron expression", hint=_HINT)
    values = tuple(_read_field(word, place) for place, word in enumerate(words))
    plain = [
        "*" if word in {"*", "*/1"} else _ranges(allowed, range(60), "-")
        for word, allowed in zip(words, values, strict=True)
    ]
    if "*" not in {plain[2], plain[4]} and "*" in {words[2][0], words[4][0]}:
        raise ArgumentError(
            f"{text!r}: crons do not agree what '*/' in one of the two day fields means "
            "beside the other",
            hint="write the days out: 1,3,5",
        )
    cron = Cron(" ".join(plain), values)
    if not cron.next_times(datetime.now().astimezone(), 1):
        raise ArgumentError(f"{text!r} never comes: no month has that day")
    return cron


def _read_field(word: str, place: int) -> tuple[int, ...]:
    """What a field allows, in order."""
    allowed = set[int]()
    for part in word.split(","):
        found = _PART.fullmatch(part)
        if found is None:
            raise _wrong(part, place)
        if found["last"]:  # to croniter 9-5 goes around the clock, and 5-5 is every hour
            first, last = _number(found["first"], place), _number(found["last"], place)
            if last < first:
                raise ArgumentError(
                    f"{_FIELDS[place][0]} {part!r} runs backwards",
                    hint="22-23,0-2 is two ranges",
                )
            part = part if first < last else str(first)  # noqa: PLW2901 - the same in short
        allowed.update(_expand(part, place))
    return tuple(sorted(allowed))


def _number(word: str, place: int) -> int:
    return int(word) if word.isdecimal() else _expand(word, place)[0]


def _expand(part: str, place: int) -> list[int]:
    fields = ["*"] * len(_FIELDS)
    fields[place] = part
    try:
        values: list[Any] = croniter.expand(" ".join(fields))[0][place]
    except CroniterError:
        raise _wrong(part, place) from None
    _, least, most = _FIELDS[place]
    return list(range(least, most + (place != _WEEKDAY))) if "*" in values else values


def _wrong(part: str, place: int) -> ArgumentError:
    name, least, most = _FIELDS[place]
    return ArgumentError(f"{part!r} is not a {name} from {least} to {most}", hint=_HINT)


def _calendar(values: Sequence[int], least: int, most: int) -> str:
    """Numbers as systemd lists them: `*`, `00/5`, or one by one with ranges."""
    if len(values) == most - least + 1:
        return "*"
    steps = {after - before for before, after in pairwise(values)}
    if len(values) > _FEW and len(steps) == 1 and values[-1] + max(steps) > most:
        return f"{values[0]:02}/{max(steps)}"
    return _ranges(values, _NUMBERS, "..")


def _ranges(values: Sequence[int], names: Sequence[object], to: str) -> str:
    """Numbers by their names, three and more in a row as a range."""
    groups: list[list[int]] = []
    for number in values:
        if groups and groups[-1][-1] == number - 1:
            groups[-1].append(number)
        else:
            groups.append([number])
    shown: list[str] = []
    for group in groups:
        if len(group) > _FEW:
            shown.append(f"{names[group[0]]}{to}{names[group[-1]]}")
        else:
            shown.extend(str(names[number]) for number in group)
    return ",".join(shown)
