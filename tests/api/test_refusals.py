"""Refusals: each has a real status, a stable code and one sentence, always in the same shape."""

import dataclasses
import gc
import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from cimaster.common.errors import Problem
from cimaster.errors import StoreTrouble
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.stores.port import Store
from cimaster.services.import_export import importing
from cimaster.services.pool_file import data_of
from cimaster.settings import Settings
from tests.conftest import Add, MovableClock

JSON = {"Accept": "application/json"}
BROKEN = '[{"name": "cluster-09", "status": "Finished"}, {"name": "cluster-08", "status": "finished"}]'
BIG = "x" * 70_000
HEADERS = {
    "Content-Security-Policy",
    "X-Content-Type-Options",
    "Referrer-Policy",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "Permissions-Policy",
    "X-Request-ID",
}


@pytest.fixture
def store(embedded_store: Store) -> Store:
    """One kind of store: the shape of a refusal does not depend on it."""
    return embedded_store


def fails() -> str:
    raise ZeroDivisionError


@pytest.fixture
def busy(
    app: Flask, client: FlaskClient, repository: ConfigMapRepository, settings: Settings, add: Add, clock: MovableClock
) -> None:
    """A pool in which every refusal can be provoked, and a page that fails."""
    app.add_url_rule("/fails", view_func=fails)
    repository.update(importing(data_of(BROKEN), settings, replace=False))
    add("cluster-01", "cluster-02", "cluster-03")
    client.get("/getvacant?build=1&job=e2e&cluster=cluster-01&request_id=r-1&name=Alice")
    client.get("/getvacant?build=2&job=e2e&cluster=cluster-02&request_id=r-2")
    client.get("/finishtest?cluster=cluster-02&job=e2e&build=2")
    client.get("/getvacant?build=2&job=e2e&cluster=cluster-02")
    client.get("/getvacant?build=3&job=e2e&cluster=cluster-03&ttl=1m")
    clock.forward(minutes=2)
    client.get("/holdcluster?cluster=cluster-03&name=alice&duration=72h")
    client.get("/holdcluster?cluster=cluster-08&name=alice&duration=72h")


REFUSALS: dict[str, tuple[int, str, dict[str, Any]]] = {
    "missing_parameter": (400, "/getvacant?build=1", {}),
    "unknown_parameter": (400, "/getvacant?build=1&job=a&regoin=us", {}),
    "bad_parameter": (400, "/getvacant?build=1&job=a&ttl=30", {}),
    "bad_body": (400, "/getvacant", {"method": "POST", "data": "{", "content_type": "application/json"}),
    "not_authorized": (403, "/releasecluster?cluster=cluster-03&name=charlie", {}),
    "cross_origin": (403, "/finishtest?cluster=cluster-01", {"method": "POST", "headers": {"Origin": "http://evil"}}),
    "unknown_cluster": (404, "/finishtest?cluster=cluster-77", {}),
    "no_vacant_cluster": (404, "/getvacant?build=9&job=a&skip_if_none=true", {}),  # the repeat gets no place
    "no_such_cluster_kind": (404, "/getvacant?build=9&job=a&purpose=perf", {}),
    "use_post": (405, "/finishtest?cluster=cluster-01", {"headers": {"User-Agent": "Mozilla/5.0"}}),
    "cluster_not_vacant": (409, "/getvacant?build=9&job=a&cluster=cluster-03", {}),
    "cluster_broken": (409, "/holdcluster?cluster=cluster-09&name=alice", {}),
    "cluster_in_use": (409, "/deletecluster?cluster=cluster-01&name=root", {}),
    "cluster_exists": (409, "/addcluster?cluster=cluster-01&name=root&region=mars", {}),
    "held_by_other": (409, "/holdcluster?cluster=cluster-03&name=charlie", {}),
    "not_current": (409, "/finishtest?cluster=cluster-01&job=e2e&build=77", {}),
    "lease_over": (410, "/finishtest?cluster=cluster-03&job=e2e&build=3", {}),
    "request_over": (410, "/getvacant?build=2&job=e2e&cluster=cluster-02&request_id=r-2", {}),
    "request_id_reused": (422, "/getvacant?build=7&job=e2e&request_id=r-1", {}),
    "hold_too_long": (422, "/holdcluster?cluster=cluster-01&name=alice&duration=73h", {}),
    "not_found": (404, "/getvacantt", {}),
    "method_not_allowed": (405, "/getvacant", {"method": "PUT"}),
    "request_entity_too_large": (413, "/getvacant", {"method": "POST", "data": {"job": BIG}}),
    "internal_error": (500, "/fails", {}),
}


def ask(client: FlaskClient, code: str, accept: str) -> TestResponse:
    """Provoke a refusal."""
    _, path, how = REFUSALS[code]
    return client.open(path, **{**how, "headers": {**how.get("headers", {}), "Accept": accept}})


@pytest.mark.parametrize("code", REFUSALS)
def test_every_refusal_has_one_shape(client: FlaskClient, busy: None, code: str) -> None:
    status = REFUSALS[code][0]
    answer = ask(client, code, "application/json")
    problem = answer.get_json()
    assert answer.content_type == "application/problem+json"
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (status, code)
    assert (problem["status"], problem["code"], problem["type"]) == (status, code, f"/openapi.yaml#{code}")
    assert problem["title"] == code.replace("_", " ")
    assert problem["request"] == answer.headers["X-Request-ID"]
    plain = ask(client, code, "*/*")
    assert plain.content_type == "text/plain; charset=utf-8"
    assert (plain.status_code, plain.headers["CIMaster-Code"]) == (status, code)
    if code != "internal_error":  # that one names its request
        assert plain.text == problem["detail"] + "\n"
    assert len(plain.text.splitlines()) == 1
    for one in (answer, plain):
        assert set(one.headers.keys()) >= HEADERS
        assert "Accept" in one.headers["Vary"]


def test_without_an_accept_header_the_answer_is_text(client: FlaskClient) -> None:
    for accept in (
        None,
        "*/*",
        "text/plain",
        "text/html",
        "image/png",
        "",
        "text/plain, application/json;q=0.5",
        ";;",
        "text/plain, application/json, */*",
        "text/*, application/json",
        "application/json;q=0",
        "text/html, */*;q=0.8",
    ):
        answer = client.post("/getvacant", headers={} if accept is None else {"Accept": accept})
        assert (answer.status_code, answer.mimetype) == (400, "text/plain")
    for accept in (
        "application/json",
        "application/json, */*;q=0.1",
        "application/*",
        "application/json, text/plain, */*",
        "*/*, application/json",
        "application/json;q=0.8, text/plain;q=0.8",
        "text/html, application/json",
        "APPLICATION/JSON",
    ):
        answer = client.post("/getvacant", headers={"Accept": accept})
        assert answer.mimetype == "application/problem+json"


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("regoin", "region"),
        ("Region", "region"),
        ("labels", "label"),
        ("requestid", "request_id"),
        ("buildd", "build"),
        ("e-mail", "email"),
        ("os_image", "osimage"),
    ],
)
def test_an_unknown_parameter_names_the_nearest_and_takes_nothing(
    client: FlaskClient, add: Add, sent: str, meant: str
) -> None:
    add("cluster-01")
    answer = client.get("/getvacant", query_string={"build": 1, "job": "a", sent: "x"}, headers=JSON)
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (400, "unknown_parameter")
    assert answer.get_json()["parameter"] == sent
    assert f"did you mean {meant}?" in answer.get_json()["detail"]
    assert client.get("/getvacant?build=1&job=a").text == "cluster-01"


def test_an_unknown_parameter_without_a_near_one_lists_all(client: FlaskClient) -> None:
    answer = client.get("/renewlease?cluster=a&lease=b&zzz=1")
    assert "it takes cluster, lease, ttl, request_id" in answer.text


def test_the_first_wrong_parameter_is_named(client: FlaskClient) -> None:
    assert client.get("/finishtest", headers=JSON).get_json()["parameter"] == "cluster"
    assert client.get("/finishtest?cluster=", headers=JSON).get_json()["parameter"] == "cluster"


def test_method_not_allowed_says_which_are(client: FlaskClient) -> None:
    for method in ("PUT", "DELETE", "PATCH", "PROPFIND1"):
        answer = client.open("/getvacant", method=method)
        assert answer.status_code == 405
        assert {"GET", "POST"} <= set(re.split(r",\s*", answer.headers["Allow"]))
        assert answer.text == f"/getvacant does not answer {method}: send it as GET or POST\n"
    assert client.post("/clusters").text == "/clusters does not answer POST: send it as GET\n"
    nowhere = client.open("/nowhere", method="PUT")
    assert (nowhere.status_code, nowhere.headers["Allow"]) == (405, "GET, HEAD, POST, OPTIONS")


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/clusters/", "/clusters"),
        ("/holdCluster", "/holdcluster"),
        ("/HOLDCLUSTER/", "/holdcluster"),
        ("/getvacantt", "/getvacant"),
        ("/cluster", "/clusters"),
        ("/createClusters", "/createcluster"),
        ("/openapi.yml", "/openapi.yaml"),
        ("/ready", "/readyz"),
    ],
)
def test_a_path_that_is_nearly_right_is_refused_with_the_right_one(client: FlaskClient, path: str, meant: str) -> None:
    for answer in (client.get(path), client.post(path), client.get(f"{path}?cluster=a&name=b")):
        assert (answer.status_code, answer.headers["CIMaster-Code"]) == (404, "not_found")
        assert answer.text == f"there is nothing at {path}: did you mean {meant}?\n"
    assert client.get(path, headers=JSON).get_json()["code"] == "not_found"


def test_an_unknown_path_without_a_near_one_lists_all(client: FlaskClient) -> None:
    for path in ("/x", "/%00%0d%0aa%E2%80%AE", "/" + "x" * 5000):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["CIMaster-Code"]) == (404, "not_found")
        assert "choose one of /addcluster, /clusters, " in answer.text
        assert len(answer.text) < 800
        assert answer.text.rstrip("\n").isprintable()


def test_temporary_refusals_say_when_to_retry(client: FlaskClient, busy: None) -> None:
    again = {code for code in REFUSALS if "Retry-After" in ask(client, code, "*/*").headers}
    assert again == {"no_vacant_cluster"}


def test_the_status_of_the_store_is_not_passed_on(app: Flask, client: FlaskClient) -> None:
    def forbidden() -> str:
        raise StoreTrouble("ConfigMap ci/clusters: the API server answered 403: forbidden", status=403)

    app.add_url_rule("/forbidden", view_func=forbidden)
    answer = client.get("/forbidden", headers=JSON)
    assert answer.status_code == answer.get_json()["status"] == 503
    assert answer.headers["Retry-After"]


def test_a_failure_names_its_request_and_reveals_nothing_else(
    client: FlaskClient, busy: None, caplog: pytest.LogCaptureFixture
) -> None:
    answer = client.get("/fails", headers={"X-Request-ID": "find-me-0001"})
    assert answer.text == "the service failed: look in its log for the reason, under request find-me-0001\n"
    assert "ZeroDivisionError" in caplog.text


def test_a_correlation_id_is_taken_or_made_and_always_answered(client: FlaskClient) -> None:
    taken = client.get("/healthz", headers={"X-Request-ID": "build-123_a.b"})
    assert taken.headers["X-Request-ID"] == "build-123_a.b"
    refused = client.get("/finishtest", headers={"X-Request-ID": "build-123_a.b", **JSON})
    assert refused.headers["X-Request-ID"] == refused.get_json()["request"] == "build-123_a.b"
    made = {client.get("/healthz").headers["X-Request-ID"] for _ in range(3)}
    assert len(made) == 3
    for given in ("short", "a b c d e f g", "x" * 129, "ümlaut-ümlaut", '"};drop', "a" * 20 + "\t"):
        answered = client.get("/healthz", headers={"X-Request-ID": given}).headers["X-Request-ID"]
        assert re.fullmatch("[0-9a-f]{32}", answered)


@pytest.mark.parametrize("path", ["/clusters", "/healthz", "/readyz", "/openapi.yaml", "/addcluster", "/nowhere"])
def test_every_answer_has_the_headers_that_browsers_look_for(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert set(answer.headers.keys()) >= HEADERS
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


class TestDuringMigration:
    """An operator may list unknown parameters to ignore."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        """Settings that ignore two of them."""
        return dataclasses.replace(settings, ignored_parameters=("urgency", "skip"))

    def test_listed_parameters_are_ignored_and_others_are_not(self, client: FlaskClient, add: Add) -> None:
        add("cluster-01")
        assert client.get("/getvacant?build=1&job=a&urgency=high&skip=1").text == "cluster-01"
        assert client.get("/getvacant?build=1&job=a&priorty=high").status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "/nothing-here",
        "/clusters?typo=1",
        "/clusters/cluster-09",
        "/getvacant?job=e2e&build=1&purpose=other",
        "/holdcluster?cluster=cluster-09&name=alice",
        "/finishtest?cluster=cluster-09",
    ],
)
def test_no_refusal_waits_for_the_garbage_collector(client: FlaskClient, add: Add, path: str) -> None:
    add("cluster-01")
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            assert client.get(path).status_code in (400, 404)
        assert [error for error in gc.get_objects() if isinstance(error, (Problem, HTTPException))] == []
    finally:
        gc.enable()
