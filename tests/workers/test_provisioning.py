"""The provisioning worker has each cluster created once, even if a replica dies or the store is unavailable."""

import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cimaster.app import create_app
from cimaster.common.background_thread import Interrupted
from cimaster.pool import ClusterFacts
from cimaster.pool.decisions.creation_attempts import TriggeredJob
from cimaster.pool.records.creation import Creation
from cimaster.provisioners import KINDS, Kind, Provisioner, command
from cimaster.provisioners.outcome import Built, Failure, JobStatus
from cimaster.repository.stores.port import Store
from cimaster.repository.stores.sqlite import SQLiteStore
from cimaster.services.creation_claims import CreationClaims
from cimaster.services.provisioning import Provisioning
from cimaster.settings import Settings
from cimaster.web.components import components_of
from cimaster.workers.drain_file import DrainFile
from cimaster.workers.provisioning import ProvisioningWorker
from tests.conditions import until
from tests.conftest import Add, MovableClock

JSON = {"Accept": "application/json"}


class Third:
    """A third-party provisioner that starts a job when the test allows it, and records the keys that it got."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.may_start = Event()
        self.fails: Exception | None = None

    def begin(self, _settings: object, creation: Creation, stop: Event) -> TriggeredJob | Built:
        self.keys.append(creation.idempotency_key)
        while not self.may_start.wait(0.02):
            if stop.is_set():
                raise Failure("unreachable", "the service stops")
        if self.fails:
            raise self.fails
        return TriggeredJob(f"order-{creation.idempotency_key}")


@pytest.fixture
def third() -> Third:
    """A provisioner that a test controls."""
    return Third()


@pytest.fixture
def provisioner(third: Third) -> Provisioner:
    """The same provisioner, wrapped for the service."""
    return Provisioner("third", Kind(command.Settings, third.begin), command.Settings())


@pytest.fixture
def second(settings: Settings, another_store: Store, provisioner: Provisioner, clock: MovableClock) -> Iterator[Flask]:
    """Another replica with the same store, whose threads a test starts."""
    app = create_app(settings, another_store, clock, provisioner)
    yield app
    if components_of(app).lifecycle.checks()["threads"]():
        components_of(app).lifecycle.stop()


def claims_of(app: Flask) -> CreationClaims:
    """Return claims for one more replica."""
    return CreationClaims(
        components_of(app).provisioning,
        components_of(app).clusters.repository,
        components_of(app).metrics,
    )


def create(app: Flask) -> str:
    """Request a cluster, and return the creation's id without waiting."""
    creations: Provisioning = components_of(app).provisioning
    return creations.create(creations.creation_request("tess-ci", "john", "master", "e2e")).answer.text


def listed(client: FlaskClient) -> dict[str, Any]:
    """Return the one creation that is listed."""
    creation: dict[str, Any]
    (creation,) = client.get("/creations", headers=JSON).get_json()["creations"]
    return creation


@pytest.mark.slow
def test_a_lost_replicas_claim_is_taken_over_under_the_same_key(
    app: Flask, second: Flask, third: Third, clock: MovableClock
) -> None:
    create(app)
    until(lambda: third.keys)  # the first replica has claimed it, and hangs
    components_of(second).lifecycle.start()
    assert not claims_of(second).due()
    clock.forward(minutes=31, seconds=1)  # the time-out, and a minute
    until(lambda: len(third.keys) == 2)
    third.may_start.set()
    until(lambda: listed(second.test_client())["state"] == "running")
    assert len(set(third.keys)) == 1


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)  # with Kubernetes, the API server's clock would count
def test_a_replica_with_a_wrong_clock_takes_over_nothing(
    app: Flask, third: Third, clock: MovableClock, store: SQLiteStore
) -> None:
    create(app)
    until(lambda: third.keys)
    store.clock_skew = 3600.0
    clock.forward(hours=1)
    assert claims_of(app).due() == []  # by the store's clock, the claim has not expired
    clock.forward(hours=1)
    (late,) = claims_of(app).due()
    assert claims_of(app).claim(late.id) is None
    assert len(third.keys) == 1
    third.may_start.set()


@pytest.mark.slow
@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_an_outcome_is_written_when_the_store_is_available_again(app: Flask, third: Third, store: SQLiteStore) -> None:
    create(app)
    until(lambda: third.keys)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # no other connection can write until it ends
        third.may_start.set()
        until(lambda: components_of(app).clusters.repository.trouble)
    until(lambda: listed(app.test_client())["state"] == "running")
    assert len(third.keys) == 1


def test_a_stopping_replica_releases_its_claim(
    settings: Settings, another_store: Store, app: Flask, tmp_path: Path
) -> None:
    run = tmp_path / "runs"
    slow = command.Settings(program=("sh", "-c", f"echo $CREATION_KEY >> {run}; sleep 600"))
    leaving = create_app(settings, another_store, provisioner=Provisioner("command", KINDS["command"], slow))
    components_of(leaving).lifecycle.start()
    components_of(app).provisioning.provisioner = None  # this replica only watches
    try:
        create(leaving)
        until(run.exists)
    finally:
        components_of(leaving).lifecycle.stop()
    service = components_of(app).clusters
    until(lambda: service.view_now().pool.creations[0].is_claimable(service.clock()))


@pytest.mark.slow
def test_every_job_is_checked_however_many_there_are(app: Flask, third: Third, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[str] = set()
    monkeypatch.setattr("cimaster.workers.provisioning._JOB_CHECK", 0.1)

    def look(_settings: object, creation: Creation) -> JobStatus:
        seen.add(creation.id)
        return JobStatus()

    creations: Provisioning = components_of(app).provisioning
    creations.provisioner = Provisioner("third", Kind(command.Settings, third.begin, look), command.Settings())
    third.may_start.set()
    wanted = creations.creation_request("tess-ci", "john", "master", "e2e")
    made = {creations.create(wanted, force=True).answer.text for _ in range(12)}
    until(lambda: seen == made)


@pytest.mark.slow
def test_a_draining_replica_starts_nothing(app: Flask, third: Third, settings: Settings) -> None:
    with contextlib.ExitStack() as stack:
        stack.callback(DrainFile(settings.port).remove)
        DrainFile(settings.port).make()
        create(app)
        (worker,) = (w for w in components_of(app).lifecycle.workers if isinstance(w, ProvisioningWorker))
        for _ in range(2):  # a round starts by clearing the event: once the second has started, the first is over
            worker.wake()
            until(lambda: not worker._woken.is_set())
        assert not worker._calls
    third.may_start.set()
    until(lambda: third.keys)


def test_an_exception_of_the_provisioner_is_counted(app: Flask, third: Third) -> None:
    third.fails = ZeroDivisionError("oops")
    third.may_start.set()
    create(app)
    registry = components_of(app).metrics.registry
    until(lambda: registry.get_sample_value("cimaster_thread_errors_total", {"thread": "provisioning"}))
    assert app.test_client().get("/readyz").status_code == 200


def test_a_local_build_keeps_its_claim_and_stops_when_it_is_lost(
    app: Flask, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cimaster.workers.provisioning._RENEW", 0.1)
    halted = Event()

    def building(_settings: object, _creation: Creation, halt: Event) -> Built:
        if halt.wait(100):
            halted.set()
        raise Interrupted

    components_of(app).provisioning.provisioner = Provisioner(
        "third", Kind(command.Settings, building, builds=True), command.Settings()
    )
    create(app)
    view = components_of(app).clusters.view
    until(lambda: listed(app.test_client())["state"] == "running")
    claimed_until = view().pool.creations[0].get_time("claimUntil")
    until(lambda: view().pool.creations[0].get_time("claimUntil") != claimed_until)
    other = claims_of(app)
    clock.forward(minutes=6)

    def claimed_by_another() -> bool:
        clock.forward(minutes=6)
        return bool(other.claim(view().pool.creations[0].id)) or halted.is_set()

    until(claimed_by_another)
    assert halted.wait(60)


def test_a_built_cluster_is_added_even_if_its_creation_is_ready(app: Flask, add: Add) -> None:
    may_finish = Event()

    def built(_settings: object, _creation: Creation, _halt: Event) -> Built:
        may_finish.wait(60)
        return Built("built", ClusterFacts("us"))

    components_of(app).provisioning.provisioner = Provisioner(
        "third", Kind(command.Settings, built, builds=True), command.Settings()
    )
    identity = create(app)
    until(lambda: listed(app.test_client())["state"] == "running")
    add("by-hand")
    assert listed(app.test_client())["state"] == "running"  # a cluster added by hand does not make the creation ready
    add("given", creation=identity)
    may_finish.set()
    until(lambda: app.test_client().get("/clusters/built").status_code == 200)
    assert listed(app.test_client())["cluster"] == "given"


def test_a_creation_fails_if_its_cluster_cannot_be_added(app: Flask, add: Add, third: Third) -> None:
    add("taken", region="mars")

    def built(_settings: object, _creation: Creation, _stop: Event) -> Built:
        return Built("taken", ClusterFacts("us"))

    components_of(app).provisioning.provisioner = Provisioner(
        "third", Kind(command.Settings, built, builds=True), command.Settings()
    )
    create(app)
    until(lambda: listed(app.test_client())["state"] == "failed")
    assert "taken exists already" in listed(app.test_client())["reason"]
