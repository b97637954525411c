"""The service accounts of k8s/ may do what the programs do, and nothing else in the whole API.

What every account may do, such as reading the description of the API, is not ours to give: an account without any
binding shows it, and it is subtracted.
"""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from kubernetes.client import ApiClient, AuthorizationV1Api, CoreV1Api

from cimaster.errors import IdentityUnavailable
from cimaster.web.identity.account_tokens import AUDIENCE
from cimaster.web.identity.service_accounts import ServiceAccounts
from tests.conftest import kube_access_by
from tests.kube.apiserver import ControlPlane
from tests.kube.kustomize import MANIFESTS, built


class Right(NamedTuple):
    """A verb on a kind of object, or on one object of that kind, or on a path of the API server."""

    verb: str
    group: str
    resource: str
    name: str = ""


class Installation(NamedTuple):
    """What is applied, and the account that it brings."""

    folder: str
    account: str


OPEN = Installation("", "cimaster")
REQUIRED = Installation("overlays/required", "cimaster")
TRIGGER = Installation("manual-trigger", "manual-trigger")

ARCHIVE = [each["metadata"]["name"] for each in built(MANIFESTS) if each["metadata"]["name"].startswith("clusters-h")]
OF_THE_STORE = {
    *(Right(verb, "", "configmaps", "clusters") for verb in ("get", "watch", "update")),
    *(Right(verb, "", "configmaps", name) for verb in ("get", "update") for name in ARCHIVE),
}
REVIEW = Right("create", "authentication.k8s.io", "tokenreviews")
OF_THE_TRIGGER = {Right(verb, "prow.k8s.io", "prowjobs") for verb in ("create", "get", "list", "watch")}

EXPECTED = {OPEN: OF_THE_STORE, REQUIRED: {*OF_THE_STORE, REVIEW}, TRIGGER: OF_THE_TRIGGER}
CLUSTER_WIDE = {OPEN: set[Right](), REQUIRED: {REVIEW}, TRIGGER: set[Right]()}
OF_EACH = pytest.mark.parametrize("installed", EXPECTED, indirect=True, ids=lambda each: each.folder or "k8s")

# What RBAC checks beyond the verbs of the API: acting as another caller, and granting more than one has.
SPECIAL = [
    *(Right("impersonate", "", resource) for resource in ("users", "groups", "serviceaccounts")),
    *product(("bind", "escalate"), ("rbac.authorization.k8s.io",), ("roles", "clusterroles")),
]


class Installed(NamedTuple):
    """An installation in a namespace of its own, with clients of its account and of one without any binding."""

    installation: Installation
    namespace: str
    account: ApiClient
    stranger: ApiClient


@pytest.fixture
def installed(request: pytest.FixtureRequest, control_plane: ControlPlane) -> Iterator[Installed]:
    """Apply an installation into a new namespace."""
    installation: Installation = request.param
    namespace = control_plane.namespace()
    control_plane.apply(namespace, installation.folder)
    with control_plane.admin as admin:
        stranger: Any = {"metadata": {"name": "stranger"}}
        CoreV1Api(admin).create_namespaced_service_account(namespace, stranger)
    with (
        control_plane.client(control_plane.token(namespace, installation.account)) as account,
        control_plane.client(control_plane.token(namespace, "stranger")) as stranger,
    ):
        yield Installed(installation, namespace, account, stranger)


def rights(client: ApiClient, namespace: str) -> set[Right]:
    """Return all that a caller may do in a namespace, as the API server lists its rules."""
    review: Any = {"spec": {"namespace": namespace}}
    status: Any = AuthorizationV1Api(client).create_self_subject_rules_review(review).status
    assert not status.incomplete
    of_objects = {
        Right(verb, group, resource, name)
        for rule in status.resource_rules
        for verb, group, resource in product(rule.verbs, rule.api_groups, rule.resources)
        for name in rule.resource_names or [""]
    }
    of_paths = {
        Right(verb, "", path)
        for rule in status.non_resource_rules
        for verb, path in product(rule.verbs, rule.non_resource_urls)
    }
    return of_objects | of_paths


@OF_EACH
def test_the_account_has_exactly_these_rights(installed: Installed) -> None:
    own = rights(installed.account, installed.namespace) - rights(installed.stranger, installed.namespace)
    assert own == EXPECTED[installed.installation]


@OF_EACH
def test_in_other_namespaces_it_has_no_more_than_any(installed: Installed) -> None:
    for namespace in ("default", "kube-system"):
        own = rights(installed.account, namespace) - rights(installed.stranger, namespace)
        assert own == CLUSTER_WIDE[installed.installation]


def whole_api(control_plane: ControlPlane) -> Iterator[Right]:
    """Yield each verb on each kind of object and its parts, as the API server describes itself."""
    groups = control_plane.read("/apis")["groups"]
    versions = [version["groupVersion"] for group in groups for version in group["versions"]]
    for path, group in [("/api/v1", ""), *((f"/apis/{version}", version.partition("/")[0]) for version in versions)]:
        for resource in control_plane.read(path)["resources"]:
            yield from (Right(verb, group, resource["name"]) for verb in resource["verbs"])


def allowed(client: ApiClient, namespace: str, right: Right) -> bool:
    """Ask the API server whether a caller may do something."""
    resource, _, part = right.resource.partition("/")
    wanted = {"verb": right.verb, "group": right.group, "resource": resource, "subresource": part, "name": right.name}
    review: Any = {"spec": {"resourceAttributes": {**wanted, "namespace": namespace}}}
    answer: Any = AuthorizationV1Api(client).create_self_subject_access_review(review)
    return bool(answer.status.allowed)


@OF_EACH
def test_it_may_call_nothing_else_of_the_whole_api(installed: Installed, control_plane: ControlPlane) -> None:
    everything = {*whole_api(control_plane), *(Right(*each) for each in SPECIAL), *OF_THE_TRIGGER}
    assert len(everything) > 500
    found = {right for right in everything if allowed(installed.account, installed.namespace, right)}
    found = {right for right in found if not allowed(installed.stranger, installed.namespace, right)}
    assert found == {right for right in EXPECTED[installed.installation] if not right.name}


@OF_EACH
def test_it_may_use_no_other_config_map(installed: Installed) -> None:
    verbs = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
    names = ("clusters", *ARCHIVE, "cimaster-settings", "cimaster-roles")
    tried = {Right(verb, "", "configmaps", name) for verb, name in product(verbs, names)}
    found = {right for right in tried if allowed(installed.account, installed.namespace, right)}
    assert found == {right for right in EXPECTED[installed.installation] if right.resource == "configmaps"}


@pytest.fixture
def accounts(installed: Installed, control_plane: ControlPlane, tmp_path: Path) -> ServiceAccounts:
    """The part of the service that has tokens reviewed, with the rights of the account."""
    kubeconfig = control_plane.service_account_kubeconfig(installed.namespace, tmp_path / "kubeconfig")
    return ServiceAccounts(kube_access_by(kubeconfig))


def projected(installed: Installed, control_plane: ControlPlane) -> str:
    """Return a token for CIMaster as the kubelet projects it into a pod."""
    wanted: Any = {"spec": {"audiences": [AUDIENCE], "expirationSeconds": 3600}}
    with control_plane.admin as admin:
        core = CoreV1Api(admin)
        made: Any = core.create_namespaced_service_account_token("stranger", installed.namespace, wanted)
    return str(made.status.token)


@pytest.mark.parametrize("installed", [REQUIRED], indirect=True)
def test_with_the_overlay_the_service_can_review_a_token(
    installed: Installed, accounts: ServiceAccounts, control_plane: ControlPlane
) -> None:
    identity = accounts.review(projected(installed, control_plane), "127.0.0.1")
    assert identity
    assert identity.name == f"system:serviceaccount:{installed.namespace}:stranger"


@pytest.mark.parametrize("installed", [OPEN], indirect=True)
def test_without_the_overlay_the_service_cannot_review_a_token(
    installed: Installed, accounts: ServiceAccounts, control_plane: ControlPlane
) -> None:
    with pytest.raises(IdentityUnavailable):
        accounts.review(projected(installed, control_plane), "127.0.0.1")


def test_two_installations_share_no_cluster_wide_object(control_plane: ControlPlane) -> None:
    first, second = control_plane.namespace(), control_plane.namespace()
    for namespace in (first, second):
        control_plane.apply(namespace, "overlays/required")
    for namespace in (first, second):
        with control_plane.client(control_plane.token(namespace)) as account:
            assert allowed(account, namespace, REVIEW)
