"""Count the sums of usage again from the archived changes, for example after they were damaged."""

from dataclasses import replace

from cimaster.pool.usage.fold import UsageFold
from cimaster.repository.history_ring import ArchiveBusy, HistoryRing
from cimaster.services import usage_sums

_ATTEMPTS = 10  # a running service writes to the newest slot every few seconds at most


def rebuild(ring: HistoryRing) -> int:
    """Count all sums again, and return how many changes they have; a running service may go on archiving.

    ArchiveBusy if other writes came first each time; StoreTrouble if the archive cannot be used.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return _rebuild(ring)
        except ArchiveBusy:
            continue
    return _rebuild(ring)


def _rebuild(ring: HistoryRing) -> int:
    ring.newest()  # reads all slots again after another replica's write
    fold, counted = UsageFold(), 0
    for slot in reversed(ring.slots()):
        fold = usage_sums.recounted(fold, slot)
        counted += fold.counted
        ring.replace(slot, replace(slot, usage=usage_sums.pack(fold)))
    return counted
