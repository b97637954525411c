"""The newest known state of the pool, fed by a watch, and the rules by which one state follows another."""

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
_BETWEEN_READS = 0.1  # seconds between two reads that only serve lists and pages
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Snapshot:
    """One state of the pool. Times are monotonic seconds.

    It was the truth at some moment between `begun` and `known`: between asking the store and its answer.
    """

    pool: Pool
    object: StoredObject
    begun: float
    known: float

    @property
    def commit(self) -> int:
        """The number of the newest change in it."""
        return self.pool.commit

    @property
    def version(self) -> str:
        """The resourceVersion."""
        return self.object.version


class Snapshots:
    """Holds the newest snapshot; any thread may ask."""

    def __init__(self, store: Store, rules: Rules, metrics: Metrics, clock: Clock) -> None:
        self.trouble: StoreTrouble | None = None
        self.trouble_since = 0.0
        self.told = 0  # counts what those that wait were told
        self._store = store
        self._clock = clock
        self._rules = rules
        self._metrics = metrics
        self._current: Snapshot | None = None
        self._pool_id = ""
        self._news = Change("", {})
        self._expected: Mapping[str, str] = {}
        self._changed = threading.Condition()
        self._confirmed = 0.0
        self._versions: deque[str] = deque(maxlen=256)
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._last_try, self._failed = 0.0, float("-inf")  # when the last read began, and the last that failed

    @property
    def newest(self) -> Snapshot | None:
        """The newest snapshot without looking any further; None before the first read succeeded."""
        return self._current

    def current(self, rest: float = _BETWEEN_READS) -> Snapshot:
        """Return the newest snapshot, read anew if the watch told of something newer; StoreTrouble if there is none.

        Reads are at least `rest` seconds apart.
        """
        rested = self._clock.monotonic() - self._last_try >= rest
        if self.behind and rested and not self.trouble and self._reading.acquire(blocking=False):
            try:
                self.catch_up()
            except StoreTrouble as trouble:
                _log.debug("serving the last good state: %s", trouble)
            finally:
                self._reading.release()
        if self._current is None and self.trouble:
            raise self.trouble.again()
        return self._current or self.read()

    def at_least(self, commit: int) -> Snapshot:
        """Return a snapshot, read after this call where the newest is older; one read at a time serves all callers."""
        asked, snapshot = self._clock.monotonic(), self.current()
        if snapshot.commit >= commit:
            return snapshot
        with self._reading:
            if self.trouble and self._failed >= asked:
                raise self.trouble.again()
            newest = self._current or snapshot
            return newest if newest.commit >= commit or newest.begun >= asked else self.read()

    @property
    def behind(self) -> bool:
        """Whether the store is known to have something newer."""
        return self._current is None or bool(self._news.version and self._news.version not in self._versions)

    @property
    def annotations(self) -> Mapping[str, str]:
        """The annotations of the newest version, read or not; the last known where its news do not tell them."""
        known = self._current.object.annotations if self._current else {}
        return (self._news.annotations or known) if self.behind else known

    @property
    def clock_is_right(self) -> bool:
        """Whether our clock agrees with the store's well enough to say that something is over."""
        return abs(self._store.clock_skew or 0.0) <= _CLOCK_TOLERANCE

    def now(self) -> datetime:
        """Return about the store's time, where its clock and ours differ, so that all understand what is written."""
        return self._clock() - timedelta(seconds=self._store.clock_skew or 0.0)

    @property
    def age(self) -> float:
        """Seconds since the store last confirmed that this is its newest state."""
        return self._clock.monotonic() - self._confirmed if self._confirmed else float("inf")

    def read(self, seen: Callable[[StoredObject], None] = lambda _: None) -> Snapshot:
        """Read the store and return what it has now; StoreTrouble says what is wrong with it.

        `seen` is called with the object also where its data turn out to be unusable.
        """
        begun, news, pool_id = self._clock.monotonic(), self._news.version, self._pool_id
        self._last_try = begun
        try:
            stored = self._store.read()
            seen(stored)
            snapshot = Snapshot(self._understood(stored, pool_id), stored, begun, self._clock.monotonic())
        except StoreTrouble as trouble:
            self._failed = begun
            self.note_trouble(trouble)
            raise
        with self._lock:
            self._versions.append(news)
            return self._ordered(snapshot)

    def catch_up(self) -> Snapshot:
        """Return the state that the news told of, which the store has at hand; if that is no progress, read.

        Good enough to show and to begin a write from. It settles nothing: it may be older than this call.
        """
        news, known, pool_id = self._news.version, self._current, self._pool_id
        if not news or known is None:
            return self.read()
        self._last_try = self._clock.monotonic()
        try:
            stored = self._store.read(not_older_than=news)
            snapshot = Snapshot(self._understood(stored, pool_id), stored, float("-inf"), self._clock.monotonic())
        except StoreTrouble as trouble:
            _log.debug("the store's news cannot be followed: %s", trouble)
            return self.read()
        with self._lock:
            if snapshot.commit > known.commit:
                self._versions.append(news)
                return self._ordered(snapshot)
        return self.read()

    def note_trouble(self, trouble: StoreTrouble) -> None:
        """Remember why the store cannot be used, until it can."""
        if self.trouble is None:
            self.trouble_since = self._clock.monotonic()
            _log.warning("the store cannot be used: %s", trouble, extra={"code": trouble.code})
        self.trouble = trouble

    def note_success(self) -> None:
        """Remember that the store can be used again."""
        if self.trouble is not None:
            _log.info("the store can be used again")
            self.trouble = None

    def note_news(self, change: Change | None) -> None:
        """Take what the watch says: a change, or nothing new. Our own write may be news before it is answered."""
        self._confirmed = self._clock.monotonic()
        if change is None or (change.version and change.version in self._versions):
            return
        if not (self._expected and self._expected.items() <= change.annotations.items()):
            self._news = change
            self.tell()

    def expect(self, annotations: Mapping[str, str]) -> None:
        """Say by what annotations news of the write that is being sent can be known."""
        self._expected = annotations

    def wait(self, timeout: float, since: int | None = None) -> None:
        """Wait until there is a new snapshot, or news of one; or until `tell`, or so many seconds.

        With `since`, an earlier value of `told`, it does not wait if there was any of that meanwhile.
        """
        with self._changed:
            if since in (None, self.told):
                self._changed.wait(timeout)

    def tell(self) -> None:
        """Let all that wait look again."""
        with self._changed:
            self.told += 1
            self._changed.notify_all()

    def _understood(self, stored: StoredObject, pool_id: str) -> Pool:
        """Decode what was read; `pool_id` is what was known before that: our first write may have come since."""
        counted = stored.annotations.get(COMMIT_ANNOTATION, "")
        remembered = counted or stored.annotations.get(POOL_ANNOTATION) or pool_id
        if remembered and not stored.data.get(CLUSTERS, "").strip():
            raise StoreWentBack(
                f"{self._store.where} had commit {counted or (self._current and self._current.commit) or 0} and "
                f"its data are gone: put {CLUSTERS} back from a backup (an empty pool is [])"
            )
        known = self._current.pool if self._current else None
        return decode(stored.data, commit_number(counted) or 0, self._rules, known)

    def _ordered(self, read: Snapshot) -> Snapshot:
        """Put a read in its place: newer by commit, or begun after what we know and so the truth whatever it counts."""
        self.note_success()
        self._pool_id = read.object.annotations.get(POOL_ANNOTATION, self._pool_id)
        current = self._current
        if current and read.commit < current.commit and read.begun >= current.known:
            if read.version != current.version:
                _log.warning("older data were put back", extra={"commit": read.commit, "newest": current.commit})
                self._metrics.restores.inc()
            # the counter goes on from the highest that was seen, so that no browser goes back in time
            read = dataclasses.replace(read, pool=dataclasses.replace(read.pool, commit=current.commit))
        if current is None or read.commit > current.commit or read.begun >= current.known:
            self._set(read)
        return read

    def put(self, written: Snapshot) -> None:
        """Take the state that our own write made."""
        self._expected = {}  # what is news from now on is another's write, also one by hand that left our annotations
        with self._lock:
            self.note_success()
            if self._current is None or written.commit > self._current.commit:
                self._set(written)
            else:
                self._versions.append(written.version)

    def _set(self, snapshot: Snapshot) -> None:
        self._current = snapshot
        self._confirmed = snapshot.known
        self._versions.append(snapshot.version)
        self._pool_id = snapshot.object.annotations.get(POOL_ANNOTATION, self._pool_id)
        self.tell()
