"""Archivers in any order of steps, faults, crashes and restores: each change is stored once and in order, always.

As in the other searches, each mutation removes one thing that makes this so, and must be found.
"""

import dataclasses
import logging
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from cimaster.pool import Answer, Pool
from cimaster.pool.decisions import archiving
from cimaster.pool.records.history import Entry
from cimaster.repository import history_ring
from cimaster.repository.history_ring import CountUsage, HistoryRing
from tests.repository.archive_machine import SLOT_SIZE, ArchivingReplicas, RestoredReplicas
from tests.repository.fleet_model import Violation
from tests.repository.test_state_machine import SEARCH

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _small_and_quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make slots small, and suppress log lines: thousands of steps lose answers on purpose."""
    monkeypatch.setattr(history_ring, "SIZE_LIMIT", SLOT_SIZE)
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("machine", [ArchivingReplicas, RestoredReplicas])
def test_each_change_is_stored_once_and_in_order(machine: type[ArchivingReplicas]) -> None:
    run_state_machine_as_test(machine, settings=settings(SEARCH, max_examples=300))


def drop_by_number(
    pool: Pool, _now: datetime, _owner: str, through: int, _seen: Collection[str]
) -> tuple[Pool, Answer]:
    """Remove what has the number of an archived commit, also changes that the same write adds."""
    remaining = tuple(entry for _, entry in pool.unarchived(through))
    stored = dataclasses.replace(pool.archive, through=max(through, pool.archive.through))
    return dataclasses.replace(pool, history=remaining, archive=stored), Answer("")


def test_the_search_finds_a_removal_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archiving, "drop_archived", drop_by_number)
    search(ArchivingReplicas)


def append_all(
    ring: HistoryRing, entries: Sequence[tuple[int, Entry]], pool_id: str, _count_usage: CountUsage, _edition: int
) -> int:
    """Append changes without a look at what the archive has."""
    head = ring.newest()
    with ring._lock:
        if head and head.pool_id == pool_id and head.size < SLOT_SIZE:
            return ring._write(ring._place(head), head.extended(entries, b"")).last
        place, begun = ring._begun(head, pool_id, 0)
        return ring._write(place, begun.extended(entries, b"")).last


def test_the_search_finds_changes_appended_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HistoryRing, "append", append_all)
    search(ArchivingReplicas)


def test_the_search_finds_numbers_used_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archiving, "renumber", lambda pool, *_: (pool, Answer("")))
    search(RestoredReplicas)


def search(machine: type[ArchivingReplicas]) -> None:
    """Search for a violation, which there must be."""
    with pytest.raises(Violation):
        run_state_machine_as_test(machine, settings=settings(SEARCH, phases=[Phase.generate], max_examples=3000))
