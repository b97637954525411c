"""The provisioning worker has each cluster created once, whichever replica dies and whatever the store does."""

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
from cimaster.pool import ClusterFacts
from cimaster.pool.decisions.creation_attempts import TriggeredJob
from cimaster.pool.records.creation import Creation
from cimaster.provisioners import KINDS, Kind, Provisioner, command
from cimaster.provisioners.outcome import Built, Failure, Interrupted, JobStatus
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
    """A third-party provisioner: it begins when the test lets it, and remembers the keys that it was given."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.may_begin = Event()
        self.fails: Exception | None = None

    def begin(self, _settings: object, creation: Creation, stop: Event) -> TriggeredJob | Built:
        self.keys.append(creation.idempotency_key)
        while not self.may_begin.wait(0.02):
            if stop.is_set():
                raise Failure("unreachable", "the service stops")
        if self.fails:
            raise self.fails
        return TriggeredJob(f"order-{creation.idempotency_key}")


@pytest.fixture
def third() -> Third:
    """A provisioner that a test watches."""
    return Third()


@pytest.fixture
def provisioner(third: Third) -> Provisioner:
    """The same provisioner, as the service uses it."""
    return Provisioner("third", Kind(command.Settings, third.begin), command.Settings())


@pytest.fixture
def second(settings: Settings, another_store: Store, provisioner: Provisioner, clock: MovableClock) -> Iterator[Flask]:
    """Another replica over the same store, whose threads a test starts."""
    app = create_app(settings, another_store, clock, provisioner)
    yield app
    if components_of(app).lifecycle.checks()["threads"]():
        components_of(app).lifecycle.stop()


def claims_of(app: Flask) -> CreationClaims:
    """Return the claims of a replica of its own."""
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
def test_what_a_lost_replica_had_claimed_is_taken_over_under_the_same_key(
    app: Flask, second: Flask, third: Third, clock: MovableClock
) -> None:
    create(app)
    until(lambda: third.keys)  # the first replica has claimed it, and hangs
    components_of(second).lifecycle.start()
    assert not claims_of(second).due()
    clock.forward(minutes=31, seconds=1)  # the time-out, and a minute
    until(lambda: len(third.keys) == 2)
    third.may_begin.set()
    until(lambda: listed(second.test_client())["state"] == "running")
    assert len(set(third.keys)) == 1


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)  # with the other store the API server's clock decides
def test_with_a_wrong_clock_nothing_is_taken_over(
    app: Flask, third: Third, clock: MovableClock, store: SQLiteStore
) -> None:
    create(app)
    until(lambda: third.keys)
    store.clock_skew = 3600.0
    clock.forward(hours=1)
    assert claims_of(app).due() == []  # by the store's clock it has time
    clock.forward(hours=1)
    (late,) = claims_of(app).due()
    assert claims_of(app).claim(late.id) is None
    assert len(third.keys) == 1
    third.may_begin.set()


@pytest.mark.slow
@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_what_came_of_it_is_written_when_the_store_is_back(app: Flask, third: Third, store: SQLiteStore) -> None:
    create(app)
    until(lambda: third.keys)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # no other connection can write until it ends
        third.may_begin.set()
        until(lambda: components_of(app).clusters.repository.trouble)
    until(lambda: listed(app.test_client())["state"] == "running")
    assert len(third.keys) == 1


def test_a_stop_lets_another_replica_try(settings: Settings, another_store: Store, app: Flask, tmp_path: Path) -> None:
    run = tmp_path / "runs"
    slow = command.Settings(program=("sh", "-c", f"echo $CREATION_KEY >> {run}; sleep 600"))
    leaving = create_app(settings, another_store, provisioner=Provisioner("command", KINDS["command"], slow))
    components_of(leaving).lifecycle.start()
    components_of(app).provisioning.provisioner = None  # it only watches
    try:
        create(leaving)
        until(run.exists)
    finally:
        components_of(leaving).lifecycle.stop()
    service = components_of(app).clusters
    until(lambda: service.view_now().pool.creations[0].is_claimable(service.clock()))


@pytest.mark.slow
def test_every_job_is_looked_at_however_many_there_are(
    app: Flask, third: Third, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[str] = set()
    monkeypatch.setattr("cimaster.workers.provisioning._JOB_CHECK", 0.1)

    def look(_settings: object, creation: Creation) -> JobStatus:
        seen.add(creation.id)
        return JobStatus()

    creations: Provisioning = components_of(app).provisioning
    creations.provisioner = Provisioner("third", Kind(command.Settings, third.begin, look), command.Settings())
    third.may_begin.set()
    wanted = creations.creation_request("tess-ci", "john", "master", "e2e")
    made = {creations.create(wanted, force=True).answer.text for _ in range(12)}
    until(lambda: seen == made)


@pytest.mark.slow
def test_a_replica_that_drains_begins_nothing(app: Flask, third: Third, settings: Settings) -> None:
    with contextlib.ExitStack() as stack:
        stack.callback(DrainFile(settings.port).remove)
        DrainFile(settings.port).make()
        create(app)
        (worker,) = (w for w in components_of(app).lifecycle.workers if isinstance(w, ProvisioningWorker))
        for _ in range(2):  # a round begins by clearing the event: once the second has begun, the first has ended
            worker.wake()
            until(lambda: not worker._woken.is_set())
        assert not worker._calls
    third.may_begin.set()
    until(lambda: third.keys)


def test_a_provisioner_with_a_bug_stops_nothing_and_is_counted(app: Flask, third: Third) -> None:
    third.fails = ZeroDivisionError("oops")
    third.may_begin.set()
    create(app)
    registry = components_of(app).metrics.registry
    until(lambda: registry.get_sample_value("cimaster_thread_errors_total", {"thread": "provisioning"}))
    assert app.test_client().get("/readyz").status_code == 200


def test_a_local_build_stays_claimed_and_stops_when_the_claim_is_lost(
    app: Flask, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cimaster.workers.provisioning._RENEW", 0.1)
    halted = Event()

    def building(_settings: object, _creation: Creation, halt: Event) -> Built:
        halt.wait(60)
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


def test_what_is_built_is_added_also_when_its_creation_has_another_cluster(app: Flask, add: Add) -> None:
    may_end = Event()

    def built(_settings: object, _creation: Creation, _halt: Event) -> Built:
        may_end.wait(60)
        return Built("built", ClusterFacts("us"))

    components_of(app).provisioning.provisioner = Provisioner(
        "third", Kind(command.Settings, built, builds=True), command.Settings()
    )
    identity = create(app)
    until(lambda: listed(app.test_client())["state"] == "running")
    add("by-hand")
    assert listed(app.test_client())["state"] == "running"  # a cluster added by hand is not the one that is built
    add("given", creation=identity)
    may_end.set()
    until(lambda: app.test_client().get("/clusters/built").status_code == 200)
    assert listed(app.test_client())["cluster"] == "given"


def test_a_cluster_that_the_pool_will_not_have_fails_its_creation(app: Flask, add: Add, third: Third) -> None:
    add("taken", region="mars")

    def built(_settings: object, _creation: Creation, _stop: Event) -> Built:
        return Built("taken", ClusterFacts("us"))

    components_of(app).provisioning.provisioner = Provisioner(
        "third", Kind(command.Settings, built, builds=True), command.Settings()
    )
    create(app)
    until(lambda: listed(app.test_client())["state"] == "failed")
    assert "taken exists already" in listed(app.test_client())["reason"]
