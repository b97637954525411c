"""What happens to the archive of history when its objects, the rights on them or the network are broken."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import CoreV1Api, RbacAuthorizationV1Api

from cimaster.errors import StoreTrouble
from cimaster.pool import ClusterFacts
from cimaster.pool.records.history import GAP
from cimaster.repository.history_ring import ArchiveBusy
from cimaster.repository.stores.kubernetes import KubernetesStore
from cimaster.services.archiving import Archiving
from cimaster.services.clusters import Clusters
from cimaster.services.history import History, HistoryFilter
from cimaster.services.usage_sums import count_usage
from tests.conftest import empty_config_map, kube_access_by
from tests.kube.apiserver import ControlPlane
from tests.kube.faults import FaultyServer
from tests.workerless import hold, opened

OLDEST_FIRST = ["added", "held", "released", "held", "released"]


@pytest.fixture
def namespace(control_plane: ControlPlane) -> str:
    """A namespace with empty objects, and the rights on them."""
    name = control_plane.namespace()
    control_plane.apply(name)
    empty_config_map(control_plane, name)
    return name


class ArchivingReplica:
    """A replica without workers, which archives when a test says so."""

    def __init__(self, service: Clusters) -> None:
        self.service, self.repository = service, service.repository
        archiving = Archiving(service.repository, count_usage)
        self.archive, self.release = archiving.archive, archiving.release

    def hold(self, person: str) -> None:
        """Hold and release the cluster: two changes."""
        hold(self.service, person)

    @property
    def waiting(self) -> list[str]:
        """The changes that the pool has."""
        return [entry.event for entry in self.repository.fresh().pool.history]

    @property
    def events(self) -> list[str]:
        """All changes that are known, oldest first."""
        page = History(self.repository).page(self.repository.fresh(), HistoryFilter(), 100)
        return [entry.event for entry in page.entries][::-1]


@contextmanager
def running(plane: ControlPlane, namespace: str, folder: Path, address: str = "") -> Iterator[ArchivingReplica]:
    """A replica of which the first three changes are archived."""
    kubeconfig = plane.service_account_kubeconfig(namespace, folder / "kubeconfig", address)
    with opened(KubernetesStore(kube_access_by(kubeconfig), namespace, "clusters")) as service:
        replica = ArchivingReplica(service)
        service.add("cluster-01", "root", ClusterFacts("us-west"))
        replica.hold("ann")
        assert replica.archive() == 3
        yield replica
        replica.release()


@pytest.fixture
def core(control_plane: ControlPlane) -> Iterator[CoreV1Api]:
    """Access to all objects."""
    with control_plane.admin as admin:
        yield CoreV1Api(admin)


def test_a_deleted_object_leaves_a_gap_and_the_next_one_is_used(
    control_plane: ControlPlane, namespace: str, tmp_path: Path, core: CoreV1Api
) -> None:
    with running(control_plane, namespace, tmp_path) as replica:
        core.delete_namespaced_config_map("clusters-history-00", namespace)
        replica.hold("ben")
        with pytest.raises(StoreTrouble, match=r"clusters-history-00 does not exist: .*/history\.yaml"):
            replica.archive()
        assert replica.archive() == 2
        assert replica.events == [GAP, "held", "released"]
        assert "clusters-history-00" in History(replica.repository).trouble
        control_plane.apply(namespace)
        replica.hold("cleo")
        assert replica.archive() == 2
        assert replica.events == [GAP, "held", "released", "held", "released"]


@pytest.mark.parametrize("garbage", ["nonsense", '{"generation": 9, "frames": [[1, 2, 3, 4, 5]]}'])
def test_garbage_in_the_newest_object_leaves_a_gap(
    control_plane: ControlPlane, namespace: str, tmp_path: Path, core: CoreV1Api, garbage: str
) -> None:
    with running(control_plane, namespace, tmp_path) as replica:
        spoilt: Any = {"data": {"slot.json": garbage}}
        core.patch_namespaced_config_map("clusters-history-00", namespace, spoilt)
        replica.hold("ben")
        with pytest.raises(ArchiveBusy):
            replica.archive()
        assert replica.archive() == 2
        assert replica.events == [GAP, "held", "released"]


def test_a_slot_of_another_pool_is_kept_and_numbers_go_on_after_its_own(
    control_plane: ControlPlane, namespace: str, tmp_path: Path, core: CoreV1Api
) -> None:
    with running(control_plane, namespace, tmp_path):
        copied = core.read_namespaced_config_map("clusters-history-00", namespace)
        assert copied.data
        meta = copied.data["slot.json"].replace('"generation":1', '"generation":5').replace('"pool":"', '"pool":"x')
        foreign: Any = {"data": {"slot.json": meta}, "binaryData": copied.binary_data}
        core.patch_namespaced_config_map("clusters-history-05", namespace, foreign)
        kubeconfig = tmp_path / "kubeconfig"
    with opened(KubernetesStore(kube_access_by(kubeconfig), namespace, "clusters")) as service:
        replica = ArchivingReplica(service)
        replica.hold("ben")
        assert replica.archive() == 2
        assert replica.events[-2:] == ["held", "released"]
        kept = core.read_namespaced_config_map("clusters-history-05", namespace)
        assert kept.binary_data == copied.binary_data


def test_without_the_rights_changes_stay_in_the_pool_until_they_are_back(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    with running(control_plane, namespace, tmp_path) as replica, control_plane.admin as admin:
        roles = RbacAuthorizationV1Api(admin)
        role = roles.read_namespaced_role("cimaster", namespace)
        without: Any = {"rules": (role.rules or [])[:1]}
        roles.patch_namespaced_role("cimaster", namespace, without)
        replica.hold("ben")
        with pytest.raises(StoreTrouble, match="403"):
            _until_refused(replica)
        replica.hold("cleo")
        assert replica.waiting[-2:] == ["held", "released"]
        control_plane.apply(namespace)
        _until_archived(replica)
        seen = replica.events
        assert seen[:3] == OLDEST_FIRST[:3]
        assert seen[3:] == ["held", "released"] * (len(seen[3:]) // 2)


def _until_refused(replica: ArchivingReplica) -> None:
    """Archive one change after another: the API server learns of a new role after a moment."""
    while replica.archive():
        replica.hold("emil")


def _until_archived(replica: ArchivingReplica) -> None:
    while replica.waiting:
        with suppress(StoreTrouble):
            replica.archive()


def test_a_cut_between_the_two_writes_repeats_nothing(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    network = FaultyServer(control_plane)
    with network.running(), running(control_plane, namespace, tmp_path, network.url) as replica:
        replica.hold("ben")
        network.aim = "-history-"
        network.script.append("cut_after")
        with pytest.raises(ArchiveBusy):
            replica.archive()
        network.down = False
        assert replica.events == OLDEST_FIRST
        assert replica.waiting == ["held", "released"]
        replica.archive()
        assert replica.waiting == []
        assert replica.events == OLDEST_FIRST
