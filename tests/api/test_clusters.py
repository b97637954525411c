"""Lists and single clusters, as people and programs read them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from cimaster.repository.stores.port import Store, StoredObject
from tests.conftest import Add

JSON = {"Accept": "application/json"}


def names(client: FlaskClient, **filters: object) -> list[str]:
    """Return the names of the clusters that the filters show."""
    answer = client.get("/clusters", query_string=filters, headers=JSON)
    assert answer.status_code == 200, answer.text
    return [cluster["name"] for cluster in answer.get_json()["clusters"]]


@pytest.fixture
def mixed(client: FlaskClient, add: Add) -> None:
    """A pool with a cluster in every state."""
    add("cluster-01", "cluster-02", region="us-west")
    add("cluster-03", region="eu-central", label=["gpu=yes", "size=large"], note="Größe XL")
    add("perf-01", purpose="perf", label="gpu=yes")
    client.get("/getvacant?build=124&job=e2e&name=Alice&cluster=cluster-01")
    client.get("/holdcluster?cluster=cluster-02&name=alice&desc=network+issue")
    client.get("/disablecluster?cluster=perf-01&name=root&reason=new+switch")


def test_the_list_has_one_aligned_line_for_each_cluster(client: FlaskClient, mixed: None) -> None:
    answer = client.get("/clusters")
    heads, *lines = answer.text.splitlines()
    assert answer.content_type == "text/plain; charset=utf-8"
    assert heads.split() == ["NAME", "STATE", "HEALTH", "PURPOSE", "REGION", "SITUATION"]
    assert [line.split()[:2] for line in lines] == [
        ["cluster-01", "occupied"],
        ["cluster-02", "held"],
        ["cluster-03", "vacant"],
        ["perf-01", "disabled"],
    ]
    assert len({line.index(word) for line, word in zip(lines, ("occ", "held", "vac", "dis"), strict=True)}) == 1
    assert "occupied by e2e #124 for Alice" in lines[0]
    assert "held by alice until 20" in lines[1]
    assert "(network issue)" in lines[1]
    assert "disabled by root: new switch" in lines[3]


def test_json_has_the_records_in_the_order_of_the_pool(client: FlaskClient, mixed: None) -> None:
    got = client.get("/clusters", headers=JSON).get_json()
    assert [c["state"] for c in got["clusters"]] == ["occupied", "held", "vacant", "disabled"]
    assert got["commit"] == 7


@pytest.mark.parametrize(
    ("filters", "shown"),
    [
        ({}, "cluster-01 cluster-02 cluster-03 perf-01"),
        ({"state": "vacant"}, "cluster-03"),
        ({"state": "held"}, "cluster-02"),
        ({"state": "broken"}, ""),
        ({"purpose": "perf"}, "perf-01"),
        ({"purpose": "tess-ci"}, "cluster-01 cluster-02 cluster-03"),
        ({"region": "us-west"}, "cluster-01 cluster-02 perf-01"),
        ({"label": "gpu=yes"}, "cluster-03 perf-01"),
        ({"label": ["gpu=yes", "size=large"]}, "cluster-03"),
        ({"holder": "ALICE"}, "cluster-01 cluster-02"),
        ({"q": "network"}, "cluster-02"),
        ({"q": "GRÖSSE"}, "cluster-03"),
        ({"q": "new switch"}, "perf-01"),
        ({"q": "size=large"}, "cluster-03"),
        ({"q": "124"}, "cluster-01"),
        ({"q": "alice", "state": "held"}, "cluster-02"),
    ],
)
def test_filters_show_what_matches_all_of_them(
    client: FlaskClient, mixed: None, filters: dict[str, Any], shown: str
) -> None:
    assert names(client, **filters) == shown.split()


def test_the_list_is_filtered_by_health_and_searched_for_its_reason(client: FlaskClient, mixed: None) -> None:
    answer = client.get("/healthcluster?cluster=cluster-03&name=root&health=suspect&reason=slow+disks")
    assert answer.status_code == 200
    assert names(client, health="suspect") == ["cluster-03"]
    assert names(client, health="ok", purpose="tess-ci") == ["cluster-01", "cluster-02"]
    assert names(client, q="slow disks") == ["cluster-03"]


def test_an_empty_list_says_why(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    assert client.get("/clusters?state=held").text == "no clusters match\n"
    assert client.get("/clusters?state=held", headers=JSON).get_json()["clusters"] == []
    client.get("/deletecluster?cluster=cluster-01&name=root")
    assert "the pool is empty" in client.get("/clusters").text


def test_reads_say_which_commit_they_show_and_how_old_it_is(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    for path in ("/clusters", "/clusters/cluster-01", "/history"):
        answer = client.get(path)
        assert answer.headers["CIMaster-Commit"] == "1"
        assert 0 <= float(answer.headers["CIMaster-Age"]) < 30
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Accept" in answer.headers["Vary"]


def test_a_read_after_a_commit_shows_that_commit(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    commit = client.get("/getvacant?build=1&job=a").headers["CIMaster-Commit"]
    answer = client.get("/clusters", query_string={"after": commit})
    assert "occupied by a #1" in answer.text
    assert answer.headers["CIMaster-Commit"] == commit
    assert client.get("/clusters", query_string={"after": int(commit) + 1000}).headers["CIMaster-Commit"] == commit


def test_a_commit_far_ahead_is_refused_and_costs_no_read(
    client: FlaskClient, add: Add, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    add("cluster-01")
    reads: list[str] = []
    read = store.read

    def counted_read(not_older_than: str = "") -> StoredObject:
        reads.append("read")
        return read(not_older_than)

    monkeypatch.setattr(store, "read", counted_read)
    answer = client.get(f"/clusters?after={10**17}", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.get_json()["parameter"]) == (400, "after")
    assert "far ahead" in answer.get_json()["detail"]
    client.set_cookie("cimaster_seen", str(10**17))
    page = client.get("/", headers={"HX-PTag": f"{10**17}.x"})
    assert page.status_code == 200
    assert "cimaster_seen=1;" in page.headers["Set-Cookie"]
    assert not reads


def test_an_unknown_state_is_refused_with_the_known_ones(client: FlaskClient) -> None:
    answer = client.get("/clusters?state=free")
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (400, "bad_parameter")
    assert "vacant" in answer.text


def test_one_cluster_is_shown_with_a_line_for_each_fact(client: FlaskClient, mixed: None) -> None:
    lines = client.get("/clusters/cluster-03").text.splitlines()
    facts = {line.split(maxsplit=1)[0]: line.split(maxsplit=1)[1] for line in lines}
    assert facts["name"] == "cluster-03"
    assert facts["labels"] == "gpu=yes,size=large"
    assert facts["note"] == "Größe XL"
    assert "last" in client.get("/clusters/cluster-01").text
    assert "triggered by" in client.get("/clusters/cluster-01").text


def test_one_cluster_as_json_is_its_record_and_its_state(client: FlaskClient, mixed: None) -> None:
    got = client.get("/clusters/cluster-01", headers=JSON).get_json()
    assert (got["state"], got["status"], got["lastJob"], got["lastBuild"]) == ("occupied", "testing", "e2e", "124")
    assert abs((datetime.fromisoformat(got["acquiredAt"]) - datetime.now(UTC)).total_seconds()) < 60


def test_an_unknown_cluster_is_refused_with_the_nearest_name(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    answer = client.get("/clusters/cluster-1")
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (404, "unknown_cluster")
    assert "did you mean cluster-01?" in answer.text
    assert client.get("/clusters/%233").status_code == 404


def test_reads_take_no_post(client: FlaskClient) -> None:
    for path in ("/clusters", "/clusters/cluster-01", "/history"):
        answer = client.post(path)
        assert (answer.status_code, answer.headers["CIMaster-Code"]) == (405, "method_not_allowed")
        assert "GET" in answer.headers["Allow"]


def test_browsers_may_read(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    agent = {"User-Agent": "Mozilla/5.0", "Sec-Fetch-Site": "cross-site"}
    assert client.get("/clusters", headers=agent).status_code == 200
    assert client.head("/clusters").status_code == 200


def test_a_client_that_sends_idempotency_key_with_everything_may_read(client: FlaskClient) -> None:
    assert client.get("/clusters", headers={"Idempotency-Key": "r-1"}).status_code == 200


def test_a_refused_name_in_the_path_cannot_forge_lines(client: FlaskClient) -> None:
    text = client.get("/clusters/%00%1b[2J%E2%80%AE").text
    assert text.strip().isprintable()
