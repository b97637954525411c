"""Callers whose names look or compare like another one's: none acts as the other."""

from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cimaster.common import parsers
from cimaster.services.clusters import Clusters
from cimaster.settings import Settings
from cimaster.web.identity.identity import Identity, Source
from cimaster.web.identity.sessions import Sessions
from tests.access.conftest import As
from tests.required import PROXY_SECRET, RequiredFiles, bearer

CLUSTER = {"cluster": "cluster-01"}


@pytest.fixture
def settings(settings: Settings, files: RequiredFiles) -> Settings:
    """Settings with a proxy, whose users may choose their names; all of them are developers."""
    return replace(settings, proxy_secret_file=str(files.proxy_secret), trusted_proxies=parsers.networks("10.0.0.0/24"))


@pytest.fixture(autouse=True)
def held_by_fiona(client: FlaskClient, admin: FlaskClient) -> None:
    """The pool has one cluster, which fiona.smith holds."""
    assert admin.post("/addcluster", data={**CLUSTER, "region": "us-west"}).status_code == 200
    assert post(client, "fiona.smith", "/holdcluster").status_code == 200


def post(client: FlaskClient, user: str, path: str, **more: str) -> TestResponse:
    """Send a verb as the user that the proxy names."""
    headers = {
        "X-Forwarded-User": user.encode().decode("latin-1"),
        "X-Forwarded-Groups": "developers",
        "X-CIMaster-Proxy-Secret": PROXY_SECRET,
    }
    return client.post(path, data={**CLUSTER, **more}, headers=headers, environ_base={"REMOTE_ADDR": "10.0.0.7"})


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("Fiona.SMITH", 200),  # case does not matter: this is the same user
        ("\ufb01ona.smith", 400),  # fi is one letter
        ("fiona.\u017fmith", 400),  # a long s
        ("fion\u0430.smith", 403),  # a Cyrillic letter
        ("fiona.smith\u200b", 400),  # an invisible character
        ("fiona .smith", 403),
        ("fiona.smith.", 403),
        ("@fiona.smith", 403),
        ("*", 403),
        ("fiona.smith;admin-1", 403),
        ("fiona.smith,admin-1", 400),
        ("system:serviceaccount:ci:e2e", 400),
        ("group:developers", 400),
        ("email:fiona.smith", 400),
    ],
)
def test_only_the_holder_itself_releases(client: FlaskClient, service: Clusters, name: str, status: int) -> None:
    assert post(client, name, "/releasecluster").status_code == status
    assert bool(service.view_now().pool.find("cluster-01").hold) is (status != 200)


@pytest.mark.parametrize("given", ["fiona.smith", "Fiona.Smith", "fiona.smith ", "root", "admin-1", "*", ""])
def test_a_name_in_the_request_changes_nothing(client: FlaskClient, service: Clusters, given: str) -> None:
    answer = post(client, "bob.dev", "/releasecluster", name=given)
    assert (answer.status_code, answer.headers["CIMaster-Code"]) in [(403, "not_you"), (403, "not_authorized")]
    assert service.view_now().pool.find("cluster-01").hold


def test_patterns_are_in_the_file_and_not_in_names(calling: As, files: RequiredFiles, client: FlaskClient) -> None:
    """A caller called `*` or `group:admins` has no more than its own roles, and a dot is a dot."""
    with files.roles.open("a") as roles:
        roles.write("admin fiona?smith\nadmin fionaXsmith\nadmin [a-z]*.smith\nadmin group:admins\n")
    for name in ("*", "fiona.smith", "fionaxxsmith", "admins"):
        assert post(client, name, "/deletecluster", force="true", reason="x").status_code == 403
    for name in ("reader-1", "person-1"):
        assert calling(name).post("/deletecluster", data=CLUSTER).status_code == 403


def test_the_groups_of_one_request_are_not_those_of_the_next(client: FlaskClient) -> None:
    base = {"X-Forwarded-User": "fiona.smith", "X-CIMaster-Proxy-Secret": PROXY_SECRET}
    proxy = {"REMOTE_ADDR": "10.0.0.7"}
    with_group = {**base, "X-Forwarded-Groups": "developers"}
    statuses = [client.get("/clusters", headers=sent, environ_base=proxy).status_code for sent in (with_group, base)]
    assert statuses == [200, 403]
    assert client.get("/clusters", headers=bearer("fiona.smith")).status_code == 401


def test_an_account_with_the_longest_name_holds_and_releases(app: Flask, files: RequiredFiles) -> None:
    """Names of people have at most 63 characters, and those of service accounts up to 339."""
    name = f"system:serviceaccount:{'n' * 63}:{'a' * 253}"
    files.roles.write_text("person system:serviceaccount:*\nadmin admin-1\n")
    client = app.test_client()
    client.set_cookie("cimaster_session", Sessions(str(files.session_keys)).sign(Identity(name, Source.PROXY)))
    assert client.post("/releasecluster", data=CLUSTER).status_code == 403
    assert app.test_client().post("/releasecluster", data=CLUSTER, headers=bearer("admin-1")).status_code == 200
    assert [client.get(path).status_code for path in ("/", "/ui/clusters/cluster-01", "/ui/whoami")] == [200] * 3
    for path in ("/holdcluster", "/releasecluster"):
        assert client.post(path, data=CLUSTER).status_code == 200
