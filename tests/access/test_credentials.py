"""Attacks on credentials: malformed, several in one request, ended while in use, or sent where they do not count."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cimaster.common import parsers
from cimaster.common.token_file import hashed_line
from cimaster.services.clusters import Clusters
from cimaster.settings import Settings
from cimaster.web.endpoints import ENDPOINTS, Endpoint
from cimaster.web.identity.roles import EVERYBODY
from tests.access.conftest import As
from tests.conditions import until
from tests.required import PROXY_SECRET, RequiredFiles, bearer, token_of

PROXY = "10.0.0.7"
BY_PROXY = {
    "X-Forwarded-User": "alice",
    "X-Forwarded-Groups": "developers",
    "X-CIMaster-Proxy-Secret": PROXY_SECRET,
}
VERBS = [endpoint for endpoint in ENDPOINTS if endpoint.changes and "GET" in endpoint.methods]


@pytest.fixture
def settings(settings: Settings, files: RequiredFiles) -> Settings:
    """Settings in which callers may use each kind of credential that needs no API server."""
    return replace(settings, proxy_secret_file=str(files.proxy_secret), trusted_proxies=parsers.networks("10.0.0.0/24"))


def refusal(answer: TestResponse) -> tuple[int, str | None]:
    """Return the status and the code of an answer."""
    return answer.status_code, answer.headers.get("CIMaster-Code")


TOKEN = token_of("ci-1")


@pytest.mark.parametrize("sent", [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"BEARER   {TOKEN}", f"Bearer {TOKEN} "])
def test_the_scheme_and_blanks_may_be_written_in_any_way(client: FlaskClient, sent: str) -> None:
    assert client.get("/clusters", headers={"Authorization": sent}).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        "Bearer",
        "Bearer ",
        "Bearer\t" + TOKEN,
        TOKEN,
        f'Bearer "{TOKEN}"',
        f"Bearer {TOKEN} x",
        f"Bearer {TOKEN},Bearer {token_of('admin-1')}",  # as servers join a header that was sent twice
        f"Bearer {TOKEN.upper()}",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}\u00e9",
        "Bearer " + "x" * 100_000,
        "Bearer sha256:" + "0" * 64,
        "Bearer ci-1",
        "Basic Y2ktMTp4",
        f"Token {TOKEN}",
        "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbi0xIn0.",
    ],
)
def test_any_other_header_is_a_bad_credential(client: FlaskClient, sent: str) -> None:
    answer = client.get("/clusters", headers={"Authorization": sent})
    assert refusal(answer) == (401, "bad_credential")
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="cimaster"')
    assert TOKEN not in answer.text


def test_the_hash_in_the_token_file_is_no_token(client: FlaskClient, files: RequiredFiles) -> None:
    for line in files.tokens.read_text().splitlines():
        for part in (line, line.split()[0], line.split()[0].removeprefix("sha256:")):
            assert client.get("/clusters", headers={"Authorization": f"Bearer {part}"}).status_code == 401


@pytest.mark.parametrize("path", ["/clusters", "/", "/holdcluster"])
def test_two_credentials_are_refused_in_each_combination(signed_in: As, client: FlaskClient, path: str) -> None:
    method, proxy = "POST" if path == "/holdcluster" else "GET", {"REMOTE_ADDR": PROXY}
    sent = [
        signed_in("person-1").open(path, method=method, headers=bearer("person-1")),
        signed_in("person-1").open(path, method=method, headers={"Authorization": "x"}),
        signed_in("person-1").open(path, method=method, headers=BY_PROXY, environ_base=proxy),
        client.open(path, method=method, headers={**BY_PROXY, **bearer("person-1")}, environ_base=proxy),
        signed_in("person-1").open(path, method=method, headers={**BY_PROXY, **bearer("person-1")}, environ_base=proxy),
    ]
    assert [refusal(answer) for answer in sent] == [(400, "two_credentials")] * len(sent)


def test_a_bad_credential_is_never_an_anonymous_caller(signed_in: As, client: FlaskClient) -> None:
    for path in ("/clusters", "/", "/ui/history"):
        assert refusal(client.get(path, headers=bearer("unknown"))) == (401, "bad_credential")
    client.set_cookie("cimaster_session", "1.e30.AAAA")
    assert refusal(client.get("/clusters")) == (401, "bad_credential")
    assert client.get("/ui/history").headers["Location"].startswith("/ui/signin")


@pytest.mark.parametrize("endpoint", VERBS, ids=lambda endpoint: endpoint.name)
def test_a_get_that_changes_something_needs_a_token(
    signed_in: As, client: FlaskClient, service: Clusters, endpoint: Endpoint[Any]
) -> None:
    """A link or an image of another site could make a browser send it."""
    path = f"{endpoint.path}?cluster=c-1&region=r&build=1&job=j"
    commit = service.view_now().pool.commit
    by_proxy = client.get(path, headers={**BY_PROXY, "X-Forwarded-User": "root"}, environ_base={"REMOTE_ADDR": PROXY})
    assert refusal(signed_in("admin-1").get(path)) == refusal(by_proxy) == (401, "bad_credential")
    assert service.view_now().pool.commit == commit


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_no_method_gets_past_the_check(client: FlaskClient, endpoint: Endpoint[Any]) -> None:
    until(lambda: client.get("/readyz").status_code == 200)
    path = endpoint.path.replace("<name>", "cluster-01")
    usual = {"HEAD", "OPTIONS", *endpoint.methods}
    for method in ("HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"):
        status = client.open(path, method=method).status_code
        assert status == (405 if method not in usual else 200 if endpoint.roles == EVERYBODY else 401)


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_no_header_or_parameter_changes_the_method(calling: As, header: str) -> None:
    reader = calling("reader-1")
    assert reader.post("/clusters", headers={header: "GET"}).status_code == 405
    assert refusal(reader.get("/creations?_method=POST", headers={header: "POST"}))[1] != "not_allowed"
    assert refusal(reader.get("/deletecluster?cluster=c-1", headers={header: "HEAD"})) == (403, "not_allowed")


@pytest.mark.parametrize(
    "name", ["__Host-cimaster_session", "__Secure-cimaster_session", "cimaster-session", "session"]
)
def test_a_cookie_of_another_name_is_no_session(app: Flask, signed_in: As, client: FlaskClient, name: str) -> None:
    cookie = signed_in("person-1").get_cookie("cimaster_session")
    assert cookie
    client.set_cookie(name, cookie.value)
    assert refusal(client.get("/clusters")) == (401, "no_credential")


def test_a_session_is_no_token_and_a_token_is_no_session(signed_in: As, client: FlaskClient) -> None:
    cookie = signed_in("person-1").get_cookie("cimaster_session")
    assert cookie
    assert refusal(client.get("/clusters", headers={"Authorization": f"Bearer {cookie.value}"}))[0] == 401
    client.set_cookie("cimaster_session", TOKEN)
    assert refusal(client.get("/clusters")) == (401, "bad_credential")


def remove(path: Path, word: str) -> None:
    """Remove the lines with a word from a file, as an operator does."""
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if word not in line))


def test_a_removed_token_ends_at_the_next_request(calling: As, signed_in: As, files: RequiredFiles) -> None:
    callers = [calling("person-1"), signed_in("person-1")]
    assert [caller.get("/clusters").status_code for caller in callers] == [200, 200]
    remove(files.tokens, " person-1")
    assert [refusal(caller.get("/clusters")) for caller in callers] == [(401, "bad_credential")] * 2


def test_a_replaced_token_ends_the_sessions_that_it_began(calling: As, signed_in: As, files: RequiredFiles) -> None:
    session = signed_in("person-1")
    remove(files.tokens, " person-1")
    with files.tokens.open("a") as tokens:
        tokens.write(hashed_line("the next token of person-1", "person-1") + "\n")
    assert refusal(session.get("/clusters")) == (401, "bad_credential")


def test_a_removed_role_ends_at_the_next_request(calling: As, signed_in: As, files: RequiredFiles) -> None:
    callers = [calling("person-1"), signed_in("person-1")]
    assert [caller.get("/clusters").status_code for caller in callers] == [200, 200]
    remove(files.roles, " person-1")
    assert [refusal(caller.get("/clusters")) for caller in callers] == [(403, "not_allowed")] * 2


def test_a_removed_admin_is_no_admin_at_the_next_request(calling: As, settings: Settings, files: RequiredFiles) -> None:
    listed = Path(settings.admin_dir) / "users"
    listed.write_text("root;CI-1")
    adding = {"cluster": "cluster-01", "region": "r"}
    assert calling("ci-1").post("/addcluster", data=adding).status_code == 200
    listed.write_text("root")
    assert refusal(calling("ci-1").post("/deletecluster", data=adding)) == (403, "not_allowed")


def test_replaced_session_keys_end_all_sessions(signed_in: As, files: RequiredFiles) -> None:
    session = signed_in("person-1")
    files.session_keys.write_text("f" * 64)
    assert refusal(session.get("/clusters")) == (401, "bad_credential")


@pytest.mark.parametrize("damage", ["missing", "empty", "unreadable", "broken"])
def test_without_a_usable_token_file_no_token_counts(calling: As, files: RequiredFiles, damage: str) -> None:
    caller = calling("admin-1")
    assert caller.get("/clusters").status_code == 200
    content = {"empty": b"", "unreadable": b"\xff\xfe\xff", "broken": b"sha256:1234 admin-1\n"}.get(damage)
    files.tokens.unlink()
    if content is not None:
        files.tokens.write_bytes(content)
    assert refusal(caller.get("/clusters")) == (401, "bad_credential")


@pytest.mark.parametrize("damage", ["missing", "empty", "broken"])
def test_without_a_file_of_roles_only_listed_admins_have_a_role(calling: As, files: RequiredFiles, damage: str) -> None:
    """A file that is broken while the service runs leaves the last good one."""
    assert calling("reader-1").get("/clusters").status_code == 200
    files.roles.unlink()
    if damage != "missing":
        files.roles.write_text("" if damage == "empty" else "admin\n")
    expected = 200 if damage == "broken" else 403
    assert calling("reader-1").get("/clusters").status_code == expected


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n\n"])
def test_files_may_have_any_line_ends(calling: As, files: RequiredFiles, end: str) -> None:
    for path in (files.tokens, files.roles):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_text().replace("\n", end).encode())
    assert calling("person-1").get("/clusters").status_code == 200
    assert refusal(calling("person-1").post("/getvacant")) == (403, "not_allowed")
