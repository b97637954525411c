"""The archive of history: a ring of named objects beside the pool's, of which the oldest is overwritten.

Each write carries the version of the slot that it is based on, and a full slot is sealed before the next one is begun.
So of two replicas that archive the same changes, only one succeeds, even if one of them stood still for a while.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from cimaster.common.clock import Clock
from cimaster.errors import StoreMissing, StoreTrouble
from cimaster.pool.records.history import Entry
from cimaster.repository.history_slot import SIZE_LIMIT, Slot, UnreadableSlot
from cimaster.repository.stores.port import AnswerLost, Conflict, Store

_REST = 5.0  # seconds between two reads of an archive that fails, or that lacks what the pool says it has
_HANGS = 1.0  # seconds after which a store that fails is not asked for further slots: readers wait meanwhile
_log = logging.getLogger(__name__)

CountUsage = Callable[[Slot | None, Slot, Sequence[tuple[int, Entry]]], bytes]
"""Returns the sums of a slot (the second) after more changes; the first is the slot before it, if it was just begun."""


class ArchiveBusy(Exception):
    """Another replica has written to the archive, or may have: read it again, and decide again."""


class HistoryRing:
    """The slots of the archive, cached. Thread-safe. `trouble` says what cannot be used, by the slot's place."""

    def __init__(self, stores: Sequence[Store], clock: Clock) -> None:
        self.trouble: dict[int, str] = {}
        self._stores, self._clock = stores, clock
        self._slots: dict[int, Slot] = {}
        self._lock = threading.Lock()
        self._complete = False  # whether every slot was read or is known to be missing
        self._head_is_doubtful = False  # whether another replica, or a write whose answer was lost, has changed it
        self._failed_at, self._lacked = float("-inf"), (0, 0)  # the last read of all slots without success, for what

    def slots(self, through: int = 0, edition: int = 0) -> list[Slot]:
        """Return the used slots, newest first; they are read again unless they have commit `through` and the edition.

        A slot that cannot be read is left out, and `trouble` says so.
        """
        with self._lock:
            if not self._complete or self._head_is_doubtful or self._lacks(through, edition):
                self._catch_up(through, edition)
            return self._used()

    def newest(self) -> Slot | None:
        """Return the newest slot, after reading all that were not read yet; StoreTrouble if one cannot be read."""
        with self._lock:
            self._need_all()
            return self._head()

    def append(
        self, entries: Sequence[tuple[int, Entry]], pool_id: str, count_usage: CountUsage, edition: int = 0
    ) -> int:
        """Append the changes that the archive does not have, and return the newest commit in it.

        `entries` are given with the numbers of their commits, in order; `edition` is for a new slot. StoreTrouble if
        the archive cannot be used. ArchiveBusy if another replica writes too, or an answer was lost: then some or all
        may have been appended.
        """
        with self._lock:
            self._need_all()
            head = self._head()
            last = head.last if head else 0
            new = [(number, entry) for number, entry in entries if number > last]
            if not new:
                return last
            if head and not head.sealed and head.pool_id == pool_id:
                extended = head.extended(new, count_usage(None, head, new))
                if extended.size <= SIZE_LIMIT:
                    return self._write(self._place(head), extended).last
            if head and not head.sealed:
                head = self._write(self._place(head), head.as_sealed(count_usage(None, head, ())))
            place, begun = self._begun(head, pool_id, edition)
            return self._write(place, begun.extended(new, count_usage(head, begun, new))).last

    def replace(self, slot: Slot, changed: Slot) -> None:
        """Write a slot with other content; raises as `append` does."""
        with self._lock:
            self._write(self._place(slot), changed)

    def begin(self, pool_id: str, edition: int) -> None:
        """Begin the next slot, without changes; raises as `append` does."""
        with self._lock:
            self._need_all()
            self._write(*self._begun(self._head(), pool_id, edition))

    @property
    def has_objects(self) -> bool:
        """Whether there are objects to archive to; StoreTrouble if one cannot be read."""
        with self._lock:
            self._need_all()
            return bool(self._slots)

    def fill(self, slots: Sequence[Slot], pool_id: str, edition: int) -> list[Slot]:
        """Replace the whole archive with slots of another one, given oldest first; return those that there is room for.

        Raises as `append` does; the archive may then be filled in part.
        """
        with self._lock:
            self._need_all()
            if not self._slots:
                raise _no_objects()
            places, generation = sorted(self._slots), self._highest_generation
            kept = list(slots)[-len(places) :]
            for place, slot in zip(places, kept, strict=False):
                generation += 1  # higher than before, so that other replicas see that their copies are outdated
                sealed = slot is not kept[-1]
                begun = self._slots[place].began(generation, pool_id, edition)
                self._write(place, replace(begun, sealed=sealed, frames=slot.frames, usage=slot.usage))
            for place in places[len(kept) :]:
                if self._slots[place].object.data:
                    self._write(place, self._slots[place].cleared())
            return kept

    @property
    def situation(self) -> str:
        """Why some of the archive cannot be read; empty if all can."""
        return "; ".join(self.trouble.values())

    def close(self) -> None:
        """Close the connections."""
        for store in self._stores:
            store.close()

    def _begun(self, head: Slot | None, pool_id: str, edition: int) -> tuple[int, Slot]:
        """Return the next slot, and the place of the oldest one, which it overwrites."""
        others = [place for place, slot in self._slots.items() if slot is not head]
        if not others:
            raise _no_objects()
        place = min(others, key=lambda each: (self._slots[each].age, each))
        edition = max(edition, head.edition if head else 0)
        return place, self._slots[place].began(self._highest_generation + 1, pool_id, edition)

    @property
    def _highest_generation(self) -> int:
        return max(slot.generation for slot in self._slots.values())

    def _write(self, place: int, slot: Slot) -> Slot:
        changed = slot.to_store()
        try:
            version = self._stores[place].replace(changed)
        except (Conflict, AnswerLost) as error:
            self._head_is_doubtful = True
            self._complete = self._complete and self._slots[place] is self._head()
            raise ArchiveBusy(f"{self._stores[place].where}: {error}") from error
        except StoreTrouble:
            self._complete = False
            raise
        self._slots[place] = replace(slot, object=changed.at(version))
        return self._slots[place]

    def _head(self) -> Slot | None:
        return next(iter(self._used()), None)

    def _used(self) -> list[Slot]:
        used = [slot for slot in self._slots.values() if slot.generation]
        return sorted(used, key=lambda slot: slot.age, reverse=True)

    def _place(self, slot: Slot) -> int:
        place = next((place for place, each in self._slots.items() if each is slot), None)
        if place is None:
            raise ArchiveBusy("the slot was read again meanwhile")
        return place

    def _lacks(self, through: int, edition: int) -> bool:
        head = self._head()
        return head.last < through or head.edition < edition if head else through > 0

    def _catch_up(self, through: int, edition: int) -> None:
        """Read what is new: usually only the newest slot. An archive that fails or lacks it is retried after a while.

        Only then: a slot may just have been sealed, or a write of ours may have failed because of a newer one.
        """
        now, (lacked, lacked_edition) = self._clock.monotonic(), self._lacked
        if now - self._failed_at < _REST and through <= lacked and edition <= lacked_edition:
            return
        if not self._lacks(0, edition) and self._is_read_again():
            return
        if self._read_all() or self._lacks(through, edition):
            self._failed_at, self._lacked = now, (through, edition)

    def _is_read_again(self) -> bool:
        """Read the newest slot if it may have more changes; say whether the others are current."""
        head, self._head_is_doubtful = self._head(), False
        if not (self._complete and head and not head.sealed):
            return False
        found = self._read(self._place(head))
        if found is None or found.sealed:
            return False
        return (found.generation, found.edition) == (head.generation, head.edition)

    def _need_all(self) -> None:
        """Read every slot, unless that was done; StoreTrouble if one cannot be read, because it might be the newest."""
        if self._complete and (not self._head_is_doubtful or self._is_read_again()):
            return
        if trouble := self._read_all():
            raise trouble.again()

    def _read_all(self) -> StoreTrouble | None:
        failed, started, self._head_is_doubtful = None, self._clock.monotonic(), False
        for place in range(len(self._stores)):
            try:
                self._read_or_raise(place)
            except StoreMissing as missing:
                self._slots.pop(place, None)
                self._note(place, str(missing))
            except StoreTrouble as trouble:
                self._note(place, str(trouble))
                failed = trouble
                if self._clock.monotonic() - started > _HANGS:
                    break
        self._complete = failed is None
        return failed

    def _read(self, place: int) -> Slot | None:
        try:
            return self._read_or_raise(place)
        except StoreTrouble as trouble:
            self._complete = False
            self._note(place, str(trouble))
            return None

    def _read_or_raise(self, place: int) -> Slot:
        stored = self._stores[place].read()
        try:
            self._slots[place] = Slot.parse(stored)
            self._note(place, "")
        except UnreadableSlot as unreadable:
            self._slots[place] = Slot(stored)
            self._note(place, f"{self._stores[place].where} cannot be read and is overwritten next: {unreadable}")
        return self._slots[place]

    def _note(self, place: int, trouble: str) -> None:
        if not trouble:
            self.trouble.pop(place, None)
        elif self.trouble.get(place) != trouble:
            self.trouble[place] = trouble
            _log.warning("the archive of history: %s", trouble)


def _no_objects() -> StoreMissing:
    return StoreMissing("the archive has no object to write to: kubectl apply -f k8s/base/history.yaml creates them")
