"""Writes on their way, and how a read tells what became of each.

Every write carries an id of its own in an annotation that is this process's alone. An answer can be lost while the
write is applied, now or later; so a write counts as dead only when a read shows another version than the one that it
carried and our annotation lacks its id.
"""

import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cimaster.common.times import format_time, parse_time
from cimaster.errors import OutcomeUnknown
from cimaster.pool.records.pool import Answer, Pool
from cimaster.repository.stores.port import StoredObject

NEVER = float("inf")  # the deadline of what nobody waits for and must be done: no trouble of the store ends it
SLOT_PREFIX = "cimaster/attempt-"
IDLE_SLOT = timedelta(hours=1)

Decision = Callable[[Pool, datetime], tuple[Pool, Answer]]


@dataclass
class Pending:
    """One caller's change on its way; times are monotonic seconds."""

    decide: Decision
    arrived: float
    deadline: float
    fresh: bool = False
    """Whether it must not be decided on a state that may be older than the request."""
    undo: Decision | None = None
    sent: bool = False
    commit: int = 0
    answer: Answer | None = None
    error: BaseException | None = None
    done: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.done.acquire()

    @property
    def settled(self) -> bool:
        """Whether its caller has an answer."""
        return self.answer is not None or self.error is not None

    def settle(self, result: Answer | BaseException, commit: int) -> bool:
        """Give the caller its answer; False if it had one already. The committer's lock must be held."""
        if self.settled:
            return False
        self.commit = commit
        if isinstance(result, BaseException):
            self.error = result
        else:
            self.answer = result
        self.done.release()
        return True


@dataclass
class Attempt:
    """One write: what it carried, and what its callers are told if it was applied."""

    id: str
    version: str
    commit: int
    results: "Results"

    @property
    def needed(self) -> bool:
        """Whether anybody still wants to know what became of it."""
        return any(not p.settled or (p.undo and isinstance(p.error, OutcomeUnknown)) for p, _ in self.results)


Results = list[tuple[Pending, Answer | BaseException]]


def decide_all(batch: Iterable[Pending], pool: Pool, now: datetime) -> tuple[Results, Pool]:
    """Decide changes in order, each on what the ones before made of the pool; one that fails fails alone."""
    results: Results = []
    for pending in batch:
        try:
            pool, answer = pending.decide(pool, now)
            results.append((pending, answer))
        except Exception as refusal:
            results.append((pending, refusal))
    return results, pool


class Attempts:
    """The writes of this process whose fate is open, and the annotation in which the last one is named."""

    def __init__(self, where: str) -> None:
        self.lock = threading.Lock()
        self.slot = SLOT_PREFIX + uuid.uuid4().hex[:12]
        self._where = where
        self._live: list[Attempt] = []
        self._slot_seen_in: str | None = None  # uid of the object in which our slot was last seen

    def __bool__(self) -> bool:
        return bool(self._live)

    @staticmethod
    def new_id() -> str:
        """Draw an id for an attempt."""
        return uuid.uuid4().hex[:16]

    def forget_unneeded(self) -> None:
        """Drop the writes that nobody waits for."""
        self._live = [attempt for attempt in self._live if attempt.needed]

    def annotated(self, annotations: Mapping[str, str], attempt: Attempt, now: datetime) -> dict[str, str]:
        """Return the annotations with the attempt in our slot, without slots that nobody used for an hour."""
        kept = {key: text for key, text in annotations.items() if not _idle(key, text, now)}
        return {**kept, self.slot: f"{attempt.id} {format_time(now)} {attempt.commit}"}

    def announce(self, attempt: Attempt) -> bool:
        """Take note of a write about to be sent; False if one of its callers gave up since it was decided."""
        with self.lock:
            if any(pending.settled for pending, _ in attempt.results):
                return False
            for pending, _ in attempt.results:
                pending.sent = True
        self._live.append(attempt)
        return True

    def withdraw(self, attempt: Attempt) -> None:
        """Take note that a write was certainly not applied."""
        self._live.remove(attempt)
        self._over(attempt, None)

    def observe(self, stored: StoredObject) -> list[Decision]:
        """Learn from an object that was read (or written) after all live writes were sent.

        Settles the callers of the write that it shows, drops the writes that can never be applied any more, and
        returns what has to be undone because its caller was told that nobody knows.
        """
        has_slot = self.slot in stored.annotations
        slot_lost = not has_slot and self._slot_seen_in == stored.uid  # in an object made anew, nothing can be applied
        self._slot_seen_in = stored.uid if has_slot else None
        applied_id = stored.annotations.get(self.slot, "").partition(" ")[0]
        live, self._live = self._live, []
        undo = [decision for attempt in live if attempt.id == applied_id for decision in self._applied(attempt)]
        for attempt in live:
            if attempt.version == stored.version:
                self._live.append(attempt)
            elif attempt.id != applied_id:
                self._over(attempt, unknown(self._where) if slot_lost else None)
                undo += [] if has_slot else _to_undo(attempt)  # it may have been pruned; harmless if nothing is there
        return undo

    def _applied(self, attempt: Attempt) -> list[Decision]:
        undo = []
        with self.lock:
            for pending, result in attempt.results:
                late = not pending.settle(result, attempt.commit) and isinstance(pending.error, OutcomeUnknown)
                if late and pending.undo and isinstance(result, Answer):
                    undo.append(pending.undo)
        return undo

    def _over(self, attempt: Attempt, error: OutcomeUnknown | None) -> None:
        with self.lock:
            for pending, _ in attempt.results:
                pending.sent = any(pending is other for flying in self._live for other, _ in flying.results)
                if error and not pending.sent and pending.deadline != NEVER:
                    pending.settle(error.again(), 0)


def _to_undo(attempt: Attempt) -> list[Decision]:
    pendings = [pending for pending, _ in attempt.results if isinstance(pending.error, OutcomeUnknown)]
    return [pending.undo for pending in pendings if pending.undo]


def _idle(key: str, text: str, now: datetime) -> bool:
    if not key.startswith(SLOT_PREFIX):
        return False
    used = parse_time(text.split(" ")[1] if " " in text else "")
    return used is None or now - used > IDLE_SLOT


def last_commits(annotations: Mapping[str, str]) -> dict[str, int]:
    """Return the number of the last commit of each process that has a slot."""
    told = {key: text.split(" ") for key, text in annotations.items() if key.startswith(SLOT_PREFIX)}
    return {
        key: int(words[2])
        for key, words in told.items()
        if len(words) > 2 and words[2].isascii() and words[2].isdigit() and len(words[2]) <= 18
    }


def unknown(where: str) -> OutcomeUnknown:
    """Return what a caller is told whose write may or may not have been applied."""
    return OutcomeUnknown(
        f"{where} did not say in time whether the change was written; the same request_id finds out, "
        "and a take without one is undone if it was",
    )
