"""History moves into the archive: each change exactly once, whichever replica archives and wherever it stops."""

import itertools
import json

import pytest
from flask.testing import FlaskClient

from cimaster.common.clock import Clock
from cimaster.errors import StoreTrouble
from cimaster.pool import ClusterFacts, disable
from cimaster.pool.decisions import archiving
from cimaster.pool.records.history import GAP
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.history_ring import HistoryRing
from cimaster.repository.stores.port import Store
from cimaster.services.archiving import Archiving
from cimaster.services.history import History, HistoryFilter
from cimaster.services.import_export import importing
from cimaster.settings import Settings
from tests.conditions import until
from tests.conftest import Add, MovableClock
from tests.workerless import hold, opened


def archiver(repository: ConfigMapRepository) -> Archiving:
    """Return an archiver of its own, as another replica would have."""
    return Archiving(repository, lambda _before, _slot, _entries: b"")


def read(client: FlaskClient, **filters: str) -> list[dict[str, str]]:
    """Return the history, newest first."""
    answer = client.get("/history", query_string={"limit": 1000, **filters}, headers={"Accept": "application/json"})
    changes: list[dict[str, str]] = json.loads(answer.text)["history"]
    return changes


_BUILDS = itertools.count(1)


def use(client: FlaskClient, times: int) -> None:
    """Take a cluster and give it back."""
    for number in itertools.islice(_BUILDS, times):
        name = client.get(f"/getvacant?job=e2e&build={number}&name=ci-bot").text
        client.get(f"/finishtest?cluster={name}&job=e2e&build={number}")


@pytest.fixture
def unarchived(client: FlaskClient, add: Add) -> list[dict[str, str]]:
    """A few changes that are still in the pool."""
    add("cluster-01", "cluster-02")
    use(client, 3)
    return read(client)


def test_the_history_is_the_same_before_and_after(
    client: FlaskClient, repository: ConfigMapRepository, unarchived: list[dict[str, str]]
) -> None:
    assert archiver(repository).archive() == len(unarchived) == 8
    assert repository.snapshot().pool.history == ()
    assert read(client) == unarchived
    use(client, 1)
    assert read(client)[2:] == unarchived


def test_changes_name_purpose_and_region_before_and_after(
    client: FlaskClient, repository: ConfigMapRepository, unarchived: list[dict[str, str]]
) -> None:
    assert {(change["purpose"], change["region"]) for change in unarchived} == {("tess-ci", "us-west")}
    archiver(repository).archive()
    assert read(client) == unarchived


def test_a_replica_that_stops_before_the_pool_is_written_repeats_nothing(
    client: FlaskClient,
    repository: ConfigMapRepository,
    unarchived: list[dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stopped = archiver(repository)
    with monkeypatch.context() as patched:
        patched.setattr(archiving, "drop_archived", _killed)
        with pytest.raises(InterruptedError):
            stopped.archive()
    assert len(repository.snapshot().pool.history) == 8
    assert read(client) == unarchived
    stopped.archive()
    assert repository.snapshot().pool.history == ()
    assert read(client) == unarchived


def test_a_change_of_the_same_write_is_not_dropped(
    client: FlaskClient, repository: ConfigMapRepository, unarchived: list[dict[str, str]], clock: MovableClock
) -> None:
    pool, now = repository.snapshot().pool, clock()
    assert len(pool.history) == len(unarchived)
    changed, _ = disable(pool, now, "cluster-01", "root", "new switch")
    seen = {entry.text for entry in pool.history}
    dropped, _ = archiving.drop_archived(changed, now, "replica", pool.commit, seen)
    assert [entry.event for entry in dropped.history] == ["disabled"]


def _killed(*_: object) -> None:
    raise InterruptedError


def test_a_live_claim_of_another_replica_is_respected(
    client: FlaskClient, repository: ConfigMapRepository, unarchived: list[dict[str, str]], clock: MovableClock
) -> None:
    first, second = archiver(repository), archiver(repository)
    assert first.archive() == len(unarchived)
    client.get("/holdcluster?cluster=cluster-01&name=alice")
    clock.forward(seconds=30)
    assert second.archive() == 0
    assert not second.is_due()
    clock.forward(seconds=31)
    assert second.archive() == 1
    assert second.has_claim
    assert not first.has_claim


def test_the_thread_archives_by_itself_when_enough_changes_wait(
    client: FlaskClient, repository: ConfigMapRepository, unarchived: list[dict[str, str]]
) -> None:
    use(client, 50)
    everything = read(client)
    until(lambda: not archiving.is_due(repository.snapshot().pool, repository.now()))
    assert read(client) == everything
    assert len(everything) == 8 + 100


def test_another_replica_replaces_a_late_one_in_a_single_write(store: Store) -> None:
    with opened(store) as service:
        service.add("cluster-01", "root", ClusterFacts("us-west"))
        late, another = archiver(service.repository), archiver(service.repository)
        late.archive()
        hold(service, *(f"person-{number}" for number in range(60)))
        until(another.is_due)
        before = service.repository.fresh().commit
        assert another.archive() == 120
        assert service.repository.fresh().commit == before + 1
        assert another.has_claim


def archived(repository: ConfigMapRepository) -> list[tuple[int, str]]:
    """Return the numbers of the commits in the archive, and the people whose changes they are, oldest first."""
    frames = [frame for slot in reversed(repository.history_ring.slots()) for frame in slot.frames]
    return [(number, entry.by) for frame in frames for number, entry in frame.entries()]


@pytest.mark.parametrize("recreated", [False, True], ids=["restored", "created again"])
def test_changes_of_a_restored_pool_are_archived_once(store: Store, another_store: Store, recreated: bool) -> None:
    with opened(store) as before:
        before.add("cluster-01", "root", ClusterFacts("us-west"))
        hold(before, "ann", "ben")
        backup = before.repository.fresh().object
        hold(before, "cleo")
        assert archiver(before.repository).archive() == 7
        newest = before.repository.fresh()
        annotations = {} if recreated else backup.annotations
        store.replace(newest.object.replaced(backup.data, annotations))
    with opened(another_store) as after:
        hold(after, "dora")
        replica = archiver(after.repository)
        assert replica.archive() > 0
        hold(after, "emil")
        assert replica.archive() == 2
        numbers, people = zip(*archived(after.repository), strict=True)
        assert list(numbers) == sorted(numbers)
        assert people == ("root", *(name for name in ("ann", "ben", "cleo", "dora", "emil") for _ in range(2)))
        assert after.repository.fresh().commit > newest.commit
        assert after.repository.fresh().pool.history == ()


def test_changes_without_numbers_leave_the_pool_once_archived(store: Store) -> None:
    with opened(store) as service:
        service.add("cluster-01", "root", ClusterFacts("us-west"))
        archiver(service.repository).archive()
        stored = service.repository.fresh().object
        store.replace(stored.replaced({**stored.data, "history.json": "[7]"}, stored.annotations))
        before = service.repository.fresh().pool
        hold(service, "ann")
        service.repository.update(
            lambda pool, now: archiving.drop_archived(pool, now, "archiver", before.commit, {"7"})
        )
        assert [entry.event for entry in service.repository.fresh().pool.history] == ["held", "released"]


def test_changes_that_the_archive_lost_are_shown_as_a_gap(store: Store, another_store: Store) -> None:
    with opened(store) as before:
        before.add("cluster-01", "root", ClusterFacts("us-west"))
        hold(before, "ann")
        replica = archiver(before.repository)
        replica.archive()
        replica.release()
        slot = before.repository.history_ring.newest()
        assert slot
        before.repository.history_ring.replace(slot, slot.began(slot.generation, slot.pool_id, 0))
    with opened(another_store) as after:
        hold(after, "ben")
        archiver(after.repository).archive()
        page = History(after.repository).page(after.repository.fresh(), HistoryFilter(), 100)
        assert [entry.event for entry in page.entries] == ["released", "held", GAP]


def test_a_pool_without_an_archive_keeps_its_history_and_says_why(store: Store) -> None:
    with opened(store) as service:
        service.repository.history_ring = HistoryRing([], Clock())
        service.add("cluster-01", "root", ClusterFacts("us-west"))
        with pytest.raises(StoreTrouble, match="kubectl apply"):
            archiver(service.repository).archive()
        assert len(service.repository.fresh().pool.history) == 1


def test_an_import_keeps_the_changes_that_are_not_archived(store: Store) -> None:
    data = {
        "cluster.json": "[]",
        "history.json": '[{"cluster": "old", "event": "added", "at": "2026-01-02T03:04:05Z"}]',
    }
    with opened(store) as service:
        service.add("cluster-01", "root", ClusterFacts("us-west"))
        hold(service, "ann")
        service.repository.update(importing(data, Settings(), replace=True))
        replica = archiver(service.repository)
        assert replica.archive() == 5
        assert [name for _, name in archived(service.repository)] == ["root", "ann", "ann", "", ""]
