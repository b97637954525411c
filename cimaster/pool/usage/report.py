"""Answer questions about usage: sum up a span by hour, day, week, cluster, job, person, purpose or region."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cimaster.common.texts import same
from cimaster.pool.usage.figures import Figures
from cimaster.pool.usage.sums import DAY, HOUR, EndedHold, Group, Key, Sums, Table

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MONDAY = 4  # the day number of 5 January 1970
_EARLIER_DAYS = 6


@dataclass(frozen=True)
class Breakdown:
    """One way to sum up: which table, the seconds of its periods, and the label of each row.

    The span that it answers for has whole units of `rounded` seconds. Rows of a time line are in its order; others
    begin with the largest.
    """

    table: Callable[[Sums], Table]
    period: int
    rounded: int
    label: Callable[[Key], str]
    is_time: bool = False


def _hours(rounded: int, label: Callable[[Key], str], *, is_time: bool = False) -> Breakdown:
    return Breakdown(lambda sums: sums.hours, HOUR, rounded, label, is_time)


def _names(table: Callable[[Sums], Table]) -> Breakdown:
    return Breakdown(table, DAY, DAY, lambda key: key.name)


BREAKDOWNS = {
    "hour": _hours(HOUR, lambda key: _time(key.period * HOUR, "%Y-%m-%d %H:00"), is_time=True),
    "day": _hours(DAY, lambda key: _time(key.period * HOUR, "%Y-%m-%d"), is_time=True),
    "week": _hours(DAY, lambda key: _time(_monday(key.period * HOUR), "%Y-%m-%d"), is_time=True),
    "cluster": _names(lambda sums: sums.clusters),
    "job": _names(lambda sums: sums.jobs),
    "person": _names(lambda sums: sums.people),
    "purpose": _hours(HOUR, lambda key: key.group.purpose),
    "region": _hours(HOUR, lambda key: key.group.region),
}


@dataclass(frozen=True)
class Span:
    """A span of time, in seconds since 1970; the end is not part of it."""

    begin: int
    end: int

    @classmethod
    def between(cls, since: datetime | None, until: datetime | None, now: datetime, unit: int) -> "Span":
        """Return the span from `since` until `until`, extended to whole units of seconds, but not into the future.

        Without `since` it begins six days before the day of its end.
        """
        end = min(_second(until or now), _second(now))
        begin = _second(since) if since else _down(end - 1, DAY) - _EARLIER_DAYS * DAY
        return cls(_down(min(begin, end - 1), unit), min(-_down(-end, unit), _second(now)))

    def known_from(self, second: int, unit: int) -> "Span":
        """Return the part of the span for which figures are complete, if they are so from a time on."""
        return Span(min(max(self.begin, -_down(-second, unit)), self.end), self.end)

    @property
    def hours(self) -> float:
        """Its length in hours."""
        return (self.end - self.begin) / HOUR

    @property
    def since(self) -> datetime:
        """When it begins."""
        return moment(self.begin)

    @property
    def until(self) -> datetime:
        """When it ends."""
        return moment(self.end)


@dataclass(frozen=True)
class GroupFilter:
    """Only clusters of a purpose or region; empty members match all."""

    purpose: str = ""
    region: str = ""

    def matches(self, group: Group) -> bool:
        """Say whether a group is wanted."""
        return (not self.purpose or same(group.purpose, self.purpose)) and (
            not self.region or same(group.region, self.region)
        )


@dataclass(frozen=True)
class Row:
    """The figures of one hour, day, cluster, job or whatever the question was about."""

    label: str
    figures: Figures


def rows(parts: Iterable[Sums], by: str, span: Span, wanted: GroupFilter) -> list[Row]:
    """Return the rows of a breakdown, one of BREAKDOWNS."""
    breakdown = BREAKDOWNS[by]
    found: dict[str, Row] = {}
    for sums in parts:
        for key, figures in _within(breakdown.table(sums), breakdown.period, span, wanted):
            label = breakdown.label(key)
            found.setdefault(label.casefold(), Row(label, Figures())).figures.add(figures)
    listed = sorted(found.values(), key=lambda row: row.label)
    return listed if breakdown.is_time else sorted(listed, key=_use, reverse=True)


def labels(by: str, span: Span) -> list[str]:
    """Return the label of each hour, day or week of a span, also of those without figures."""
    hours = range(span.begin // HOUR, -(-span.end // HOUR))
    return list(dict.fromkeys(BREAKDOWNS[by].label(Key(hour, Group())) for hour in hours))


def holds(parts: Iterable[Sums], span: Span, wanted: GroupFilter, limit: int) -> list[EndedHold]:
    """Return the longest holds that ended in a span, the longest first."""
    ended = (h for sums in parts for h in sums.holds if span.begin < h.end <= span.end and wanted.matches(h.group))
    return sorted(ended, reverse=True)[:limit]


def groups(parts: Iterable[Sums]) -> set[Group]:
    """Return all groups that have figures."""
    return {key.group for sums in parts for key in sums.hours}


def moment(second: int) -> datetime:
    """Return a time that is given in seconds since 1970."""
    return _EPOCH + timedelta(seconds=second)


def _within(table: Table, length: int, span: Span, wanted: GroupFilter) -> Iterator[tuple[Key, Figures]]:
    first, after = span.begin // length, -(-span.end // length)
    matching: dict[Group, bool] = {}
    for key, figures in table.items():
        if not first <= key.period < after:
            continue
        if key.group not in matching:
            matching[key.group] = wanted.matches(key.group)
        if matching[key.group]:
            yield key, figures


def _use(row: Row) -> tuple[int, int]:
    return row.figures.in_use, row.figures.total


def _down(second: int, unit: int) -> int:
    return second // unit * unit


def _second(time: datetime) -> int:
    return int(time.timestamp())


def _time(second: int, pattern: str) -> str:
    return moment(second).strftime(pattern)


def _monday(second: int) -> int:
    day = second // DAY
    return (day - (day - _FIRST_MONDAY) % 7) * DAY


def total(found: Sequence[Row]) -> Figures:
    """Return the sum of all rows."""
    together = Figures()
    for row in found:
        together.add(row.figures)
    return together
