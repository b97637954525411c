"""Nothing that can be stored makes an endpoint, a page, a background thread or a scrape fail."""

import contextlib
import json
from pathlib import Path
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from prometheus_client import generate_latest

from cimaster.pool.decisions.creation_attempts import TriggeredJob
from cimaster.pool.records.creation import JOB, Creation
from cimaster.provisioners import Kind, Provisioner, command
from cimaster.provisioners.outcome import Failure, JobStatus
from cimaster.repository.stores.port import Conflict
from cimaster.repository.stores.sqlite import SQLiteStore
from cimaster.web.components import components_of
from tests.stored import OBJECTS

# The service's threads draw random pauses, which make hypothesis report a strategy that is not reproducible.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")

JSON = {"Accept": "application/json"}
LISTS = ("/clusters", "/creations", "/policies", "/queue", "/history", "/readyz")
PAGES = (
    "/",
    "/ui/admin",
    "/ui/queue",
    "/ui/creations",
    "/ui/fragments/clusters",
    "/ui/fragments/summary",
    "/ui/fragments/inventory",
    "/ui/fragments/policies",
)
VERBS = (
    "/getvacant?job=e2e&build=9",
    "/getvacant?job=e2e&build=9&request_id=r-1",
    "/finishtest?cluster=cluster-03&job=e2e&build=7",
    "/finishtest?cluster=cluster-01",
    "/renewlease?cluster=cluster-03&lease=l-1",
    "/holdcluster?cluster=any&name=bob",
    "/leavequeue?request_id=r-3",
    "/holdcluster?cluster=cluster-02&name=al&duration=1h",
    "/releasecluster?cluster=cluster-02&name=al",
    "/holdcluster?cluster=cluster-01&name=bob&request_id=r-2",
    "/disablecluster?cluster=cluster-01&name=root",
    "/setpolicy?purpose=tess-ci&name=root&min_vacant=1&max_total=2",
    "/removepolicy?purpose=tess-ci&name=root",
    "/addcluster?cluster=new&region=us&name=root&creation=c-2",
    "/deletecluster?cluster=cluster-01&name=root",
)
THREADS = ("committer", "watcher", "reaper", "provisioning", "queue-dispatcher")


@pytest.fixture
def store(tmp_path: Path) -> SQLiteStore:
    """SQLite only: stored data mean the same in each store."""
    return SQLiteStore(str(tmp_path / "pool.db"), "clusters")


@pytest.fixture
def provisioner() -> Provisioner:
    """A provisioner that cannot create more clusters, and knows no job."""

    def begin(_settings: object, _creation: Creation, _stop: object) -> TriggeredJob:
        raise Failure(JOB, "no quota left")

    kind = Kind(command.Settings, begin, lambda _settings, _creation: JobStatus(ended=True, failure="it is gone"))
    return Provisioner("full", kind, command.Settings())


def write(store: SQLiteStore, data: dict[str, str]) -> None:
    """Store an object, as an operator does by hand while the service runs."""
    while True:
        with contextlib.suppress(Conflict):
            stored = store.read()
            store.replace(stored.replaced(data, stored.annotations))
            return


def well(client: FlaskClient, path: str, method: str = "GET", **headers: str) -> str:
    """Check that an answer is not a failure of the service, and return it."""
    answer = client.open(path, method=method, headers=headers)
    assert answer.status_code < 500, (path, answer.text)
    return answer.text


@pytest.mark.slow
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(OBJECTS)
def test_no_stored_value_makes_any_part_of_the_service_fail(
    app: Flask, client: FlaskClient, store: SQLiteStore, data: dict[str, str]
) -> None:
    service, metrics = components_of(app).clusters, components_of(app).metrics
    write(store, data)
    service.repository.fresh()
    clusters = json.loads(well(client, "/clusters", **JSON), parse_int=float)["clusters"]
    names = [line.split("  ")[0] for line in well(client, "/clusters").splitlines()[1:]] if clusters else []
    for path in LISTS:
        assert all(line.isprintable() for line in well(client, path).split("\n"))
        json.loads(well(client, path, **JSON), parse_int=float, parse_constant=pytest.fail)
    for path in (*PAGES, *(f"/ui/cluster?name={quote(name)}" for name in names)):
        well(client, path)
    for name in names:
        well(client, f"/clusters/{quote(name)}", **JSON)
    generate_latest(metrics.registry)
    service.expire()
    components_of(app).provisioning.top_up()
    for path in VERBS:
        well(client, path, "POST")
    for path in PAGES[:2]:
        well(client, path)
    for thread in THREADS:
        assert not metrics.registry.get_sample_value("cimaster_thread_errors_total", {"thread": thread}), thread
