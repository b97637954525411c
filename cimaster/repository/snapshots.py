"""The newest known state of the pool, kept up to date by a watch, and the rules by which a state is newer."""

import dataclasses
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cimaster.common.clock import Clock
from cimaster.errors import StoreTrouble, StoreWentBack
from cimaster.observability.metrics import Metrics
from cimaster.pool.codec import CLUSTERS, decode
from cimaster.pool.records.pool import Pool, Rules
from cimaster.repository.stores.port import COMMIT_ANNOTATION, Change, Store, StoredObject, commit_number

POOL_ANNOTATION = "cimaster/pool"
_CLOCK_TOLERANCE = 10.0  # seconds
_BETWEEN_READS = 0.1  # seconds between two reads for lists and pages
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Snapshot:
    """The state of the store at some moment between a read's start and its answer; times are monotonic seconds."""

    pool: Pool
    object: StoredObject
    started_at: float
    received_at: float

    @property
    def commit(self) -> int:
        """The number of the newest commit in it."""
        return self.pool.commit

    @property
    def version(self) -> str:
        """The resourceVersion."""
        return self.object.version


class Snapshots:
    """Holds the newest snapshot, and notifies threads that wait for a newer one. Thread-safe."""

    def __init__(self, store: Store, rules: Rules, metrics: Metrics, clock: Clock) -> None:
        self.trouble: StoreTrouble | None = None
        self.trouble_since = 0.0
        self.change_count = 0  # grows with each notification, so that a thread can tell whether it missed one
        self._store, self._rules = store, rules
        self._metrics, self._clock = metrics, clock
        self._current: Snapshot | None = None
        self._pool_id = ""
        self._reported = Change("", {})  # the newest change that the watch reported
        self._own_write: Mapping[str, str] = {}  # annotations that identify the write in flight
        self._changed = threading.Condition()
        self._confirmed = 0.0
        self._seen_versions: deque[str] = deque(maxlen=256)
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._last_read, self._last_failed_read = 0.0, float("-inf")  # when they started

    @property
    def newest(self) -> Snapshot | None:
        """The newest snapshot, without a read; None before the first read succeeded."""
        return self._current

    def current(self, interval: float = _BETWEEN_READS) -> Snapshot:
        """Return the newest snapshot; StoreTrouble if there is none.

        A newer state that the watch has reported is read first, at most every `interval` seconds.
        """
        may_read = self._clock.monotonic() - self._last_read >= interval
        if self.behind and may_read and not self.trouble and self._reading.acquire(blocking=False):
            try:
                self.catch_up()
            except StoreTrouble as trouble:
                _log.debug("serving the last good state: %s", trouble)
            finally:
                self._reading.release()
        if self._current is None and (reason := self.trouble):  # another thread may end it at any moment
            raise reason.again()
        return self._current or self.read()

    def at_least(self, commit: int) -> Snapshot:
        """Return a snapshot of this commit or a newer one, or one that was read after this call started.

        Concurrent callers share one read.
        """
        called_at, snapshot = self._clock.monotonic(), self.current()
        if snapshot.commit >= commit:
            return snapshot
        with self._reading:
            if (reason := self.trouble) and self._last_failed_read >= called_at:
                raise reason.again()
            newest = self._current or snapshot
            return newest if newest.commit >= commit or newest.started_at >= called_at else self.read()

    @property
    def behind(self) -> bool:
        """Whether the store is known to have a newer state than the snapshot."""
        reported = self._reported.version
        return self._current is None or bool(reported and reported not in self._seen_versions)

    @property
    def annotations(self) -> Mapping[str, str]:
        """The annotations of the newest version, read or reported; those of the newest read if the report has none."""
        known = self._current.object.annotations if self._current else {}
        return (self._reported.annotations or known) if self.behind else known

    @property
    def clock_is_right(self) -> bool:
        """Whether our clock agrees with the store's well enough to decide that something has expired."""
        return abs(self._store.current_skew) <= _CLOCK_TOLERANCE

    def now(self) -> datetime:
        """Return an estimate of the store's time, so that all replicas agree on the times that they write."""
        return self._clock() - timedelta(seconds=self._store.current_skew)

    @property
    def age(self) -> float:
        """Seconds since the store last confirmed that this is its newest state."""
        return self._clock.monotonic() - self._confirmed if self._confirmed else float("inf")

    def read(self, on_read: Callable[[StoredObject], None] = lambda _: None) -> Snapshot:
        """Read the store and return its state; StoreTrouble says what is wrong with it.

        `on_read` is called with the object even if its data turn out to be unusable.
        """
        started_at, reported, pool_id = self._clock.monotonic(), self._reported.version, self._pool_id
        self._last_read = started_at
        try:
            stored = self._store.read()
            on_read(stored)
            snapshot = Snapshot(self._decode(stored, pool_id), stored, started_at, self._clock.monotonic())
        except StoreTrouble as trouble:
            self._last_failed_read = started_at
            self.note_trouble(trouble)
            raise
        with self._lock:
            self._seen_versions.append(reported)
            return self._accept(snapshot)

    def catch_up(self) -> Snapshot:
        """Return the state that the watch reported, which the store may serve from a cache; if it is not newer, read.

        It may be displayed, and a write may be based on it, but it cannot confirm a refusal: it may predate this call.
        """
        reported, known, pool_id = self._reported.version, self._current, self._pool_id
        if not reported or known is None:
            return self.read()
        self._last_read = self._clock.monotonic()
        try:
            stored = self._store.read(not_older_than=reported)
            snapshot = Snapshot(self._decode(stored, pool_id), stored, float("-inf"), self._clock.monotonic())
        except StoreTrouble as trouble:
            _log.debug("the change that the watch reported cannot be read: %s", trouble)
            return self.read()
        with self._lock:
            if snapshot.commit > known.commit:
                self._seen_versions.append(reported)
                return self._accept(snapshot)
        return self.read()

    def note_trouble(self, trouble: StoreTrouble) -> None:
        """Remember why the store is unusable, until it can be used again."""
        if self.trouble is None:
            self.trouble_since = self._clock.monotonic()
            _log.warning("the store cannot be used: %s", trouble, extra={"code": trouble.code})
        self.trouble = trouble

    def note_success(self) -> None:
        """Remember that the store can be used again."""
        if self.trouble is not None:
            _log.info("the store can be used again")
            self.trouble = None

    def note_change(self, change: Change | None) -> None:
        """Record what the watch reported (None: no change), possibly our own write before its answer arrives."""
        self._confirmed = self._clock.monotonic()
        if change is None or (change.version and change.version in self._seen_versions):
            return
        is_own_write = self._own_write and self._own_write.items() <= change.annotations.items()
        if not is_own_write:
            self._reported = change
            self.notify()

    def expect_own_write(self, annotations: Mapping[str, str]) -> None:
        """Remember the annotations of the write about to be sent, so that the watch's report of it is recognized."""
        self._own_write = annotations

    def wait_for_change(self, timeout: float, since: int) -> None:
        """Wait for a notification after `since`, an earlier `change_count`, for at most `timeout` seconds."""
        with self._changed:
            if since == self.change_count:
                self._changed.wait(timeout)

    def notify(self) -> None:
        """Wake all threads that wait for a change."""
        with self._changed:
            self.change_count += 1
            self._changed.notify_all()

    def _decode(self, stored: StoredObject, pool_id: str) -> Pool:
        """Decode an object; `pool_id` is the id known before its read, because our first write may be newer."""
        known, counted = self._current, stored.annotations.get(COMMIT_ANNOTATION, "")
        was_written = counted or stored.annotations.get(POOL_ANNOTATION) or pool_id
        if was_written and not stored.data.get(CLUSTERS, "").strip():
            raise StoreWentBack(
                f"{self._store.where} had commit {counted or (known.commit if known else 0)}, but its data are gone: "
                f"restore {CLUSTERS} from a backup (an empty pool is [])"
            )
        commit = commit_number(counted) or 0
        if known and known.commit == commit and known.object.data == stored.data:
            return known.pool
        return decode(stored.data, commit, self._rules, known.pool if known else None)

    def _accept(self, read: Snapshot) -> Snapshot:
        """Keep a read if it is newer: it has a higher commit, or it started after the current one was received."""
        self.note_success()
        self._pool_id = read.object.annotations.get(POOL_ANNOTATION, self._pool_id)
        current = self._current
        if current and read.commit < current.commit and read.started_at >= current.received_at:
            if read.version != current.version:
                _log.warning("older data were restored", extra={"commit": read.commit, "newest": current.commit})
                self._metrics.restores.inc()
            # the counter continues from the highest commit seen, so that no browser goes back in time
            read = dataclasses.replace(read, pool=dataclasses.replace(read.pool, commit=current.commit))
        if current is None or read.commit > current.commit or read.started_at >= current.received_at:
            self._set(read)
        return read

    def put(self, written: Snapshot) -> None:
        """Keep the state that our own write created."""
        self._own_write = {}  # from now on each report is of another write, even of an edit that kept our annotations
        with self._lock:
            self.note_success()
            if self._current is None or written.commit > self._current.commit:
                self._set(written)
            else:
                self._seen_versions.append(written.version)

    def _set(self, snapshot: Snapshot) -> None:
        self._current = snapshot
        self._confirmed = snapshot.received_at
        self._seen_versions.append(snapshot.version)
        self._pool_id = snapshot.object.annotations.get(POOL_ANNOTATION, self._pool_id)
        self.notify()
