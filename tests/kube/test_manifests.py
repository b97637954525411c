"""k8s/: each right is used, no pod has more network access than it needs, and the API server accepts all of it."""

import copy
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.client import RbacAuthorizationV1Api

from cimaster.errors import StoreTrouble
from cimaster.repository.stores.kubernetes import KubernetesStore
from cimaster.repository.stores.port import Store
from cimaster.settings import Settings
from tests.conditions import until
from tests.conftest import kube_access_by
from tests.kube.apiserver import ControlPlane
from tests.kube.kustomize import MANIFESTS

PROGRAMS = {"base": "cimaster", "manual-trigger": "manual-trigger"}


def manifest(folder: str, file: str, kind: str = "") -> dict[str, Any]:
    """Return a manifest of k8s/: the first of that kind in its file."""
    read = yaml.safe_load_all((MANIFESTS / folder / f"{file}.yaml").read_text())
    found: dict[str, Any] = next(each for each in read if kind in ("", each["kind"]))
    return found


RULES: list[dict[str, Any]] = manifest("base", "rbac", "Role")["rules"]
POOL, ARCHIVE = 0, 1  # the places of their rules
RIGHTS = [(place, verb) for place in (POOL, ARCHIVE) for verb in RULES[place]["verbs"]]


def use_pool(store: Store) -> None:
    """Do everything that the service does with the pool."""
    use(store)
    assert store.wait_for_change(1.0)


def use(store: Store) -> None:
    """Read and write an object of the service."""
    stored = store.read()
    store.read(not_older_than=stored.version)
    store.replace(stored.replaced({"cluster.json": "[]"}, {}))


@pytest.mark.parametrize(("place", "missing"), [(POOL, ""), (ARCHIVE, ""), *RIGHTS])
def test_the_store_needs_each_of_its_rights(
    control_plane: ControlPlane, tmp_path: Path, place: int, missing: str
) -> None:
    namespace = control_plane.namespace()
    control_plane.apply(namespace)
    rules = copy.deepcopy(RULES)
    rules[place]["verbs"] = [verb for verb in rules[place]["verbs"] if verb != missing]
    with control_plane.admin as admin:
        RbacAuthorizationV1Api(admin).patch_namespaced_role("cimaster", namespace, {"rules": rules})
    kubeconfig = control_plane.service_account_kubeconfig(namespace, tmp_path / "kubeconfig")
    store = KubernetesStore(kube_access_by(kubeconfig), namespace, RULES[place]["resourceNames"][-1])

    def trouble() -> str:
        try:
            use_pool(store) if place == POOL else use(store)
        except StoreTrouble as trouble:
            return str(trouble)
        return ""

    with closing(store):
        until(lambda: (f"cannot {missing} resource" in trouble()) if missing else not trouble())


def test_the_rights_name_the_pool_and_each_object_of_its_archive() -> None:
    shipped = [
        each["metadata"]["name"] for each in yaml.safe_load_all((MANIFESTS / "base" / "history.yaml").read_text())
    ]
    assert RULES[POOL]["resourceNames"] == [Settings().config_map]
    assert RULES[ARCHIVE]["resourceNames"] == shipped == list(Settings().history_names)


@pytest.mark.parametrize("folder", PROGRAMS)
def test_the_pods_run_locked_down(folder: str) -> None:
    pod = manifest(folder, "deployment")["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["enableServiceLinks"] is False
    assert pod["automountServiceAccountToken"] is True
    assert manifest(folder, "rbac", "ServiceAccount")["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()


def test_a_config_map_sets_only_our_settings() -> None:
    [container] = manifest("base", "deployment")["spec"]["template"]["spec"]["containers"]
    assert [source["prefix"] for source in container["envFrom"]] == [Settings.prefix]
    assert "envFrom" not in manifest("manual-trigger", "deployment")["spec"]["template"]["spec"]["containers"][0]


def ports(rule: dict[str, Any]) -> set[int]:
    return {port["port"] for port in rule["ports"]}


@pytest.mark.parametrize("folder", PROGRAMS)
def test_the_pods_reach_only_the_servers_that_they_call(folder: str) -> None:
    policy = manifest(folder, "networkpolicy")["spec"]
    labels = manifest(folder, "deployment")["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    dns, api_server, other = policy["egress"]
    assert ports(dns) == {53}
    assert ports(api_server) == {443, 6443}
    assert all("except" in block["ipBlock"] for block in api_server["to"])  # no cloud's metadata service
    [peer] = other["to"]
    if folder == "base":
        trigger = manifest("manual-trigger", "deployment")["spec"]["template"]
        assert peer["podSelector"]["matchLabels"].items() <= trigger["metadata"]["labels"].items()
        [port] = [p["containerPort"] for p in trigger["spec"]["containers"][0]["ports"] if p["name"] == "http"]
        assert ports(other) == {port}
    else:
        assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "prow"}


def test_the_api_server_accepts_them_unchanged(control_plane: ControlPlane) -> None:
    namespace = control_plane.namespace()
    for folder in PROGRAMS:
        control_plane.apply(namespace, folder)
