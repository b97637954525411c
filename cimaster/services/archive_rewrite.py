"""Write the whole archive of history anew: to forget a person, or to count all sums of usage again.

Replicas may go on archiving: each write carries the version of the object that it is based on. The pool announces the
new edition before the first write, and the newest slot gets it with the last one. So each replica sees that its copy of
the archive is outdated, and none appends a change in its earlier form.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from cimaster.errors import StoreTrouble
from cimaster.pool.decisions import archiving
from cimaster.pool.decisions.forgetting import Person, forget, mentions
from cimaster.pool.records.history import Entry
from cimaster.pool.usage.fold import UsageFold
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.history_ring import ArchiveBusy, HistoryRing
from cimaster.repository.history_slot import Frame
from cimaster.services import usage_sums
from cimaster.services.archiving import pool_id

_ATTEMPTS = 10  # a running service writes to the newest slot every few seconds at most

Change = Callable[[Entry], Entry]
"""Returns a change as it is to be archived; the very same object if it stays as it is."""


def rebuild_usage(repository: ConfigMapRepository) -> int:
    """Count all sums of usage again, and return how many changes they have; raises as `rewrite` does."""
    return rewrite(repository, lambda entry: entry)


@dataclass(frozen=True)
class Mentions:
    """Where a person is named: in how many records of the pool, and in how many changes, archived or not.

    `damaged` changes of the archive cannot be read.
    """

    records: int
    changes: int
    damaged: int

    def __str__(self) -> str:
        damaged = f"; {self.damaged} of its changes are damaged" if self.damaged else ""
        return f"in the pool ({self.records} times) and in its history ({self.changes} times{damaged})"


def mentions_of(repository: ConfigMapRepository, person: Person) -> Mentions:
    """Return where a person is named; StoreTrouble if the pool or the archive cannot be read."""
    pool = repository.fresh().pool
    ring = repository.history_ring
    newest = ring.newest()
    unarchived = [entry for _, entry in pool.unarchived(newest.last if newest else -1)]
    changes, damaged = sum(_is_mentioned(entry, person) for entry in unarchived), 0
    for frame in (frame for slot in ring.slots() for frame in slot.frames):
        try:
            changes += sum(_is_mentioned(entry, person) for _, entry in frame.entries())
        except ValueError:
            damaged += frame.changes
    return Mentions(mentions(pool, person), changes, damaged)


def forget_person(repository: ConfigMapRepository, person: Person, found: Mentions) -> list[str]:
    """Replace the name of a person in the pool and in all its history; return what an admin has to correct by hand.

    `found` says where the name was. ClusterInUse if the person has or waits for a cluster; else raises as `rewrite`
    does, and can be repeated.
    """
    remaining = repository.update(lambda pool, now: forget(pool, now, person), fresh=True).answer.text
    rewrite(repository, person.forgotten_in)
    lines = remaining.splitlines()
    if found.damaged:
        lines.append(f"{found.damaged} changes in the archive are damaged, and may name {person.name}")
    if unread := repository.history_ring.situation:
        lines.append(f"a part of the archive cannot be read, and may name {person.name}: {unread}")
    return lines


def rewrite(repository: ConfigMapRepository, change: Change) -> int:
    """Write the archive anew, with each change as `change` returns it; return how many changes it has.

    StoreTrouble if the archive cannot be used, or if other writes came first each time: repeat it then.
    """
    ring = repository.history_ring
    if not ring.has_objects:
        return 0
    for _ in range(_ATTEMPTS):
        # each attempt has an edition of its own: a replica may have read a part of the last one
        edition = int(repository.update(lambda pool, _now: archiving.begin_edition(pool)).answer.text)
        try:
            return _rewrite(ring, change, edition, pool_id(repository.snapshot()))
        except ArchiveBusy as busy:
            reason = busy
    raise StoreTrouble(f"the archive of history is being written all the time, so repeat this later: {reason}")


def _rewrite(ring: HistoryRing, change: Change, edition: int, pool: str) -> int:
    newest = ring.newest()  # reads all slots again after another replica's write
    fold, counted = UsageFold(), 0
    for slot in reversed(ring.slots()):
        changed = replace(slot, frames=tuple(_changed(frame, change) for frame in slot.frames))
        fold = usage_sums.recounted(fold, changed)
        counted += fold.counted
        ring.replace(slot, replace(changed, usage=usage_sums.pack(fold), edition=edition if slot is newest else 0))
    if newest is None or newest.sealed:
        ring.begin(pool, edition)
    return counted


def _changed(frame: Frame, change: Change) -> Frame:
    """Return a frame with its changes as `change` returns them; a damaged one as it is."""
    try:
        entries = frame.entries()
    except ValueError:
        return frame
    changed = [(number, change(entry)) for number, entry in entries]
    is_same = all(entry is before for (_, entry), (_, before) in zip(changed, entries, strict=True))
    return frame if is_same else Frame.of(changed)


def _is_mentioned(entry: Entry, person: Person) -> bool:
    return person.forgotten_in(entry) is not entry
