"""The check worker runs each check and clean once, even if a replica dies or the store is unavailable."""

import contextlib
import dataclasses
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cimaster.app import create_app
from cimaster.checks import DefinedChecks
from cimaster.pool import Answer, PurposeTerms
from cimaster.pool.records.cluster import Cluster
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.stores.port import Store
from cimaster.repository.stores.sqlite import SQLiteStore
from cimaster.services.check_claims import CheckClaims
from cimaster.settings import Settings
from cimaster.web.components import components_of
from cimaster.workers import checks
from cimaster.workers.checks import CheckWorker
from cimaster.workers.drain_file import DrainFile
from tests.conditions import until
from tests.conftest import ADMIN, Add, MovableClock

ONLY_SQLITE = pytest.mark.parametrize("store", ["sqlite"], indirect=True)


class Operator:
    """The operator's programs: they append a line to a file, and end when the test allows it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.file = folder / "checks.ini"
        self.define()

    def define(self, timeout: str = "5m") -> None:
        """Write the definitions of ping and wipe; the latter waits until it `may_end`."""
        wait = f"until [ -e {self._folder}/end ]; do sleep 0.05; done"
        ping, wipe = (
            f"sh -c 'echo \"$CLUSTER $CHECK_KEY\" >> {self._folder}/{name}; {then}; test ! -e {self._folder}/sick'"
            for name, then in (("ping", "true"), ("wipe", wait))
        )
        self.file.write_text(
            f"[ping]\nkind = command\nprogram = {ping}\n[wipe]\nkind = command\nprogram = {wipe}\ntimeout = {timeout}\n"
        )

    def may_end(self) -> None:
        """Let every clean end."""
        (self._folder / "end").touch()

    def make_sick(self, sick: bool) -> None:
        """Make every check and clean fail, or pass again."""
        (self._folder / "sick").touch() if sick else (self._folder / "sick").unlink()

    def runs(self, name: str) -> list[str]:
        """Return the cluster and the key of each run."""
        path = self._folder / name
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    """The operator's file and programs."""
    operator = Operator(tmp_path)
    yield operator
    operator.may_end()


@pytest.fixture
def settings(settings: Settings, operator: Operator) -> Settings:
    """Settings with the operator's file."""
    return dataclasses.replace(settings, checks_file=str(operator.file))


@pytest.fixture
def second(settings: Settings, another_store: Store, clock: MovableClock) -> Iterator[Flask]:
    """Another replica with the same store, whose threads a test starts."""
    app = create_app(settings, another_store, clock)
    yield app
    if components_of(app).lifecycle.checks()["threads"]():
        components_of(app).lifecycle.stop()


def worker_of(app: Flask) -> CheckWorker:
    """Return the check worker of a replica."""
    (worker,) = (w for w in components_of(app).lifecycle.workers if isinstance(w, CheckWorker))
    return worker


def claims_of(app: Flask) -> CheckClaims:
    """Return claims for one more replica, which never renews them."""
    return CheckClaims(components_of(app).clusters.repository)


def wait_for_rounds(worker: CheckWorker) -> None:
    """Wait until a round has begun and ended: each starts by clearing the event that ends its pause."""
    for _ in range(2):
        worker.wake()
        until(lambda: not worker._woken.is_set())


def call(client: FlaskClient, path: str, **parameters: str) -> str:
    """Call an endpoint, which must answer with 200."""
    answer = client.post(path, data=parameters)
    assert answer.status_code == 200, answer.text
    return answer.text.strip()


def clean_after_use(client: FlaskClient) -> None:
    """Have the clusters of the default purpose cleaned."""
    call(client, "/setpurpose", purpose="tess-ci", clean="wipe", name=ADMIN)


def use(client: FlaskClient, **wanted: str) -> str:
    """Take a cluster and give it back; return its name."""
    build = uuid.uuid4().hex  # the same build again would count as a repeat
    name = call(client, "/getvacant", build=build, job="e2e", **wanted)
    call(client, "/finishtest", cluster=name, build=build, job="e2e")
    return name


def cluster(app: Flask, name: str = "c-1") -> Cluster:
    """Return a cluster as the replica sees it now."""
    return components_of(app).clusters.view_now().pool.find(name)


def counted(app: Flask, kind: str, outcome: str) -> float:
    """Return how many checks or cleans have ended so at a replica."""
    labels = {"kind": kind, "outcome": outcome}
    return components_of(app).metrics.registry.get_sample_value("cimaster_checks_total", labels) or 0.0


def test_a_returned_cluster_is_cleaned_before_it_is_lent(
    app: Flask, client: FlaskClient, add: Add, operator: Operator, caplog: pytest.LogCaptureFixture
) -> None:
    add("c-1")
    clean_after_use(client)
    caplog.set_level("INFO")
    use(client)
    until(lambda: operator.runs("wipe"))
    assert cluster(app).state == "checking"
    assert client.post("/getvacant", data={"build": "2", "job": "e2e"}).status_code == 404
    operator.may_end()
    until(lambda: cluster(app).state == "vacant")
    assert use(client) == "c-1"
    until(lambda: counted(app, "clean", "passed") == 2)
    keys = {run.split()[1] for run in operator.runs("wipe")}
    assert len(keys) == len(operator.runs("wipe")) == 2
    until(lambda: caplog.messages.count("clean passed") == 2)


def test_a_vacant_cluster_is_checked_every_so_often(
    app: Flask, client: FlaskClient, add: Add, operator: Operator, clock: MovableClock
) -> None:
    add("c-1")
    call(client, "/setpurpose", purpose="tess-ci", check="ping", every="10m", name=ADMIN)
    until(lambda: counted(app, "check", "passed") == 1)
    until(lambda: cluster(app).state == "vacant")  # the outcome is counted before it is written
    wait_for_rounds(worker_of(app))
    assert len(operator.runs("ping")) == 1
    clock.forward(minutes=10, seconds=1)
    worker_of(app).wake()
    until(lambda: counted(app, "check", "passed") == 2)
    until(lambda: cluster(app).state == "vacant")


def test_a_cluster_that_fails_its_checks_is_out_until_one_passes(
    app: Flask, client: FlaskClient, add: Add, operator: Operator, clock: MovableClock
) -> None:
    add("c-1", "c-2")
    operator.make_sick(True)
    call(client, "/setpurpose", purpose="tess-ci", check="ping", every="1h", name=ADMIN)
    until(lambda: failures(app) == [1, 1])
    assert "its check failed: sh ended with 1" in cluster(app).health.reason
    clock.forward(minutes=5)
    worker_of(app).wake()
    until(lambda: failures(app) == [2, 2])
    assert {cluster(app).state, cluster(app, "c-2").state} == {"quarantined", "vacant"}  # not both
    operator.make_sick(False)
    clock.forward(minutes=5)
    worker_of(app).wake()
    until(lambda: failures(app) == [0, 0])
    assert {cluster(app).state, cluster(app, "c-2").state} == {"vacant"}
    assert counted(app, "check", "failed") == 4


def failures(app: Flask) -> list[int]:
    """Return how many checks of each of two clusters have failed in a row, by their stored outcomes."""
    return [cluster(app, name).health.failed_checks for name in ("c-1", "c-2")]


@pytest.mark.slow
def test_a_clean_that_hangs_is_cut(app: Flask, client: FlaskClient, add: Add, operator: Operator) -> None:
    operator.define(timeout="1s")
    add("c-1")
    clean_after_use(client)
    use(client)
    until(lambda: counted(app, "clean", "failed"))
    until(lambda: cluster(app).health.state == "suspect")
    assert cluster(app).health.reason == "its clean failed: sh was stopped after 1 s, its time-out"
    assert cluster(app).state == "checking"  # it is cleaned again before it is lent


def test_a_check_that_is_not_defined_has_failed(app: Flask, client: FlaskClient, add: Add, operator: Operator) -> None:
    add("c-1")
    components_of(app).clusters.set_purpose("tess-ci", ADMIN, PurposeTerms(check="pong"))
    until(lambda: cluster(app).health.state == "suspect")
    assert f"pong is not defined in {operator.file}" in cluster(app).health.reason


@pytest.mark.slow
def test_two_replicas_clean_each_cluster_once(
    app: Flask, second: Flask, client: FlaskClient, add: Add, operator: Operator
) -> None:
    components_of(second).lifecycle.start()
    names = [f"c-{number}" for number in range(6)]
    add(*names)
    clean_after_use(client)
    operator.may_end()
    for name in names:
        use(client, cluster=name)  # any other take might get one that is clean again already
    until(lambda: all(cluster(app, name).state == "vacant" for name in names))
    assert sorted(run.split()[0] for run in operator.runs("wipe")) == names
    assert counted(app, "clean", "passed") + counted(second, "clean", "passed") == len(names)


def test_a_lost_replicas_clean_is_taken_over_under_the_same_key(
    app: Flask, second: Flask, client: FlaskClient, add: Add, operator: Operator, clock: MovableClock
) -> None:
    worker_of(app).draining = lambda: True
    add("c-1")
    clean_after_use(client)
    use(client)
    components_of(second).clusters.repository.start()
    try:
        claimed = claims_of(second).claim("c-1")
    finally:
        components_of(second).clusters.repository.stop()
    assert claimed
    worker_of(app).draining = lambda: False
    wait_for_rounds(worker_of(app))
    assert operator.runs("wipe") == []
    clock.forward(seconds=61)
    worker_of(app).wake()
    until(lambda: operator.runs("wipe"))
    assert operator.runs("wipe") == [f"c-1 {claimed.key}"]


@ONLY_SQLITE  # with Kubernetes, the API server's clock would count
@pytest.mark.parametrize("interrupted", [False, True])
def test_a_replica_with_a_wrong_clock_takes_over_nothing(
    app: Flask,
    client: FlaskClient,
    add: Add,
    operator: Operator,
    clock: MovableClock,
    store: SQLiteStore,
    interrupted: bool,
) -> None:
    add("c-1")
    clean_after_use(client)
    use(client)
    until(lambda: operator.runs("wipe"))
    worker_of(app).draining = lambda: True
    if interrupted:  # the program may need until the end of the claim to end
        call(client, "/holdcluster", cluster="c-1", name="alice")
        call(client, "/releasecluster", cluster="c-1", name="alice")
    store.clock_skew = 3600.0
    clock.forward(hours=2)
    until(lambda: [due.name for due in claims_of(app).due()] == ["c-1"])
    assert claims_of(app).claim("c-1") is None
    assert len(operator.runs("wipe")) == 1


def test_a_stopping_replica_releases_its_claim(
    app: Flask, second: Flask, client: FlaskClient, add: Add, operator: Operator
) -> None:
    worker_of(app).draining = lambda: True
    add("c-1")
    clean_after_use(client)
    use(client)
    components_of(second).lifecycle.start()
    until(lambda: operator.runs("wipe"))
    components_of(second).lifecycle.stop()
    assert counted(second, "clean", "interrupted") == 1
    until(lambda: claims_of(app).due())
    worker_of(app).draining = lambda: False
    until(lambda: len(operator.runs("wipe")) == 2)
    assert len(set(operator.runs("wipe"))) == 1


def test_a_draining_replica_starts_nothing(
    app: Flask, client: FlaskClient, add: Add, operator: Operator, settings: Settings
) -> None:
    add("c-1")
    clean_after_use(client)
    with contextlib.ExitStack() as stack:
        stack.callback(DrainFile(settings.port).remove)
        DrainFile(settings.port).make()
        use(client)
        wait_for_rounds(worker_of(app))
        assert not worker_of(app)._runs
        assert operator.runs("wipe") == []
    worker_of(app).wake()
    until(lambda: operator.runs("wipe"))


@pytest.mark.slow
def test_a_long_clean_keeps_its_claim_and_ends_when_it_is_lost(
    app: Flask,
    client: FlaskClient,
    add: Add,
    operator: Operator,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checks, "_RENEW", 0.1)
    add("c-1")
    clean_after_use(client)
    use(client)
    until(lambda: operator.runs("wipe"))
    first = cluster(app).check_claimed_until
    assert first
    clock.forward(seconds=50)
    until(lambda: (cluster(app).check_claimed_until or first) > first)
    call(client, "/deletecluster", cluster="c-1", force="true", reason="gone", name=ADMIN)
    until(lambda: counted(app, "clean", "interrupted") == 1)
    assert not claims_of(app).due()


def test_a_lost_claim_is_noticed_if_the_name_has_blanks(app: Flask, repository: ConfigMapRepository) -> None:
    named_by_hand = Cluster.new({"name": "lab 1", "status": "finished"})
    repository.update(lambda pool, now: (pool.changed(None, named_by_hand, "added", now), Answer("")))
    assert claims_of(app).renew(["lab 1"]) == {"lab 1"}


def test_a_replica_runs_only_so_many_checks_at_a_time(
    app: Flask, client: FlaskClient, add: Add, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "_MAX_RUNS", 2)
    names = [f"c-{number}" for number in range(5)]
    add(*names)
    clean_after_use(client)
    for _ in names:
        use(client)
    until(lambda: len(operator.runs("wipe")) == 2)
    wait_for_rounds(worker_of(app))
    assert len(operator.runs("wipe")) == 2
    operator.may_end()
    until(lambda: all(cluster(app, name).state == "vacant" for name in names))


@pytest.mark.slow
@ONLY_SQLITE
def test_an_outcome_is_written_when_the_store_is_available_again(
    app: Flask, client: FlaskClient, add: Add, operator: Operator, store: SQLiteStore
) -> None:
    add("c-1")
    clean_after_use(client)
    use(client)
    until(lambda: operator.runs("wipe"))
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # no other connection can write until it ends
        operator.may_end()
        until(lambda: components_of(app).clusters.repository.trouble)
    until(lambda: cluster(app).state == "vacant")
    assert len(operator.runs("wipe")) == 1


@pytest.mark.slow
def test_a_hold_ends_a_running_clean_and_no_other_replica_overlaps(
    app: Flask, second: Flask, client: FlaskClient, add: Add, operator: Operator, clock: MovableClock
) -> None:
    add("c-1")
    clean_after_use(client)
    use(client)
    until(lambda: operator.runs("wipe"))
    components_of(second).lifecycle.start()
    call(client, "/holdcluster", cluster="c-1", name="alice")
    call(client, "/releasecluster", cluster="c-1", name="alice")
    until(lambda: counted(app, "clean", "interrupted") == 1)  # although no renewal is due
    wait_for_rounds(worker_of(second))
    assert len(operator.runs("wipe")) == 1
    clock.forward(seconds=61)
    worker_of(second).wake()
    until(lambda: len(operator.runs("wipe")) == 2)


@pytest.mark.slow
@ONLY_SQLITE
def test_a_replica_that_cannot_renew_its_claim_ends_the_clean(
    app: Flask,
    client: FlaskClient,
    add: Add,
    operator: Operator,
    store: SQLiteStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checks, "_RESERVE", 58.0)  # of 60 seconds
    add("c-1")
    clean_after_use(client)
    use(client)
    until(lambda: operator.runs("wipe"))
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # no other connection can write until it ends
        until(lambda: counted(app, "clean", "interrupted"))
    until(lambda: len(operator.runs("wipe")) > 1)  # each of them ends after 2 s, so there may be more
    assert len(set(operator.runs("wipe"))) == 1


class Unexpected(Exception):
    """An error that no check should raise."""


def test_an_unexpected_error_is_counted_and_fails_the_check(app: Flask, client: FlaskClient, add: Add) -> None:
    class Faulty(DefinedChecks):
        def run(self, *_: Any) -> str:
            raise Unexpected

    worker_of(app)._checks = Faulty("")
    add("c-1")
    call(client, "/setpurpose", purpose="tess-ci", check="ping", name=ADMIN)
    until(lambda: cluster(app).health.state == "suspect")
    assert "ping cannot be run (Unexpected)" in cluster(app).health.reason
    registry = components_of(app).metrics.registry
    assert registry.get_sample_value("cimaster_thread_errors_total", {"thread": "checks"}) == 1
