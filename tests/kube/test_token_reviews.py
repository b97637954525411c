"""Tokens of service accounts, reviewed by a real API server: wrong ones, ended ones, renewals, and outages."""

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import (
    AuthenticationV1TokenRequest,
    CoreV1Api,
    RbacAuthorizationV1Api,
    V1BoundObjectReference,
    V1ClusterRole,
    V1ClusterRoleBinding,
    V1ObjectMeta,
    V1PolicyRule,
    V1RoleRef,
    V1TokenRequestSpec,
)

from cimaster.common.kubernetes_client import KubernetesClient
from cimaster.errors import IdentityUnavailable
from cimaster.web.identity.identity import Identity, Source
from cimaster.web.identity.service_accounts import ServiceAccounts
from cimaster.web.identity.token_reviews import TokenReviews
from tests.conditions import until
from tests.conftest import LeapingClock, MovableClock, kube_access_by
from tests.kube.apiserver import ControlPlane
from tests.kube.faults import FaultyServer
from tests.web.identity.made_tokens import token as made_up

HERE = "192.0.2.1"
AUDIENCE = "cimaster"


class Accounts:
    """Service accounts of a namespace, with an admin's access."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self._control_plane = control_plane
        self.namespace = control_plane.namespace()
        self.create("cimaster")
        self.create("e2e")

    def create(self, account: str) -> None:
        """Create an account."""
        with self._control_plane.admin as admin:
            body: Any = {"metadata": {"name": account}}
            CoreV1Api(admin).create_namespaced_service_account(self.namespace, body)

    def delete(self, account: str) -> None:
        """Delete an account."""
        with self._control_plane.admin as admin:
            CoreV1Api(admin).delete_namespaced_service_account(account, self.namespace)

    def token(self, *audiences: str, account: str = "e2e", secret: str = "") -> str:
        """Return a token of an account for an hour; one that is bound to a Secret ends with it."""
        bound = V1BoundObjectReference(api_version="v1", kind="Secret", name=secret) if secret else None
        spec = V1TokenRequestSpec(audiences=list(audiences), expiration_seconds=3600, bound_object_ref=bound)
        with self._control_plane.admin as admin:
            body = AuthenticationV1TokenRequest(spec=spec)
            answer = CoreV1Api(admin).create_namespaced_service_account_token(account, self.namespace, body)
        assert answer.status is not None
        return str(answer.status.token)

    def create_secret(self, name: str) -> None:
        """Create a Secret."""
        with self._control_plane.admin as admin:
            body: Any = {"metadata": {"name": name}}
            CoreV1Api(admin).create_namespaced_secret(self.namespace, body)

    def delete_secret(self, name: str) -> None:
        """Delete a Secret."""
        with self._control_plane.admin as admin:
            CoreV1Api(admin).delete_namespaced_secret(name, self.namespace)

    def allow_reviews(self) -> None:
        """Give the account `cimaster` the right to create tokenreviews, and no other."""
        name = f"reviews-{self.namespace}"
        rule = V1PolicyRule(api_groups=["authentication.k8s.io"], resources=["tokenreviews"], verbs=["create"])
        role = V1RoleRef(api_group="rbac.authorization.k8s.io", kind="ClusterRole", name=name)
        subjects: Any = [{"kind": "ServiceAccount", "name": "cimaster", "namespace": self.namespace}]
        metadata = V1ObjectMeta(name=name)
        with self._control_plane.admin as admin:
            rights = RbacAuthorizationV1Api(admin)
            rights.create_cluster_role(V1ClusterRole(metadata=metadata, rules=[rule]))
            binding = V1ClusterRoleBinding(metadata=metadata, role_ref=role, subjects=subjects)
            rights.create_cluster_role_binding(binding)


class StandingClock(LeapingClock):
    """A clock on which no time passes but what a test adds, however long its calls take."""

    def monotonic(self) -> float:
        """Return the seconds that a test has added."""
        return self.leapt


def is_accepted(reviews: ServiceAccounts, sent: str) -> bool:
    """Say whether a token is accepted; False also while it cannot be reviewed."""
    try:
        return reviews.review(sent, HERE) is not None
    except IdentityUnavailable:
        return False


@pytest.fixture(scope="module")
def accounts(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Accounts:
    """A namespace whose account `cimaster` may create tokenreviews."""
    accounts = Accounts(control_plane)
    path = control_plane.service_account_kubeconfig(accounts.namespace, tmp_path_factory.mktemp("kube") / "config")
    with closing(kube_access_by(path)) as client:
        reviews, sent = ServiceAccounts(client), accounts.token(AUDIENCE)
        with pytest.raises(IdentityUnavailable):
            reviews.review(sent, HERE)
        accounts.allow_reviews()
        until(lambda: is_accepted(reviews, sent))
    return accounts


@pytest.fixture
def server(control_plane: ControlPlane) -> Iterator[FaultyServer]:
    """The network to the API server; it counts the reviews."""
    with FaultyServer(control_plane).running() as server:
        yield server


@pytest.fixture
def client(
    control_plane: ControlPlane, accounts: Accounts, server: FaultyServer, tmp_path: Path
) -> Iterator[KubernetesClient]:
    """The access of the account `cimaster`."""
    path = control_plane.service_account_kubeconfig(accounts.namespace, tmp_path / "config", server.url)
    with closing(kube_access_by(path)) as client:
        yield client


@pytest.fixture
def reviews(client: KubernetesClient) -> ServiceAccounts:
    """Reviews without any answer yet."""
    return ServiceAccounts(client)


def test_a_token_for_cimaster_names_its_account(reviews: ServiceAccounts, accounts: Accounts) -> None:
    for audiences in ((AUDIENCE,), ("https://kubernetes.default.svc", AUDIENCE)):
        identity = reviews.review(accounts.token(*audiences), HERE)
        assert identity is not None
        assert identity.name == f"system:serviceaccount:{accounts.namespace}:e2e"
        assert identity.source is Source.SERVICE_ACCOUNT
        assert f"system:serviceaccounts:{accounts.namespace}" in identity.groups
        assert identity.expires is not None
        remaining = identity.expires - datetime.now(UTC)
        assert timedelta(minutes=50) < remaining <= timedelta(hours=1)


def test_a_token_for_another_audience_is_refused_unseen(
    reviews: ServiceAccounts, accounts: Accounts, server: FaultyServer
) -> None:
    for audiences in ((), ("another",), ("cimaster2", "https://kubernetes.default.svc")):
        assert reviews.review(accounts.token(*audiences), HERE) is None
    assert server.puts == 0


def test_the_api_server_refuses_another_audience_too(client: KubernetesClient, accounts: Accounts) -> None:
    reviews = TokenReviews(client)
    assert reviews.account(accounts.token(AUDIENCE))
    for audience in ("another", "https://kubernetes.default.svc"):
        assert reviews.account(accounts.token(audience)) is None


def test_a_forged_token_is_refused(reviews: ServiceAccounts, accounts: Accounts, server: FaultyServer) -> None:
    header, claims, signature = accounts.token(AUDIENCE).split(".")
    _, others, _ = accounts.token(AUDIENCE, account="cimaster").split(".")
    none = made_up(f"{accounts.namespace}:e2e").split(".")[0]
    for forged in (
        made_up(f"{accounts.namespace}:e2e"),
        f"{header}.{others}.{signature}",
        f"{none}.{claims}.{signature}",
        f"{header}.{claims}.{signature[:-8]}",
    ):
        assert reviews.review(forged, HERE) is None
    assert server.puts == 4


def test_an_ended_token_is_refused(client: KubernetesClient, accounts: Accounts, server: FaultyServer) -> None:
    clock = MovableClock()
    reviews, sent = ServiceAccounts(client, clock), accounts.token(AUDIENCE)
    clock.forward(hours=1, seconds=11)
    assert reviews.review(sent, HERE) is None
    assert server.puts == 0


def test_a_token_ends_with_the_secret_that_it_is_bound_to(client: KubernetesClient, accounts: Accounts) -> None:
    name = f"bound-{uuid.uuid4().hex[:8]}"
    accounts.create_secret(name)
    sent = accounts.token(AUDIENCE, secret=name)
    assert ServiceAccounts(client).review(sent, HERE)
    accounts.delete_secret(name)
    until(lambda: ServiceAccounts(client).review(sent, HERE) is None)


def test_a_deleted_account_is_refused_within_a_minute(client: KubernetesClient, accounts: Accounts) -> None:
    accounts.create("gone")
    sent, clock = accounts.token(AUDIENCE, account="gone"), LeapingClock()
    reviews = ServiceAccounts(client, clock)
    assert reviews.review(sent, HERE)
    accounts.delete("gone")
    until(lambda: ServiceAccounts(client).review(sent, HERE) is None)
    assert reviews.review(sent, HERE)  # by the answer of before
    clock.leapt += 60
    assert reviews.review(sent, HERE) is None
    accounts.create("gone")  # another one with the same name
    assert ServiceAccounts(client).review(sent, HERE) is None


def test_an_account_without_the_right_reviews_nothing(
    control_plane: ControlPlane, accounts: Accounts, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = control_plane.service_account_kubeconfig(accounts.namespace, tmp_path / "config", account="e2e")
    sent = accounts.token(AUDIENCE)
    with closing(kube_access_by(path)) as client, pytest.raises(IdentityUnavailable):
        ServiceAccounts(client).review(sent, HERE)
    assert "the service's account may not create tokenreviews" in caplog.text
    assert sent not in caplog.text


@pytest.mark.parametrize("fault", ["lose_before", "lose_after", "unavailable", "conflict_after", "slow"])
def test_an_api_server_away_is_no_refusal(
    reviews: ServiceAccounts, accounts: Accounts, server: FaultyServer, fault: str
) -> None:
    sent = accounts.token(AUDIENCE)
    server.script.append(fault)
    with pytest.raises(IdentityUnavailable) as refused:
        reviews.review(sent, HERE)
    assert refused.value.retry_after
    assert reviews.review(sent, HERE)


def test_known_tokens_survive_an_outage_of_a_minute(
    client: KubernetesClient, accounts: Accounts, server: FaultyServer
) -> None:
    clock = StandingClock()
    reviews, sent, new = ServiceAccounts(client, clock), accounts.token(AUDIENCE), accounts.token(AUDIENCE)
    assert reviews.review(sent, HERE)
    server.down = True
    for _ in range(5):
        clock.leapt += 11
        assert reviews.review(sent, HERE)
        with pytest.raises(IdentityUnavailable):
            reviews.review(new, HERE)
    clock.leapt += 6
    with pytest.raises(IdentityUnavailable):
        reviews.review(sent, HERE)
    server.down = False
    assert reviews.review(sent, HERE) is not None
    assert reviews.review(new, HERE) is not None


def test_many_requests_with_a_new_token_need_one_review(
    reviews: ServiceAccounts, accounts: Accounts, server: FaultyServer
) -> None:
    sent, begin = accounts.token(AUDIENCE), threading.Barrier(200)

    def review(number: int) -> Identity | None:
        begin.wait()
        return reviews.review(sent, f"192.0.2.{number}")

    with ThreadPoolExecutor(200) as callers:
        found = list(callers.map(review, range(200)))
    assert found == [found[0]] * 200
    assert found[0] is not None
    assert server.puts == 1


def test_a_rotation_under_load_refuses_no_request(
    client: KubernetesClient, accounts: Accounts, server: FaultyServer
) -> None:
    clock = LeapingClock()
    reviews, ended = ServiceAccounts(client, clock), threading.Event()
    current = [accounts.token(AUDIENCE)]
    reviewed = [0] * 8

    def ask_until_ended(number: int) -> None:
        while not ended.is_set():
            assert reviews.review(current[0], f"192.0.2.{number}") is not None
            reviewed[number] += 1

    def until_each_was_reviewed() -> None:
        """Wait for two reviews of each caller: only the second has begun after this call."""
        before = list(reviewed)
        until(lambda: callers_failed() or all(now > then + 1 for now, then in zip(reviewed, before, strict=True)))

    def callers_failed() -> bool:
        return any(each.done() for each in callers)

    with ThreadPoolExecutor(8) as threads:
        callers = [threads.submit(ask_until_ended, number) for number in range(8)]
        try:
            for rotation in range(5):
                until_each_was_reviewed()
                server.script.append("unavailable" if rotation % 2 else "lose_after")  # the first renewal fails
                clock.leapt += 46
                until_each_was_reviewed()
                clock.leapt += 6
                until_each_was_reviewed()
                until(lambda: not server.script)
                current[0] = accounts.token(AUDIENCE)
        finally:
            ended.set()
        for caller in callers:
            caller.result()
    assert 5 * 3 - 1 <= server.puts <= 5 * 3 + 1
