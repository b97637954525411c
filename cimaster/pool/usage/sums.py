"""Sums of usage: by hour, and by day for each cluster, job and person."""

from dataclasses import dataclass, field
from typing import NamedTuple

from cimaster.pool.usage.figures import Figures, split

HOUR, DAY = 3600, 86_400  # seconds
OTHERS = "(others)"
MOST_NAMES = 200  # jobs or people of a day that are summed separately; the rest is summed as OTHERS
MOST_GROUPS = 40  # pairs of purpose and region; more are summed as OTHERS
LONGEST_HOLDS = 20  # of a day


class Group(NamedTuple):
    """The purpose and region of a cluster."""

    purpose: str = ""
    region: str = ""


class Key(NamedTuple):
    """What figures are about: an hour or a day (its number since 1970, UTC), a group, and a name if there is one."""

    period: int
    group: Group
    name: str = ""


class EndedHold(NamedTuple):
    """A hold that ended, in seconds since 1970; the hold is counted on the day of its end."""

    seconds: int
    end: int
    holder: str
    cluster: str
    group: Group


Table = dict[Key, Figures]


@dataclass
class Sums:
    """The sums over some changes. `people` counts holds, and what ran in jobs that the person triggered."""

    hours: Table = field(default_factory=dict)
    clusters: Table = field(default_factory=dict)
    jobs: Table = field(default_factory=dict)
    people: Table = field(default_factory=dict)
    holds: list[EndedHold] = field(default_factory=list)

    def of_change(self, second: int, group: Group, cluster: str, job: str, person: str) -> list[Figures]:
        """Return the figures in which a change counts."""
        day = second // DAY
        found = [_at(self.hours, Key(second // HOUR, group)), _at(self.clusters, Key(day, group, cluster))]
        if job:
            found.append(_at(self.jobs, Key(day, group, job)))
        if person:
            found.append(_at(self.people, Key(day, group, person)))
        return found

    def add_time(self, state: str, begin: int, end: int, group: Group, cluster: str, job: str, person: str) -> None:
        """Add the seconds that a cluster was in a state."""
        for hour, seconds in split(begin, end, HOUR):
            _spend(self.hours, Key(hour, group), state, seconds)
        for day, seconds in split(begin, end, DAY):
            _spend(self.clusters, Key(day, group, cluster), state, seconds)
            if job:
                _spend(self.jobs, Key(day, group, job), state, seconds)
            if person:
                _spend(self.people, Key(day, group, person), state, seconds)

    def bounded(self) -> "Sums":
        """Return the sums with a limited number of names: the busiest of each day."""
        return Sums(self.hours, self.clusters, _busiest(self.jobs), _busiest(self.people), _longest(self.holds))


def _at(table: Table, key: Key) -> Figures:
    return table.setdefault(key, Figures())


def _spend(table: Table, key: Key, state: str, seconds: int) -> None:
    spent = _at(table, key).seconds
    spent[state] = spent.get(state, 0) + seconds


def _busiest(table: Table) -> Table:
    """Return a table in which only the busiest names of each day have figures of their own."""
    by_day: dict[int, dict[str, int]] = {}
    for key, figures in table.items():
        names = by_day.setdefault(key.period, {})
        names[key.name] = names.get(key.name, 0) + figures.total + figures.takes
    kept = {
        day: set(sorted(names, key=lambda name: (name == OTHERS, names[name]), reverse=True)[:MOST_NAMES])
        for day, names in by_day.items()
        if len(names) > MOST_NAMES
    }
    if not kept:
        return table
    bounded: Table = {}
    for key, figures in table.items():
        is_kept = key.period not in kept or key.name in kept[key.period]
        _at(bounded, key if is_kept else key._replace(name=OTHERS)).add(figures)
    return bounded


def _longest(holds: list[EndedHold]) -> list[EndedHold]:
    """Return the longest holds of each day."""
    left: dict[int, int] = {}
    kept = []
    for hold in sorted(holds, reverse=True):
        day = hold.end // DAY
        left[day] = left.get(day, LONGEST_HOLDS) - 1
        if left[day] >= 0:
            kept.append(hold)
    return kept
