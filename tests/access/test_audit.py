"""What log and history say of each request: its caller, the kind of its credential, its address, and its answer."""

import json
import logging
import re
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from cimaster.common import parsers
from cimaster.settings import Settings
from cimaster.web.endpoints import ENDPOINTS, Endpoint
from cimaster.web.identity.roles import EVERYBODY
from tests.access.conftest import As
from tests.conftest import MovableClock
from tests.log_lines import logged
from tests.required import OUTSIDER, PROXY_SECRET, RequiredFiles, bearer

JSON = {"Accept": "application/json"}
CLUSTER = {"cluster": "cluster-01"}
CLOSED = [endpoint for endpoint in ENDPOINTS if endpoint.roles != EVERYBODY]
BY_PROXY: dict[str, Any] = {
    "headers": {
        "X-Forwarded-User": "alice",
        "X-Forwarded-Groups": "developers",
        "X-CIMaster-Proxy-Secret": PROXY_SECRET,
        "X-Forwarded-For": "192.0.2.7",
    },
    "environ_base": {"REMOTE_ADDR": "10.0.0.7"},
}


@pytest.fixture
def settings(settings: Settings, files: RequiredFiles) -> Settings:
    """Settings with a proxy that names callers."""
    return replace(
        settings, waiters=0, proxy_secret_file=str(files.proxy_secret), trusted_proxies=parsers.networks("10.0.0.0/24")
    )


@pytest.fixture(autouse=True)
def one_cluster(admin: FlaskClient) -> None:
    """The pool has one cluster."""
    assert admin.post("/addcluster", data={**CLUSTER, "region": "us-west"}).status_code == 200


def changes(admin: FlaskClient) -> list[dict[str, Any]]:
    """Return all changes, newest first."""
    found: list[dict[str, Any]] = json.loads(admin.get("/history", headers=JSON).data)["history"]
    return found


def newest(admin: FlaskClient) -> tuple[str, str | None, str | None]:
    """Return what the newest change was, its caller, and how and from where it came."""
    change = changes(admin)[0]
    return change["event"], change.get("caller"), change.get("via")


@pytest.mark.parametrize("endpoint", CLOSED, ids=lambda endpoint: endpoint.name)
def test_each_refused_request_has_a_line(client: FlaskClient, endpoint: Endpoint[Any]) -> None:
    path, method = endpoint.path.replace("<name>", "cluster-01"), endpoint.methods[-1]
    with logged() as log:
        client.open(path, method=method)
        client.open(path, method=method, headers=bearer("unknown"))
        client.open(path, method=method, headers={"X-Forwarded-User": "admin-1"})
        client.open(path, method=method, headers=bearer(OUTSIDER))
    found = [tuple(line.get(key) for key in ("status", "code", "caller", "source", "remote")) for line in log.lines]
    assert found == [
        (401, "no_credential", None, None, "127.0.0.1"),
        (401, "bad_credential", None, None, "127.0.0.1"),
        (400, "bad_proxy_header", None, None, "127.0.0.1"),
        (403, "not_allowed", OUTSIDER, "token", "127.0.0.1"),
    ]


def test_the_caller_of_one_request_is_not_in_the_next_ones_line(client: FlaskClient) -> None:
    with logged(level=logging.DEBUG) as log:
        client.get("/clusters", headers=bearer("reader-1"))
        client.get("/clusters")
        client.get("/healthz")
        client.get("/nowhere")
    assert [line.get("caller") for line in log.lines] == ["reader-1", None, None, None]


def test_a_line_names_the_caller_behind_the_proxy(client: FlaskClient) -> None:
    with logged() as log:
        assert client.get("/clusters", **BY_PROXY).status_code == 200
    [line] = log.lines
    assert (line["caller"], line["source"], line["remote"]) == ("alice", "proxy", "192.0.2.7")


def test_history_names_the_caller_of_each_kind_of_credential(
    calling: As, signed_in: As, client: FlaskClient, admin: FlaskClient
) -> None:
    calling("person-1").post("/holdcluster", data=CLUSTER)
    assert newest(admin) == ("held", "person-1", "token from 127.0.0.1")
    signed_in("person-1").post("/ui/release", data=CLUSTER)
    assert newest(admin) == ("released", "person-1", "session from 127.0.0.1")
    client.post("/holdcluster", data=CLUSTER, **BY_PROXY)
    assert newest(admin) == ("held", "alice", "proxy from 192.0.2.7")


FORMS = {
    "/ui/admin/edit": {
        **CLUSTER,
        "region": "eu",
        "was_region": "us-west",
        "purpose": "tess-ci",
        "was_purpose": "tess-ci",
    },
    "/ui/admin/disable": {**CLUSTER, "reason": "broken"},
    "/ui/admin/quarantine": {**CLUSTER, "reason": "broken"},
    "/ui/admin/disableselected": {"reason": "broken"},
    "/ui/admin/labelselected": {"labels": "a=b"},
    "/ui/admin/holdfor": {**CLUSTER, "to": "carol"},
    "/ui/admin/delete": {**CLUSTER, "typed": "cluster-01"},
}


@pytest.mark.parametrize("path", FORMS)
def test_history_names_the_admin_that_used_a_form(signed_in: As, admin: FlaskClient, path: str) -> None:
    before, browser = len(changes(admin)), signed_in("admin-1")
    listed = re.findall(r'name="item" value="([^"]*)"', browser.get(path, query_string={"selected": "cluster-01"}).text)
    answer = browser.post(path, data={**FORMS[path], "name": "carol", "item": listed})
    assert answer.status_code in (200, 303), answer.headers["CIMaster-Code"]
    made = changes(admin)[: len(changes(admin)) - before]
    assert made
    assert {(change.get("caller"), change.get("via")) for change in made} == {("admin-1", "session from 127.0.0.1")}


def test_a_caller_for_others_is_named_beside_them(calling: As, admin: FlaskClient) -> None:
    calling("for-others-1").post("/holdcluster", data={**CLUSTER, "name": "carol"})
    assert changes(admin)[0]["by"] == "carol"
    assert newest(admin) == ("held", "for-others-1", "token from 127.0.0.1")


def test_the_text_and_the_filter_show_the_caller_beside_the_person(calling: As, admin: FlaskClient) -> None:
    calling("for-others-1").post("/holdcluster", data={**CLUSTER, "name": "carol"})
    admin.post("/updatecluster", data={**CLUSTER, "name": "carol", "note": "new switch"})
    assert [change["event"] for change in changes(admin)] == ["updated", "held", "added"]
    _, line = admin.get("/history?person=for-others-1").text.splitlines()
    assert "carol (sent by for-others-1)" in line
    _, *lines = admin.get("/history?person=admin-1").text.splitlines()
    assert ["carol (sent by admin-1)" in line for line in lines] == [True, False]


def test_what_ends_by_itself_has_no_caller(calling: As, admin: FlaskClient, clock: MovableClock) -> None:
    """The end is written with the next request's change, and is not that request's doing."""
    calling("ci-1").post("/getvacant", data={"build": "1", "job": "e2e", "ttl": "1h"})
    clock.forward(hours=2)
    assert calling("ci-2").post("/getvacant", data={"build": "2", "job": "e2e"}).status_code == 200
    taken, ended = changes(admin)[:2]
    assert (taken["event"], taken["caller"]) == ("taken", "ci-2")
    assert "caller" not in ended
    assert "via" not in ended


def test_a_hold_when_free_is_not_the_doing_of_the_caller_that_released(calling: As, admin: FlaskClient) -> None:
    calling("person-1").post("/holdcluster", data=CLUSTER)
    assert calling("person-2").post("/holdcluster", data={**CLUSTER, "wait": "1d"}).status_code == 202
    calling("person-1").post("/releasecluster", data=CLUSTER)
    held = next(change for change in changes(admin) if change["event"] == "held when free")
    assert (held["by"], held.get("caller")) == ("person-2", None)


def test_changes_without_history_have_a_line(calling: As, admin: FlaskClient) -> None:
    """Policies and purposes are no clusters: the log says who changed them."""
    with logged() as log:
        assert admin.post("/setpurpose", data={"purpose": "tess-ci", "after_expiry": "quarantine"}).status_code == 200
        assert (
            admin.post("/setpolicy", data={"purpose": "tess-ci", "min_vacant": "1", "max_total": "2"}).status_code
            == 200
        )
    assert [(line["verb"], line["caller"], line["status"]) for line in log.lines] == [
        ("setpurpose", "admin-1", 200),
        ("setpolicy", "admin-1", 200),
    ]
