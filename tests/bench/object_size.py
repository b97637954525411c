"""`python -m tests.bench.object_size`: what the stored object of a busy pool consists of, in bytes.

A day of jobs, holds and repeats goes through the real decisions over a virtual clock; history is archived as it grows.
"""

import heapq
import json
import random
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product

from cimaster.errors import Refusal
from cimaster.pool import (
    Answer,
    ClusterFacts,
    Criteria,
    FinishRequest,
    HoldTerms,
    Pool,
    Request,
    Return,
    add,
    codec,
    expire,
    finish,
    hold,
    once,
    release,
    set_health,
    take,
)
from cimaster.pool.decisions import archiving
from cimaster.pool.decisions.fair_shares import owner_hash
from cimaster.pool.records.health import OK, QUARANTINED
from cimaster.pool.records.object_size import byte_count
from tests.bench.table import markdown

_START = datetime(2026, 1, 2, tzinfo=UTC)
_UTILISATIONS = (0.25, 0.7)  # shares of the clusters that jobs have
_JOB_MINUTES = (15, 25)
_JOBS = ("e2e-conformance-1.32", "e2e-upgrade-1.31-1.32", "pull-network-policy-e2e", "storage-csi", "scale-100-nodes")
_PEOPLE = ("alice", "bob", "carol", "christopher.longname")
_CALLERS = tuple(owner_hash(f"10.2.3.{number}") for number in range(8))

_REMEMBERED = ("lastUses",)


@dataclass
class BusyPool:
    """A pool in use. `pool` is as the last write stored it; `events` are what will happen, by time."""

    clusters: int
    utilisation: float
    seed: int = 14
    pool: Pool = field(default_factory=Pool)
    now: datetime = _START
    data: dict[str, str] = field(default_factory=dict)
    changes: int = 0
    events: list[tuple[datetime, int, Callable[[], None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Add the clusters, and plan the first jobs."""
        self._random = random.Random(self.seed)
        for number in range(self.clusters):
            facts = ClusterFacts(("us-west", "eu-central")[number % 2], osimage="centos-atomic-7.6.1810-qcow2")
            self.pool, _ = add(self.pool, self.now, f"cluster-{number:02}", "root", facts)
        for _ in range(round(self.clusters * self.utilisation)):
            self._plan(self._random.uniform(0, _JOB_MINUTES[1]), self._job)

    def run(self, hours: float) -> None:
        """Let the time pass."""
        until = self.now + timedelta(hours=hours)
        while self.events[0][0] <= until:
            self.now, _, event = heapq.heappop(self.events)
            event()
        self.now = until

    def _plan(self, minutes: float, event: Callable[[], None]) -> None:
        heapq.heappush(self.events, (self.now + timedelta(minutes=minutes), self._random.getrandbits(62), event))

    def _job(self) -> None:
        """Take a cluster as a job does, and plan its end and the job after it."""
        build = str(self._random.randrange(10**18, 2 * 10**18))
        if self._random.random() < 0.3:
            build = str(self._random.randrange(10_000))
        criteria = Criteria(self._random.choice(_JOBS), build, self._random.choice((*_PEOPLE, "ci-bot")))
        minutes = self._random.uniform(*_JOB_MINUTES)
        request, lease = self._request("getvacant"), self._hex(16)
        answer = self._write(partial(take, criteria=criteria, lease_id=lease, request=request))
        if answer:
            self._plan(minutes, partial(self._finish, answer.text, lease))
        self._plan(minutes + self._random.uniform(0, 1), self._job)

    def _finish(self, name: str, lease: str) -> None:
        """Give a cluster back as `cimaster run` does; a person holds some of them afterwards."""
        result = self._random.choices(("pass", "fail", "error"), (88, 11, 1))[0]
        wanted, request = FinishRequest(name, lease, returned=Return(result)), self._request("finishtest")
        self._write(lambda pool, now: once(pool, now, request, lambda: finish(pool, now, wanted)))
        if self.pool.find(name).health.state == QUARANTINED:
            self._plan(30, partial(self._bring_back, name))
        if self._random.random() < 0.05:
            person = self._random.choice(_PEOPLE)
            self._write(lambda pool, now: hold(pool, now, name, person, HoldTerms("debugging a network issue")))
            self._plan(self._random.uniform(20, 120), partial(self._release, name, person))

    def _bring_back(self, name: str) -> None:
        self._write(partial(set_health, name=name, by="root", health=OK))

    def _release(self, name: str, person: str) -> None:
        self._write(lambda pool, now: release(pool, now, name, person, is_admin=False))

    def _request(self, verb: str) -> Request:
        identity = str(uuid.UUID(self._hex(32)))
        return Request(identity, self._hex(16), verb, self._random.choice(_CALLERS))

    def _hex(self, digits: int) -> str:
        return f"{self._random.getrandbits(4 * digits):0{digits}x}"

    def _write(self, decision: Callable[[Pool, datetime], tuple[Pool, Answer]]) -> Answer | None:
        try:
            pool, answer = decision(expire(self.pool, self.now), self.now)
        except Refusal:
            return None
        commit = pool.next_commit
        if archiving.is_due(pool, self.now):
            seen = {entry.text for entry in pool.history}
            pool, _ = archiving.drop_archived(pool, self.now, "archiver", pool.commit, seen)
        self.changes += 1
        stored, self.data = codec.encode(pool, self.now)
        self.pool = codec.decode(self.data, commit, stored.rules, stored)
        return answer


def sizes(busy: BusyPool) -> Iterator[tuple[str, int]]:
    """Yield the bytes of each key, with what records remember apart from the rest, and the fields'."""
    parts = Counter[str]()
    for cluster in busy.pool.clusters:
        for name, value in cluster.fields.items():
            parts[name] += byte_count(json.dumps(name) + ": " + json.dumps(value, ensure_ascii=False)) + 2
    for key, text in busy.data.items():
        yield key, byte_count(text)
    yield "all keys", sum(map(byte_count, busy.data.values()))
    for name, size in parts.most_common(12):
        yield f"records: {name}", size
    yield "records: all but memory", byte_count(busy.data[codec.CLUSTERS]) - sum(parts[name] for name in _REMEMBERED)


def main(counts: list[int]) -> None:
    """Print a table for each number of clusters and each utilisation."""
    for count, utilisation in product(counts, _UTILISATIONS):
        busy = BusyPool(count, utilisation)
        busy.run(24 if count <= 100 else 3)
        title = f"{count:,} clusters, {utilisation:.0%} in use, {busy.changes:,} writes"
        print(markdown((title, "bytes"), [(name, f"{size:,}") for name, size in sizes(busy)]), flush=True)


if __name__ == "__main__":
    main([int(count) for count in sys.argv[1:]] or [60, 1000])
