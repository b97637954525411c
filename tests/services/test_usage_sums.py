"""Sums of usage over several slots: each change counts once, also after an attempt to archive that came to nothing."""

from dataclasses import replace

import pytest

from cimaster.pool.records.history import Entry
from cimaster.pool.usage.fold import UsageFold
from cimaster.pool.usage.sums import Sums
from cimaster.repository.history_slot import Slot
from cimaster.repository.stores.port import StoredObject
from cimaster.services import usage_sums
from tests import made_history
from tests.pool.test_usage import flat

EMPTY = Slot(StoredObject({}))
Numbered = list[tuple[int, Entry]]


def archived(entries: Numbered, per_slot: int, per_write: int) -> list[Slot]:
    """Archive changes in slots of about this many; before a new slot, the full one is tried in vain."""
    slots = [EMPTY]
    for begin in range(0, len(entries), per_write):
        new, slot = entries[begin : begin + per_write], slots[-1]
        usage = usage_sums.count_usage(None, slot, new)
        if sum(frame.changes for frame in slot.frames) >= per_slot:
            slots.append(EMPTY)
            slot, usage = EMPTY, usage_sums.count_usage(slots[-2], EMPTY, new)
        slots[-1] = slot.extended(new, usage)
    return slots


def check_counted_once(slots: list[Slot], entries: Numbered) -> None:
    expected = UsageFold()
    for _, entry in entries:
        expected.add(entry)
    parts: list[Sums] = [usage_sums.folded(slot).sums for slot in slots]
    for table in ("hours", "clusters", "jobs", "people"):
        assert flat([getattr(part, table) for part in parts]) == flat([getattr(expected.sums, table)])
    assert sum(usage_sums.folded(slot).counted for slot in slots) == len(entries)
    assert usage_sums.folded(slots[-1]).open == expected.open


@pytest.mark.parametrize("per_write", [60, 130])  # the stored sums are renewed now and then, or not at all
def test_each_change_counts_once_over_several_slots(per_write: int) -> None:
    entries = list(enumerate(made_history.entries(days=8, clusters=12), 1))
    slots = archived(entries, per_slot=900, per_write=per_write)
    assert len(slots) >= 3
    check_counted_once(slots, entries)


def test_recounted_sums_are_those_that_were_stored() -> None:
    entries = list(enumerate(made_history.entries(days=8, clusters=12), 1))
    slots, before = [], UsageFold()
    for slot in archived(entries, per_slot=900, per_write=200):
        before = usage_sums.recounted(before, replace(slot, usage=b"garbage"))
        slots.append(replace(slot, usage=usage_sums.pack(before)))
    check_counted_once(slots, entries)


def test_under_load_stored_sums_are_renewed_afterwards() -> None:
    entries = list(enumerate(made_history.entries(days=8, clusters=12), 1))
    slot = EMPTY
    for begin in range(0, 1200, 200):
        new = entries[begin : begin + 200]
        slot = slot.extended(new, usage_sums.count_usage(None, slot, new))
    assert usage_sums.folded(replace(slot, frames=())).counted == 200
    new = entries[1200:1250]
    slot = slot.extended(new, usage_sums.count_usage(None, slot, new))
    assert usage_sums.folded(replace(slot, frames=())).counted == 1250
    check_counted_once([slot], entries[:1250])
