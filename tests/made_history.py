"""Made history: changes of a pool over months, as jobs and people would have caused them, for tests and measurements.

The same arguments make the same changes. A cluster changes about 33 times a day: 180,000 changes in 90 days with 60
clusters.
"""

import heapq
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cimaster.common.times import format_time
from cimaster.pool.records.history import Entry

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
PURPOSES, REGIONS = ("tess-ci", "tess-ci", "tess-ci", "tnet-ci"), ("us-west", "us-east", "eu")
JOBS = [f"e2e-{name}" for name in ("conformance", "network", "storage", "upgrade", "scale", "chaos", "backup", "dns")]
PEOPLE = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory", "zoe"]
_DAY = 86_400.0

Step = tuple[float, str, str, dict[str, str]]  # the seconds before it, the event, the state afterwards, further facts


class Change(NamedTuple):
    """A change at a time, in seconds since the beginning."""

    second: float
    cluster: str
    fields: dict[str, str]


def entries(days: float = 90, clusters: int = 60, seed: int = 1, begin: datetime = BEGIN) -> Iterator[Entry]:
    """Yield the changes of a pool, oldest first, as they are archived."""
    lives = [_life(number, days * _DAY, random.Random(f"{seed} {number}"), begin) for number in range(1, clusters + 1)]
    for commit, change in enumerate(heapq.merge(*lives), 1):
        at = format_time(begin + timedelta(seconds=change.second))
        yield Entry({"commit": commit, "at": at, "cluster": change.cluster, **change.fields})


def name_of(number: int) -> str:
    """Return the name of a cluster."""
    return f"cluster-{number:02}"


def place_of(number: int) -> dict[str, str]:
    """Return the purpose and region of a cluster."""
    return {"purpose": PURPOSES[number % len(PURPOSES)], "region": REGIONS[number % len(REGIONS)]}


def _life(number: int, end: float, chance: random.Random, begin: datetime) -> Iterator[Change]:
    """Yield what happens to one cluster: it is lent, held, quarantined, disabled, and vacant in between."""
    second, state = chance.random() * 600, ""
    episode: list[Step] = [(0.0, "added", "vacant", {"by": "root"})]
    while True:
        for pause, event, to, facts in episode:
            second += pause
            if second >= end:
                return
            known = {"event": event, "from": state, "to": to, **facts, **place_of(number)}
            yield Change(second, name_of(number), {key: value for key, value in known.items() if value})
            state = to
        episode = _episode(chance, _busy(begin, second))


def _busy(begin: datetime, second: float) -> float:
    """Return how much is going on: most during working hours."""
    at = begin + timedelta(seconds=second)
    if at.weekday() >= 5:
        return 0.25
    return 1.6 if 7 <= at.hour < 19 else 0.5


def _episode(chance: random.Random, busy: float) -> list[Step]:
    draw = chance.random()
    if draw < 0.93:
        return _job(chance, busy)
    if draw < 0.985:
        return _hold(chance, busy)
    if draw < 0.995:
        return [
            (chance.expovariate(1 / 1800), "quarantined", "quarantined", {"reason": "3 failures in a row"}),
            (chance.uniform(600, 14_400), "healthy", "vacant", {"by": "root"}),
        ]
    return [
        (chance.expovariate(1 / 1800), "disabled", "disabled", {"by": "root", "reason": "new switch"}),
        (chance.uniform(3600, 86_400), "enabled", "vacant", {"by": "root"}),
    ]


def _job(chance: random.Random, busy: float) -> list[Step]:
    job, person = JOBS[min(int(chance.expovariate(0.5)), len(JOBS) - 1)], chance.choice(PEOPLE)
    facts = {"by": person, "job": job, "build": str(chance.randrange(100_000))}
    waited = int(chance.expovariate(1 / 200)) if chance.random() < 0.15 * busy else 0
    taken = {**facts, "waited": f"{waited}s"} if waited else facts
    result = chance.choices(("pass", "fail", "error", ""), (80, 12, 2, 6))[0]
    return [
        (chance.expovariate(busy / 1800), "taken", "occupied", taken),
        (chance.lognormvariate(7.6, 0.7), "finished", "vacant", {**facts, "result": result}),
    ]


def _hold(chance: random.Random, busy: float) -> list[Step]:
    person = chance.choice(PEOPLE)
    lasts = chance.lognormvariate(8.5, 1.0)
    steps: list[Step] = [
        (chance.expovariate(busy / 1800), "held", "held", {"by": person, "reason": "debugging"}),
        (lasts * 0.7, "hold extended", "held", {"by": person}),
    ]
    if chance.random() < 0.3:
        return [*steps, (lasts * 0.3, "hold ended", "vacant", {"holder": person, "reason": "its time was over"})]
    return [*steps, (lasts * 0.3, "released", "vacant", {"by": person})]
