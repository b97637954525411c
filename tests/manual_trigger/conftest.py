"""Fixtures: a namespace of a real API server, fakes of Deck and of Prow's controller (plank), and the service."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from cimaster.common.clock import Clock
from cimaster.manual_trigger.app import create_app
from cimaster.manual_trigger.components import components_of
from cimaster.manual_trigger.settings import Rate, TriggerSettings
from tests.kube.apiserver import ControlPlane
from tests.manual_trigger.deck import Deck
from tests.manual_trigger.plank import Plank, Prow
from tests.manual_trigger.process import ALLOW_ALL, TOKEN, no_cluster

REQUEST_BODY: dict[str, Any] = {
    "org": "tess",
    "repo": "tessops",
    "base_ref": "master",
    "prowtype": "postsubmit",
    "prowjob": "e2e-k8s-1.32",
    "user": "john",
}


@pytest.fixture(scope="session")
def prow_plane(control_plane: ControlPlane) -> ControlPlane:
    """An API server with the CRD of ProwJobs."""
    prow = Prow(control_plane, "default")
    prow.install()
    prow.close()
    return control_plane


@pytest.fixture
def namespace(prow_plane: ControlPlane) -> str:
    """A namespace with k8s/manual-trigger applied."""
    name = prow_plane.namespace()
    prow_plane.apply(name, "manual-trigger")
    return name


@pytest.fixture
def prow(prow_plane: ControlPlane, namespace: str) -> Iterator[Prow]:
    """The ProwJobs of that namespace, with an admin's access."""
    prow = Prow(prow_plane, namespace)
    yield prow
    prow.close()


@pytest.fixture
def plank(prow: Prow) -> Iterator[Plank]:
    """A controller that gives ProwJobs their build ids."""
    with Plank(prow).running() as plank:
        yield plank


@pytest.fixture
def deck() -> Iterator[Deck]:
    """A Deck that serves the sample configuration."""
    with Deck().running() as deck:
        yield deck


@pytest.fixture
def kubeconfig(prow_plane: ControlPlane, namespace: str, tmp_path: Path) -> Path:
    """A kubeconfig of the service's own account."""
    return prow_plane.service_account_kubeconfig(namespace, tmp_path / "kubeconfig", account="manual-trigger")


@pytest.fixture
def settings(deck: Deck, tmp_path: Path) -> TriggerSettings:
    """Settings with one token, rules that allow everything, and a rate limit that no test reaches by accident."""
    (tmp_path / "tokens").write_text(f"# callers\n\n{TOKEN}\n")
    (tmp_path / "allow").write_text(ALLOW_ALL)
    return TriggerSettings(
        config=deck.url,
        status_url="https://prow.example.com",
        token_file=str(tmp_path / "tokens"),
        allow_file=str(tmp_path / "allow"),
        rate=Rate(1000, timedelta(minutes=1)),
    )


class Caller:
    """A caller with a token."""

    def __init__(self, app: Flask) -> None:
        self.client = app.test_client()
        self.headers = {"Authorization": f"Bearer {TOKEN}"}

    def trigger(self, headers: dict[str, str] | None = None, **changes: Any) -> TestResponse:
        """Start the job of REQUEST_BODY, with changes; a parameter that is None is left out."""
        body = {name: value for name, value in {**REQUEST_BODY, **changes}.items() if value is not None}
        return self.client.post("/manual-trigger", json=body, headers={**self.headers, **(headers or {})})

    def get(self, path: str) -> TestResponse:
        """Send a GET."""
        return self.client.get(path, headers=self.headers)

    def post(self, path: str, **options: Any) -> TestResponse:
        """Send a POST."""
        return self.client.post(path, headers=self.headers, **options)


Start = Callable[..., Caller]


@pytest.fixture
def run(settings: TriggerSettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Returns a function that starts the service, with changed settings, and reads the configuration."""
    apps: list[Flask] = []

    def run(access: Path, *, read: bool = True, clock: Clock | None = None, **changes: Any) -> Caller:
        monkeypatch.setenv("KUBECONFIG", str(access))
        app = create_app(replace(settings, **changes), clock)
        apps.append(app)
        if read:
            components_of(app).catalog.reload()
        return Caller(app)

    yield run
    for app in apps:
        components_of(app).prowjobs.close()


@pytest.fixture
def start(run: Start, kubeconfig: Path, namespace: str) -> Start:
    """Returns a function that starts the service with access to the API server."""

    def start(access: Path = kubeconfig, **options: Any) -> Caller:
        return run(access, **{"namespace": namespace, **options})

    return start


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    """A kubeconfig of a cluster that does not exist."""
    return no_cluster(tmp_path)


@pytest.fixture
def alone(run: Start, nowhere: Path) -> Caller:
    """A caller of a service that has a configuration but no cluster."""
    return run(nowhere)


@pytest.fixture
def caller(start: Start, plank: Plank) -> Caller:
    """A caller of a service that works, with a Prow that works."""
    return start()


def refusal(answer: TestResponse) -> tuple[int, str, str]:
    """Return status, code and sentence of a refusal; check that it has the common shape."""
    body = answer.get_json()
    assert body["success"] is False
    assert {"message", "job_name", "status_link", "log_link", "code"} <= set(body)
    assert answer.headers["CIMaster-Code"] == body["code"]
    return answer.status_code, body["code"], body["message"]
