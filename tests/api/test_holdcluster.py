"""Holding a cluster to debug on it: its duration, after a running job, and in conflict with other holders."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cimaster.services.clusters import Clusters
from tests.conftest import Add, MovableClock

JSON = {"Accept": "application/json"}


def hold(client: FlaskClient, name: str = "alice", cluster: str = "cluster-01", **more: object) -> TestResponse:
    """Hold a cluster as a person does."""
    return client.get("/holdcluster", query_string={"cluster": cluster, "name": name, **more})


def record(client: FlaskClient, name: str = "cluster-01") -> dict[str, Any]:
    """Return the public record of a cluster."""
    found: dict[str, Any] = client.get(f"/clusters/{name}", headers=JSON).get_json()
    return found


def time_left(client: FlaskClient) -> timedelta:
    """Return the remaining time of the hold of cluster-01, by the real clock."""
    return datetime.fromisoformat(record(client)["holdExpires"]) - datetime.now(UTC)


def newest(client: FlaskClient) -> dict[str, Any]:
    """Return the newest entry of the history."""
    found: dict[str, Any] = client.get("/history?limit=1", headers=JSON).get_json()["history"][0]
    return found


def nearly(duration: timedelta, **expected: float) -> bool:
    """Say whether a duration is the expected one, within the seconds that a test takes."""
    return abs(duration - timedelta(**expected)) < timedelta(seconds=20)


def refusal(answer: TestResponse) -> tuple[int, str]:
    """Return status and code of a refusal."""
    return answer.status_code, answer.headers["CIMaster-Code"]


def test_a_person_holds_a_vacant_cluster_for_six_hours(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    answer = client.get("/holdcluster?cluster=cluster-01&name=alice&desc=debugging+network+issue")
    assert answer.status_code == 200
    assert answer.text.startswith("cluster cluster-01 is held by alice until 20")
    assert answer.text.endswith("Z\n")
    assert nearly(time_left(client), hours=6)
    held = record(client)
    assert (held["state"], held["holdBy"], held["holdDesc"]) == ("held", "alice", "debugging network issue")


def test_a_forgotten_hold_ends_automatically(
    client: FlaskClient, add: Add, clock: MovableClock, service: Clusters
) -> None:
    add("cluster-01")
    hold(client)
    clock.forward(hours=5, minutes=59)
    assert not service.expire()
    clock.forward(minutes=2)
    service.expire()  # unless the reaper has just done that
    ended = record(client)
    assert (ended["state"], ended["hold"]) == ("vacant", False)
    assert not {"holdBy", "holdDesc", "heldAt", "holdExpires", "holdFor"} & ended.keys()
    assert client.get("/getvacant?build=1&job=a").text == "cluster-01"


def test_a_person_chooses_how_long(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    hold(client, duration="90m")
    assert nearly(time_left(client), minutes=90)


def test_holding_again_with_a_duration_moves_the_end(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    hold(client, duration="1h")
    assert hold(client, duration="5h").status_code == 200
    assert nearly(time_left(client), hours=5)
    assert hold(client, duration="30m").status_code == 200
    assert nearly(time_left(client), minutes=30)
    entries = client.get("/history", headers=JSON).get_json()["history"]
    assert [entry["event"] for entry in entries[:2]] == ["hold shortened", "hold extended"]


def test_holding_again_is_a_success_that_says_so(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    hold(client, duration="1h")
    again = hold(client)
    assert again.status_code == 200
    assert "you hold it already" in again.text
    assert nearly(time_left(client), hours=1)


def test_names_are_compared_without_case(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    hold(client, "Alice")
    assert "already" in hold(client, "aLICE").text
    assert record(client)["holdBy"] == "Alice"
    assert client.get("/releasecluster?cluster=cluster-01&name=ALICE").status_code == 200


def test_a_hold_lasts_72_hours_at_most(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    for duration in ("73h", "4d", "259201s", "999999999d"):
        answer = hold(client, duration=duration)
        assert refusal(answer) == (422, "hold_too_long")
        assert "at most 3d" in answer.text
    assert record(client)["state"] == "vacant"
    assert hold(client, duration="72h").status_code == 200


def test_a_hold_lasts_72_hours_at_most_with_all_extensions(client: FlaskClient, add: Add, clock: MovableClock) -> None:
    add("cluster-01")
    hold(client, duration="24h")
    clock.forward(hours=20)
    assert refusal(hold(client, duration="53h")) == (422, "hold_too_long")
    assert hold(client, duration="51h").status_code == 200
    clock.forward(hours=50)
    assert refusal(hold(client, duration="3h")) == (422, "hold_too_long")
    assert hold(client, duration="90m").status_code == 200


def test_a_retry_of_the_longest_hold_is_no_longer_hold(client: FlaskClient, add: Add, clock: MovableClock) -> None:
    add("cluster-01")
    hold(client, duration="72h")
    end = record(client)["holdExpires"]
    clock.forward(seconds=5)
    assert hold(client, duration="72h").status_code == 200
    assert record(client)["holdExpires"] == end
    clock.forward(minutes=1)
    assert refusal(hold(client, duration="72h")) == (422, "hold_too_long")


def test_hold_of_a_held_cluster_names_the_holder(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    hold(client, "alice")
    answer = client.get("/holdcluster?cluster=cluster-01&name=charlie", headers=JSON)
    assert refusal(answer) == (409, "held_by_other")
    assert answer.get_json()["holder"] == "alice"
    assert "held by alice until 20" in answer.get_json()["detail"]
    assert record(client)["holdBy"] == "alice"


def test_a_hold_of_an_occupied_cluster_starts_when_the_job_finishes(
    client: FlaskClient, add: Add, clock: MovableClock
) -> None:
    add("cluster-01")
    client.get("/getvacant?build=124&job=e2e")
    answer = hold(client, duration="2h")
    assert (answer.status_code, answer.text) == (
        200,
        "cluster cluster-01 is held by alice from when e2e #124 finishes\n",
    )
    assert record(client)["state"] == "occupied"
    assert "holdExpires" not in record(client)
    clock.forward(hours=30)
    client.get("/finishtest?cluster=cluster-01&job=e2e&build=124")
    assert record(client)["state"] == "held"
    assert nearly(time_left(client) - timedelta(hours=30), hours=2)


def test_a_hold_behind_a_lease_that_runs_out_starts_then(
    client: FlaskClient, add: Add, clock: MovableClock, service: Clusters
) -> None:
    add("cluster-01")
    client.get("/getvacant?build=1&job=e2e&ttl=1h")
    hold(client, duration="2h")
    clock.forward(minutes=61)
    service.expire()  # unless the reaper has just done that
    assert record(client)["state"] == "held"
    assert nearly(time_left(client) - timedelta(minutes=61), hours=2)


def test_the_length_of_a_hold_behind_a_job_can_be_changed(client: FlaskClient, add: Add, clock: MovableClock) -> None:
    add("cluster-01")
    client.get("/getvacant?build=1&job=e2e")
    hold(client, duration="2h")
    assert hold(client, duration="1h").status_code == 200
    assert newest(client)["event"] == "hold shortened"
    assert hold(client, duration="10h").status_code == 200
    assert newest(client)["event"] == "hold extended"
    client.get("/finishtest?cluster=cluster-01&job=e2e&build=1")
    assert nearly(time_left(client), hours=10)


def test_expect_vacant_refuses_a_cluster_taken_in_the_meantime(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    assert hold(client, expect="vacant").status_code == 200
    client.get("/releasecluster?cluster=cluster-01&name=alice")
    client.get("/getvacant?build=124&job=e2e")
    answer = hold(client, expect="vacant")
    assert refusal(answer) == (409, "cluster_not_vacant")
    assert "occupied by e2e #124" in answer.text
    assert "holdBy" not in record(client)


def test_disabled_clusters_may_be_held(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    client.get("/disablecluster?cluster=cluster-01&name=root")
    assert hold(client).status_code == 200
    shown = record(client)
    assert (shown["state"], shown["hold"], shown["disabled"]) == ("disabled", True, True)


def test_any_holds_the_longest_vacant_cluster_of_a_kind(client: FlaskClient, add: Add) -> None:
    add("perf-01", purpose="perf", label="gpu=yes")
    add("cluster-01", "cluster-02", region="eu-central")
    assert "cluster cluster-01 is held by alice" in hold(client, cluster="any").text
    assert "cluster perf-01 is held by alice" in hold(client, cluster="any", purpose="perf", label="gpu=yes").text
    assert refusal(hold(client, cluster="any", region="us-east")) == (404, "no_such_cluster_kind")
    hold(client, cluster="any")
    answer = hold(client, "charlie", cluster="any")
    assert refusal(answer) == (404, "no_vacant_cluster")
    assert "2 held; next: cluster-01 at 20" in answer.text
    assert answer.headers["Retry-After"]


def test_any_of_tnet_ci_needs_an_osimage(client: FlaskClient, add: Add) -> None:
    add("net-01", purpose="tnet-ci", osimage="flatcar")
    assert refusal(hold(client, cluster="any", purpose="tnet-ci")) == (400, "missing_parameter")
    assert hold(client, cluster="any", purpose="tnet-ci", osimage="flatcar").status_code == 200


@pytest.mark.parametrize("what", [{"purpose": "perf"}, {"region": "us-west"}, {"osimage": "x"}, {"label": "a=b"}])
def test_purpose_region_and_label_are_only_allowed_with_any(
    client: FlaskClient, add: Add, what: dict[str, str]
) -> None:
    add("cluster-01")
    answer = hold(client, **what)
    assert refusal(answer) == (400, "bad_parameter")
    assert f"{next(iter(what))} is only allowed with cluster=any" in answer.text


def test_the_same_hold_with_a_request_id_gets_the_same_answer(client: FlaskClient, add: Add) -> None:
    add("cluster-01", "cluster-02")
    first = hold(client, cluster="any", request_id="r-1")
    again = hold(client, cluster="any", request_id="r-1")
    assert (again.text, again.headers["CIMaster-Repeated"]) == (first.text, "true")
    assert record(client, "cluster-02")["state"] == "vacant"
    assert refusal(hold(client, "charlie", cluster="any", request_id="r-1")) == (422, "request_id_reused")


def test_a_description_may_be_any_text_of_one_line(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    desc = "Überprüfe „größere“ Pakete — 中文 🙂 <b>&amp;"
    assert hold(client, desc=desc).status_code == 200
    assert record(client)["holdDesc"] == desc
    assert desc in client.get("/clusters").text
    assert hold(client, desc="x" * 500).status_code == 200


def test_name_and_cluster_are_required(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    assert "name is required" in client.get("/holdcluster?cluster=cluster-01").text
    assert "cluster is required" in client.get("/holdcluster?name=alice").text


@pytest.mark.parametrize(
    ("desc", "stored"),
    [
        ("two\r\nlines\tof text\n", "two lines of text"),
        ("\ufeffnotes", "notes"),
        ("in\u200bvisi\u2060b\u00adl\u3164e", "invisible"),
        ("\u202eeuqinu\u202c \u2066x\u2069", "euqinu x"),
        ("\x1b[31mred\x07", "[31mred"),
        ("z" + "\u0335" * 499, "z" + "\u0335" * 4),
        ("größer ☕ <b>", "größer ☕ <b>"),
        ("x" * 500 + "\n", "x" * 500),
    ],
)
def test_a_description_is_stored_as_one_visible_line(client: FlaskClient, add: Add, desc: str, stored: str) -> None:
    add("cluster-01")
    assert hold(client, desc=desc).status_code == 200
    assert client.get("/clusters/cluster-01", headers=JSON).get_json()["holdDesc"] == stored


@pytest.mark.parametrize("nothing", ["", " \n", "\u200b", None])
def test_an_empty_description_counts_as_not_sent(client: FlaskClient, add: Add, nothing: str | None) -> None:
    add("cluster-01")
    assert hold(client, desc="stored").status_code == 200
    sent = {"cluster": "cluster-01", "name": "alice", "desc": nothing, "duration": nothing, "expect": nothing}
    for answer in (client.get("/holdcluster", query_string=sent), client.post("/holdcluster", json=sent)):
        assert answer.text.startswith("you hold it already")
    assert client.get("/clusters/cluster-01", headers=JSON).get_json()["holdDesc"] == "stored"


@pytest.mark.parametrize(
    "name",
    [
        "al\u200bice",
        "al\u200dice",
        "al\u2060ice",
        "al\u00adice",
        "al\u3164ice",
        "al\x00ice",
        "a\nb",
        "a" + "\u0301" * 300,
        "\u202ealice",
        "x" * 64,
    ],
)
def test_a_name_that_looks_like_another_is_refused(client: FlaskClient, add: Add, name: str) -> None:
    add("cluster-01")
    answer = hold(client, name=name)
    assert refusal(answer) == (400, "bad_parameter")
    assert "a name of 1 to 63 characters that can all be seen" in answer.text


@pytest.mark.parametrize(
    ("name", "again"),
    [("Jane Doe", " jane  DOE "), ("José", "JOSE\u0301"), ("Straße", "STRASSE"), ("ΣΊΣΥΦΟΣ", "σίσυφος")],
)
def test_names_are_compared_without_case_blanks_and_unicode_form(
    client: FlaskClient, add: Add, name: str, again: str
) -> None:
    add("cluster-01")
    assert hold(client, name=name).status_code == 200
    assert hold(client, name=again).text.startswith("you hold it already")
    answer = client.get("/releasecluster", query_string={"cluster": "cluster-01", "name": again})
    assert answer.text == "cluster cluster-01 is released\n"


def test_a_duration_without_a_unit_is_refused(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    answer = hold(client, duration="6")
    assert refusal(answer) == (400, "bad_parameter")
    assert "90s, 30m, 6h, 2d or 1h30m" in answer.text


def take_over(client: FlaskClient, name: str = "root", **more: Any) -> TestResponse:
    """Take over the hold of cluster-01 as an admin does."""
    return hold(client, name, force="true", reason="alice has left", **more)


def test_an_admin_takes_a_hold_over_in_one_change(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    hold(client, desc="the network")
    before = int(client.get("/clusters").headers["CIMaster-Commit"])
    answer = take_over(client, duration="2h", desc="the disks")
    assert answer.text.startswith("cluster cluster-01 is held by root until 20")
    assert int(answer.headers["CIMaster-Commit"]) == before + 1
    assert (record(client)["holdBy"], record(client)["holdDesc"]) == ("root", "the disks")
    assert nearly(time_left(client), hours=2)
    entry = newest(client)
    assert (entry["event"], entry["by"], entry["holder"], entry["reason"]) == (
        "taken over",
        "root",
        "alice",
        "alice has left",
    )
    assert (entry["from"], entry["to"]) == ("held", "held")


def test_a_waiting_job_does_not_get_a_cluster_that_is_taken_over(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    hold(client)
    for _ in range(2):  # a legacy script that repeats an identical request has a place in the queue
        assert refusal(client.get("/getvacant?build=1&job=e2e"))[0] == 404
    assert "e2e #1" in client.get("/queue").text
    take_over(client)
    assert refusal(client.get("/getvacant?build=1&job=e2e")) == (404, "no_vacant_cluster")
    assert record(client)["holdBy"] == "root"
    assert "e2e #1" in client.get("/queue").text


def test_a_taken_over_hold_still_starts_when_the_job_finishes(
    client: FlaskClient, add: Add, clock: MovableClock
) -> None:
    add("cluster-01")
    client.get("/getvacant?build=124&job=e2e")
    hold(client)
    assert "held by root from when e2e #124 finishes" in take_over(client, duration="2h").text
    clock.forward(hours=1)
    client.get("/finishtest?cluster=cluster-01&job=e2e&build=124")
    assert nearly(time_left(client) - timedelta(hours=1), hours=2)


def test_a_take_over_of_a_cluster_that_is_not_held_is_a_hold(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    assert take_over(client).status_code == 200
    assert newest(client)["event"] == "held"
    assert "you hold it already" in take_over(client).text


def test_a_take_over_with_a_request_id_is_carried_out_once(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    hold(client)
    first = take_over(client, request_id="r-1")
    client.get("/releasecluster?cluster=cluster-01&name=root")
    hold(client)
    again = take_over(client, request_id="r-1")
    assert (again.text, again.headers["CIMaster-Repeated"]) == (first.text, "true")
    assert record(client)["holdBy"] == "alice"


def test_a_take_over_needs_an_admin_and_a_reason(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    hold(client)
    assert refusal(take_over(client, "charlie")) == (403, "not_authorized")
    answer = hold(client, "root", force="true")
    assert refusal(answer) == (400, "missing_parameter")
    assert "reason is required with force" in answer.text
    assert refusal(hold(client, "root", force="false")) == (409, "held_by_other")
    assert refusal(take_over(client, expect="vacant")) == (409, "cluster_not_vacant")
    assert record(client)["holdBy"] == "alice"


def test_a_take_over_needs_the_name_of_a_cluster(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    answer = take_over(client, cluster="any")
    assert refusal(answer) == (400, "bad_parameter")
    assert "force is only allowed with the name of a cluster" in answer.text


def test_a_reason_without_force_is_kept_and_takes_nothing_over(client: FlaskClient, add: Add) -> None:
    add("cluster-01", "cluster-02")
    hold(client)
    assert refusal(hold(client, "root", reason="alice has left")) == (409, "held_by_other")
    hold(client, "root", cluster="cluster-02", reason="for the release")
    assert newest(client)["reason"] == "for the release"


def test_a_hold_ends_at_a_time(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    end = (datetime.now(UTC) + timedelta(hours=3)).replace(microsecond=0)
    for text in (end.isoformat(), f"{end:%Y-%m-%dT%H:%M:%SZ}"):
        assert hold(client, until=text).status_code == 200
        assert datetime.fromisoformat(record(client)["holdExpires"]) == end
    assert hold(client, until=f"{end:%H:%M}").status_code == 200
    assert datetime.fromisoformat(record(client)["holdExpires"]) == end.replace(second=0)
    assert newest(client)["event"] == ("hold shortened" if end.second else "held")


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"until": "2020-01-01T00:00:00Z"}, "bad_parameter"),
        ({"until": "2020-01-01"}, "bad_parameter"),
        ({"until": "17:30", "duration": "1h"}, "bad_parameter"),
        ({"until": "17:30", "wait": "1d"}, "bad_parameter"),
        ({"until": "2200-01-01T00:00:00Z"}, "hold_too_long"),
    ],
)
def test_an_end_that_is_not_possible_is_refused(client: FlaskClient, add: Add, more: dict[str, str], code: str) -> None:
    add("cluster-01")
    answer = client.get("/holdcluster", query_string={"cluster": "cluster-01", "name": "alice", **more}, headers=JSON)
    assert answer.headers["CIMaster-Code"] == code
    problem = answer.get_json()
    assert problem["parameter"] == "until"
    assert record(client)["state"] == "vacant"
