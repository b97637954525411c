"""Watches that end right after they start are repeated with growing pauses, logged once and counted."""

import io
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry
from urllib3 import HTTPResponse

from cimaster.common.clock import Clock
from cimaster.common.kubernetes_watches import Watches
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.stores.kubernetes import KubernetesStore
from cimaster.web.components import components_of
from tests.conditions import until
from tests.conftest import Add, empty_config_map, kube_access_by
from tests.kube.apiserver import ControlPlane
from tests.kube.faults import FaultyServer

EVENT = b'{"type":"MODIFIED","object":{"metadata":{"name":"clusters","resourceVersion":"7"}}}\n'
LEAST = [0.07, 0.14, 0.28, 0.56, 0.7]  # seconds: the pauses at their shortest


class FrozenClock(Clock):
    """A clock that only a test advances, so that the load of the machine does not matter."""

    leapt = 0.0

    def monotonic(self) -> float:
        return self.leapt


def reported_versions(watches: Watches, text: bytes) -> list[str]:
    """Return the versions that a watch with this text reports."""
    answer = HTTPResponse(io.BytesIO(text), preload_content=False)
    return [found["metadata"]["resourceVersion"] for _, found in watches.events(answer)]


def test_pauses_are_reset_after_a_lasting_watch(caplog: pytest.LogCaptureFixture) -> None:
    clock = FrozenClock()
    watches = Watches("ConfigMap ci/clusters", clock)
    assert watches.rest() == 0.0  # no watch yet
    for least in (*LEAST, 0.7, 0.7):
        assert reported_versions(watches, EVENT) == ["7"]
        assert least <= watches.rest() <= 1.3
    lasting = watches.events(HTTPResponse(io.BytesIO(EVENT), preload_content=False))
    assert next(lasting)
    clock.leapt += 2
    assert list(lasting) == []
    assert watches.rest() == 0.0
    reported_versions(watches, EVENT)
    assert watches.rest() < 0.14
    assert watches.cut == len(LEAST) + 3
    assert caplog.text.count("a watch of ConfigMap ci/clusters ended after 0.00 s, and is repeated with pauses") == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "closed it"),
        (b'{"type":"ERROR","object":{"message":"too old resource version"}}\n', "too old resource version"),
        (b'{"type":"ERROR"}\n', "KeyError"),
        (b"<html>\n", "JSONDecodeError"),
        (b"[]\n", "TypeError"),
        (b'{"type":"MODIFIED","object":{"metadata":5}}\n', "AttributeError"),
        (b"\xff\n", "UnicodeDecodeError"),
    ],
)
def test_the_end_of_a_watch_is_reported(text: bytes, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    watches = Watches("ConfigMap ci/clusters", Clock())
    assert reported_versions(watches, EVENT + text) == ["7"]
    assert watches.rest() > 0
    assert reason in caplog.text


@pytest.mark.parametrize("how", ["gone", "brief", "nothing", "reset", "odd"])
class TestReplica:
    """A replica whose watches end right after they start, for various reasons."""

    @pytest.fixture
    def faulty(self, control_plane: ControlPlane, how: str) -> Iterator[FaultyServer]:
        with FaultyServer(control_plane).running() as server:
            server.watches = how
            yield server

    @pytest.fixture
    def store(
        self, faulty: FaultyServer, kube_access: str, control_plane: ControlPlane, tmp_path: Path
    ) -> KubernetesStore:
        empty_config_map(control_plane, kube_access)
        kubeconfig = tmp_path / "kubeconfig"
        control_plane.service_account_kubeconfig(kube_access, kubeconfig, address=faulty.url)
        return KubernetesStore(kube_access_by(kubeconfig), kube_access, "clusters", FrozenClock())

    def test_polls_become_rarer_and_no_change_is_missed(
        self,
        add: Add,
        client: FlaskClient,
        repository: ConfigMapRepository,
        faulty: FaultyServer,
        kube_access: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        until(lambda: len(faulty.watched) > len(LEAST))
        gaps = [later - earlier for earlier, later in pairwise(faulty.watched)]
        assert all(gap >= least for gap, least in zip(gaps, LEAST, strict=False)), gaps
        add("cluster-01")
        direct = KubernetesStore(kube_access_by(), kube_access, "clusters")
        stored = direct.read()
        records = stored.data["cluster.json"].replace("cluster-01", "cluster-99")
        direct.replace(stored.replaced({**stored.data, "cluster.json": records}, stored.annotations))
        direct.close()
        until(lambda: "cluster-99" in client.get("/clusters").text)
        assert repository.trouble is None
        # The replica starts with the fixtures: whether it warns before or after the test begins is left to chance.
        logged = [*caplog.get_records("setup"), *caplog.get_records("call")]
        messages = " ".join(record.getMessage() for record in logged)
        assert "the store cannot be used" not in messages
        assert messages.count("is repeated with pauses") == 1


def test_the_metric_counts_them(app: Flask, store: KubernetesStore, repository: ConfigMapRepository) -> None:
    registry: CollectorRegistry = components_of(app).metrics.registry
    assert registry.get_sample_value("cimaster_watches_cut_total") == repository.store.watches_cut
