"""A pool that was written in open mode, served with `auth = required`, and back: what has no owner keeps its rules."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cimaster.app import create_app
from cimaster.pool import Pool
from cimaster.repository.stores.sqlite import SQLiteStore
from cimaster.settings import Settings
from cimaster.web.components import components_of
from tests.log_lines import logged
from tests.required import RequiredFiles, bearer

JOB = {"build": "7", "job": "e2e"}
Serve = Callable[[str], AbstractContextManager[FlaskClient]]


@pytest.fixture
def serve(settings: Settings, tmp_path: Path) -> Serve:
    """Serve one pool in a mode, for the time of a `with`."""

    @contextmanager
    def serving(mode: str) -> Iterator[FlaskClient]:
        app = create_app(replace(settings, auth=mode, waiters=0), SQLiteStore(str(tmp_path / "both.db"), "clusters"))
        lifecycle = components_of(app).lifecycle
        lifecycle.start()
        yield app.test_client()
        lifecycle.stop()

    return serving


@pytest.fixture(autouse=True)
def pool_of_open_mode(serve: Serve) -> None:
    """A pool in which open mode has left a lease, a hold, a ticket, and a vacant cluster."""
    with serve("open") as client:
        for number in range(1, 4):
            client.post("/addcluster", data={"cluster": f"cluster-0{number}", "region": "r", "name": "root"})
        client.post("/getvacant", data={**JOB, "cluster": "cluster-01", "ttl": "1d", "request_id": "open-1"})
        client.post("/holdcluster", data={"cluster": "cluster-02", "name": "person-1"})
        waiting = {**JOB, "cluster": "cluster-01", "wait": "1h", "request_id": "open-2"}
        assert client.post("/getvacant", data=waiting).status_code == 429


def pool(client: FlaskClient) -> Pool:
    """Return the pool as it is stored now."""
    assert isinstance(client.application, Flask)
    return components_of(client.application).clusters.view_now().pool


def code(client: FlaskClient, path: str, caller: str, **sent: str) -> int:
    """Send a verb as a caller of required mode, and return the status."""
    return client.post(path, data=sent, headers=bearer(caller)).status_code


def test_what_no_decision_changes_keeps_its_bytes(serve: Serve) -> None:
    with serve("open") as client:
        before = {cluster.name: cluster.text for cluster in pool(client).clusters}
    with serve("required") as client:
        assert code(client, "/getvacant", "ci-1", **JOB) == 200
        after = {cluster.name: cluster.text for cluster in pool(client).clusters}
    assert {name for name in before if before[name] != after[name]} == {"cluster-03"}


def test_a_lease_of_open_mode_is_finished_by_any_job(serve: Serve) -> None:
    with serve("required") as client:
        lease = pool(client).find("cluster-01").lease
        assert lease
        assert code(client, "/renewlease", "ci-2", cluster="cluster-01", lease=lease.id) == 200
        assert code(client, "/finishtest", "person-1", cluster="cluster-01", lease=lease.id) == 403
        assert code(client, "/finishtest", "ci-2", cluster="cluster-01", **JOB) == 200


def test_a_repeat_of_a_request_of_open_mode_is_known(serve: Serve) -> None:
    sent = {**JOB, "cluster": "cluster-01", "ttl": "1d", "request_id": "open-1"}
    with serve("required") as client:
        answer = client.post("/getvacant", data=sent, headers=bearer("ci-1"))
        assert (answer.text, answer.headers["CIMaster-Repeated"]) == ("cluster-01", "true")


def test_a_hold_of_open_mode_belongs_to_the_caller_of_that_name(serve: Serve) -> None:
    with serve("required") as client:
        assert code(client, "/releasecluster", "person-2", cluster="cluster-02") == 403
        assert code(client, "/releasecluster", "person-1", cluster="cluster-02") == 200


def test_a_ticket_of_open_mode_can_be_left(serve: Serve) -> None:
    with serve("required") as client:
        assert code(client, "/leavequeue", "ci-1", request_id="open-2") == 200
        assert not list(pool(client).queue)


def test_back_in_open_mode_names_decide_again(serve: Serve) -> None:
    """What required mode has stored stays readable, and each caller may end it, as it may end anything."""
    with serve("required") as client:
        assert code(client, "/getvacant", "ci-1", **JOB, request_id="r-1") == 200
        assert code(client, "/releasecluster", "person-1", cluster="cluster-02") == 200
        assert code(client, "/holdcluster", "person-1", cluster="cluster-02") == 200
        assert pool(client).find("cluster-03").lease
    with serve("open") as client:
        assert not [cluster for cluster in pool(client).clusters if cluster.fault]
        lease = pool(client).find("cluster-03").lease
        assert lease
        finished = client.post("/finishtest", data={"cluster": "cluster-03", "lease": lease.id})
        released = client.get("/releasecluster?cluster=cluster-02&name=person-1")
        assert (finished.status_code, released.status_code) == (200, 200)
        assert client.post("/getvacant", data={**JOB, "name": "@ci-1"}).status_code == 200


@pytest.mark.parametrize("name", ["@ci-1", "system:serviceaccount:ci:e2e", "group:developers"])
def test_no_name_of_open_mode_becomes_an_owner(serve: Serve, name: str) -> None:
    with serve("open") as client:
        client.post("/getvacant", data={**JOB, "name": name, "cluster": "cluster-03"})
        client.post("/holdcluster", data={"cluster": "cluster-03", "name": name})
    with serve("required") as client:
        cluster = pool(client).find("cluster-03")
        assert cluster.lease
        assert not cluster.lease.owner.startswith("@")
        assert code(client, "/finishtest", "ci-2", cluster="cluster-03", **JOB) == 200


def test_with_required_the_admins_file_still_counts(serve: Serve, settings: Settings, files: RequiredFiles) -> None:
    (Path(settings.admin_dir) / "users").write_text("root;PERSON-1")
    files.roles.write_text("")
    with serve("required") as client:
        assert code(client, "/disablecluster", "person-1", cluster="cluster-03", reason="x") == 200
        assert code(client, "/enablecluster", "admin-1", cluster="cluster-03") == 403


def test_the_log_of_open_mode_says_who_sends_a_credential_already(serve: Serve) -> None:
    with serve("open") as client, logged() as log:
        for headers in ({}, bearer("person-1")):
            client.post("/holdcluster", data={"cluster": "cluster-03", "name": "person-1"}, headers=headers)
        without, sent = log.lines
    assert "ignores" not in without
    assert sent["ignores"] == "the header Authorization"
    assert bearer("person-1")["Authorization"] not in log.text
