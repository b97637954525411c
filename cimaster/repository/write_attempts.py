"""Write attempts whose outcome is unknown, and how a read shows the outcome of each.

Each process has its own annotation, its slot, into which every write puts its own id. The answer to a write can be
lost although the write is applied, now or later. So a write counts as dead only when a read shows a version other than
the one it was based on, and our slot lacks its id.
"""

import threading
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cimaster.common.times import format_time, parse_time
from cimaster.errors import OutcomeUnknown, Problem
from cimaster.pool.decisions import hold_queue
from cimaster.pool.records import history
from cimaster.pool.records.pool import Answer, Pool
from cimaster.repository.pending_changes import NEVER, Decision, PendingChange
from cimaster.repository.stores.port import StoredObject, commit_number

SLOT_PREFIX = "cimaster/attempt-"
IDLE_SLOT = timedelta(hours=1)  # without use, after which any replica removes a slot; a live process writes it anew


@dataclass
class WriteAttempt:
    """One write: the version that it is based on, and the results for its callers if it is applied."""

    id: str
    version: str
    commit: int
    results: "Results"

    @property
    def needed(self) -> bool:
        """Whether its outcome matters: a caller waits for it, or a change may have to be undone."""
        return any(not change.settled or _may_need_undo(change) for change, _ in self.results)


Results = list[tuple[PendingChange, Answer | BaseException]]


def decide_each(batch: Iterable[PendingChange], pool: Pool, now: datetime) -> tuple[Results, Pool]:
    """Decide changes in order, each on the result of the previous ones; an exception fails only its own change.

    A change that was refused on the very same pool, by then maybe too old a state, stays refused.
    Clusters that become vacant are held in the same step for the people whose turn it is.
    """
    results: Results = []
    for change in batch:
        if change.refused and change.refused[0] is pool:
            results.append((change, change.refused[1]))
            continue
        try:
            decided, answer = change.decide(pool, now)
            pool = _attributed(decided, len(pool.history), change)
            results.append((change, answer))
        except Problem as refusal:
            change.refused = pool, refusal.with_traceback(None)  # the traceback would refer to `change`
            results.append((change, refusal))
        except Exception as error:
            results.append((change, error))
    return results, hold_queue.serve(pool, now)


def _attributed(decided: Pool, first: int, change: PendingChange) -> Pool:
    """Return the pool whose history from place `first` on names the caller of a change, if it was authenticated."""
    if not change.caller or len(decided.history) <= first:
        return decided
    return replace(decided, history=history.attributed(decided.history, first, change.caller))


class WriteAttempts:
    """The slot of this process, and its writes of unknown outcome. Only for the committer's thread, except `lock`."""

    def __init__(self, where: str) -> None:
        self.lock = threading.Lock()
        self.slot = SLOT_PREFIX + uuid.uuid4().hex[:12]
        self._where = where
        self._open: list[WriteAttempt] = []
        self._slot_seen_in: str | None = None  # uid of the object in which our slot was last seen

    def __bool__(self) -> bool:
        return bool(self._open)

    @staticmethod
    def new_id() -> str:
        """Return a new random id for an attempt."""
        return uuid.uuid4().hex[:16]

    def forget_unneeded(self) -> None:
        """Drop the writes whose outcome no longer matters."""
        self._open = [attempt for attempt in self._open if attempt.needed]

    def annotated(self, annotations: Mapping[str, str], attempt: WriteAttempt, now: datetime) -> dict[str, str]:
        """Return the annotations with the attempt in our slot, without slots that were unused for an hour."""
        kept = {key: text for key, text in annotations.items() if not _idle(key, text, now)}
        return {**kept, self.slot: f"{attempt.id} {format_time(now)} {attempt.commit}"}

    def announce(self, attempt: WriteAttempt) -> bool:
        """Record a write that is about to be sent; False if one of its changes was settled since it was decided."""
        with self.lock:
            if any(change.settled for change, _ in attempt.results):
                return False
            for change, _ in attempt.results:
                change.sent = True
        self._open.append(attempt)
        return True

    def withdraw(self, attempt: WriteAttempt) -> None:
        """Record that a write was definitely not applied."""
        self._open.remove(attempt)
        self._close(attempt, None)

    def observe(self, stored: StoredObject) -> list[Decision]:
        """Compare the open writes with an object that was read or written after all of them were sent.

        Settles the changes of the write whose id the object has, drops the writes that can no longer be applied, and
        returns the undos of applied changes whose callers were answered with OutcomeUnknown.
        """
        has_slot = self.slot in stored.annotations
        slot_lost = not has_slot and self._slot_seen_in == stored.uid  # in a new object no older write can be applied
        self._slot_seen_in = stored.uid if has_slot else None
        applied_id = stored.annotations.get(self.slot, "").partition(" ")[0]
        attempts, self._open = self._open, []
        undos = [undo for attempt in attempts if attempt.id == applied_id for undo in self._settle(attempt)]
        for attempt in attempts:
            if attempt.version == stored.version:  # it may still be applied
                self._open.append(attempt)
            elif attempt.id != applied_id:
                self._close(attempt, outcome_unknown(self._where) if slot_lost else None)
                if not has_slot:  # it may have been applied and our slot removed; an undo of nothing is harmless
                    undos += _undos_of(attempt)
        return undos

    def _settle(self, attempt: WriteAttempt) -> list[Decision]:
        """Settle the changes of an applied write; return the undos of those whose callers have already left."""
        undos = []
        with self.lock:
            for change, result in attempt.results:
                too_late = not change.settle(result, attempt.commit) and isinstance(change.error, OutcomeUnknown)
                if too_late and change.undo and isinstance(result, Answer):
                    undos.append(change.undo)
        return undos

    def _close(self, attempt: WriteAttempt, error: OutcomeUnknown | None) -> None:
        """Release the changes of a dead write to be decided again, or settle them with an error."""
        with self.lock:
            for change, _ in attempt.results:
                change.sent = any(change is other for still_open in self._open for other, _ in still_open.results)
                if error and not change.sent and change.deadline != NEVER:
                    change.settle(error.again(), 0)


def _may_need_undo(change: PendingChange) -> bool:
    return change.undo is not None and isinstance(change.error, OutcomeUnknown)


def _undos_of(attempt: WriteAttempt) -> list[Decision]:
    return [change.undo for change, _ in attempt.results if change.undo and _may_need_undo(change)]


def _idle(key: str, text: str, now: datetime) -> bool:
    if not key.startswith(SLOT_PREFIX):
        return False
    used = parse_time(text.split(" ")[1] if " " in text else "")
    return used is None or now - used > IDLE_SLOT


def last_commits(annotations: Mapping[str, str]) -> dict[str, int]:
    """Return the number of the last commit of each process that has a slot."""
    slots = {key: text.split(" ") for key, text in annotations.items() if key.startswith(SLOT_PREFIX)}
    commits = {key: commit_number(words[2]) for key, words in slots.items() if len(words) > 2}
    return {key: commit for key, commit in commits.items() if commit is not None}


def outcome_unknown(where: str) -> OutcomeUnknown:
    """Return the error for a caller whose write may or may not have been applied."""
    return OutcomeUnknown(
        f"{where} did not confirm in time that the change was written: repeat the request with the same request_id "
        "to find out; a take without a request_id is undone if it was written"
    )
