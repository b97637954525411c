"""The cache of lists: rendered once for callers that see the same ids."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cimaster.pool import Caller, ClusterFacts, Criteria
from cimaster.repository.stores.sqlite import SQLiteStore
from cimaster.services.clusters import Clusters
from cimaster.web import text_lists
from cimaster.web.rendered_lists import RenderedLists
from tests import workerless

OPEN, ADMIN = Caller("0123456789ab"), Caller("@root", is_admin=True)
ANN, BEN, CAROL, DAN = (Caller(f"@{name}") for name in ("ann", "ben", "carol", "dan"))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Clusters]:
    """The operations on a pool of which Ann and Ben have a cluster each."""
    with workerless.opened(SQLiteStore(str(tmp_path / "pool.db"), "clusters")) as clusters:
        for name, caller in (("a", ANN), ("b", BEN)):
            clusters.add(name, "root", ClusterFacts("us"))
            clusters.take(Criteria("e2e", "1"), owner=caller.owner)
        yield clusters


class Reader:
    """Reads the list of clusters as JSON, and counts how often it is rendered."""

    def __init__(self, service: Clusters) -> None:
        self._service, self._lists, self.rendered = service, RenderedLists(), 0

    def read(self, caller: Caller) -> bytes:
        """Return the list as a caller sees it."""
        snapshot = self._service.view_now()

        def write() -> str:
            self.rendered += 1
            return text_lists.as_json(snapshot.pool, snapshot.pool.clusters, caller)

        return self._lists.of(snapshot, ("json", self._lists.visible_ids(snapshot, caller)), write)


def test_callers_without_a_lease_share_a_list_without_ids(service: Clusters) -> None:
    reader = Reader(service)
    assert reader.read(CAROL) == reader.read(DAN)
    assert reader.rendered == 1
    assert b"leaseId" not in reader.read(CAROL)


def test_admins_and_callers_in_open_mode_share_a_list_with_all_ids(service: Clusters) -> None:
    reader = Reader(service)
    assert reader.read(ADMIN) == reader.read(OPEN)
    assert reader.rendered == 1
    assert reader.read(ADMIN).count(b"leaseId") == 2


def test_the_owner_of_a_lease_sees_the_id_of_that_lease_only(service: Clusters) -> None:
    reader = Reader(service)
    for caller, other in ((ANN, BEN), (BEN, ANN)):
        seen = reader.read(caller)
        assert seen.count(b"leaseId") == 1
        assert caller.owner.encode() in seen
        assert other.owner.encode() not in seen
    assert reader.rendered == 2


def test_a_change_of_the_pool_is_seen(service: Clusters) -> None:
    reader = Reader(service)
    assert b"leaseId" not in reader.read(CAROL)
    service.add("c", "root", ClusterFacts("us"))
    service.take(Criteria("e2e", "2"), owner=CAROL.owner)
    assert reader.read(CAROL).count(b"leaseId") == 1


def test_a_list_that_is_read_often_stays(service: Clusters) -> None:
    lists, snapshot = RenderedLists(), service.view_now()
    lists.of(snapshot, "popular", lambda: "first")
    for number in range(100):
        lists.of(snapshot, number, lambda: "rare")
        assert lists.of(snapshot, "popular", lambda: pytest.fail("it was dropped")) == b"first"
    assert lists.of(snapshot, 0, lambda: "again") == b"again"
