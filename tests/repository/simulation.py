"""A few replicas simulated in one thread: a test controls every wait, every fault and the time.

Each replica is the real service with the real committer and snapshots. Each of its threads is a greenlet that hands
control back before each call of the store, while it waits for an answer, and when it is idle.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from typing import cast

from greenlet import getcurrent, greenlet
from prometheus_client import CollectorRegistry

from cimaster.errors import OutcomeUnknown, Problem, Refusal, StoreTrouble
from cimaster.notifiers import DefinedChannels
from cimaster.observability.metrics import Metrics
from cimaster.pool.decisions import notices
from cimaster.pool.records.history import Entry
from cimaster.pool.records.pool import Rules
from cimaster.repository.batch_decisions import BatchDecisions
from cimaster.repository.committer import OUTAGE_GRACE, Committer
from cimaster.repository.configmap_repository import Committed, ConfigMapRepository
from cimaster.repository.history_ring import ArchiveBusy, HistoryRing
from cimaster.repository.history_slot import Slot
from cimaster.repository.pending_changes import Decision, PendingChange
from cimaster.repository.snapshots import Snapshot, Snapshots
from cimaster.repository.stores.port import Change
from cimaster.repository.write_attempts import WriteAttempts
from cimaster.services.archiving import Archiving
from cimaster.services.clusters import Clusters
from cimaster.services.notice_claims import NoticeClaims
from tests.repository.stored_truth import ANSWER, APPLIED, CATCH_UP, READ, WRITE, FakeClock, FaultyStore, Truth

IDLE, WAITING, PAUSED = "idle", "waiting", "paused"
AT_WORK = (IDLE, READ, CATCH_UP, WRITE, ANSWER, PAUSED)
DEADLINE, PATIENCE = 20.0, 0.5  # seconds, as the repository has them
_PASSES_TO_COME_TO_REST = 60
SLOTS = ("slot-0", "slot-1", "slot-2", "slot-3")
_METRICS = Metrics(CollectorRegistry())


def count_no_usage(_before: Slot | None, _slot: Slot, _new: Sequence[tuple[int, Entry]]) -> bytes:
    """Count nothing."""
    return b""


class Lane(greenlet):
    """A simulated thread of a replica; `at` is the point at which it is suspended."""

    def __init__(self, replica: "Replica", work: Callable[[], None], call: "Call | None" = None) -> None:
        super().__init__(work)
        self.replica, self.call, self.at = replica, call, "start"
        self.pending: PendingChange | None = None

    def advance(self, fate: str = APPLIED) -> None:
        """Run to the next point at which the test decides."""
        self.at = self.switch(*() if self.at == "start" else (fate,))

    @property
    def can_continue(self) -> bool:
        """Whether it has something to do now."""
        if self.at == IDLE:
            return bool(self.replica.committer.pending or self.replica.attempts)
        if self.at == WAITING:
            assert self.pending
            return self.pending.settled or self.replica.clock.passed > self.pending.deadline + PATIENCE
        return True


@dataclass(eq=False)
class Call:
    """One request and its answer, with the commit that the answer named."""

    replica: "Replica" = field(repr=False)
    act: Callable[[Clusters], Committed | Snapshot] = field(repr=False)
    since: float
    first_moment: int
    newest_commit: int
    """The highest commit in any answer before this call."""
    result: Committed | Snapshot | Problem | None = None
    commit: int = 0
    ended: float = inf

    def serve(self) -> None:
        """Carry out the request; runs in its own lane."""
        try:
            self.result = self.act(self.replica.service)
        except Problem as refusal:
            self.result = refusal

    @property
    def may_have_acted(self) -> bool:
        """Whether the request may have been carried out, or may still be, as far as its caller knows."""
        return not isinstance(self.result, Problem) or isinstance(self.result, OutcomeUnknown)

    def may_act_after(self, moment: float) -> bool:
        """Say whether it may be carried out after a moment; without an answer, a late write may still do so."""
        return self.may_have_acted and (self.ended > moment or not self.done)

    @property
    def done(self) -> bool:
        """Whether its caller got the answer that it was carried out."""
        return isinstance(self.result, Committed)

    @property
    def decided_against(self) -> bool:
        """Whether it was refused because of the pool, and not because of an outage."""
        return isinstance(self.result, Refusal)


class Replica:
    """One process, in place of `ConfigMapRepository` and without threads."""

    clock_is_right = True

    def __init__(
        self,
        truth: Truth,
        clock: FakeClock,
        kind: type[Committer],
        attempts: type[WriteAttempts],
        channels: DefinedChannels,
    ) -> None:
        self.clock, self.alive = clock, True
        self._truth = truth
        self.store = store = FaultyStore(truth, clock)
        self.attempts = attempts(store.where)
        self.snapshots = Snapshots(store, Rules(), _METRICS, clock)
        self._decisions = BatchDecisions(self.snapshots, _METRICS, channels)
        self.committer = kind(store, self.snapshots, _METRICS, clock, self.attempts, self._decisions)
        self.history_ring = HistoryRing(store.siblings(SLOTS), clock)
        self.archiving = Archiving(cast(ConfigMapRepository, self), count_no_usage)
        self.notice_claims = NoticeClaims(cast(ConfigMapRepository, self), channels)
        self.service = Clusters(cast(ConfigMapRepository, self), _METRICS, clock)
        self.committing = Lane(self, self.commit)

    def now(self) -> datetime:
        """Return the time by which decisions are made."""
        return self.snapshots.now()

    @property
    def next_notice(self) -> datetime | None:
        return notices.next_due(self.snapshots.current().pool) if self._decisions.routes.kinds else None

    def commit(self) -> None:
        """Write forever, as the committer's thread does."""
        while True:
            while self.committer.commit_once():
                pass
            getcurrent().parent.switch(IDLE)

    def update(
        self, decide: Decision, *, fresh: bool = False, undo: Decision | None = None, wanted: None = None
    ) -> Committed:
        trouble, now = self.snapshots.trouble, self.clock.monotonic()
        if trouble and now - self.snapshots.trouble_since > OUTAGE_GRACE:
            raise trouble.again()
        lane = getcurrent()
        lane.pending = pending = PendingChange(decide, now, now + DEADLINE, fresh, undo)
        self.committer.submit(pending)
        lane.parent.switch(WAITING)
        if not pending.settled:
            self.committer.give_up(pending)
        if lane.call:
            lane.call.commit = pending.commit
        if pending.error is not None:
            raise pending.error
        assert pending.answer is not None
        return Committed(pending.answer, pending.commit)

    def snapshot(self, at_least: int = 0) -> Snapshot:
        snapshot = self.snapshots.current()
        return self.snapshots.read() if snapshot.commit < at_least else snapshot

    def archive(self) -> None:
        """Archive what is unarchived, as the archiver's thread does; a failure ends this attempt."""
        with suppress(Problem, ArchiveBusy):
            self.archiving.archive()

    def watch(self) -> None:
        """Record the newest change, as the watcher's thread does; read first if there is no snapshot."""
        try:
            if self.snapshots.newest is None or self.snapshots.trouble:
                self.snapshots.read()
            self.snapshots.note_change(Change(self._truth.object.version, self._truth.object.annotations))
        except StoreTrouble as trouble:
            self.snapshots.note_trouble(trouble)


class Fleet:
    """The replicas, and everything that runs in them."""

    def __init__(
        self,
        names: tuple[str, ...],
        replicas: int,
        committer: type[Committer],
        attempts: type[WriteAttempts],
        other_keys: Mapping[str, str],
        channels: DefinedChannels,
    ) -> None:
        self.clock = FakeClock()
        self.truth = Truth(names, self.clock, other_keys)
        self.replicas: list[Replica] = []
        self.lanes: list[Lane] = []
        self.after_step: Callable[[], None] = lambda: None
        self._kinds, self._channels = (committer, attempts), channels
        for _ in range(replicas):
            self.boot()

    def boot(self) -> None:
        """Add a replica."""
        self.replicas.append(Replica(self.truth, self.clock, *self._kinds, self._channels))
        self.run(self.replicas[-1].committing)

    def run(self, lane: Lane) -> None:
        """Start a lane."""
        self.lanes.append(lane)
        self.step(lane)

    def step(self, lane: Lane, fate: str = APPLIED) -> None:
        """Let a lane continue, and then the callers that were answered or have waited too long."""
        lane.advance(fate)
        for waiting in [lane, *self.lanes]:
            if waiting.at == WAITING and waiting.can_continue:
                waiting.advance()
        self.lanes = [lane for lane in self.lanes if not lane.dead]
        self.after_step()

    def give_up_overdue(self) -> None:
        """Let the callers that have waited too long continue."""
        for lane in [lane for lane in self.lanes if lane.at == WAITING and lane.can_continue]:
            self.step(lane)

    def at(self, *places: str) -> list[Lane]:
        """Return the lanes that are suspended at these points and can continue."""
        return [lane for lane in self.lanes if lane.at in places and lane.can_continue]

    def crash(self, replica: Replica) -> None:
        """Kill a replica at its current point; a write that it has sent may still arrive."""
        replica.alive = False
        self.replicas.remove(replica)
        for lane in [lane for lane in self.lanes if lane.replica is replica]:
            lane.throw()
            self.lanes.remove(lane)

    def come_to_rest(self, replicas: list[Replica]) -> bool:
        """Let replicas continue without faults until they have nothing to do; False if that never happens."""
        for _ in range(_PASSES_TO_COME_TO_REST * len(replicas)):
            lanes = [lane for lane in self.at(*AT_WORK) if lane.replica in replicas]
            if not lanes:
                return True
            for lane in lanes:
                self.step(lane)
        return False
