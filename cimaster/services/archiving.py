"""Move history from the pool into the archive: one replica at a time, and each change exactly once."""

import logging
import uuid
from collections.abc import Sequence, Set
from contextlib import suppress

from cimaster.pool import Pool
from cimaster.pool.decisions import archiving
from cimaster.pool.records import history
from cimaster.pool.records.history import Entry
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.history_ring import CountUsage
from cimaster.repository.history_slot import Slot
from cimaster.repository.snapshots import POOL_ANNOTATION, Snapshot

_log = logging.getLogger(__name__)


class Archiving:
    """The archiver of this process. Every method may raise StoreTrouble, and `archive` also ArchiveBusy."""

    def __init__(self, repository: ConfigMapRepository, count_usage: CountUsage) -> None:
        self._repository, self._ring, self._count_usage = repository, repository.history_ring, count_usage
        self._owner = uuid.uuid4().hex[:12]

    def is_due(self) -> bool:
        """Say whether this replica should archive now: enough changes wait, and no other replica does it."""
        pool, now = self._repository.snapshot().pool, self._repository.now()
        return archiving.is_due(pool, now) and archiving.may_claim(pool, now, self._owner)

    @property
    def has_claim(self) -> bool:
        """Whether this replica was the last to claim the archive."""
        return self._repository.snapshot().pool.archive.by == self._owner

    def archive(self) -> int:
        """Archive all changes of the newest snapshot; return how many, which is 0 if another replica has the claim.

        If that one does not keep up, the changes are archived without a claim, which would cost a write of its own.
        """
        if not (self.has_claim or self._is_late() or self._claim()):
            return 0
        snapshot = self._without_used_numbers(self._current())
        waiting = self._waiting(snapshot)
        if not waiting:
            return 0
        edition = snapshot.pool.archive.edition
        through = self._ring.append(waiting, pool_id(snapshot), self._count_usage, edition)
        seen = {entry.text for entry in snapshot.pool.history}
        self._repository.update(lambda pool, now: archiving.drop_archived(pool, now, self._owner, through, seen))
        return len(snapshot.pool.history)

    def release(self) -> None:
        """Give up the claim of this replica, if it has it, so that another one need not wait for its end."""
        if self.has_claim:
            self._repository.update(lambda pool, _now: archiving.release_claim(pool, self._owner))

    def _is_late(self) -> bool:
        clock_is_right = self._repository.clock_is_right  # with a wrong clock, a change may only seem to be old
        return clock_is_right and archiving.is_late(self._repository.snapshot().pool, self._repository.now())

    def _claim(self) -> bool:
        takes_over = self._repository.clock_is_right  # with a wrong clock, a claim may only seem to have expired
        done = self._repository.update(
            lambda pool, now: archiving.claim(pool, now, self._owner, takes_over=takes_over), fresh=True
        )
        return bool(done.answer.text)

    def _waiting(self, snapshot: Snapshot) -> list[tuple[int, Entry]]:
        """Return the unarchived changes with the numbers of their commits, as they are archived."""
        pool, newest = snapshot.pool, self._ring.newest()
        waiting = [(commit, archiving.described(entry, pool)) for commit, entry in pool.unarchived()]
        through, last = pool.archive.through, newest.last if newest else 0
        if waiting and last < through:
            _log.warning("the archive of history ends at commit %d, but had commit %d: a gap is noted", last, through)
            gap = archiving.archive_gap(through, waiting[0][1])
            waiting = [(through, gap), *((max(commit, through), entry) for commit, entry in waiting)]
        return waiting

    def _current(self) -> Snapshot:
        """Return the newest state; if the archive was written anew, not one from before: changes in it have changed."""
        snapshot = self._repository.snapshot()
        self._ring.slots(snapshot.pool.archive.through, snapshot.pool.archive.edition)
        newest = self._ring.newest()
        is_outdated = newest is not None and newest.edition > snapshot.pool.archive.edition
        return self._repository.fresh() if is_outdated else snapshot

    def _without_used_numbers(self, snapshot: Snapshot) -> Snapshot:
        """Return the state; after a restore of the pool, its changes first get numbers that were not used."""
        newest = self._ring.newest()
        if newest is None:
            return snapshot
        used = self._with_used_numbers(snapshot.pool, newest.last)
        archived = used - missing_in_archive(self._ring.slots(), used)
        if archived == used:
            return snapshot
        _log.warning("the pool was restored: its changes are numbered anew, from %d", newest.last + 1)
        done = self._repository.update(lambda pool, now: archiving.renumber(pool, now, newest.last, archived))
        return self._repository.snapshot(done.commit)

    def _with_used_numbers(self, pool: Pool, last: int) -> set[str]:
        used = (entry for commit, entry in pool.unarchived() if commit <= last)
        return {archiving.identity(entry) for entry in used if entry.event != history.GAP}


def missing_in_archive(newest_first: Sequence[Slot], changes: Set[str]) -> set[str]:
    """Return the changes, given by their identity, that none of these slots has.

    They are read only as far as necessary: changes that a stopped replica left in the pool are their newest ones.
    """
    missing = set(changes)
    for frame in (frame for slot in newest_first for frame in reversed(slot.frames)):
        if not missing:
            break
        with suppress(ValueError):  # a damaged frame
            missing.difference_update(archiving.identity(entry) for _, entry in frame.entries())
    return missing


def pool_id(snapshot: Snapshot) -> str:
    """Return the id of the pool, which its archive names too."""
    return snapshot.object.annotations.get(POOL_ANNOTATION, "")
