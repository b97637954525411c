"""Usage as it is stored: compact JSON, in which names and groups stand once and figures are lists of numbers."""

from collections.abc import Callable, Iterable
from typing import Any

from cimaster.pool.records.json_values import dump, load
from cimaster.pool.usage.figures import STATES, Figures
from cimaster.pool.usage.fold import UsageFold
from cimaster.pool.usage.intervals import OpenInterval
from cimaster.pool.usage.sums import EndedHold, Group, Key, Sums, Table

_VERSION = 1
_TABLES = ("hours", "clusters", "jobs", "people")
_COUNTS = len(STATES)  # where the counts begin in a row of figures


class Unreadable(ValueError):
    """The text is not usage as it is stored here."""


def text_of(fold: UsageFold) -> str:
    """Return a fold as JSON, with a limited number of names."""
    sums, names, groups = fold.sums.bounded(), _Numbers(), _Numbers()
    stored: dict[str, Any] = {"version": _VERSION, "counted": fold.counted, "since": fold.since, "begun": fold.begun}
    for table in _TABLES:
        stored[table] = [
            [key.period, groups.of(key.group), names.of(key.name), *_numbers(figures)]
            for key, figures in getattr(sums, table).items()
        ]
    stored["holds"] = [
        [h.seconds, h.end, names.of(h.holder), names.of(h.cluster), groups.of(h.group)] for h in sums.holds
    ]
    stored["open"] = [
        [*map(names.of, (cluster, i.state, i.job, i.trigger, i.holder)), groups.of(i.group), i.since, i.held_since]
        for cluster, i in fold.open.items()
    ]
    return dump({**stored, "names": names.listed, "groups": groups.listed})


def parse(text: str) -> UsageFold:
    """Read a fold; Unreadable if the text is anything else."""
    try:
        return _Reader(load(text)).fold()
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise Unreadable(f"the sums of usage cannot be read: {error}") from error


class _Numbers:
    """Numbers values in the order in which they come."""

    def __init__(self) -> None:
        self._known: dict[Any, int] = {}

    def of(self, value: str | Group) -> int:
        return self._known.setdefault(value, len(self._known))

    @property
    def listed(self) -> list[Any]:
        return list(self._known)


def _numbers(figures: Figures) -> list[Any]:
    row: list[Any] = [figures.seconds.get(state, 0) for state in STATES]
    row += [figures.takes, figures.failures, figures.quarantines]
    if figures.waits:
        return [*row, [number for pair in figures.waits.items() for number in pair]]
    while row and not row[-1]:
        row.pop()
    return row


class _Reader:
    """Reads a stored fold; raises one of the errors that `parse` expects if it is not one."""

    def __init__(self, stored: Any) -> None:
        if stored["version"] != _VERSION:
            raise ValueError(f"its version is {stored['version']!r}")
        self._stored = stored
        self._names = [_typed(name, str) for name in stored["names"]]
        self._groups = [Group(_typed(purpose, str), _typed(region, str)) for purpose, region in stored["groups"]]

    def fold(self) -> UsageFold:
        hours, clusters, jobs, people = (self._table(self._stored[name]) for name in _TABLES)
        holds = [self._hold(*map(_number, row)) for row in self._stored["holds"]]
        since, begun = (None if time is None else _number(time) for time in map(self._stored.get, ("since", "begun")))
        intervals = dict(self._interval(*map(_number, row)) for row in self._stored["open"])
        sums = Sums(hours, clusters, jobs, people, holds)
        counted = _number(self._stored["counted"])
        return UsageFold(since, begun, counted, intervals, sums, {key.group for key in hours})

    def _table(self, rows: Iterable[list[Any]]) -> Table:
        return {
            Key(_number(period), self._groups[_number(group)], self._names[_number(name)]): _figures(numbers)
            for period, group, name, *numbers in rows
        }

    def _hold(self, seconds: int, end: int, holder: int, cluster: int, group: int) -> EndedHold:
        return EndedHold(seconds, end, self._names[holder], self._names[cluster], self._groups[group])

    def _interval(
        self, cluster: int, state: int, job: int, trigger: int, holder: int, group: int, since: int, held_since: int
    ) -> tuple[str, OpenInterval]:
        job_name, trigger_name, holder_name = (self._names[number] for number in (job, trigger, holder))
        interval = OpenInterval(
            self._names[state], since, self._groups[group], job_name, trigger_name, holder_name, held_since
        )
        return self._names[cluster], interval


def _figures(numbers: list[Any]) -> Figures:
    waits = numbers.pop() if numbers and isinstance(numbers[-1], list) else []
    row = list(map(_number, numbers)) + [0] * (_COUNTS + 3 - len(numbers))
    takes, failures, quarantines = row[_COUNTS:]
    seconds = {state: spent for state, spent in zip(STATES, row, strict=False) if spent}
    pairs = zip(map(_number, waits[::2]), map(_number, waits[1::2]), strict=True)
    return Figures(seconds, takes, failures, quarantines, dict(pairs))


def _number(value: Any) -> int:
    number: int = _typed(value, int)
    if number < 0:
        raise ValueError(f"{number} is negative")
    return number


def _typed(value: Any, kind: Callable[..., Any]) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{value!r:.40} is of the wrong type")
    return value
