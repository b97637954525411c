"""Concurrent reads and writes."""

import dataclasses
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from cimaster.common.clock import Clock
from cimaster.errors import StoreTrouble
from cimaster.observability.metrics import Metrics
from cimaster.pool import Rules
from cimaster.pool.records.pool import Answer
from cimaster.repository.committer import OUTAGE_GRACE
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.snapshots import POOL_ANNOTATION, Snapshot, Snapshots
from cimaster.repository.stores.port import Change, StoredObject
from cimaster.repository.stores.sqlite import SQLiteStore
from tests.conditions import until
from tests.conftest import LeapingClock


class OvertakenStore(SQLiteStore):
    """Runs `happens` between a read and its answer."""

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


class HeldStore(SQLiteStore):
    """Counts reads, and finishes none before `may_finish` is set."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), "clusters")
        self.may_finish, self.begun, self.trouble = threading.Event(), 0, ""
        self.may_finish.set()

    def read(self, not_older_than: str = "") -> StoredObject:
        self.begun += 1
        assert self.may_finish.wait(60)
        if self.trouble:
            raise StoreTrouble(self.trouble)
        return super().read(not_older_than)


@pytest.mark.parametrize("trouble", ["", "the disk is away"])
def test_concurrent_callers_that_need_a_fresh_read_share_one(tmp_path: Path, trouble: str) -> None:
    store = HeldStore(tmp_path / "pool.db")
    snapshots = Snapshots(store, Rules(), Metrics(CollectorRegistry()), Clock())
    snapshots.read()
    store.begun, store.trouble = 0, trouble
    store.may_finish.clear()

    def ask(number: int) -> str:
        try:
            return str(snapshots.at_least(number).commit)
        except StoreTrouble as refusal:
            return str(refusal)

    with ThreadPoolExecutor(40) as callers:
        first = callers.submit(ask, 1000)
        until(lambda: store.begun == 1)
        others = [callers.submit(ask, 1000 + number) for number in range(39)]
        until(lambda: callers._work_queue.empty())
        assert store.begun == 1
        store.may_finish.set()
        assert {answer.result(60) for answer in (first, *others)} == {trouble or "0"}
    assert store.begun < 10  # callers that arrive during a read share the next one
    store.close()


def test_a_trouble_may_end_while_a_caller_is_told_about_it(tmp_path: Path) -> None:
    store = SQLiteStore(str(tmp_path / "pool.db"), "clusters")
    snapshots = Snapshots(store, Rules(), Metrics(CollectorRegistry()), Clock())

    class EndsWhenSeen(StoreTrouble):
        def __bool__(self) -> bool:
            snapshots.note_success()
            return True

    snapshots.note_trouble(EndsWhenSeen("the disk is away"))
    with pytest.raises(StoreTrouble):
        snapshots.current(interval=float("inf"))
    store.close()


class SilentStore(SQLiteStore):
    """Reports no change before `may_report` is set."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), "clusters")
        self.watched, self.may_report = threading.Event(), threading.Event()

    def wait_for_change(self, timeout: float) -> Change | None:
        self.watched.set()
        assert self.may_report.wait(60)
        return super().wait_for_change(0.0)


def test_a_replica_is_ready_if_a_request_read_the_store_first(tmp_path: Path) -> None:
    store = SilentStore(tmp_path / "pool.db")
    repository = ConfigMapRepository(store, Rules(), Metrics(CollectorRegistry()))
    assert not repository.tried
    repository.fresh()
    repository.start()
    try:
        assert store.watched.wait(60)
        assert repository.tried
    finally:
        store.may_report.set()
        repository.stop()


class BrieflyAwayStore(SilentStore):
    """A store of which some reads fail, while its watch stays open."""

    failing = 0

    def read(self, not_older_than: str = "") -> StoredObject:
        if self.failing:
            self.failing -= 1
            raise StoreTrouble("the store is away")
        return super().read(not_older_than)


def test_changes_go_on_after_a_failed_read_although_the_watch_lasts(tmp_path: Path) -> None:
    store, clock = BrieflyAwayStore(tmp_path / "pool.db"), LeapingClock()
    repository = ConfigMapRepository(store, Rules(), Metrics(CollectorRegistry()), clock=clock)
    repository.start()
    assert store.watched.wait(60)

    def is_usable() -> bool:
        try:
            return repository.update(lambda pool, _: (pool, Answer("done"))).answer.text == "done"
        except StoreTrouble:
            clock.leapt += 1
            return False

    store.failing = 2
    with pytest.raises(StoreTrouble):
        repository.fresh()
    clock.leapt += OUTAGE_GRACE + 1
    assert not is_usable()
    until(is_usable)
    assert not store.may_report.is_set()
    store.may_report.set()
    repository.stop()
