"""The history of changes, as people look it up afterwards."""

from datetime import UTC, datetime, timedelta, timezone

from flask.testing import FlaskClient

from tests.conftest import Add, MovableClock

JSON = {"Accept": "application/json"}


def events(client: FlaskClient, **filters: object) -> list[str]:
    """Return the events that the filters show."""
    answer = client.get("/history", query_string=filters, headers=JSON)
    assert answer.status_code == 200, answer.text
    return [entry["event"] for entry in answer.get_json()["history"]]


def live(client: FlaskClient, add: Add, clock: MovableClock) -> None:
    """Make some changes to cluster-01."""
    add("cluster-01")
    client.get("/getvacant?build=124&job=e2e&name=Alice")
    client.get("/holdcluster?cluster=cluster-01&name=bob&desc=logs")
    client.get("/finishtest?cluster=cluster-01&job=e2e&build=124")
    client.get("/releasecluster?cluster=cluster-01&name=bob&reason=done")
    client.get("/getvacant?build=125&job=e2e&ttl=5m")
    clock.forward(minutes=6)
    client.get("/disablecluster?cluster=cluster-01&name=root&reason=new+switch")


def test_every_change_is_listed_newest_first(client: FlaskClient, add: Add, clock: MovableClock) -> None:
    live(client, add, clock)
    assert events(client) == [
        "disabled",
        "lease ended",
        "taken",
        "released",
        "finished",
        "held",
        "taken",
        "added",
    ]


def test_an_entry_names_the_caller_the_change_the_cluster_and_the_reason(
    client: FlaskClient, add: Add, clock: MovableClock
) -> None:
    live(client, add, clock)
    disabled, ended, _, released, finished, held, taken, added = client.get("/history", headers=JSON).get_json()[
        "history"
    ]
    expected = {"cluster": "cluster-01", "by": "Alice", "job": "e2e", "build": "124", "from": "vacant"}
    assert expected.items() <= taken.items()
    assert (held["by"], held["reason"], held["from"], held["to"]) == ("bob", "logs", "occupied", "occupied")
    assert (finished["from"], finished["to"], finished["job"]) == ("occupied", "held", "e2e")
    assert (released["reason"], released["to"]) == ("done", "vacant")
    assert (ended["job"], ended["build"], ended["reason"]) == ("e2e", "125", "its time was over")
    assert (disabled["by"], disabled["reason"]) == ("root", "new switch")
    assert (added["by"], added["to"], added.get("from")) == ("root", "vacant", None)
    assert abs(datetime.fromisoformat(added["at"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert disabled["commit"] == ended["commit"] > released["commit"] > added["commit"]


def test_the_history_of_one_cluster(client: FlaskClient, add: Add) -> None:
    add("cluster-01", "cluster-02")
    client.get("/holdcluster?cluster=cluster-02&name=alice")
    assert events(client, cluster="cluster-02") == ["held", "added"]
    assert events(client, cluster="cluster-09") == []


def test_the_history_since_a_time_and_up_to_a_limit(client: FlaskClient, add: Add, clock: MovableClock) -> None:
    add("cluster-01")
    clock.forward(hours=2)
    client.get("/holdcluster?cluster=cluster-01&name=alice")
    hour_hence = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert events(client, since=hour_hence) == ["held"]
    assert events(client, since=hour_hence.replace("Z", "+00:00")) == ["held"]
    assert events(client, limit=1) == ["held"]
    assert events(client, limit=1000) == ["held", "added"]


def test_the_history_as_text_has_an_aligned_line_for_each_change(
    client: FlaskClient, add: Add, clock: MovableClock
) -> None:
    live(client, add, clock)
    heads, newest, *_, oldest = client.get("/history").text.splitlines()
    assert heads.split() == ["TIME", "CLUSTER", "EVENT", "STATE", "BY", "JOB", "REASON"]
    assert "disabled" in newest
    assert "new switch" in newest
    assert "added" in oldest


def test_the_text_says_how_a_test_ended_and_whose_hold_changed(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    client.get("/getvacant?build=124&job=e2e&name=carol&hold_on_failure=1h")
    client.get("/finishtest?cluster=cluster-01&job=e2e&build=124&result=fail")
    client.get("/releasecluster?cluster=cluster-01&name=carol&to=bob")
    client.get("/holdcluster?cluster=cluster-01&name=root&force=true&reason=bob+left")
    client.get("/releasecluster?cluster=cluster-01&name=root")
    client.get("/holdcluster?cluster=cluster-01&name=root&to=dora")
    lines = client.get("/history").text.splitlines()
    reasons = [line[lines[0].index("REASON") :] for line in lines[1:]]
    assert reasons[:3] == ["for dora", "", "bob's hold: bob left"]
    assert reasons[3].endswith("to bob")
    assert reasons[5] == "fail"


def test_a_cluster_without_history(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    assert client.get("/history?cluster=cluster-09").text == "no changes match\n"


def test_all_changes_of_a_cluster_are_kept(client: FlaskClient, add: Add) -> None:
    add("cluster-01", "cluster-02")
    for number in range(30):
        client.get(f"/disablecluster?cluster=cluster-01&name=root&reason={number}")
    assert len(events(client, cluster="cluster-01")) == 31
    assert events(client, cluster="cluster-02") == ["added"]


def test_a_refused_change_is_not_recorded(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    client.get("/holdcluster?cluster=cluster-01&name=alice")
    client.get("/holdcluster?cluster=cluster-01&name=charlie")
    assert events(client) == ["held", "added"]


def test_since_is_a_time_a_date_or_an_age(client: FlaskClient, add: Add, clock: MovableClock) -> None:
    add("cluster-01")
    clock.forward(hours=30)
    now = clock().replace(microsecond=0)
    client.get("/holdcluster?cluster=cluster-01&name=alice")
    there = (now - timedelta(hours=2)).astimezone(timezone(timedelta(hours=1))).isoformat()
    assert "+01:00" in there
    for since in ("2h", "1h30m", f"{now:%Y-%m-%d}", there, there.replace("+", " ")):
        assert events(client, since=since) == ["held"], since
    for since in ("2d", "1w", "1d6h1m", f"{now - timedelta(days=2):%Y-%m-%d}", "2020-01-02", "2020-01-02T03:04 01:00"):
        assert events(client, since=since) == ["held", "added"], since


def test_limit_and_since_are_refused_with_what_was_expected(client: FlaskClient) -> None:
    for limit in ("0", "10001", "-1", "ten", "0000010000", "1e3"):
        assert "from 1 to 10000" in client.get(f"/history?limit={limit}").text
    for since in ("yesterday", "2026-01-32", "2026-01-02T03:04:05", "2026-13-01T00:00:00Z", "0", "7"):
        answer = client.get(f"/history?since={since}")
        assert (answer.status_code, answer.headers["CIMaster-Code"]) == (400, "bad_parameter")
        assert "2026-01-02T03:04:05Z" in answer.text
