"""Group commit: the one thread that writes for all requests of the process.

Each round takes every pending change, decides them in order on the newest state, and writes once. More changes gather
while a write is in flight, so batches grow with load, and an idle process needs no timer.
"""

import dataclasses
import logging
import uuid
from collections.abc import Iterable

from cimaster.common.background_thread import BackgroundThread
from cimaster.common.backoff import Backoff
from cimaster.common.clock import Clock
from cimaster.errors import PoolFull, StoreRefused, StoreTrouble, TooBusy
from cimaster.observability.metrics import Metrics
from cimaster.pool import codec
from cimaster.pool.records.pool import Pool
from cimaster.repository.batch_decisions import BatchDecisions
from cimaster.repository.group_commit import GroupCommit
from cimaster.repository.pending_changes import NEVER, Decision, PendingChange, PendingChanges
from cimaster.repository.snapshots import POOL_ANNOTATION, Snapshot, Snapshots
from cimaster.repository.stores.port import COMMIT_ANNOTATION, AnswerLost, Conflict, Store, StoredObject
from cimaster.repository.write_attempts import Results, WriteAttempt, WriteAttempts, outcome_unknown
from cimaster.repository.write_failures import WriteFailures
from cimaster.repository.write_fairness import WriteFairness

OUTAGE_GRACE = 3.0  # seconds for which requests wait for a store that has just become unreachable
STALE = 5.0  # seconds after which a decision's time is too old to be sent
_log = logging.getLogger(__name__)


class Committer(BackgroundThread):
    """Decides and writes. `submit` and `give_up` are for any thread; the rest runs in the thread itself."""

    pause_after_error = 0.0  # seconds; none, because callers are waiting

    def __init__(
        self,
        store: Store,
        snapshots: Snapshots,
        metrics: Metrics,
        clock: Clock,
        attempts: WriteAttempts | None = None,
        decisions: BatchDecisions | None = None,
    ) -> None:
        super().__init__("committer", metrics.thread_errors)
        self._store, self._snapshots, self._metrics, self._clock = store, snapshots, metrics, clock
        self._attempts = WriteAttempts(store.where) if attempts is None else attempts
        self._decisions = decisions or BatchDecisions(snapshots, metrics)
        self._lock = self._attempts.lock
        self._pending = PendingChanges(self._lock, clock, self._time_out)
        self._group_commit = GroupCommit(clock)
        self._fairness = WriteFairness(snapshots, clock, self._attempts.slot)
        self.write_failures, self._backoff = WriteFailures(clock), Backoff()
        self._must_read = False
        self._singles_left = 0  # changes of a rejected batch that still have to be written one by one
        self._started_at = 0.0  # when the current round began

    def submit(self, *changes: PendingChange) -> None:
        """Add changes; their callers wait on `done`."""
        self._pending.add(*changes)

    def give_up(self, change: PendingChange) -> None:
        """Settle a change whose caller has stopped waiting: not done if it was never sent, else OutcomeUnknown."""
        with self._lock:
            self._time_out(change)

    @property
    def pending(self) -> int:
        """How many changes have no result yet."""
        return len(self._pending)

    @property
    def unfinished(self) -> bool:
        """Whether a change has no result yet; it gets one even after `stop`."""
        return bool(self._pending)

    def wake(self) -> None:
        """Check for changes now."""
        super().wake()
        self._pending.wake()

    def work(self) -> None:
        """Wait for changes, and write them."""
        self._pending.wait(self._backoff.pause if self._attempts else None)
        try:
            while self.commit_once():
                pass
        except Exception as error:
            failed = StoreTrouble(f"the service failed ({type(error).__name__}): see its log")
            self._pending.refuse(self._pending.unsettled(), failed)
            raise

    def commit_once(self) -> bool:
        """Decide and write one batch; return whether the next one is due now."""
        self._wait_for_batch()
        batch, self._started_at = self._take_batch(), self._clock.monotonic()
        if not batch:
            self._attempts.forget_unneeded()
            if not self._attempts:
                return False
        try:
            self._commit(batch)
        except (StoreRefused, PoolFull) as rejection:
            self._batch_rejected(batch, rejection)
        except StoreTrouble as trouble:
            self._store_failed(batch, trouble)
        return bool(self._pending or (self._must_read and self._attempts))

    def _wait_for_batch(self) -> None:
        """Give more changes time to arrive, and other replicas time to write."""
        if self._pending and not self._must_read:
            self._pending.gather(self._group_commit.expected, self._group_commit.until)
        if self._pending:
            self._fairness.wait_for_others()

    def _take_batch(self) -> list[PendingChange]:
        changes = self._pending.unsettled()
        self._singles_left = min(self._singles_left, len(changes))
        if self._singles_left:
            self._singles_left -= 1
            return changes[:1]
        return changes

    def _commit(self, batch: list[PendingChange]) -> None:
        base = self._base_for(batch)
        changes = [change for change in batch if not change.settled]  # reading the base may have settled some
        results, pool = self._decisions.decide(changes, base.pool)
        if self._attempts or pool is not base.pool:  # a new write ensures that no earlier one can still be applied
            self._write(results, pool, base)
        else:
            self._settle_without_write(results, base)
        self._group_commit.note_write(batch, self._pending.unsettled(), self._clock.monotonic() - self._started_at)

    def _base_for(self, batch: list[PendingChange]) -> Snapshot:
        """Return the state to decide on: the newest known one, or a new read if that may be too old."""
        newest = None if self._must_read or self._attempts else self._snapshots.newest
        if newest and self._snapshots.behind:
            newest = self._snapshots.catch_up()
        if newest is None:
            return self._read()
        too_old = any(change.fresh and change.arrived > newest.started_at for change in batch)
        return self._read() if too_old else newest

    def _read(self) -> Snapshot:
        base = self._snapshots.read(lambda stored: self._undo(self._attempts.observe(stored)))
        self._must_read = False
        return base

    def _undo(self, undos: Iterable[Decision]) -> None:
        for undo in undos:
            self._metrics.undone_takes.inc()
            self.submit(PendingChange(undo, self._clock.monotonic(), NEVER))

    def _settle_without_write(self, results: Results, base: Snapshot) -> None:
        """Settle changes that change nothing, if the state was read after they arrived: no write confirms it."""
        with self._lock:
            for change, result in results:
                if change.arrived <= base.started_at:
                    change.settle(result, base.commit)
            self._must_read = any(not change.settled for change, _ in results)

    def _write(self, results: Results, pool: Pool, base: Snapshot) -> None:
        decided_at, now = self._clock.monotonic(), self._snapshots.now()
        pool, data = codec.encode(dataclasses.replace(pool, commit=pool.next_commit), now)
        attempt = WriteAttempt(self._attempts.new_id(), base.version, pool.commit, results)
        annotations = self._attempts.annotated(base.object.annotations, attempt, now)
        annotations.setdefault(POOL_ANNOTATION, str(uuid.uuid4()))
        annotations[COMMIT_ANNOTATION] = str(pool.commit)
        changed = base.object.replaced(data, annotations)
        self._snapshots.expect_own_write({key: annotations[key] for key in (COMMIT_ANNOTATION, self._attempts.slot)})
        in_time = self._clock.monotonic() - decided_at < STALE
        # Changes that are not sent stay pending, and the next round decides them again.
        if in_time and not self._fairness.gives_way() and self._attempts.announce(attempt):
            self._send(attempt, changed, pool)

    def _send(self, attempt: WriteAttempt, changed: StoredObject, pool: Pool) -> None:
        sent_at = self._clock.monotonic()
        try:
            version = self._store.replace(changed)
        except Conflict:
            self._metrics.conflicts.inc()
            self._must_read = True
        except AnswerLost as lost:
            _log.warning("the answer to a write was lost: %s", lost)
            self._metrics.answers_lost.inc()
            self._must_read = True
            self._back_off()
        except StoreTrouble as trouble:
            self._attempts.withdraw(attempt)
            self._write_failed(attempt, trouble)
        else:
            self._settle_written(attempt, Snapshot(pool, changed.at(version), sent_at, self._clock.monotonic()))

    def _settle_written(self, attempt: WriteAttempt, written: Snapshot) -> None:
        self._snapshots.put(written)
        self._undo(self._attempts.observe(written.object))
        self._fairness.note_write(self._clock.monotonic() - self._started_at)
        self.write_failures.note_success()
        self._backoff.note_success()
        self._decisions.report(written, len(attempt.results))

    def _write_failed(self, attempt: WriteAttempt, trouble: StoreTrouble) -> None:
        """Retry after the first failure; refuse the callers if a read succeeds and the next write fails again."""
        if isinstance(trouble, StoreRefused):
            raise trouble
        _log.warning("a write failed: %s", trouble, extra={"code": trouble.code})
        self._must_read = True
        if self.write_failures.note_failure(trouble):
            self._pending.refuse([change for change, _ in attempt.results], trouble)
        if self._pending:
            self._back_off()

    def _batch_rejected(self, batch: list[PendingChange], rejection: PoolFull | StoreRefused) -> None:
        """Try the changes one by one, so that the rejection fails only the change that causes it."""
        if len(batch) > 1:
            self._singles_left = len(batch)
            return
        self._pending.refuse(batch, rejection)
        if self._pending:
            self._back_off()

    def _store_failed(self, batch: list[PendingChange], trouble: StoreTrouble) -> None:
        """Refuse the changes that have waited long enough for the store, or all of them if its data need repair.

        A change that may have been applied waits until its deadline.
        """
        self._must_read = True
        self.write_failures.note_failed_read()
        now = self._clock.monotonic()
        lasts = now - self._snapshots.trouble_since > OUTAGE_GRACE
        refused = [c for c in batch if trouble.needs_repair or lasts or now - c.arrived > OUTAGE_GRACE]
        self._pending.refuse(refused, trouble)
        self._back_off()

    def _back_off(self) -> None:
        self._backoff.note_failure()
        self._clock.rest(self._backoff.pause)

    def _time_out(self, change: PendingChange) -> None:
        """Settle a change whose deadline has passed. The lock must be held."""
        if change.sent:
            change.settle(outcome_unknown(self._store.where), 0)
            return
        trouble = self._snapshots.trouble or self.write_failures.lasting
        too_busy = TooBusy(f"{self._store.where} accepted no write in time, so nothing was done: try again")
        change.settle(trouble.again() if trouble else too_busy, 0)
