"""Fill the archive of history from a file, with `cimaster import`."""

from collections.abc import Sequence

from cimaster.errors import BadBody, ClusterExists, StoreTrouble
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.history_ring import ArchiveBusy
from cimaster.repository.history_slot import Slot, UnreadableSlot
from cimaster.repository.stores.port import StoredObject
from cimaster.services.archiving import pool_id


def slots_of(objects: Sequence[StoredObject]) -> list[Slot]:
    """Return the slots of an archive in a file, newest first; BadBody if one cannot be read."""
    slots: list[Slot] = []
    for each in objects:
        try:
            slots.append(Slot.parse(each))
        except UnreadableSlot as unreadable:
            name = each.body.get("metadata", {}).get("name", "")
            sentence = f"the file has history in {name} that cannot be read ({unreadable}): leave it out"
            raise BadBody(sentence) from None
    return sorted(slots, key=lambda slot: slot.age, reverse=True)


def fill(repository: ConfigMapRepository, newest_first: Sequence[Slot], *, replace: bool) -> str:
    """Fill the archive with these slots, and return a sentence about it.

    ClusterExists if it has changes already, unless `replace` is set; StoreTrouble if it cannot be written.
    """
    ring = repository.history_ring
    if ring.newest() and not replace:
        raise ClusterExists("the archive of history already has changes: add --replace to replace them")
    snapshot = repository.fresh()
    try:
        filled = ring.fill(list(reversed(newest_first)), pool_id(snapshot), snapshot.pool.archive.edition + 1)
    except ArchiveBusy as busy:
        sentence = f"the archive was changed by a replica in the meantime ({busy}): import with --replace again"
        raise StoreTrouble(sentence) from None
    changes = sum(frame.changes for slot in filled for frame in slot.frames)
    left_out = len(newest_first) - len(filled)
    note = f"; the oldest {left_out} parts do not fit: raise CIMASTER_HISTORY_OBJECTS" if left_out else ""
    return f"{changes} archived changes are imported{note}"
