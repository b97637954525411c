"""The test harness: the manifests are accepted, RBAC is enforced, and data survive the faults of the fault tests.

A failure here shows that the harness is broken, more clearly than a hundred other tests would.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from kubernetes.client import ApiClient, ApiException, Configuration, CoreV1Api, V1ConfigMap, V1ObjectMeta
from kubernetes.config import load_kube_config

from .apiserver import ControlPlane

POOL = {"cluster.json": '[{"name": "cluster-01", "region": "us-west", "status": "finished"}]'}
TIMEOUT = (30, 60)  # seconds to connect and to read: no answer is late because the machine is busy
BRIEF = (2, 5)  # for calls that get no answer


@pytest.fixture(scope="module")
def control_plane() -> Iterator[ControlPlane]:
    if ControlPlane.assets() is None:
        pytest.skip("etcd and kube-apiserver are not built: run `make kube`, or set KUBEBUILDER_ASSETS")
    with ControlPlane() as running:
        yield running


@pytest.fixture
def namespace(control_plane: ControlPlane) -> str:
    name = control_plane.namespace()
    control_plane.apply(name)
    return name


@pytest.fixture
def account(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> CoreV1Api:
    """Return a client that acts as CIMaster in a namespace that has the manifests."""
    kubeconfig = control_plane.service_account_kubeconfig(namespace, tmp_path / "kubeconfig")
    configuration = Configuration()
    load_kube_config(str(kubeconfig), client_configuration=configuration)
    # Set before the client is created: its connection pool copies this, and would try each read four times.
    configuration.retries = False
    return CoreV1Api(ApiClient(configuration))


def fill(api: CoreV1Api, namespace: str, timeout: tuple[int, int] = TIMEOUT) -> V1ConfigMap:
    pool = api.read_namespaced_config_map("clusters", namespace, _request_timeout=timeout)
    pool.data = POOL
    return api.replace_namespaced_config_map("clusters", namespace, pool, _request_timeout=timeout)


def named(name: str) -> V1ConfigMap:
    return V1ConfigMap(metadata=V1ObjectMeta(name=name), data={"key": "value"})


def status_of(attempt: Callable[[], object]) -> int | None:
    try:
        attempt()
    except ApiException as refusal:
        found: int | None = refusal.status
        return found
    return None


def version_of(stored: V1ConfigMap) -> str | None:
    assert stored.metadata
    return stored.metadata.resource_version


def test_the_manifests_are_shipped_without_data(account: CoreV1Api, namespace: str) -> None:
    assert account.read_namespaced_config_map("clusters", namespace, _request_timeout=TIMEOUT).data is None


def test_applying_the_manifests_again_changes_nothing(
    control_plane: ControlPlane, account: CoreV1Api, namespace: str
) -> None:
    written = fill(account, namespace)
    control_plane.apply(namespace)
    again = account.read_namespaced_config_map("clusters", namespace, _request_timeout=TIMEOUT)
    assert again.data == POOL
    assert version_of(again) == version_of(written)


def test_the_service_account_may_watch_its_own_object(account: CoreV1Api, namespace: str) -> None:
    before = account.read_namespaced_config_map("clusters", namespace, _request_timeout=TIMEOUT)
    written = fill(account, namespace)
    stream: Any = account.list_namespaced_config_map(
        namespace,
        field_selector="metadata.name=clusters",
        watch=True,
        resource_version=version_of(before),
        timeout_seconds=50,
        _preload_content=False,
        _request_timeout=TIMEOUT,
    )
    event = json.loads(stream.readline())
    stream.close()
    assert event["type"] == "MODIFIED"
    assert event["object"]["metadata"]["resourceVersion"] == version_of(written)


def test_an_update_from_an_old_version_is_a_conflict(account: CoreV1Api, namespace: str) -> None:
    old = account.read_namespaced_config_map("clusters", namespace, _request_timeout=TIMEOUT)
    fill(account, namespace)
    old.data = {"cluster.json": "[]"}
    with pytest.raises(ApiException) as refused:
        account.replace_namespaced_config_map("clusters", namespace, old, _request_timeout=TIMEOUT)
    assert refused.value.status == 409


def test_the_service_account_may_do_nothing_else(
    control_plane: ControlPlane, account: CoreV1Api, namespace: str
) -> None:
    CoreV1Api(control_plane.admin).create_namespaced_config_map(namespace, named("other"), _request_timeout=TIMEOUT)
    attempts = {
        "create": lambda: account.create_namespaced_config_map(namespace, named("new"), _request_timeout=TIMEOUT),
        "delete": lambda: account.delete_namespaced_config_map("clusters", namespace, _request_timeout=TIMEOUT),
        "patch": lambda: account.patch_namespaced_config_map("clusters", namespace, {}, _request_timeout=TIMEOUT),
        "read another": lambda: account.read_namespaced_config_map("other", namespace, _request_timeout=TIMEOUT),
        "list its own": lambda: account.list_namespaced_config_map(
            namespace, field_selector="metadata.name=clusters", _request_timeout=TIMEOUT
        ),
        "list all": lambda: account.list_namespaced_config_map(namespace, _request_timeout=TIMEOUT),
        "read secrets": lambda: account.list_namespaced_secret(namespace, _request_timeout=TIMEOUT),
        "another namespace": lambda: account.read_namespaced_config_map("clusters", "ci", _request_timeout=TIMEOUT),
    }
    assert {name: status_of(attempt) for name, attempt in attempts.items()} == dict.fromkeys(attempts, 403)


def test_data_survive_a_restart_of_both_servers(
    control_plane: ControlPlane, account: CoreV1Api, namespace: str
) -> None:
    fill(account, namespace)
    control_plane.stop_apiserver()
    control_plane.stop_etcd()
    with pytest.raises(urllib3.exceptions.HTTPError):
        account.read_namespaced_config_map("clusters", namespace, _request_timeout=BRIEF)
    control_plane.start_etcd()
    control_plane.start_apiserver()
    # The token was signed before the restart: the key has survived it too.
    assert account.read_namespaced_config_map("clusters", namespace, _request_timeout=TIMEOUT).data == POOL


def test_a_killed_api_server_comes_back_with_what_it_had_answered(
    control_plane: ControlPlane, account: CoreV1Api, namespace: str
) -> None:
    fill(account, namespace)
    control_plane.kill_apiserver()
    control_plane.start_apiserver()
    assert account.read_namespaced_config_map("clusters", namespace, _request_timeout=TIMEOUT).data == POOL


def test_without_etcd_writes_fail_and_later_work(
    control_plane: ControlPlane, account: CoreV1Api, namespace: str
) -> None:
    control_plane.stop_etcd()
    with pytest.raises((ApiException, urllib3.exceptions.HTTPError)):
        fill(account, namespace, BRIEF)
    control_plane.start_etcd()
    control_plane.wait_until_ready()
    assert fill(account, namespace).data == POOL


def test_a_paused_api_server_answers_nothing_until_it_is_resumed(
    control_plane: ControlPlane, account: CoreV1Api, namespace: str
) -> None:
    control_plane.pause_apiserver()
    with pytest.raises(urllib3.exceptions.HTTPError):
        account.read_namespaced_config_map("clusters", namespace, _request_timeout=(1, 1))
    control_plane.resume_apiserver()
    account.read_namespaced_config_map("clusters", namespace, _request_timeout=TIMEOUT)
