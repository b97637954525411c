"""k8s/manual-trigger: the account has the permissions that the service needs, and no others."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from kubernetes.client import ApiClient, Configuration, RbacAuthorizationV1Api
from kubernetes.config import load_kube_config
from prometheus_client import CollectorRegistry

from cimaster.common.clock import Clock
from cimaster.common.kubernetes_watches import Watches
from cimaster.manual_trigger.access.rules import parse
from cimaster.manual_trigger.errors import JobRejected, ProwForbidden
from cimaster.manual_trigger.metrics import Metrics
from cimaster.manual_trigger.prow.prowjobs import ProwJobs
from tests.conditions import until
from tests.conftest import kube_access_by
from tests.kube.apiserver import ControlPlane
from tests.kube.kustomize import MANIFESTS
from tests.manual_trigger.plank import Prow


@pytest.fixture
def may(kubeconfig: Path, namespace: str) -> Iterator[Callable[..., bool]]:
    """Return a function that asks the API server whether the account has a permission."""
    configuration = Configuration()
    load_kube_config(str(kubeconfig), client_configuration=configuration)
    client = ApiClient(configuration)
    headers = {"Authorization": configuration.api_key["BearerToken"], "Content-Type": "application/json"}

    def may(verb: str, resource: str, group: str = "prow.k8s.io", where: str = namespace) -> bool:
        wanted = {"verb": verb, "resource": resource, "group": group, "namespace": where}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": wanted},
        }
        url = f"{configuration.host}/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        answer = client.rest_client.pool_manager.request("POST", url, body=json.dumps(review), headers=headers)
        allowed: bool = answer.json()["status"]["allowed"]
        return allowed

    yield may
    client.close()


def test_the_account_may_create_and_read_prowjobs_of_its_namespace(may: Callable[..., bool]) -> None:
    assert {verb for verb in ("create", "get", "list", "watch") if may(verb, "prowjobs")} == {
        "create",
        "get",
        "list",
        "watch",
    }


@pytest.mark.parametrize("missing", ["create", "get", "list", "watch"])
def test_without_one_of_these_rights_it_does_not_work(
    prow_plane: ControlPlane, namespace: str, kubeconfig: Path, missing: str
) -> None:
    rules = yaml.safe_load_all((MANIFESTS / "manual-trigger" / "rbac.yaml").read_text())
    [rule] = next(each for each in rules if each["kind"] == "Role")["rules"]
    rule["verbs"].remove(missing)
    with prow_plane.admin as admin:
        RbacAuthorizationV1Api(admin).patch_namespaced_role("manual-trigger", namespace, {"rules": [rule]})
    clock = Clock()
    prowjobs = ProwJobs(kube_access_by(kubeconfig), Metrics(CollectorRegistry()), clock)
    calls: dict[str, Callable[[], object]] = {
        "create": lambda: prowjobs.create(namespace, {"metadata": {}}),
        "get": lambda: prowjobs.get(namespace, "any"),
        "list": lambda: prowjobs.ping(namespace),
        "watch": lambda: list(prowjobs.watch(Watches("any", clock), namespace, "any", 1.0)),
    }

    def refused() -> list[str]:
        found = []
        for verb, call in calls.items():
            try:
                call()
            except ProwForbidden:
                found.append(verb)
            except JobRejected:
                pass
        return found

    with closing(prowjobs):
        until(lambda: refused() == [missing])


@pytest.mark.parametrize("verb", ["update", "patch", "delete", "deletecollection"])
def test_it_may_not_change_or_remove_them(may: Callable[..., bool], verb: str) -> None:
    assert not may(verb, "prowjobs")


@pytest.mark.parametrize("verb", ["create", "get", "list"])
def test_it_may_do_nothing_elsewhere_and_nothing_else(may: Callable[..., bool], verb: str) -> None:
    assert not may(verb, "prowjobs", where="kube-system")
    for resource in ("secrets", "configmaps", "pods"):
        assert not may(verb, resource, group="")


def test_applying_the_manifests_again_changes_nothing(prow_plane: ControlPlane, namespace: str, prow: Prow) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/manual-trigger"
    before = prow.call("GET", path).json()["metadata"]["resourceVersion"]
    prow_plane.apply(namespace, "manual-trigger")
    assert prow.call("GET", path).json()["metadata"]["resourceVersion"] == before


def test_only_cimaster_and_the_monitoring_may_connect() -> None:
    policy = yaml.safe_load((MANIFESTS / "manual-trigger" / "networkpolicy.yaml").read_text())
    cimaster = yaml.safe_load((MANIFESTS / "base" / "deployment.yaml").read_text())
    http, metrics = policy["spec"]["ingress"]
    assert http["ports"] == [{"port": "http"}]
    [source] = http["from"]
    assert source["podSelector"]["matchLabels"].items() <= cimaster["spec"]["template"]["metadata"]["labels"].items()
    assert metrics["ports"] == [{"port": "metrics"}]
    assert "namespaceSelector" in metrics["from"][0]


def test_the_shipped_rules_allow_nothing() -> None:
    shipped = yaml.safe_load((MANIFESTS / "manual-trigger" / "rules.yaml").read_text())["data"]["allow"]
    assert parse(shipped) == ()
    examples = "\n".join(line.removeprefix("# ") for line in shipped.splitlines() if "tess/" in line)
    assert [rule.any_commit for rule in parse(examples)] == [False, False, True]
