"""Parses cron expressions, converts them for systemd, and computes the next times."""

from __future__ import annotations

import heapq
import re
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TYPE_CHECKING

from spadework.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

_HINT = "five fields: minute hour day month weekday, as in '30 9 * * MON-FRI', or @daily"
_SHORT = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_SUNDAY = 7
_PART = re.compile(
    r"(?:(?P<star>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?", re.ASCII
)
_FEW = 2


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("weekday", 0, _SUNDAY, _DAYS),
)


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed cron expression.

    Attributes:
        text: the five fields in numbers, as every cron reads them.
        values: what each field allows, in order; a weekday from 0, which is Sunday.
        days: the pairs of day and weekday fields of which one must hold: cron takes either where
            both are set.
    """

    text: str
    values: tuple[tuple[int, ...], ...]
    days: tuple[tuple[str, str], ...]

    def next_times(self, after: datetime, count: int) -> list[datetime]:
        """The next times, fewer where there are none in the fifty years to come."""
        found = heapq.merge(*(self._times(day, weekday, after) for day, weekday in self.days))
        distinct = (
            one for before, one in pairwise([None, *islice(found, 2 * count)]) if one != before
        )
        return [one for one in islice(distinct, count) if one is not None]

    def _times(self, day: str, weekday: str, after: datetime) -> Iterator[datetime]:
        from croniter import CroniterBadDateError, croniter  # noqa: PLC0415 - of the extra

        minute, hour, _, month, _ = self.text.split()
        times = croniter(f"{minute} {hour} {day} {month} {weekday}", after)
        try:
            while True:
                yield times.get_next(type(after))
        except CroniterBadDateError:
            return

    def on_calendar(self) -> tuple[str, ...]:
        """The same for systemd; a timer starts at what any of the lines says."""
        minute, hour, day, month, weekday = self.values
        date_and_time = (
            _listed(month, _FIELDS[3]),
            f"{_listed(hour, _FIELDS[1])}:{_listed(minute, _FIELDS[0])}:00",
        )
        lines = []
        for day_text, weekday_text in self.days:
            on = "" if weekday_text == "*" else f"{_weekdays(weekday)} "
            days = "*" if day_text == "*" else _listed(day, _FIELDS[2])
            lines.append(f"{on}*-{date_and_time[0]}-{days} {date_and_time[1]}")
        return tuple(lines)


def read_cron(text: str) -> Cron:
    """Understand a cron expression of five fields, or `@hourly` and the like.

    Raises:
        ArgumentError: it is none, crons do not agree about it, or it never comes.
    """
    words = _SHORT.get(text.strip().lower(), text).split()
    if len(words) != len(_FIELDS):
        raise ArgumentError(f"{text!r} is not a cron expression", hint=_HINT)
    read = [_read_field(word, field) for word, field in zip(words, _FIELDS, strict=True)]
    plain, values = tuple(one for one, _ in read), tuple(one for _, one in read)
    _, _, day, _, weekday = plain
    if "*" not in {day, weekday} and "*" in f"{day[0]}{weekday[0]}":
        raise ArgumentError(
            f"{text!r}: crons do not agree what '*/' in one of the two day fields means "
            "beside the other",
            hint="write the days out: 1,3,5",
        )
    both = "*" not in {day, weekday}
    days = ((day, "*"), ("*", weekday)) if both else ((day, weekday),)
    return _that_comes(Cron(" ".join(plain), values, days), text)


def _that_comes(cron: Cron, text: str) -> Cron:
    from datetime import datetime  # noqa: PLC0415 - beside its use

    if not cron.next_times(datetime.now().astimezone(), 1):
        raise ArgumentError(f"{text!r} never comes: no month has that day")
    return cron


def _read_field(text: str, field: _Field) -> tuple[str, tuple[int, ...]]:
    """A field in numbers, and what it allows."""
    plain, allowed = [], set[int]()
    for part in text.split(","):
        found = _PART.fullmatch(part)
        if found is None:
            raise _wrong(part, field)
        first, last = _ends(found, field)
        step = int(found["step"] or 1)
        if not step or (found["step"] and not found["star"] and not found["last"]):
            raise _wrong(part, field)
        allowed.update(range(first, last + 1, step))
        shown = "*" if found["star"] else f"{first}-{last}" if last > first else str(first)
        plain.append(shown + (f"/{step}" if step > 1 else ""))
    if field.most == _SUNDAY:
        allowed = {number % _SUNDAY for number in allowed}
    return ",".join(plain), tuple(sorted(allowed))


def _ends(found: re.Match[str], field: _Field) -> tuple[int, int]:
    if found["star"]:
        return field.least, field.most - (field.most == _SUNDAY)
    first = _number(found["first"], field)
    last = _number(found["last"], field) if found["last"] else first
    if last < first:
        raise ArgumentError(
            f"{field.name} {found.group()!r} runs backwards", hint="22-23,0-2 is two ranges"
        )
    return first, last


def _number(word: str, field: _Field) -> int:
    if word.lower() in field.names:
        return field.names.index(word.lower()) + field.least
    if not word.isdecimal() or not field.least <= int(word) <= field.most:
        raise _wrong(word, field)
    return int(word)


def _wrong(part: str, field: _Field) -> ArgumentError:
    return ArgumentError(
        f"{part!r} is not a {field.name} from {field.least} to {field.most}", hint=_HINT
    )


def _listed(values: tuple[int, ...], field: _Field) -> str:
    """Numbers as systemd lists them: `*`, `00/5`, or one by one with ranges."""
    if len(values) == field.most - field.least + 1:
        return "*"
    steps = {after - before for before, after in pairwise(values)}
    if len(values) > _FEW and len(steps) == 1 and values[-1] + max(steps) > field.most:
        return f"{values[0]:02}/{max(steps)}"
    return _ranges(values, [f"{number:02}" for number in range(field.most + 1)])


def _weekdays(values: tuple[int, ...]) -> str:
    """Weekdays as systemd lists them, whose week begins on Monday."""
    names = [_DAYS[(number + 1) % _SUNDAY].capitalize() for number in range(_SUNDAY)]
    return _ranges(tuple(sorted((number - 1) % _SUNDAY for number in values)), names)


def _ranges(values: tuple[int, ...], names: list[str]) -> str:
    groups: list[list[int]] = []
    for number in values:
        if groups and groups[-1][-1] == number - 1:
            groups[-1].append(number)
        else:
            groups.append([number])
    shown: list[str] = []
    for group in groups:
        if len(group) > _FEW:
            shown.append(f"{names[group[0]]}..{names[group[-1]]}")
        else:
            shown.extend(names[number] for number in group)
    return ",".join(shown)
