"""Writes to a real API server that are answered late, falsely or not at all.

Whatever the fault, no caller gets two clusters, and no answer is false.
"""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cimaster.pool.records.cluster import OCCUPIED
from cimaster.repository.stores.kubernetes import KubernetesStore
from cimaster.services.clusters import Clusters
from cimaster.settings import Settings
from tests.conftest import Add, empty_config_map, kube_access_by
from tests.kube.apiserver import ControlPlane
from tests.kube.faults import FaultyServer


def store_through(faulty: FaultyServer, namespace: str, control_plane: ControlPlane) -> KubernetesStore:
    """Return a store whose requests pass through the faulty server, as the service account."""
    kubeconfig = control_plane.folder / "faulty.kubeconfig"
    control_plane.service_account_kubeconfig(namespace, kubeconfig, address=faulty.url)
    return KubernetesStore(kube_access_by(kubeconfig), namespace, "clusters")


@pytest.fixture
def faulty(control_plane: ControlPlane) -> Iterator[FaultyServer]:
    with FaultyServer(control_plane).running() as server:
        yield server


@pytest.fixture
def store(faulty: FaultyServer, kube_access: str, control_plane: ControlPlane) -> KubernetesStore:
    empty_config_map(control_plane, kube_access)
    return store_through(faulty, kube_access, control_plane)


def occupied(service: Clusters) -> dict[str, str]:
    """Return the lease of each occupied cluster, as stored."""
    pool = service.repository.fresh().pool
    return {c.name: c.last_build for c in pool.clusters if c.state == OCCUPIED}


@pytest.mark.parametrize("fault", ["lose_before", "lose_after", "conflict_after", "unavailable"])
def test_a_take_whose_write_fails_once_gets_one_cluster(
    add: Add, client: FlaskClient, service: Clusters, faulty: FaultyServer, fault: str
) -> None:
    add("cluster-01", "cluster-02", "cluster-03")
    faulty.script.append(fault)
    answer = client.get("/getvacant?job=e2e&build=1")
    assert answer.status_code == 200
    assert occupied(service) == {answer.text: "1"}


@pytest.mark.parametrize("fault", ["lose_before", "lose_after", "conflict_after"])
def test_every_caller_of_a_batch_gets_a_true_answer(
    add: Add, app: Flask, service: Clusters, faulty: FaultyServer, fault: str
) -> None:
    add(*(f"cluster-{n:02}" for n in range(8)))
    faulty.script.extend([fault] * 3)
    answers: dict[str, str] = {}

    def take(build: int) -> None:
        answer = app.test_client().get(f"/getvacant?job=e2e&build={build}")
        answers[str(build)] = answer.text if answer.status_code == 200 else f"refused {answer.status_code}"

    callers = [threading.Thread(target=take, args=(build,)) for build in range(10)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sorted(answers.values()).count("refused 404") == 2
    assert occupied(service) == {name: build for build, name in answers.items() if not name.startswith("refused")}


def test_a_late_write_of_an_earlier_attempt_takes_no_second_cluster(
    add: Add, client: FlaskClient, service: Clusters, faulty: FaultyServer
) -> None:
    add("cluster-01", "cluster-02")
    faulty.script.append("late")
    answer = client.get("/getvacant?job=e2e&build=1")
    assert answer.status_code == 200
    assert faulty.release_late() == [409]
    assert occupied(service) == {answer.text: "1"}


def test_the_outcome_of_a_timed_out_write_is_found_by_reading(
    add: Add, client: FlaskClient, service: Clusters, faulty: FaultyServer
) -> None:
    add("cluster-01", "cluster-02")
    faulty.script.append("slow")
    answer = client.get("/getvacant?job=e2e&build=1")
    assert answer.status_code == 200
    assert occupied(service) == {answer.text: "1"}


class TestDeadline:
    """The answers to callers whose deadline passes during an outage."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, deadline=timedelta(seconds=2))

    def test_a_repeat_finds_the_result_of_an_unknown_outcome(
        self, add: Add, client: FlaskClient, service: Clusters, faulty: FaultyServer
    ) -> None:
        add("cluster-01", "cluster-02")
        faulty.script.append("cut_after")
        answer = client.get("/getvacant?job=e2e&build=1&request_id=one-request")
        assert (answer.status_code, answer.headers["CIMaster-Code"]) == (503, "outcome_unknown")
        faulty.down = False
        again = ask_until_served(client, "/getvacant?job=e2e&build=1&request_id=one-request")
        assert again.headers["CIMaster-Repeated"] == "true"
        assert occupied(service) == {again.text: "1"}

    def test_a_take_whose_caller_never_learned_of_it_is_undone(
        self, add: Add, client: FlaskClient, service: Clusters, faulty: FaultyServer
    ) -> None:
        add("cluster-01", "cluster-02")
        faulty.script.append("cut_after")
        answer = client.get("/getvacant?job=e2e&build=1")
        assert (answer.status_code, answer.headers["CIMaster-Code"]) == (503, "outcome_unknown")
        faulty.down = False
        taken = ask_until_served(client, "/getvacant?job=e2e&build=2")
        other = ask_until_served(client, "/getvacant?job=e2e&build=3")
        assert occupied(service) == {taken.text: "2", other.text: "3"}


def ask_until_served(client: FlaskClient, url: str) -> TestResponse:
    """Repeat a request, as a script does, while the service answers 503."""
    for _ in range(200):
        answer = client.get(url)
        if answer.status_code != 503:
            return answer
        threading.Event().wait(0.05)
    raise AssertionError(answer.text)
