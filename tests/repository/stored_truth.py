"""The stored object with its complete history, and the store through which each replica accesses it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from greenlet import getcurrent

from cimaster.errors import StoreRefused, StoreTrouble
from cimaster.pool import expire
from cimaster.pool.codec import decode
from cimaster.pool.records.pool import Pool, Rules
from cimaster.repository.stores.port import COMMIT_ANNOTATION, StoredObject
from tests.repository.interleavings import Cell, SteppedClock, SteppedStore

READ, CATCH_UP, WRITE, ANSWER = "read", "catch up", "write", "answer"
APPLIED, FAILED, REFUSED, SLOW = "applied", "failed", "refused", "slow"
_START = datetime(2026, 1, 1, tzinfo=UTC)


class FakeClock(SteppedClock):
    """One clock for all replicas and the store."""

    def __call__(self) -> datetime:
        return self.at(self.passed)

    @staticmethod
    def at(passed: float) -> datetime:
        """Return the moment at which this many seconds had passed."""
        return _START + timedelta(seconds=passed)


class Moment(NamedTuple):
    """A state of the store, and since when."""

    object: StoredObject
    since: float

    @property
    def commit(self) -> int:
        """The number of the newest change in it."""
        return int(self.object.annotations.get(COMMIT_ANNOTATION, 0))

    def pool(self) -> Pool:
        """Return the pool in it."""
        return decode(self.object.data, self.commit, Rules())


class Truth(Cell):
    """The stored object, with all its former states."""

    def __init__(self, names: tuple[str, ...], clock: FakeClock, other_keys: Mapping[str, str]) -> None:
        super().__init__(names)
        self.object = self.object.replaced({**self.object.data, **other_keys}, self.object.annotations)
        self._clock = clock
        self.moments = [Moment(self.object, clock.passed)]
        self._records: tuple[StoredObject | None, dict[str, dict[str, Any]]] = None, {}

    def apply(self, changed: StoredObject) -> bool:
        """Apply a write if its version is still the newest; return whether it was applied."""
        applied = super().apply(changed)
        if applied:
            self.moments.append(Moment(self.object, self._clock.passed))
        return applied

    @property
    def records(self) -> dict[str, dict[str, Any]]:
        """The stored records by name."""
        if self._records[0] is not self.object:
            records = json.loads(self.object.data["cluster.json"])
            self._records = self.object, {record["name"]: record for record in records}
        return self._records[1]

    def edit(self, name: str, **fields: str) -> None:
        """Change fields of a record by hand, as `kubectl edit` does."""
        records = json.dumps([*{**self.records, name: {**self.records[name], **fields}}.values()], indent=1)
        self.apply(self.object.replaced({**self.object.data, "cluster.json": records}, self.object.annotations))

    def none_was_vacant(self, first: int, since: float) -> bool:
        """Say whether no cluster was vacant at some time from `since` on, starting with the state of moment `first`."""
        start = Moment(self.moments[first].object, since)
        if not expire(start.pool(), FakeClock.at(since)).vacant:
            return True
        following = zip(self.moments[first:], self.moments[first + 1 :], strict=False)
        return any(not vacant for before, after in following for vacant in _vacant_during(before, after))


def _vacant_during(before: Moment, after: Moment) -> Iterator[set[str]]:
    """Yield the clusters that were vacant after each decision of a write, which the store sees as one moment."""
    vacant = {cluster.name for cluster in before.pool().vacant}
    entries = after.pool().entries_of(after.commit) if after.commit != before.commit else []
    expired = False  # a decision first expires what is due; its caller sees only the state after that
    for entry in reversed(entries):
        if entry.event not in ("lease ended", "hold ended") and not expired:
            expired = True
            yield vacant
        (vacant.add if entry.get_text("to") == "vacant" else vacant.discard)(entry.cluster)
        if expired:
            yield vacant
    yield {cluster.name for cluster in expire(after.pool(), FakeClock.at(after.since)).vacant}


class FaultyStore(SteppedStore):
    """The store as one replica sees it; it may lose answers, be unavailable, or refuse."""

    def __init__(self, truth: Truth, clock: FakeClock) -> None:
        super().__init__(truth)
        self._truth, self._clock = truth, clock
        self.trouble_at = 0.0

    def siblings(self, names: Sequence[str]) -> "list[SiblingStore]":
        return [SiblingStore(self._truth.sibling(name)) for name in names]

    def read(self, not_older_than: str = "") -> StoredObject:
        moments = [moment.object for moment in self._truth.moments]
        oldest = next((stored for stored in moments if stored.version == not_older_than), moments[-1])
        fate = getcurrent().parent.switch(CATCH_UP if not_older_than else READ)
        self._fail_if(fate)
        return oldest if fate == SLOW else self._truth.object

    def replace(self, changed: StoredObject) -> str:
        fate = getcurrent().parent.switch(WRITE)
        self._fail_if(fate)
        try:
            return self.meet(changed, fate)
        finally:
            if fate == SLOW:
                getcurrent().parent.switch(ANSWER)

    def _fail_if(self, fate: str) -> None:
        if fate in (FAILED, REFUSED):
            self.trouble_at = self._clock.passed
        _fail_if(fate)


class SiblingStore(SteppedStore):
    """The store of another object, with the same faults."""

    def read(self, not_older_than: str = "") -> StoredObject:
        _fail_if(getcurrent().parent.switch(READ))
        return self._cell.object

    def replace(self, changed: StoredObject) -> str:
        fate = getcurrent().parent.switch(WRITE)
        _fail_if(fate)
        return self.meet(changed, fate)


def _fail_if(fate: str) -> None:
    if fate in (FAILED, REFUSED):
        raise (StoreTrouble if fate == FAILED else StoreRefused)(fate)
