"""The state machine of a fleet that archives: in each state of the store, every change is there once and in order."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from cimaster.pool.decisions import archiving
from cimaster.repository.history_slot import Slot
from tests.pool_history import PoolHistory
from tests.repository.fleet_machine import ANY, FATES, LATE, Replicas, pick
from tests.repository.fleet_model import Violation
from tests.repository.simulation import SLOTS, Lane, Replica

SLOT_SIZE = 900  # bytes; a few changes, so that slots are sealed, begun and overwritten all the time


class ArchivingReplicas(Replicas):
    """Replicas that move their history into the archive, each whenever the search wants it to."""

    @initialize(clusters=st.integers(1, 4), replicas=st.just(3), late=LATE)
    def begin(self, clusters: int, replicas: int, late: str) -> None:
        self.history, self.followed = PoolHistory(), 0
        self.changes: list[str] = []  # what identifies each change that was stored, in order
        super().begin(clusters, replicas, late)

    @rule(on=ANY, then=FATES)
    def archive(self, on: int, then: list[str]) -> None:
        """Start an archiver, or let the one of this replica go on."""
        lane = self._archiver(pick(self.fleet.replicas, on))
        self._advance(lane, then)

    def _archiver(self, replica: Replica) -> Lane:
        running = [lane for lane in self.fleet.lanes if lane.replica is replica and isinstance(lane, ArchiverLane)]
        if running:
            return running[0]
        lane = ArchiverLane(replica, replica.archive)
        self.fleet.run(lane)
        return lane

    @invariant()
    def every_answer_is_true(self) -> None:
        super().every_answer_is_true()
        self._follow_changes()
        self._every_change_is_there_once()

    def _follow_changes(self) -> None:
        """Collect the changes of each new state, which must explain what is different in it."""
        for moment in self.fleet.truth.moments[self.followed :]:
            pool = moment.pool()
            if problems := self.history.follow(pool):
                raise Violation(problems)
            if pool.commit > self._commit(self.followed - 1):
                self.changes += [archiving.identity(entry) for entry in reversed(pool.entries_of(pool.commit))]
            self.followed += 1

    def _commit(self, moment: int) -> int:
        return self.fleet.truth.moments[moment].commit if moment >= 0 else 0

    def _every_change_is_there_once(self) -> None:
        archived = archived_changes(self._slots())
        waiting = [archiving.identity(entry) for entry in self.fleet.truth.moments[-1].pool().history]
        end = self.changes.index(archived[-1]) + 1 if archived else 0
        overwritten = len(self.fleet.truth.siblings) == len(SLOTS) and all(slot.generation for slot in self._slots())
        first = end - len(archived) if overwritten else 0
        start = len(self.changes) - len(waiting)
        if archived != self.changes[first:end] or waiting != self.changes[start:] or start > end:
            raise Violation(f"{archived} is archived, {waiting} is not, of {self.changes}")

    def _slots(self) -> list[Slot]:
        return [Slot.parse(cell.object) for cell in self.fleet.truth.siblings.values()]

    def end_well(self) -> None:
        super().end_well()
        self._archive_all()
        self.every_answer_is_true()
        if self.fleet.truth.moments[-1].pool().history:
            raise Violation("the history is never archived")

    def _archive_all(self) -> None:
        """Let one archiver after the other go on without faults: the claim of another replica is over then."""
        for _ in range(2):
            self.fleet.clock.rest(archiving.CLAIM.total_seconds() + 1)
            for replica in self.fleet.replicas:
                self._archiver(replica)
                self._must_come_to_rest(self.fleet.replicas)


class ArchiverLane(Lane):
    """The archiver of a replica, at work."""


class RestoredReplicas(ArchivingReplicas):
    """Replicas over whose object an operator now and then writes an earlier version.

    Answers are not true any more then, and what was neither archived nor in that version is lost; all else is kept.
    """

    @initialize(clusters=st.integers(1, 4), replicas=st.just(3), late=LATE)
    def begin(self, clusters: int, replicas: int, late: str) -> None:
        self.known: set[str] = set()
        super().begin(clusters, replicas, late)

    @precondition(lambda self: len(self.fleet.truth.moments) > 1)
    @rule(which=ANY)
    def restore(self, which: int) -> None:
        truth = self.fleet.truth
        earlier = pick(truth.moments[-12:], which).object
        self.known = {*self.known, *archived_people(self._slots())}
        truth.apply(truth.object.replaced(earlier.data, earlier.annotations))

    @invariant()
    def every_answer_is_true(self) -> None:
        """Check only that nothing is archived twice: the other promises ended with the restore."""
        for call in [call for call in self.open if call.result is not None]:
            del self.open[call]
        archived = archived_people(self._slots())
        if len(set(archived)) != len(archived):
            raise Violation(f"{archived} is archived")

    def end_well(self) -> None:
        self._must_come_to_rest(self.fleet.replicas)
        truth = self.fleet.truth
        waiting = {_person(entry.fields) for entry in truth.moments[-1].pool().history}
        self._archive_all()
        archived, pool = archived_people(self._slots()), truth.moments[-1].pool()
        self.every_answer_is_true()
        overwritten = all(slot.generation for slot in self._slots())
        lost = {*self.known, *waiting} - {*archived}
        if pool.history or (lost and not overwritten):
            raise Violation(f"{lost} is lost; {archived} is archived, and {pool.history} is not")


def archived_changes(slots: Sequence[Slot]) -> list[str]:
    """Return what identifies each change in the archive, oldest first."""
    ordered = sorted(slots, key=lambda slot: slot.last)
    frames = [frame for slot in ordered for frame in slot.frames]
    return [archiving.identity(entry) for frame in frames for _, entry in frame.entries()]


def archived_people(slots: Sequence[Slot]) -> list[str]:
    """Return what distinguishes each change in the archive whatever its number, oldest first."""
    ordered = sorted(slots, key=lambda slot: slot.last)
    frames = [frame for slot in ordered for frame in slot.frames]
    return [_person(entry.fields) for frame in frames for _, entry in frame.entries()]


def _person(fields: Any) -> str:
    """Return the event, cluster, person and build of a change: each person and build acts on a cluster once."""
    return " ".join(str(fields.get(key, "")) for key in ("event", "cluster", "by", "build", "at"))
