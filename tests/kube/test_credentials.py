"""Credentials that change while the process runs: it reads them again after a refusal, or after a minute."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.config import incluster_config

from cimaster.common.kubernetes_client import KubernetesClient
from cimaster.errors import StoreTrouble
from cimaster.repository.stores.kubernetes import KubernetesStore
from tests.conditions import until
from tests.conftest import LeapingClock, empty_config_map, kube_access_by
from tests.kube.apiserver import ControlPlane
from tests.kube.faults import FaultyServer

LOGIN = "client.authentication.k8s.io/v1"
WRONG = "an-unknown-token"


def who(access: KubernetesClient) -> str:
    """Return the user that the API server sees in a request, or the status of its refusal."""
    body = json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}).encode()
    headers = {"Content-Type": "application/json"}
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    answer = access.request("POST", path, headers, body=body)
    return answer.json()["status"]["userInfo"]["username"] if answer.status == 201 else str(answer.status)


def a_minute_later(access: KubernetesClient, clock: LeapingClock) -> None:
    """Make the credentials old, and return when they were read again."""
    clock.leapt += 61
    who(access)
    until(lambda: not [thread for thread in threading.enumerate() if thread.name == "credentials"])


@pytest.fixture(scope="module")
def namespace(control_plane: ControlPlane) -> str:
    """A namespace with the accounts of both programs."""
    name = control_plane.namespace()
    control_plane.apply(name)
    control_plane.apply(name, "manual-trigger")
    empty_config_map(control_plane, name)
    return name


@pytest.fixture(scope="module")
def tokens(control_plane: ControlPlane, namespace: str) -> dict[str, str]:
    """A token for each of the two accounts, by the name that the API server gives them."""
    accounts = ("cimaster", "manual-trigger")
    return {f"system:serviceaccount:{namespace}:{name}": control_plane.token(namespace, name) for name in accounts}


class Place:
    """Where a program finds its token: a file that a kubeconfig names, the kubeconfig, a login program, or a pod's."""

    def __init__(self, folder: Path, control_plane: ControlPlane, kind: str, address: str = "") -> None:
        self.file, self.kubeconfig = folder / "token", folder / "kubeconfig"
        self._kind = kind
        self._control_plane, self._address = control_plane, address
        self.put(WRONG)
        if kind == "tokenFile":
            self._write({"tokenFile": "token"})  # beside the kubeconfig
        elif kind == "exec":
            program = folder / "login"
            program.write_text(f"#!/bin/sh\ncat {self.file}\n")
            program.chmod(0o700)
            self._write({"exec": {"apiVersion": LOGIN, "command": str(program)}})

    def _write(self, user: dict[str, Any]) -> None:
        self._control_plane.kubeconfig(self.kubeconfig, user, self._address)

    def put(self, token: str) -> None:
        """Use this token from now on."""
        if self._kind == "token":
            self._write({"token": token})
        elif self._kind == "exec":
            answer = {"apiVersion": LOGIN, "kind": "ExecCredential", "status": {"token": token}}
            self.file.write_text(json.dumps(answer))
        else:
            self.file.write_text(f"{token}\n")


@pytest.fixture(params=["tokenFile", "token", "exec", "pod"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> Place:
    """Each of these places, with a token that the API server does not know."""
    place = Place(tmp_path, control_plane, request.param)
    if request.param == "pod":
        host, port = control_plane.url.removeprefix("https://").split(":")
        monkeypatch.delenv("KUBECONFIG", raising=False)
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
        monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(place.file))
        monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(control_plane.ca_file))
    else:
        monkeypatch.setenv("KUBECONFIG", str(place.kubeconfig))
    return place


def test_a_refused_call_is_repeated_with_the_current_credentials(
    place: Place, tokens: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    name, token = next(iter(tokens.items()))
    with closing(kube_access_by()) as access:
        assert who(access) == "401"
        place.put(token)
        assert who(access) == name
    assert "have changed" in caplog.text
    assert not [secret for secret in (WRONG, token) if secret in caplog.text]


def test_credentials_are_read_again_every_minute(place: Place, tokens: dict[str, str]) -> None:
    (first, token), (second, other) = tokens.items()
    clock = LeapingClock()
    place.put(token)
    with closing(kube_access_by(clock=clock)) as access:
        place.put(other)
        clock.leapt += 50
        assert who(access) == first
        clock.leapt += 20
        until(lambda: who(access) == second)


def test_simultaneous_refused_calls_read_credentials_once(
    control_plane: ControlPlane, tokens: dict[str, str], tmp_path: Path
) -> None:
    place, (name, token) = Place(tmp_path, control_plane, "exec"), next(iter(tokens.items()))
    (tmp_path / "login").write_text(f"#!/bin/sh\necho run >> {tmp_path}/runs\ncat {place.file}\n")
    with closing(kube_access_by(place.kubeconfig)) as access, ThreadPoolExecutor(8) as callers:
        place.put(token)
        begin = threading.Barrier(8)
        assert set(callers.map(lambda _: begin.wait() >= 0 and who(access), range(8))) == {name}
    assert (
        len((tmp_path / "runs").read_text().split()) <= 3
    )  # at the start, and for requests that began before it was read


class TestThroughAProxy:
    """A proxy that counts the requests."""

    @pytest.fixture
    def faulty(self, control_plane: ControlPlane) -> Iterator[FaultyServer]:
        with FaultyServer(control_plane).running() as server:
            yield server

    @pytest.fixture
    def place(self, tmp_path: Path, control_plane: ControlPlane, faulty: FaultyServer) -> Place:
        return Place(tmp_path, control_plane, "tokenFile", faulty.url)

    def test_without_newer_credentials_nothing_is_sent_twice(self, place: Place, faulty: FaultyServer) -> None:
        with closing(kube_access_by(place.kubeconfig)) as access:
            assert who(access) == "401"
        assert faulty.puts == 1

    def test_a_write_that_was_refused_is_sent_again_once(
        self, place: Place, faulty: FaultyServer, tokens: dict[str, str], namespace: str
    ) -> None:
        clock, token = LeapingClock(), next(iter(tokens.values()))
        place.put(token)
        access = kube_access_by(place.kubeconfig, clock)
        with closing(KubernetesStore(access, namespace, "clusters")) as store:
            stored = store.read()
            place.put(WRONG)
            a_minute_later(access, clock)
            place.put(token)
            faulty.puts = 0
            version = store.replace(stored.replaced({"cluster.json": "[]"}, {}))
            assert faulty.puts == 2
            assert (store.read().version, store.read().data) == (version, {"cluster.json": "[]"})


def test_a_watch_continues_with_a_new_token(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> None:
    place = Place(tmp_path, control_plane, "tokenFile")
    with closing(KubernetesStore(kube_access_by(place.kubeconfig), namespace, "clusters")) as store:
        with pytest.raises(StoreTrouble, match="401"):
            store.wait_for_change(2.0)
        place.put(control_plane.token(namespace))
        change = store.wait_for_change(2.0)
        assert change is not None
        assert change.version == store.read().version


class TestFormerOnes:
    """The old credentials stay in use if the new ones cannot be read."""

    @pytest.fixture
    def clock(self) -> LeapingClock:
        return LeapingClock()

    @pytest.fixture
    def place(self, control_plane: ControlPlane, tokens: dict[str, str], tmp_path: Path) -> Place:
        place = Place(tmp_path, control_plane, "token")
        place.put(next(iter(tokens.values())))
        return place

    @pytest.mark.parametrize(
        "change",
        [
            lambda text: "",
            lambda text: "clusters: [",
            lambda text: text.replace("user:\n", "usr:\n"),
            lambda text: text.replace("token:", "tken:"),
            lambda text: text.replace("token: ", "token: é"),
            lambda text: text.replace("https://", "https://elsewhere."),
            lambda text: text.replace("name: test", "name: other"),
        ],
        ids=["empty", "not YAML", "no user", "no token", "no header", "another server", "context gone"],
    )
    def test_they_do_if_the_file_is_malformed(
        self,
        place: Place,
        clock: LeapingClock,
        tokens: dict[str, str],
        caplog: pytest.LogCaptureFixture,
        change: Callable[[str], str],
    ) -> None:
        name, token = next(iter(tokens.items()))
        with closing(kube_access_by(place.kubeconfig, clock)) as access:
            kubeconfig = place.kubeconfig.read_text()
            place.kubeconfig.write_text(change(kubeconfig))
            assert place.kubeconfig.read_text() != kubeconfig
            for _ in range(3):
                a_minute_later(access, clock)
                assert who(access) == name
        assert caplog.text.count("stay in use") == 1
        assert token not in caplog.text
        assert token[20:] not in caplog.text

    def test_the_context_at_the_start_stays_in_use(
        self, place: Place, clock: LeapingClock, tokens: dict[str, str]
    ) -> None:
        (first, _), (_, other) = tokens.items()
        config = yaml.safe_load(place.kubeconfig.read_text())
        with closing(kube_access_by(place.kubeconfig, clock)) as access:
            config["users"].append({"name": "other", "user": {"token": other}})
            config["contexts"].append({"name": "other", "context": {"cluster": "test", "user": "other"}})
            place.kubeconfig.write_text(yaml.safe_dump({**config, "current-context": "other"}))
            a_minute_later(access, clock)
            assert who(access) == first
