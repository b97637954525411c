"""Compressed answers: only on request, only if it pays, and without breaking polls and caches."""

import gzip
import json

import brotli
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cimaster.pages.frame.fragments import CLOCK
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.stores.port import Store
from tests.conditions import until
from tests.conftest import Add, MovableClock

MANY = 1000
ENCODINGS = {"gzip": gzip.decompress, "br": brotli.decompress, "zstd": None}
LARGE = ["/", "/ui/fragments/clusters", "/clusters", "/history", "/openapi.yaml"]


@pytest.fixture
def store(embedded_store: Store) -> Store:
    """One kind of store: answers are compressed whatever they contain."""
    return embedded_store


@pytest.fixture
def full(client: FlaskClient, store: Store, repository: ConfigMapRepository) -> FlaskClient:
    """A client of a service with 1,000 clusters."""
    records = [
        {"name": f"cluster-{number:04}", "region": "us-west", "status": "finished", "lastJob": "e2e", "lastBuild": "7"}
        for number in range(MANY)
    ]
    stored = store.read()
    store.replace(stored.replaced({**stored.data, "cluster.json": json.dumps(records)}, stored.annotations))
    until(lambda: f"cluster-{MANY - 1:04}" in client.get("/clusters").text)
    return client


def get(client: FlaskClient, url: str, encoding: str = "", **headers: str) -> TestResponse:
    return client.get(url, headers={**headers, **({"Accept-Encoding": encoding} if encoding else {})})


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("accept", ["text/plain", "application/json"])
def test_a_list_is_compressed_on_request(full: FlaskClient, encoding: str, accept: str) -> None:
    plain = get(full, "/clusters", Accept=accept)
    assert "Content-Encoding" not in plain.headers
    answer = get(full, "/clusters", f"deflate, {encoding}", Accept=accept)
    assert answer.headers["Content-Encoding"] == encoding
    assert int(answer.headers["Content-Length"]) == len(answer.data) < len(plain.data) / 5
    for each in (plain, answer):
        assert "Accept-Encoding" in each.headers["Vary"]
        assert "Accept" in each.headers["Vary"].replace("Accept-Encoding", "")
    if decompress := ENCODINGS[encoding]:
        assert decompress(answer.data) == plain.data


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_page_of_a_thousand_clusters_is_much_smaller(full: FlaskClient, encoding: str) -> None:
    plain, answer = get(full, "/?rows=1000"), get(full, "/?rows=1000", encoding)
    assert len(plain.data) > 1_000_000
    assert len(answer.data) < len(plain.data) / 15
    assert answer.headers["Cache-Control"] == "no-store"
    assert {"Accept-Encoding", "Cookie", "HX-Request"} <= {name.strip() for name in answer.headers["Vary"].split(",")}


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("gzip, deflate, br, zstd", "zstd"),
        ("br;q=0.5, gzip", "gzip"),
        ("*", "zstd"),
        ("identity", None),
        ("gzip;q=0", None),
        ("GZIP", "gzip"),
        ("deflate", None),
        ("gzip;q=x, \x7f", None),
        ("x" * 2000, None),
    ],
)
def test_the_caller_chooses(full: FlaskClient, accepted: str, expected: str | None) -> None:
    answer = get(full, "/clusters", accepted)
    assert answer.status_code == 200
    assert answer.headers.get("Content-Encoding") in (expected, "gzip" if "q=x" in accepted else expected)


def test_short_answers_are_not_compressed(add: Add, client: FlaskClient) -> None:
    add("cluster-01")
    for url in ("/clusters", "/clusters/cluster-01", "/healthz", "/readyz", "/queue"):
        answer = get(client, url, "gzip")
        assert len(answer.data) < 1024
        assert "Content-Encoding" not in answer.headers
        assert "Accept-Encoding" not in answer.headers.get("Vary", "")


def test_answers_to_verbs_and_refusals_are_not_compressed(full: FlaskClient) -> None:
    note = "x" * 490
    labels = [("label", f"k{number}={'v' * 60}") for number in range(10)]
    facts = [("cluster", "long"), ("region", "us-west"), ("name", "root"), ("note", note), *labels]
    json_gzip = {"Accept": "application/json", "Accept-Encoding": "gzip"}
    added = full.post("/addcluster", query_string=facts, headers=json_gzip)
    taken = full.get("/getvacant?job=e2e&build=8&cluster=long", headers=json_gzip)
    for answer in (added, taken):
        assert answer.status_code == 200
        assert len(answer.data) > 1024
        assert "Content-Encoding" not in answer.headers
    assert "Content-Encoding" not in get(full, "/ui/clusters/none", "gzip").headers


def test_a_poll_without_changes_is_304(full: FlaskClient, clock: MovableClock) -> None:
    clock.forward(
        seconds=CLOCK + 1 - clock().timestamp() % CLOCK
    )  # just after the table was rendered again because of the time
    htmx = {"HX-Request": "true"}
    first = get(full, "/ui/fragments/clusters", "gzip", **htmx)
    assert first.headers["Content-Encoding"] == "gzip"
    tag = first.headers["HX-PTag"]
    assert tag == get(full, "/ui/fragments/clusters", **htmx).headers["HX-PTag"]
    again = get(full, "/ui/fragments/clusters", "gzip", **htmx, **{"HX-PTag": tag})
    assert (again.status_code, again.data) == (304, b"")
    assert "Content-Encoding" not in again.headers


def test_head_has_the_headers_of_get(full: FlaskClient) -> None:
    headers = {"Accept-Encoding": "br"}
    head, body = full.head("/openapi.yaml", headers=headers), full.get("/openapi.yaml", headers=headers)
    assert head.data == b""
    assert head.headers["Content-Length"] == body.headers["Content-Length"] == str(len(body.data))


@pytest.mark.parametrize("encoding", ["", *ENCODINGS])
def test_a_file_that_the_browser_has_is_304_in_either_form(client: FlaskClient, encoding: str) -> None:
    first = get(client, "/static/app.js", encoding)
    assert first.headers.get("Content-Encoding", "") == encoding
    again = get(client, "/static/app.js", encoding, **{"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    part = get(client, "/static/app.js", encoding, Range="bytes=0-9")
    assert (part.status_code, len(part.data)) == (206, 10)
    assert "Content-Encoding" not in part.headers
    for answer in (first, again, part):
        answer.close()
