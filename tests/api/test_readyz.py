"""Readiness of a replica; a failure of the store shows there but does not make it unready."""

from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from cimaster.settings import Settings
from cimaster.web.components import components_of
from cimaster.workers.drain_file import DrainFile
from tests.conftest import Add


def test_a_replica_with_its_threads_running_is_ready(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    answer = client.get("/readyz")
    body = answer.get_json()
    assert answer.status_code == 200
    assert (body["ready"], body["threads"], body["store_tried"], body["accepting"]) == (True, True, True, True)
    assert (body["store"], body["clock"]) == ("ok", "ok")
    assert body["age"] >= 0


def test_a_replica_that_drains_is_not_ready(client: FlaskClient, settings: Settings, add: Add) -> None:
    add("cluster-01")
    DrainFile(settings.port).make()
    try:
        answer = client.get("/readyz")
        assert (answer.status_code, answer.get_json()["accepting"]) == (503, False)
        assert client.get("/clusters").status_code == 200
    finally:
        DrainFile(settings.port).remove()
    assert client.get("/readyz").status_code == 200


def test_a_replica_whose_threads_ended_is_not_ready(app: Flask, client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    components_of(app).lifecycle.stop()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.get_json()["threads"]) == (503, False)


def test_a_list_of_admins_that_cannot_be_read_leaves_the_replica_ready(
    client: FlaskClient, settings: Settings, add: Add
) -> None:
    add("cluster-01")
    assert client.get("/readyz").get_json()["files"] == "ok"
    (Path(settings.admin_dir) / "users").write_bytes(b"s3cret\xff\xff")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.get_json()["ready"]) == (200, True)
    assert answer.get_json()["files"] == "cannot be used: admins; the log says why"
