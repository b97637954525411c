"""Attacks with odd paths: none reaches an endpoint without the check of its caller."""

from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cimaster.services.clusters import Clusters
from cimaster.web import access
from cimaster.web.identity.roles import EVERYBODY
from tests.access.conftest import As
from tests.required import bearer

TAKE = "?build=1&job=e2e"
FOR_HOLDS = {"/ui/admin/takeover", "/ui/admin/holdfor"}  # their parameters are read before the role is checked
SPELLINGS = [
    "/getvacant/",
    "/getvacant%2f",
    "/getvacant%2F..%2Fhealthz",
    "/getvacant;healthz",
    "/getvacant%3b",
    "/getvacant%00",
    "/getvacant%20",
    "/getvacant.json",
    "/GETVACANT",
    "/%67etvacant",
    "/./getvacant",
    "/healthz/../getvacant",
    "/healthz/%2e%2e/getvacant",
    "/static/../getvacant",
    "/static/..%2fgetvacant",
    "/ui/../getvacant",
    "/ui/..%2fgetvacant",
    "/openapi.yaml/../getvacant",
    "/\\getvacant",
    "/getvacant\u00e9",
]


@pytest.fixture(autouse=True)
def one_cluster(admin: FlaskClient) -> None:
    """The pool has one cluster."""
    assert admin.post("/addcluster", data={"cluster": "cluster-93", "region": "region-93"}).status_code == 200


@pytest.mark.parametrize("path", SPELLINGS)
@pytest.mark.parametrize("caller", ["without credential", "reader-1"])
def test_no_spelling_of_a_path_avoids_the_check(client: FlaskClient, service: Clusters, path: str, caller: str) -> None:
    headers = bearer(caller) if caller == "reader-1" else {}
    for method in ("GET", "POST"):
        assert client.open(path + TAKE, method=method, headers=headers).status_code in (303, 401, 403, 404, 405)
    assert not service.view_now().pool.find("cluster-93").lease


@pytest.mark.parametrize("path", ["//getvacant", "///getvacant", "//example.com/getvacant", "/static//getvacant"])
def test_a_redirect_leads_to_this_service_only(client: FlaskClient, service: Clusters, path: str) -> None:
    """Repeated slashes are merged by a redirect, and what it leads to is checked."""
    answer = client.get("/", environ_overrides={"PATH_INFO": path, "QUERY_STRING": TAKE[1:]})
    location = answer.headers.get("Location", "/")
    assert answer.status_code in (308, 401, 404)
    assert not urlsplit(location).netloc
    assert client.get(location).status_code in (303, 401, 404)  # 303: a page leads to the one for signing in
    assert not service.view_now().pool.find("cluster-93").lease


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static/", "/static"]
)
def test_only_static_files_are_open_to_all(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_what_is_open_to_all_shows_nothing_of_the_pool(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        rules = [rule for rule in app.url_map.iter_rules() if access.needed_roles(rule.endpoint) == EVERYBODY]
    shown = [client.get(rule.rule) for rule in rules if not rule.arguments and "GET" in (rule.methods or ())]
    assert len(shown) >= 3
    assert not [answer for answer in shown if "cluster-93" in answer.text or "region-93" in answer.text]


def test_the_metrics_are_on_their_own_port_only(client: FlaskClient, admin: FlaskClient) -> None:
    assert client.get("/metrics").status_code == admin.get("/metrics").status_code == 404


def test_every_form_and_page_needs_its_role(app: Flask, calling: As, signed_in: As) -> None:
    """A reader may send no form but those about its own browser, and a person none of an admin's."""
    forms = [rule.rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ()) and "/ui/" in rule.rule]
    own = {"/ui/whoami", "/ui/dismissholds", "/ui/signin", "/ui/signout"}
    assert len(forms) > 30
    for path in set(forms) - own:
        for reader in (calling("reader-1"), signed_in("reader-1")):
            answer = reader.post(path, data={"cluster": "cluster-93", "name": "admin-1"})
            assert (answer.status_code, answer.headers["CIMaster-Code"]) == (403, "not_allowed"), path
        if "/admin/" in path and path not in FOR_HOLDS:
            assert signed_in("person-1").post(path, data={"cluster": "cluster-93"}).status_code == 403, path


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
    ],
)
def test_another_site_uses_no_session(signed_in: As, service: Clusters, headers: dict[str, str]) -> None:
    person = signed_in("person-1")
    for path in ("/holdcluster", "/ui/hold"):
        answer = person.post(path, data={"cluster": "cluster-93"}, headers=headers)
        assert (answer.status_code, answer.headers["CIMaster-Code"]) == (403, "cross_origin")
    assert not service.view_now().pool.find("cluster-93").hold
    assert person.post("/holdcluster", data={"cluster": "cluster-93"}).status_code == 200
