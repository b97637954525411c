"""The service as k8s/overlays/required starts it: its settings, its account, and files as the page makes them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import CoreV1Api

from cimaster.common.token_file import hashed_line
from tests.kube.apiserver import ControlPlane
from tests.kube.test_required_overlay import OVERLAY, variables
from tests.replica import Replica

ALICE, PROXY_SECRET = "a-token-of-alice-that-is-long-enough", "p" * 40
ROLES = "admin alice\nci system:serviceaccount:{namespace}:e2e\nperson group:developers\nperson *:e2e\n"


@pytest.fixture(scope="module")
def namespace(control_plane: ControlPlane) -> str:
    """A namespace with the overlay, and accounts for two jobs."""
    found = control_plane.namespace()
    control_plane.apply(found, "overlays/required")
    with control_plane.admin as admin:
        for name in ("e2e", "other"):
            account: Any = {"metadata": {"name": name}}
            CoreV1Api(admin).create_namespaced_service_account(found, account)
    return found


def environment(folder: Path, namespace: str) -> dict[str, Any]:
    """Return the variables of the overlay, with its folders in one of this machine."""
    (folder / "tokens").write_text(hashed_line(ALICE, "alice"))
    (folder / "session-keys").write_text("k" * 40)
    (folder / "proxy-secret").write_text(PROXY_SECRET)
    (folder / "roles").write_text(ROLES.format(namespace=namespace))
    mounted = variables(OVERLAY)
    files = {
        name: str(folder / Path(value).name) for name, value in mounted.items() if value.startswith("/etc/cimaster/")
    }
    return {**mounted, **files, "CIMASTER_NAMESPACE": namespace, "CIMASTER_HOST": "127.0.0.1"}


@pytest.fixture(scope="module")
def replica(control_plane: ControlPlane, namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    """A replica in required mode that acts as the overlay's account, behind a proxy on this machine."""
    folder = tmp_path_factory.mktemp("required")
    kubeconfig = control_plane.service_account_kubeconfig(namespace, folder / "kubeconfig")
    proxy: dict[str, Any] = {
        "CIMASTER_PROXY_SECRET_FILE": str(folder / "proxy-secret"),
        "CIMASTER_TRUSTED_PROXIES": "127.0.0.0/8",
    }
    with Replica(folder, KUBECONFIG=str(kubeconfig), **environment(folder, namespace), **proxy) as started:
        yield started


def token(control_plane: ControlPlane, namespace: str, account: str, *audiences: str) -> str:
    """Return a token as the kubelet projects it into a pod."""
    wanted: Any = {"spec": {"audiences": list(audiences), "expirationSeconds": 3600}}
    with control_plane.admin as admin:
        made: Any = CoreV1Api(admin).create_namespaced_service_account_token(account, namespace, wanted)
    return str(made.status.token)


def status(replica: Replica, path: str, headers: Mapping[str, str]) -> int:
    """Call an endpoint with these headers, and return the status of the answer."""
    return replica.http.get(replica.url + path, headers=dict(headers), timeout=30).status_code


def post(replica: Replica, path: str, headers: Mapping[str, str], **more: str) -> int:
    """Send a verb about cluster-02, and return the status of the answer."""
    data = {"cluster": "cluster-02", **more}
    return replica.http.post(replica.url + path, data=data, headers=dict(headers), timeout=30).status_code


def bearer(sent: str) -> dict[str, str]:
    """Return the header that carries a token."""
    return {"Authorization": f"Bearer {sent}"}


def test_an_admin_adds_a_cluster_and_a_pod_takes_it(
    replica: Replica, control_plane: ControlPlane, namespace: str
) -> None:
    assert status(replica, "/addcluster?cluster=cluster-01&region=r", bearer(ALICE)) == 200
    job = bearer(token(control_plane, namespace, "e2e", "cimaster"))
    assert status(replica, "/getvacant?build=1&job=e2e", job) == 200
    assert status(replica, "/finishtest?cluster=cluster-01&build=1&job=e2e", job) == 200
    assert status(replica, "/deletecluster?cluster=cluster-01", job) == 403


@pytest.mark.parametrize(("audience", "expected"), [("cimaster", 403), ("another", 401)])
def test_an_account_without_a_role_may_do_nothing(
    replica: Replica, control_plane: ControlPlane, namespace: str, audience: str, expected: int
) -> None:
    assert status(replica, "/clusters", bearer(token(control_plane, namespace, "other", audience))) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 401),
        (bearer("guessed"), 401),
        ({"X-Forwarded-User": "carol", "X-Forwarded-Groups": "developers"}, 400),
        ({"X-Forwarded-User": "carol", "X-CIMaster-Proxy-Secret": PROXY_SECRET}, 403),
        (
            {
                "X-Forwarded-User": "carol",
                "X-Forwarded-Groups": "developers",
                "X-CIMaster-Proxy-Secret": PROXY_SECRET,
            },
            200,
        ),
    ],
    ids=["none", "guessed", "no secret", "no role", "by the proxy"],
)
def test_every_request_needs_a_credential_and_a_role(replica: Replica, headers: dict[str, str], expected: int) -> None:
    assert status(replica, "/clusters", headers) == expected


def test_an_account_and_a_person_with_its_short_name_are_two_callers(
    replica: Replica, control_plane: ControlPlane, namespace: str
) -> None:
    """Pages call the account `e2e.<namespace>`, and a person may have that name too."""
    assert status(replica, "/addcluster?cluster=cluster-02&region=r", bearer(ALICE)) == 200
    account = bearer(token(control_plane, namespace, "e2e", "cimaster"))
    person = {
        "X-Forwarded-User": f"e2e.{namespace}",
        "X-Forwarded-Groups": "developers",
        "X-CIMaster-Proxy-Secret": PROXY_SECRET,
    }
    for holder, other in ((account, person), (person, account)):
        assert post(replica, "/holdcluster", holder) == 200
        assert post(replica, "/releasecluster", other) == 403
        assert post(replica, "/releasecluster", other, name=f"e2e.{namespace}") == 403
        assert post(replica, "/releasecluster", holder, name=f"e2e.{namespace}") == 200


def test_no_token_of_an_account_is_logged_or_stored(
    replica: Replica, control_plane: ControlPlane, namespace: str
) -> None:
    tokens = [token(control_plane, namespace, "e2e", audience) for audience in ("cimaster", "another")]
    answers = [replica.http.get(f"{replica.url}/clusters", headers=bearer(sent), timeout=30) for sent in tokens]
    assert [answer.status_code for answer in answers] == [200, 401]
    with control_plane.admin as admin:
        stored = str(CoreV1Api(admin).read_namespaced_config_map("clusters", namespace).data)
    written = [replica.server.log.read_text(), stored, *(f"{answer.headers}{answer.text}" for answer in answers)]
    assert "system:serviceaccount" in written[0]
    parts = [part for sent in (*tokens, ALICE, PROXY_SECRET) for part in sent.split(".")[1:] or [sent]]
    assert not [part for part in parts for text in written if part in text]


def test_probes_need_no_credential(replica: Replica) -> None:
    assert status(replica, "/healthz", {}) == status(replica, "/readyz", {}) == 200
