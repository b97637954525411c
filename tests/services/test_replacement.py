"""`import --replace` leaves a trace in the history, and ends the uses that it takes away."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.services.import_export import importing
from cimaster.services.pool_file import data_of
from cimaster.settings import Settings
from tests.conftest import Add, MovableClock

JSON = {"Accept": "application/json"}
JOB = {"job": "e2e", "build": "7"}


def vacant(name: str, **more: object) -> dict[str, object]:
    """Return a record as a file has it."""
    return {"name": name, "region": "us-west", "status": "finished", **more}


def replace_by(repository: ConfigMapRepository, settings: Settings, *records: dict[str, object]) -> None:
    repository.update(importing(data_of(json.dumps(records)), settings, replace=True, by="root"))


def hours(client: FlaskClient, by: str, label: str, state: str) -> float:
    """Return the hours of a job or a person."""
    rows = client.get(f"/usage?by={by}", headers=JSON).get_json()["usage"]
    return float(sum(row["hours"][state] for row in rows if row[by] == label))


def imported(client: FlaskClient) -> dict[str, dict[str, Any]]:
    """Return the changes of the import, by cluster, which one write made."""
    found = [entry for entry in history(client) if entry["event"] in ("imported", "deleted")]
    assert {entry["reason"] for entry in found if entry["event"] == "deleted"} == {"cimaster import --replace"}
    assert len({entry["commit"] for entry in found}) == 1
    assert {entry["by"] for entry in found} == {"root"}
    common = ("commit", "at", "cluster", "by", "reason", "purpose", "region")
    return {e["cluster"]: {key: value for key, value in e.items() if key not in common} for e in found}


def history(client: FlaskClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/history?limit=100", headers=JSON).get_json()["history"]
    return found


def test_each_cluster_that_changes_has_one_entry_in_the_same_write(
    repository: ConfigMapRepository, settings: Settings, client: FlaskClient, add: Add
) -> None:
    add(*(f"c-{number}" for number in range(1, 7)))
    for name in ("c-1", "c-2"):
        client.post("/getvacant", data={**JOB, "cluster": name, "email": "bot@example.com"})
    for name in ("c-3", "c-4", "c-5"):
        client.post("/holdcluster", data={"cluster": name, "name": "ann"})
    held_by_ben = vacant("c-5", hold=True, holdBy="ben")
    replace_by(repository, settings, vacant("c-1"), vacant("c-3"), held_by_ben, vacant("c-6"), vacant("c-7"))
    of_job, of_ann = {"job": "e2e", "build": "7"}, {"holder": "ann"}
    found = imported(client)
    assert found == {
        "c-1": {"event": "imported", "from": "occupied", "to": "vacant", **of_job},
        "c-2": {"event": "deleted", "from": "occupied", **of_job},
        "c-3": {"event": "imported", "from": "held", "to": "vacant", **of_ann},
        "c-4": {"event": "deleted", "from": "held", **of_ann},
        "c-5": {"event": "imported", "from": "held", "to": "held", **of_ann, "newHolder": "ben"},
        "c-7": {"event": "imported", "to": "vacant"},
    }


def test_an_import_into_an_empty_pool_changes_no_cluster(
    repository: ConfigMapRepository, settings: Settings, client: FlaskClient
) -> None:
    replace_by(repository, settings, vacant("c-1"))
    assert history(client) == []


def test_the_uses_end_in_the_sums(
    repository: ConfigMapRepository, settings: Settings, client: FlaskClient, add: Add, clock: MovableClock
) -> None:
    add("c-1", "c-2")
    client.post("/getvacant", data={**JOB, "cluster": "c-1", "ttl": "1d"})
    client.post("/holdcluster", data={"cluster": "c-2", "name": "ann", "duration": "1d"})
    clock.forward(hours=2)
    replace_by(repository, settings, vacant("c-1"))
    clock.forward(hours=3)
    assert hours(client, "job", "e2e", "occupied") == pytest.approx(2, abs=0.01)
    assert hours(client, "person", "ann", "held") == pytest.approx(2, abs=0.01)


def test_a_use_that_begins_with_the_import_counts_from_then_on(
    repository: ConfigMapRepository, settings: Settings, client: FlaskClient, add: Add, clock: MovableClock
) -> None:
    add("c-1", "c-2")
    clock.forward(hours=2)
    occupied_record = vacant("c-1", status="testing", lastJob="e2e", lastBuild="8")
    replace_by(repository, settings, occupied_record, vacant("c-2", hold=True, holdBy="ann"))
    clock.forward(hours=3)
    assert hours(client, "job", "e2e", "occupied") == pytest.approx(3, abs=0.01)
    assert hours(client, "person", "ann", "held") == pytest.approx(3, abs=0.01)


def test_pages_show_the_use_that_the_import_ended(
    repository: ConfigMapRepository, settings: Settings, client: FlaskClient, add: Add
) -> None:
    add("c-1")
    client.post("/getvacant", data={**JOB, "cluster": "c-1", "name": "ann"})
    replace_by(repository, settings, vacant("c-1"))
    page = client.get("/ui/clusters/c-1").text
    assert "Previous use" in page
    assert "e2e #7" in page.partition("Previous use")[2]
    assert "imported" in client.get("/ui/history?kind=imported").text
