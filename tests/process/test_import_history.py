"""The archive of history moves with the pool: from Kubernetes to SQLite and back, by export, import and kubectl."""

import dataclasses
import json
from pathlib import Path

import pytest
import yaml
from kubernetes.client import ApiClient, CoreV1Api

from cimaster.common.clock import Clock
from cimaster.pool import ClusterFacts
from cimaster.pool.records.history import Entry
from cimaster.repository.history_ring import HistoryRing
from cimaster.repository.history_slot import META
from cimaster.repository.stores import open_store
from cimaster.services import usage_sums
from cimaster.services.archiving import Archiving
from cimaster.services.clusters import Clusters
from cimaster.services.history import History, HistoryFilter
from cimaster.settings import Settings
from tests.kube.apiserver import ControlPlane
from tests.process.stored_pools import archive, cimaster, pool_of
from tests.workerless import hold, opened

MOVES = [
    ("sqlite", "sqlite"),
    pytest.param("sqlite", "kubernetes", marks=pytest.mark.kube),
    pytest.param("kubernetes", "sqlite", marks=pytest.mark.kube),
]
PEOPLE = ("ann", "ben", "cleo")


def used(settings: Settings) -> list[tuple[str, str, str]]:
    """Fill a pool with a history of which the newest changes are not archived; return it, newest first."""
    with opened(open_store(settings), settings) as service:
        service.add("cluster-01", "root", ClusterFacts("us-west"))
        hold(service, *PEOPLE)
        archive(service)
        hold(service, "dora")
        return changes(service)


def changes(service: Clusters) -> list[tuple[str, str, str]]:
    """Return what makes the changes, newest first."""
    page = History(service.repository).page(service.repository.fresh(), HistoryFilter(), 1000)
    assert page.trouble == ""
    return [_facts(entry) for entry in page.entries]


def _facts(entry: Entry) -> tuple[str, str, str]:
    return entry.get_text("at"), entry.event, entry.by


@pytest.mark.parametrize(("old", "new"), MOVES)
def test_the_history_moves_with_the_pool_and_continues(
    request: pytest.FixtureRequest, tmp_path: Path, old: str, new: str
) -> None:
    source = pool_of(request, old, tmp_path, "old")
    expected = used(source)
    assert len(expected) == 9
    exported = cimaster(source, "export", "--history")
    assert (exported.returncode, exported.stderr) == (0, b"")
    target = pool_of(request, new, tmp_path, "new")
    done = cimaster(target, "import", "-", data=exported.stdout)
    lines = (done.returncode, done.stdout.decode().splitlines(), done.stderr)
    assert lines == (0, ["7 archived changes are imported", "1 clusters are imported"], b"")
    with opened(open_store(target), target) as service:
        assert changes(service) == expected
        hold(service, "emil")
        longer = changes(service)
        assert longer[2:] == expected
        archive(service)
        assert service.repository.fresh().pool.history == ()
        assert changes(service) == longer
        frames = [frame for slot in service.repository.history_ring.slots() for frame in reversed(slot.frames)]
        numbers = [number for frame in frames for number in (frame.last, frame.first)]
        assert numbers == sorted(numbers, reverse=True)
    assert json.loads(cimaster(target, "export", "--history").stdout)["items"][1]["data"].keys() == {META}


@pytest.mark.kube
def test_the_output_of_kubectl_is_read_too(
    control_plane: ControlPlane, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    source = pool_of(request, "kubernetes", tmp_path, "")
    expected = used(source)
    with control_plane.admin as admin:
        label = "app.kubernetes.io/name=cimaster"
        found = CoreV1Api(admin).list_namespaced_config_map(source.namespace, label_selector=label)
        items = [ApiClient().sanitize_for_serialization(each) for each in found.items]
        pool = CoreV1Api(admin).read_namespaced_config_map("clusters", source.namespace)
        items.append(ApiClient().sanitize_for_serialization(pool))
    named = {item["metadata"]["name"]: item for item in items}
    assert len(named) == 1 + source.history_objects
    text = yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": list(named.values())})
    target = pool_of(request, "sqlite", tmp_path, "new")
    assert cimaster(target, "import", "-", data=text.encode()).returncode == 0
    with opened(open_store(target), target) as service:
        assert changes(service) == expected


def test_an_archive_with_changes_is_only_replaced_on_request(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    source, target = (pool_of(request, "sqlite", tmp_path, name) for name in ("old", "new"))
    expected = used(source)
    exported = cimaster(source, "export", "--history").stdout
    used(target)
    with opened(open_store(target), target) as service:
        service.delete("cluster-01", "root", force=False)
        before = changes(service)
    refused = cimaster(target, "import", "-", data=exported)
    assert (refused.returncode, refused.stdout) == (1, b"")
    assert refused.stderr == b"cimaster: the archive of history already has changes: add --replace to replace them\n"
    with opened(open_store(target), target) as service:
        assert changes(service) == before
        assert service.repository.history_ring.newest()
        assert cimaster(target, "import", "-", "--replace", data=exported).returncode == 0
        hold(service, "emil")
        archiving = Archiving(service.repository, usage_sums.count_usage)
        assert archiving.archive() > 0
        assert changes(service)[2:] == expected
        assert [by for _, _, by in changes(service)[:2]] == ["emil", "emil"]


def test_of_an_archive_that_is_too_large_the_newest_changes_are_kept(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    source, target = (pool_of(request, "sqlite", tmp_path, name) for name in ("old", "new"))
    expected = used(source)
    with opened(open_store(source), source) as service:
        ring = HistoryRing(service.repository.store.siblings(source.history_names), Clock())
        for number in (101, 102, 103):
            entry = Entry({"commit": number, "at": f"2030-01-01T00:00:{number - 100:02}Z", "event": "noted", "by": ""})
            ring.append([(number, entry)], f"pool {number}", usage_sums.count_usage)
        ring.close()
    assert len(expected) == 9
    exported = cimaster(source, "export", "--history").stdout
    small = dataclasses.replace(target, history_objects=2)
    done = cimaster(small, "import", "-", data=exported)
    assert done.stdout.startswith(b"2 archived changes are imported; the oldest 2 parts do not fit: raise CIMASTER_HIS")
    with opened(open_store(small), small) as service:
        assert [event for _, event, _ in changes(service)] == ["released", "held", "noted", "noted"]


def test_a_part_that_cannot_be_read_is_refused_and_nothing_is_written(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    source, target = (pool_of(request, "sqlite", tmp_path, name) for name in ("old", "new"))
    used(source)
    listed = json.loads(cimaster(source, "export", "--history").stdout)
    del listed["items"][1]["binaryData"]
    refused = cimaster(target, "import", "-", data=json.dumps(listed).encode())
    assert (refused.returncode, refused.stdout) == (1, b"")
    assert refused.stderr.startswith(b"cimaster: the file has history in clusters-history-00 that cannot be read")
    with opened(open_store(target), target) as service:
        assert changes(service) == []
