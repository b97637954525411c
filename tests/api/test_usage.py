"""Usage as scripts read it, over the archive and what is not archived yet."""

import csv
import io
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from cimaster.pool.records.history import Entry
from cimaster.pool.usage.fold import UsageFold
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.services import archive_rewrite
from cimaster.services.usage_sums import count_usage, pack
from tests.conftest import Add, MovableClock

JSON = {"Accept": "application/json"}


def usage(client: FlaskClient, **query: str) -> dict[str, Any]:
    """Return the rows of an answer by their label."""
    answer = client.get("/usage", query_string=query, headers=JSON)
    assert answer.status_code == 200, answer.text
    found = answer.get_json()
    return {row[found["by"]]: row for row in found["usage"]} | {"": found["total"]}


def test_hours_takes_and_failures_are_summed_by_job(client: FlaskClient, add: Add, clock: MovableClock) -> None:
    add("cluster-01", "cluster-02")
    client.get("/getvacant?build=1&job=e2e&name=alice")
    clock.forward(hours=2)
    client.get("/finishtest?cluster=cluster-01&job=e2e&build=1&result=fail")
    client.get("/getvacant?build=2&job=scale&name=bob")
    clock.forward(hours=1)
    found = usage(client, by="job")
    assert found["e2e"]["hours"]["occupied"] == pytest.approx(2, abs=0.01)
    assert (found["e2e"]["takes"], found["e2e"]["failures"]) == (1, 1)
    assert found["scale"]["hours"]["occupied"] == pytest.approx(1, abs=0.01)
    assert found[""]["withinOneMinute"] == 1
    people = usage(client, by="person")
    assert people["bob"]["hours"]["occupied"] == pytest.approx(1, abs=0.01)
    clusters = usage(client, by="cluster")
    assert sum(clusters[""]["hours"].values()) == pytest.approx(6, abs=0.01)
    assert clusters["cluster-01"]["failures"] == 1


def test_a_hold_counts_for_its_holder_and_is_listed(client: FlaskClient, add: Add, clock: MovableClock) -> None:
    add("cluster-01")
    client.get("/holdcluster?cluster=cluster-01&name=alice&duration=3h")
    clock.forward(hours=4)
    client.get("/holdcluster?cluster=cluster-01&name=bob")
    clock.forward(minutes=1)
    found = client.get("/usage?by=person", headers=JSON).get_json()
    alice, bob = found["longestHolds"]
    assert (alice["cluster"], alice["holder"], bob["holder"]) == ("cluster-01", "alice", "bob")
    assert alice["hours"] >= 3
    assert alice["ended"]
    assert bob["ended"] is None


def test_the_text_says_when_nothing_is_recorded(client: FlaskClient) -> None:
    answer = client.get("/usage?by=week")
    assert answer.status_code == 200
    assert "no usage is recorded in this span" in answer.text


def test_csv_has_no_cell_that_a_spreadsheet_calculates(client: FlaskClient, add: Add) -> None:
    add("cluster-01", "cluster-02", "cluster-03")
    for number, job in enumerate(['=cmd|"/c calc"!A0', "+1", "@sum"]):
        client.get("/getvacant", query_string={"build": str(number), "job": job})
    answer = client.get("/usage?by=job&format=csv")
    assert answer.mimetype == "text/csv"
    heads, *lines = csv.reader(io.StringIO(answer.text))
    assert heads[0] == "job"
    assert {line[0] for line in lines} == {'\'=cmd|"/c calc"!A0', "'+1", "'@sum"}
    assert client.get("/usage", headers={"Accept": "text/csv"}).mimetype == "text/csv"


def test_a_wrong_breakdown_is_refused(client: FlaskClient) -> None:
    answer = client.get("/usage?by=color")
    assert answer.status_code == 400
    assert "cluster" in answer.text


@pytest.fixture
def archived(client: FlaskClient, add: Add, repository: ConfigMapRepository) -> FlaskClient:
    """A pool whose history is in the archive."""
    add("cluster-01")
    client.get("/getvacant?build=1&job=e2e&name=alice")
    entries = [(entry.get_number("commit"), entry) for entry in repository.snapshot().pool.history]
    repository.history_ring.append(entries, "", count_usage)
    return client


def test_archived_changes_count_once(archived: FlaskClient, clock: MovableClock) -> None:
    clock.forward(hours=1)
    archived.get("/finishtest?cluster=cluster-01&job=e2e&build=1")
    found = usage(archived, by="job")
    assert found["e2e"]["takes"] == 1
    assert found["e2e"]["hours"]["occupied"] == pytest.approx(1, abs=0.01)


def test_damaged_sums_are_counted_again_from_the_changes(
    archived: FlaskClient, repository: ConfigMapRepository
) -> None:
    slot = repository.history_ring.slots()[0]
    repository.history_ring.replace(slot, replace(slot, usage=b"garbage"))
    assert usage(archived, by="job")["e2e"]["takes"] == 1


def test_stored_sums_are_renewed_after_many_changes(repository: ConfigMapRepository) -> None:
    ring = repository.history_ring
    stored = []
    for number in range(1, 1401, 50):
        entries = [(n, Entry({"commit": n, "event": "renewed"})) for n in range(number, number + 50)]
        ring.append(entries, "", count_usage)
        stored.append(ring.slots()[0].usage)
    assert 2 <= len(set(stored)) <= 4


def test_sums_can_be_counted_again_from_the_archive(archived: FlaskClient, repository: ConfigMapRepository) -> None:
    ring = repository.history_ring
    slot = ring.slots()[0]
    ring.replace(slot, replace(slot, usage=pack(UsageFold(counted=2))))  # plausible, but wrong
    assert "e2e" not in usage(archived, by="job")
    assert archive_rewrite.rebuild_usage(repository) == 2
    assert usage(archived, by="job")["e2e"]["takes"] == 1
