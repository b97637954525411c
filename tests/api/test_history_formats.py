"""The history as JSON lines and as CSV, page by page, and what is said about changes that are missing."""

import csv
import io
import json
from contextlib import closing
from urllib.parse import urljoin

import pytest
from flask.testing import FlaskClient

from cimaster.repository.stores.port import Store
from tests.conditions import until
from tests.conftest import Add

FORMATS = {
    "text": "text/plain",
    "json": "application/json",
    "csv": "text/csv",
    "jsonl": "application/x-ndjson",
}


@pytest.fixture
def store(embedded_store: Store) -> Store:
    """One kind of store: a format does not depend on it."""
    return embedded_store


@pytest.fixture
def changes(client: FlaskClient, add: Add) -> int:
    """Make some changes, and return how many there are."""
    add("cluster-01", "cluster-02")
    for person in ("alice", "bob"):
        client.get(f"/holdcluster?cluster=cluster-01&name={person}&desc=look")
        client.get(f"/releasecluster?cluster=cluster-01&name={person}")
    return 6


def table(text: str) -> list[dict[str, str]]:
    """Read CSV."""
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize(("name", "mimetype"), FORMATS.items())
def test_a_format_is_chosen_by_parameter_or_header(client: FlaskClient, name: str, mimetype: str) -> None:
    for answer in (
        client.get(f"/history?format={name}"),
        client.get(f"/history?format={name}", headers={"Accept": "application/json"}),
        client.get("/history", headers={"Accept": mimetype}),
        client.get("/history", headers={"Accept": f"image/png, {mimetype};q=0.9, */*;q=0.1"}),
    ):
        assert (answer.status_code, answer.mimetype) == (200, mimetype)


@pytest.mark.parametrize("accept", ["*/*", "", "text/*", "image/png", "text/html, */*"])
def test_other_callers_get_text(client: FlaskClient, accept: str) -> None:
    assert client.get("/history", headers={"Accept": accept}).mimetype == "text/plain"


def test_each_format_has_the_same_changes(client: FlaskClient, changes: int) -> None:
    as_json = client.get("/history?format=json").get_json()["history"]
    assert len(as_json) == changes
    assert [json.loads(line) for line in client.get("/history?format=jsonl").text.splitlines()] == as_json
    rows = table(client.get("/history?format=csv").text)
    texts = [{key: str(value) for key, value in change.items()} for change in as_json]
    assert [{key: cell for key, cell in row.items() if cell} for row in rows] == texts
    assert len(client.get("/history").text.splitlines()) == 1 + changes


def test_csv_is_a_download_with_the_line_ends_of_the_standard(client: FlaskClient, changes: int) -> None:
    answer = client.get("/history?format=csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="history.csv"'
    assert answer.text.count("\r\n") == 1 + changes


@pytest.mark.parametrize("reason", ['=HYPERLINK("http://x")', "+1", "-1", "@SUM(A1)"])
def test_no_cell_of_the_csv_is_a_formula(client: FlaskClient, add: Add, reason: str) -> None:
    add("cluster-01")
    client.get("/disablecluster", query_string={"cluster": "cluster-01", "name": "root", "reason": reason})
    newest = table(client.get("/history?format=csv").text)[0]
    assert newest["reason"] == f"'{reason}"
    assert client.get("/history?format=json").get_json()["history"][0]["reason"] == reason


@pytest.mark.parametrize("name", FORMATS)
def test_the_link_leads_through_all_changes(client: FlaskClient, changes: int, name: str) -> None:
    address, shown = f"/history?format={name}&limit=4&since=1d", []
    while address:
        answer = client.get(address)
        shown.append(answer.text)
        link = answer.headers.get("Link", "")
        assert bool(link) == ("CIMaster-Next" in answer.headers)
        address = urljoin(address, link.removesuffix('>; rel="next"').removeprefix("<")) if link else ""
    assert len(shown) == 2
    assert sum(text.count("cluster-0") for text in shown) == changes


def test_json_has_the_position_of_the_next_changes(client: FlaskClient, changes: int) -> None:
    first = client.get("/history?limit=5&format=json").get_json()
    assert len(first["history"]) == 5
    rest = client.get(f"/history?after={first['next']}&format=json").get_json()
    assert [change["event"] for change in rest["history"]] == ["added"] * (changes - 5)
    assert "next" not in rest


@pytest.mark.parametrize(
    ("query", "clusters"),
    [
        ("person=Alice", ["cluster-01"] * 2),
        ("person=root", ["cluster-02", "cluster-01"]),
        ("kind=held", ["cluster-01"] * 2),
        ("kind=held&person=bob&until=2999-01-01", ["cluster-01"]),
        ("job=e2e", []),
        ("until=1h", []),
        ("kind=unknown", []),
    ],
)
def test_filters(client: FlaskClient, changes: int, query: str, clusters: list[str]) -> None:
    assert changes
    found = client.get(f"/history?format=json&{query}").get_json()["history"]
    assert [change["cluster"] for change in found] == clusters


@pytest.mark.parametrize("query", ["after=12", "after=x-1", "after=1-", "format=xml", "until=soon"])
def test_a_bad_value_is_refused_with_what_was_expected(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/history?{query}")
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (400, "bad_parameter")
    assert "expected" in answer.text


def test_each_format_says_that_a_part_of_the_archive_is_missing(store: Store, request: pytest.FixtureRequest) -> None:
    (part,) = store.siblings(["clusters-history-05"])
    with closing(part):
        part.replace(part.read().replaced({"note": "not an archive"}, {}))
    repository = request.getfixturevalue("repository")
    until(lambda: repository.history_ring.trouble)  # the archive is read after the start, without a request
    client = request.getfixturevalue("client")
    assert "clusters-history-05 cannot be read" in client.get("/history").text
    trouble = client.get("/history?format=json").get_json()["trouble"]
    assert "clusters-history-05 cannot be read" in trouble
    last = json.loads(client.get("/history?format=jsonl").text.splitlines()[-1])
    assert last == {"event": "changes missing", "reason": trouble}
    assert table(client.get("/history?format=csv").text)[-1]["reason"] == trouble
