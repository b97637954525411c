"""The history as a list: the same filters and pages over archived and unarchived changes, compared with a recount."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from cimaster.observability.metrics import Metrics
from cimaster.pool import Rules
from cimaster.pool.records.history import GAP, Entry
from cimaster.pool.records.json_values import dump
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.history_slot import Slot
from cimaster.repository.stores.port import COMMIT_ANNOTATION
from cimaster.repository.stores.sqlite import SQLiteStore
from cimaster.services.history import History, HistoryFilter, Page, Position
from tests import made_history

DAYS, CLUSTERS, UNARCHIVED = 6, 12, 150
MADE = [Entry(dict(entry.fields), dump(entry.fields)) for entry in made_history.entries(DAYS, CLUSTERS)]
MIDDLE = made_history.BEGIN + timedelta(days=DAYS / 2)
NAMES = ("clusters-history-00", "clusters-history-01")

Recount = Callable[[Mapping[str, str]], bool]


def time_of(fields: Mapping[str, str]) -> datetime:
    return datetime.fromisoformat(fields["at"])


FILTERS: dict[str, tuple[HistoryFilter, Recount]] = {
    "all": (HistoryFilter(), lambda _: True),
    "cluster": (HistoryFilter(cluster="cluster-05"), lambda c: c["cluster"] == "cluster-05"),
    "nothing": (HistoryFilter(cluster="cluster-77"), lambda _: False),
    "person": (HistoryFilter(person="ALICE"), lambda c: "alice" in (c.get("by"), c.get("holder"))),
    "job": (HistoryFilter(job="e2e-network"), lambda c: c.get("job") == "e2e-network"),
    "kind": (HistoryFilter(kind="hold ended"), lambda c: c["event"] == "hold ended"),
    "since": (HistoryFilter(since=MIDDLE), lambda c: time_of(c) >= MIDDLE),
    "until": (HistoryFilter(until=MIDDLE), lambda c: time_of(c) < MIDDLE),
    "a night": (
        HistoryFilter("cluster-03", since=MIDDLE - timedelta(hours=7), until=MIDDLE + timedelta(hours=5)),
        lambda c: c["cluster"] == "cluster-03" and -7 <= (time_of(c) - MIDDLE).total_seconds() / 3600 < 5,
    ),
}


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[ConfigMapRepository]:
    """A pool whose changes are archived, except the newest ones."""
    store = SQLiteStore(str(tmp_path / "pool.db"), "clusters")
    waiting = ",\n".join(entry.text for entry in MADE[-UNARCHIVED:])
    data, annotations = {"cluster.json": "[]", "history.json": f"[{waiting}]"}, {COMMIT_ANNOTATION: str(len(MADE))}
    store.replace(store.read().replaced(data, annotations))
    repository = ConfigMapRepository(store, Rules(), Metrics(CollectorRegistry()), history_names=NAMES)
    for start in range(0, len(MADE) - UNARCHIVED, 400):
        some = MADE[start : min(start + 400, len(MADE) - UNARCHIVED)]
        repository.history_ring.append([(entry.get_number("commit"), entry) for entry in some], "p", lambda *_: b"")
    yield repository
    repository.stop()


def pages(repository: ConfigMapRepository, wanted: HistoryFilter, limit: int) -> Iterator[Page]:
    """Read page after page."""
    history, after = History(repository), None
    while True:
        page = history.page(repository.fresh(), wanted, limit, after)
        yield page
        if page.following is None:
            return
        after = Position.parse(str(page.following))


@pytest.mark.parametrize("name", FILTERS)
def test_pages_show_each_wanted_change_once_newest_first(repository: ConfigMapRepository, name: str) -> None:
    wanted, is_wanted = FILTERS[name]
    expected = [entry.text for entry in reversed(MADE) if is_wanted(entry.fields)]
    assert len(repository.history_ring.slots()[0].frames) > 3
    assert [entry.text for page in pages(repository, wanted, 170) for entry in page.entries] == expected


def test_pages_go_on_while_changes_are_archived(repository: ConfigMapRepository) -> None:
    wanted = HistoryFilter(kind="taken")
    history, shown = History(repository), []
    page = history.page(repository.fresh(), wanted, 20)
    shown += page.entries
    waiting = [(entry.get_number("commit"), entry) for entry in MADE[-UNARCHIVED:]]
    repository.history_ring.append(waiting, "p", lambda *_: b"")
    while page.following:
        page = history.page(repository.fresh(), wanted, 20, page.following)
        shown += page.entries
    assert [entry.text for entry in shown] == [entry.text for entry in reversed(MADE) if entry.event == "taken"]


def test_changes_of_one_write_are_paged_one_by_one(tmp_path: Path) -> None:
    store = SQLiteStore(str(tmp_path / "pool.db"), "clusters")
    repository = ConfigMapRepository(store, Rules(), Metrics(CollectorRegistry()), history_names=NAMES)
    write = [Entry({"commit": 7, "cluster": f"cluster-{n:04}", "event": "added", "by": "x" * 90}) for n in range(900)]
    repository.history_ring.append([(7, entry) for entry in write], "p", lambda *_: b"")
    shown = [entry.cluster for page in pages(repository, HistoryFilter(), 250) for entry in page.entries]
    assert shown == [entry.cluster for entry in reversed(write)]
    repository.stop()


def damage(slot: Slot) -> Slot:
    """Return a slot in which the second frame cannot be decompressed."""
    first, second, *others = slot.frames
    return Slot(slot.object, slot.generation, slot.pool_id, slot.sealed, (first, second._replace(packed=b"x"), *others))


def test_a_damaged_part_of_the_archive_is_shown_as_a_gap(repository: ConfigMapRepository) -> None:
    ring = repository.history_ring
    slot = ring.newest()
    assert slot
    ring.replace(slot, damage(slot))
    damaged = slot.frames[1]
    page = History(repository).page(repository.fresh(), HistoryFilter(cluster="cluster-05"), 10_000)
    found = [entry.get_number("commit") for entry in page.entries if entry.event != GAP]
    expected = [e.get_number("commit") for e in reversed(MADE) if e.cluster == "cluster-05"]
    assert found == [commit for commit in expected if not damaged.first <= commit <= damaged.last]
    [gap] = [entry for entry in page.entries if entry.event == GAP]
    assert gap.get_number("missing") == damaged.changes
