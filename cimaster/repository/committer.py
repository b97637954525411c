"""One thread that writes for all requests of the process: it combines the changes that wait into one write.

Each pass takes every change that is not settled, decides them in order on the newest state, and writes once. While a
write is on its way more changes gather, so load makes batches larger and nothing waits when there is none.
"""

import dataclasses
import logging
import uuid
from collections.abc import Iterable

from cimaster.common.background_thread import BackgroundThread
from cimaster.common.clock import Clock
from cimaster.errors import PoolFull, StoreRefused, StoreTrouble, TooBusy
from cimaster.observability.metrics import Metrics
from cimaster.pool import codec, expire
from cimaster.pool.records.history import AUTOMATIC_EVENTS
from cimaster.pool.records.pool import Pool
from cimaster.repository.backoff import Backoff, WriteTrouble
from cimaster.repository.group_commit import GroupCommit
from cimaster.repository.pending_changes import Inbox
from cimaster.repository.snapshots import POOL_ANNOTATION, Snapshot, Snapshots
from cimaster.repository.stores.port import COMMIT_ANNOTATION, AnswerLost, Conflict, Store, StoredObject
from cimaster.repository.turns import Turns
from cimaster.repository.write_attempts import NEVER, Attempt, Attempts, Decision, Pending, Results, decide_all, unknown

OUTAGE_GRACE = 3.0  # seconds for which requests wait for a store that just went away
STALE = 5.0  # seconds after which a decision's time is too old to be sent
_log = logging.getLogger(__name__)


class Committer(BackgroundThread):
    """Decides and writes. `submit` and `give_up` are for any thread; the rest runs in the thread itself."""

    pause_after_error = 0.0  # seconds: callers wait

    def __init__(
        self, store: Store, snapshots: Snapshots, metrics: Metrics, clock: Clock, attempts: Attempts | None = None
    ) -> None:
        super().__init__("committer", metrics.thread_errors)
        self.write_trouble, self._backoff = WriteTrouble(clock), Backoff(clock)
        self._store, self._snapshots, self._metrics, self._clock = store, snapshots, metrics, clock
        self._attempts = Attempts(store.where) if attempts is None else attempts
        self._turns = Turns(snapshots, clock, self._attempts.slot)
        self._lock = self._attempts.lock
        self._inbox = Inbox(self._lock, clock, self._expire)
        self._group_commit = GroupCommit(clock)
        self._must_read, self._singly, self._begun = False, 0, 0.0

    def submit(self, *pendings: Pending) -> None:
        """Add changes; their callers wait on `pending.done`."""
        self._inbox.add(*pendings)

    def give_up(self, *pendings: Pending) -> None:
        """Settle changes whose deadline passed: not done if it was never sent, else nobody knows."""
        with self._lock:
            for pending in pendings:
                self._expire(pending)

    @property
    def waiting(self) -> int:
        """How many changes have no answer yet."""
        return len(self._inbox)

    def _expire(self, pending: Pending) -> None:
        trouble = self._snapshots.trouble or self.write_trouble.current
        busy = trouble.again() if trouble else TooBusy(f"{self._store.where} took no write in time; nothing was done")
        pending.settle(unknown(self._store.where) if pending.sent else busy, 0)

    @property
    def unfinished(self) -> bool:
        """Whether a change has no answer yet: it gets one even after `stop`."""
        return bool(self._inbox)

    def wake(self) -> None:
        """Look for changes now."""
        super().wake()
        self._inbox.add()

    def work(self) -> None:
        """Wait for changes, and write them."""
        self._inbox.wait(self._backoff.pause if self._attempts else None)
        try:
            while self.one_pass():
                pass
        except Exception as error:
            failed = StoreTrouble(f"the service failed ({type(error).__name__}): see its log")
            self._inbox.refuse(self._inbox.waiting(), failed)
            raise

    def one_pass(self) -> bool:
        """Decide and write once; say whether there is more to do at once."""
        if self._inbox and not self._must_read:
            self._inbox.gather(self._group_commit)
        if self._inbox:
            self._turns.wait()
        batch, self._begun = self._batch(), self._clock.monotonic()
        if not batch:
            self._attempts.forget_unneeded()
            if not self._attempts:
                return False
        try:
            self._decide_and_write(batch, self._base(batch))
            self._group_commit.written(batch, self._inbox.waiting(), self._clock.monotonic() - self._begun)
        except (StoreRefused, PoolFull) as refusal:
            self._refused(batch, refusal)
        except StoreTrouble as trouble:
            self._outage(batch, trouble)
        return bool(self._inbox or (self._must_read and self._attempts))

    def _batch(self) -> list[Pending]:
        waiting = self._inbox.waiting()
        if self._singly:
            self._singly -= 1
            return waiting[:1]
        return waiting

    def _base(self, batch: list[Pending]) -> Snapshot:
        """Return the state to decide on: the newest known, or a fresh one where that cannot be good enough."""
        newest = None if self._must_read or self._attempts else self._snapshots.newest
        if newest and self._snapshots.behind:
            newest = self._snapshots.catch_up()
        if newest is None:
            return self._read()
        return self._read() if any(p.fresh and p.arrived > newest.begun for p in batch) else newest

    def _read(self) -> Snapshot:
        base = self._snapshots.read(lambda stored: self._undo(self._attempts.observe(stored)))
        self._must_read = False
        return base

    def _undo(self, decisions: Iterable[Decision]) -> None:
        for decision in decisions:
            self._metrics.undone_takes.inc()
            self.submit(Pending(decision, self._clock.monotonic(), NEVER))

    def _decide_and_write(self, batch: list[Pending], base: Snapshot) -> None:
        batch = [pending for pending in batch if not pending.settled]
        now = self._snapshots.now()
        settled = expire(base.pool, now) if self._snapshots.clock_is_right else base.pool
        results, pool = decide_all(batch, settled, now)
        if self._attempts or pool is not base.pool:  # a write makes sure that an earlier one can not come after it
            self._write(results, pool, base)
        else:
            self._settle_without_write(results, base)

    def _settle_without_write(self, results: Results, base: Snapshot) -> None:
        """Answers that no write confirms count only if the state was read after the request came."""
        with self._lock:
            for pending, result in results:
                if pending.arrived <= base.begun:
                    pending.settle(result, base.commit)
            self._must_read = any(not pending.settled for pending, _ in results)

    def _write(self, results: Results, pool: Pool, base: Snapshot) -> None:
        decided, now = self._clock.monotonic(), self._snapshots.now()
        pool, data = codec.encode(dataclasses.replace(pool, commit=base.commit + 1), now)
        attempt = Attempt(self._attempts.new_id(), base.version, pool.commit, results)
        annotations = self._attempts.annotated(base.object.annotations, attempt, now)
        annotations.setdefault(POOL_ANNOTATION, str(uuid.uuid4()))
        annotations[COMMIT_ANNOTATION] = str(pool.commit)
        changed = base.object.replaced(data, annotations)
        self._snapshots.expect({key: annotations[key] for key in (COMMIT_ANNOTATION, self._attempts.slot)})
        in_time = self._clock.monotonic() - decided < STALE and not self._turns.outrun()
        if in_time and self._attempts.announce(attempt):
            self._send(attempt, changed, pool)

    def _send(self, attempt: Attempt, changed: StoredObject, pool: Pool) -> None:
        begun = self._clock.monotonic()
        try:
            version = self._store.replace(changed)
        except Conflict:
            self._metrics.conflicts.inc()
            self._must_read = True
        except AnswerLost as lost:
            _log.warning("the answer of a write was lost: %s", lost)
            self._metrics.answers_lost.inc()
            self._must_read = True
            self._backoff.rest()
        except StoreTrouble as trouble:
            self._attempts.withdraw(attempt)
            self._write_failed(attempt, trouble)
        else:
            self._written(attempt, Snapshot(pool, changed.at(version), begun, self._clock.monotonic()))

    def _written(self, attempt: Attempt, written: Snapshot) -> None:
        self._snapshots.put(written)
        self._undo(self._attempts.observe(written.object))
        self._turns.wrote(self._clock.monotonic() - self._begun)
        self.write_trouble.succeeded()
        self._backoff.succeeded()
        entries = written.pool.entries_of(written.commit)
        events = [entry.event for entry in entries]
        self._metrics.count_commit(len(attempt.results), written.known - written.begun, events)
        for entry in (entry for entry in entries if entry.event in AUTOMATIC_EVENTS):
            _log.info("%s", entry.event, extra={"entry": entry.fields})

    def _write_failed(self, attempt: Attempt, trouble: StoreTrouble) -> None:
        """A store that was read and took no write twice running is not in a passing mood: say so at once."""
        if isinstance(trouble, StoreRefused):
            raise trouble
        _log.warning("a write failed: %s", trouble, extra={"code": trouble.code})
        self._must_read = True
        if self.write_trouble.failed(trouble):
            self._inbox.refuse([pending for pending, _ in attempt.results], trouble)
        if self._inbox:
            self._backoff.rest()

    def _refused(self, batch: list[Pending], refusal: PoolFull | StoreRefused) -> None:
        """What the store will not take is tried one by one, so that it fails only the change that is to blame."""
        if len(batch) > 1:
            self._singly = len(batch)
        else:
            self._inbox.refuse(batch, refusal)
            if self._inbox:
                self._backoff.rest()

    def _outage(self, batch: list[Pending], trouble: StoreTrouble) -> None:
        """Fail those that waited long enough for a store that cannot be reached; data that are gone need a person.

        What may have been written waits for its deadline.
        """
        self._must_read = True
        self.write_trouble.read_failed()
        now = self._clock.monotonic()
        hopeless = type(trouble) is not StoreTrouble or now - self._snapshots.trouble_since > OUTAGE_GRACE
        self._inbox.refuse([p for p in batch if hopeless or now - p.arrived > OUTAGE_GRACE], trouble)
        self._backoff.rest()
