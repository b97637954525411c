"""The one repository, for every kind of store: everything that reads or changes the pool goes through it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cimaster.common import logs
from cimaster.common.clock import Clock
from cimaster.errors import StoreTrouble
from cimaster.observability.metrics import Metrics
from cimaster.pool.decisions import notices
from cimaster.pool.decisions.notices import Routes
from cimaster.pool.records.pool import Answer, Pool, Rules
from cimaster.repository.batch_decisions import BatchDecisions
from cimaster.repository.committer import OUTAGE_GRACE, Committer
from cimaster.repository.history_ring import HistoryRing
from cimaster.repository.pending_changes import Decision, PendingChange
from cimaster.repository.snapshots import Snapshot, Snapshots
from cimaster.repository.stores.port import Store
from cimaster.repository.watcher import Watcher

_PATIENCE = 0.5  # seconds after the deadline of a change by which the committer should have settled it
_CHECK = 0.05  # seconds between checks whether the caller still wants the answer
_CHECK_STORE = 1.0  # seconds between checks whether a store that could not be read has recovered


@dataclass(frozen=True)
class Committed:
    """The result of a change: its answer, and the commit in which that is true."""

    answer: Answer
    commit: int


class ConfigMapRepository:
    """The pool in its store. Start it before use; `update` and the reads are for any thread."""

    def __init__(
        self,
        store: Store,
        rules: Rules,
        metrics: Metrics,
        *,
        deadline: timedelta = timedelta(seconds=20),
        clock: Clock | None = None,
        history_names: Sequence[str] = (),
        routes: Routes | None = None,
    ) -> None:
        """`history_names` are the objects of the archive of history; without any, no history is archived."""
        self.store = store
        clock = clock or Clock()
        self.history_ring = HistoryRing(store.siblings(history_names), clock)
        self._clock = clock
        self._deadline = deadline.total_seconds()
        self._snapshots = Snapshots(store, rules, metrics, clock)
        self._decisions = BatchDecisions(self._snapshots, metrics, routes)
        self._committer = Committer(store, self._snapshots, metrics, clock, decisions=self._decisions)
        self._watcher = Watcher(store, self._snapshots, metrics)
        self._next_check = 0.0

    def start(self) -> None:
        """Start the threads; the first read happens in the background."""
        self._committer.start()
        self._watcher.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Write the pending changes, then stop the threads and close the store."""
        self._committer.stop(timeout)
        self._watcher.stop(timeout)
        self.history_ring.close()
        self.store.close()

    def update(
        self,
        decide: Decision,
        *,
        fresh: bool = False,
        undo: Decision | None = None,
        wanted: Callable[[], bool] | None = None,
    ) -> Committed:
        """Make a change, and return its answer once it is written.

        `decide` is a pure function of the pool and the time; it may run more than once. With `fresh`, it never gets a
        state that is older than this call. `undo` is applied if the change was written after all although its caller
        got OutcomeUnknown. When `wanted` returns False, the change is dropped unless it may already be written.
        Raises the refusal of `decide` or of its answer, or StoreTrouble.
        """
        trouble = self._snapshots.trouble
        if trouble and self._clock.monotonic() - self._snapshots.trouble_since > OUTAGE_GRACE:
            self._check_store()
            raise trouble.again()  # without waiting, so that a long outage does not block the threads that serve pages
        now = self._clock.monotonic()
        change = PendingChange(decide, now, now + self._deadline, fresh, undo, _current_caller())
        self._committer.submit(change)
        self._wait_for(change, now + self._deadline + _PATIENCE, wanted)
        if change.error is not None:
            raise change.error
        assert change.answer is not None
        if change.answer.refusal:
            raise change.answer.refusal
        return Committed(change.answer, change.commit)

    def _check_store(self) -> None:
        """Have the committer read the store soon: the watcher learns that it has recovered only when its watch ends."""
        now = self._clock.monotonic()
        if now >= self._next_check:
            self._next_check = now + _CHECK_STORE
            self._committer.submit(PendingChange(_nothing, now, now + self._deadline, fresh=True))

    def _wait_for(self, change: PendingChange, until: float, wanted: Callable[[], bool] | None) -> None:
        """Return when the change is settled; it is given up, which settles it, at `until` or when no longer wanted."""
        while not change.done.acquire(timeout=_CHECK if wanted else max(until - self._clock.monotonic(), 0.0)):
            if self._clock.monotonic() >= until or (wanted and not wanted()):
                self._committer.give_up(change)

    def snapshot(self, at_least: int = 0) -> Snapshot:
        """Return the newest known state, read anew if it is older than commit `at_least`."""
        return self._snapshots.at_least(at_least)

    def recent(self, interval: float) -> Snapshot:
        """Return the newest known state; if the store has a newer one, read it at most every `interval` seconds."""
        return self._snapshots.current(interval)

    def fresh(self) -> Snapshot:
        """Read the store now."""
        return self._snapshots.read()

    @property
    def newest(self) -> Snapshot | None:
        """The newest known state, without a read; None before the first read succeeded."""
        return self._snapshots.newest

    @property
    def behind(self) -> bool:
        """Whether the store is known to have a newer state than the snapshot."""
        return self._snapshots.behind

    @property
    def age(self) -> float:
        """Seconds since the store last confirmed the snapshot."""
        return self._snapshots.age

    @property
    def next_notice(self) -> datetime | None:
        """When time causes the next notice, as far as the newest known state shows; None if none is in sight."""
        return notices.next_due(self._snapshots.at_least(0).pool) if self._decisions.routes.kinds else None

    @property
    def trouble(self) -> StoreTrouble | None:
        """Why the store is currently unusable; None if it can be used."""
        return self._snapshots.trouble or self._committer.write_failures.lasting

    def now(self) -> datetime:
        """Return the time for decisions: an estimate of the store's clock."""
        return self._snapshots.now()

    @property
    def clock_is_right(self) -> bool:
        """Whether our clock agrees with the store's; if not, nothing expires here."""
        return self._snapshots.clock_is_right

    @property
    def pending(self) -> int:
        """How many changes are waiting to be written."""
        return self._committer.pending

    @property
    def tried(self) -> bool:
        """Whether the store was read at least once, with or without success."""
        return self._watcher.tried

    @property
    def alive(self) -> bool:
        """Whether both threads are running."""
        return self._committer.alive and self._watcher.alive

    @property
    def change_count(self) -> int:
        """A number that grows with each change of the store, by any replica: see `wait_for_change`."""
        return self._snapshots.change_count

    def wait_for_change(self, timeout: float, since: int) -> None:
        """Wait until the store has changed since `change_count` was `since`, for at most `timeout` seconds."""
        self._snapshots.wait_for_change(timeout, since)

    def wake_waiters(self) -> None:
        """Make every `wait_for_change` return now."""
        self._snapshots.notify()


def _nothing(pool: Pool, _: datetime) -> tuple[Pool, Answer]:
    return pool, Answer("")


def _current_caller() -> Mapping[str, str]:
    """Return the authenticated caller of the current request as the history names it; empty if there is none."""
    caller = logs.caller.get()
    return {"caller": caller["caller"], "via": f"{caller['source']} from {logs.remote.get()}"} if caller else {}
