"""Reads and writes that overtake each other."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry

from cimaster.clock import Clock
from cimaster.metrics import Metrics
from cimaster.pool import Rules
from cimaster.snapshots import POOL_ANNOTATION, Snapshot, Snapshots
from cimaster.stores.port import StoredObject
from cimaster.stores.sqlite import SQLiteStore


class OvertakenStore(SQLiteStore):
    """Something may happen between a read and its answer."""

    happens: Callable[[], None] | None = None

    def read(self, not_older_than: str = "") -> StoredObject:
        stored = super().read(not_older_than)
        if self.happens:
            self.happens()
        return stored


def test_the_first_write_may_overtake_a_read_of_the_empty_pool(tmp_path: Path) -> None:
    store = OvertakenStore(str(tmp_path / "pool.db"), "clusters")
    snapshots = Snapshots(store, Rules(), Metrics(CollectorRegistry()), Clock())
    empty = snapshots.read()
    written = empty.object.replaced({"cluster.json": "[]"}, {POOL_ANNOTATION: "p"}).at("2")
    pool = dataclasses.replace(empty.pool, commit=1)

    def write() -> None:
        now = Clock().monotonic()
        snapshots.put(Snapshot(pool, written, now, now))

    store.happens = write
    snapshots.read()
    store.close()
    assert snapshots.trouble is None
    assert snapshots.newest
    assert snapshots.newest.object is written
