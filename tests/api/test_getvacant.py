"""Taking a cluster: what jobs rely on, first of all the scripts of the first service."""

from datetime import datetime

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import Add, MovableClock

JSON = {"Accept": "application/json"}


def take(client: FlaskClient, build: object = 1, job: str = "e2e-test", **more: object) -> TestResponse:
    """Take a cluster as a job does."""
    return client.get("/getvacant", query_string={"build": build, "job": job, **more})


def refusal(answer: TestResponse) -> tuple[int, str]:
    """Return status and code of a refusal."""
    return answer.status_code, answer.headers["CIMaster-Code"]


def test_a_job_gets_the_bare_name_of_a_vacant_cluster(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    answer = client.get("/getvacant?build=123&job=e2e-test&email=ci-bot@example.com")
    assert (answer.status_code, answer.text) == (200, "cluster-01")
    assert answer.content_type == "text/plain; charset=utf-8"
    assert len(answer.headers["CIMaster-Lease"]) == 16
    assert int(answer.headers["CIMaster-Commit"]) == 2
    assert "CIMaster-Repeated" not in answer.headers


def test_a_json_answer_has_the_whole_record(client: FlaskClient, add: Add) -> None:
    add("cluster-07")
    answer = client.get("/getvacant?build=123&job=test&name=john", headers=JSON)
    got = answer.get_json()
    expected = {
        "name": "cluster-07",
        "region": "us-west",
        "status": "testing",
        "state": "occupied",
        "lastBuild": "123",
        "lastJob": "test",
        "lastTriggerName": "john",
        "purpose": "tess-ci",
        "message": "cluster-07",
    }
    assert expected.items() <= got.items()
    assert got["leaseId"] == answer.headers["CIMaster-Lease"]
    assert str(got["commit"]) == answer.headers["CIMaster-Commit"]
    assert "requestId" not in got


def test_post_takes_query_form_and_json_alike(client: FlaskClient, add: Add) -> None:
    add("cluster-01", "cluster-02", "cluster-03", "cluster-04")
    assert client.post("/getvacant?build=1&job=e2e").text == "cluster-01"
    assert client.post("/getvacant", data={"build": "1", "job": "e2e"}).text == "cluster-02"
    assert client.post("/getvacant", json={"build": 1, "job": "e2e"}).text == "cluster-03"
    assert client.post("/getvacant?build=1", json={"job": "e2e"}).text == "cluster-04"


def test_the_list_decides_between_clusters_that_were_never_used(client: FlaskClient, add: Add) -> None:
    add("cluster-02", "cluster-01")
    assert [take(client, build).text for build in (1, 2)] == ["cluster-02", "cluster-01"]


def test_the_cluster_that_has_been_vacant_longest_is_lent_first(
    client: FlaskClient, add: Add, clock: MovableClock
) -> None:
    add("cluster-01", "cluster-02", "cluster-03")
    for build in (1, 2, 3):
        take(client, build)
    for name in ("cluster-03", "cluster-01", "cluster-02"):
        clock.forward(seconds=2)
        client.get(f"/finishtest?cluster={name}")
    assert [take(client, build).text for build in (4, 5, 6)] == ["cluster-03", "cluster-01", "cluster-02"]


def test_every_getvacant_without_a_request_id_takes_another_cluster(client: FlaskClient, add: Add) -> None:
    add("cluster-01", "cluster-02")
    answers = [take(client, 7), take(client, 7)]  # parallel shards of one build share job and build
    assert {answer.text for answer in answers} == {"cluster-01", "cluster-02"}
    assert len({answer.headers["CIMaster-Lease"] for answer in answers}) == 2


def test_the_default_purpose_is_tess_ci(client: FlaskClient, add: Add) -> None:
    add("net-01", purpose="tnet-ci", osimage="flatcar")
    add("perf-01", purpose="perf")
    assert refusal(take(client)) == (404, "no_such_cluster_kind")
    add("cluster-01")
    assert take(client).text == "cluster-01"
    assert take(client, purpose="perf").text == "perf-01"


def test_tnet_ci_needs_an_osimage(client: FlaskClient, add: Add) -> None:
    add("net-01", purpose="tnet-ci", osimage="flatcar-1")
    add("net-02", purpose="tnet-ci", osimage="flatcar-2")
    answer = take(client, purpose="tnet-ci")
    assert refusal(answer) == (400, "missing_parameter")
    assert "osimage is required for purpose tnet-ci" in answer.text
    assert take(client, purpose="tnet-ci", osimage="flatcar-2").text == "net-02"
    assert refusal(take(client, purpose="tnet-ci", osimage="flatcar-2")) == (404, "no_vacant_cluster")
    assert refusal(take(client, purpose="tnet-ci", osimage="flatcar-9")) == (404, "no_such_cluster_kind")


def test_a_job_may_request_a_region(client: FlaskClient, add: Add) -> None:
    add("cluster-01", region="us-west")
    add("cluster-02", region="eu-central")
    assert take(client, region="eu-central").text == "cluster-02"
    assert refusal(take(client, region="eu-central")) == (404, "no_vacant_cluster")
    assert refusal(take(client, region="mars")) == (404, "no_such_cluster_kind")


def test_a_job_gets_a_cluster_that_has_all_requested_labels(client: FlaskClient, add: Add) -> None:
    add("cluster-01", label=["gpu=yes"])
    add("cluster-02", label=["gpu=yes", "size=large"])
    assert client.get("/getvacant?build=1&job=a&label=size=large&label=gpu=yes").text == "cluster-02"
    assert refusal(take(client, label=["gpu=no"])) == (404, "no_such_cluster_kind")
    assert client.post("/getvacant", json={"build": "2", "job": "a", "label": ["gpu=yes"]}).text == "cluster-01"


def test_two_values_for_one_label_are_refused(client: FlaskClient, add: Add) -> None:
    add("cluster-01", label="gpu=yes")
    answer = client.get("/getvacant?build=1&job=a&label=gpu=yes&label=gpu=no")
    assert refusal(answer) == (400, "bad_parameter")
    assert "label" in answer.text


@pytest.mark.parametrize(
    ("who", "stored"),
    [
        ({"email": "ci-bot@example.com"}, "ci-bot"),
        ({"name": "Alice"}, "Alice"),
        ({"email": "ci-bot@example.com", "name": "Alice"}, "Alice"),
        ({}, ""),
    ],
)
def test_the_trigger_name_is_name_or_else_the_local_part_of_email(
    client: FlaskClient, add: Add, who: dict[str, str], stored: str
) -> None:
    add("cluster-01")
    assert take(client, **who).status_code == 200
    assert client.get("/clusters/cluster-01", headers=JSON).get_json()["lastTriggerName"] == stored


def test_the_name_of_the_previous_user_never_stays(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    take(client, 1, name="Alice")
    client.get("/finishtest?cluster=cluster-01&job=e2e-test&build=1")
    take(client, 2)
    record = client.get("/clusters/cluster-01", headers=JSON).get_json()
    assert (record["lastTriggerName"], record["lastBuild"]) == ("", "2")


def test_a_job_may_request_one_cluster_by_name(client: FlaskClient, add: Add) -> None:
    add("cluster-01", "cluster-02")
    assert take(client, cluster="cluster-02").text == "cluster-02"
    assert refusal(take(client, cluster="cluster-09")) == (404, "unknown_cluster")


def test_take_of_an_occupied_cluster_names_the_job_and_its_end(client: FlaskClient, add: Add) -> None:
    add("cluster-01", "cluster-02")
    take(client, 124, name="Alice", ttl="2h", cluster="cluster-01")
    answer = client.get("/getvacant?build=1&job=a&cluster=cluster-01", headers=JSON)
    problem = answer.get_json()
    assert refusal(answer) == (409, "cluster_not_vacant")
    assert problem["holder"] == "e2e-test #124"
    assert problem["state"] == "occupied"
    assert "occupied by e2e-test #124 for Alice until 20" in problem["detail"]
    assert take(client).text == "cluster-02"


def test_take_of_a_held_cluster_names_the_holder_and_the_end(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    client.get("/holdcluster?cluster=cluster-01&name=alice&desc=debugging")
    answer = take(client, cluster="cluster-01")
    assert refusal(answer) == (409, "cluster_not_vacant")
    assert "held by alice until 20" in answer.text


def test_a_named_cluster_of_another_kind_is_no_such_kind(client: FlaskClient, add: Add) -> None:
    add("perf-01", purpose="perf")
    assert take(client, cluster="perf-01").text == "perf-01"
    assert refusal(take(client, cluster="perf-01", purpose="tess-ci")) == (404, "no_such_cluster_kind")


def test_held_and_disabled_clusters_are_never_lent(client: FlaskClient, add: Add) -> None:
    add("cluster-01", "cluster-02", "cluster-03")
    client.get("/holdcluster?cluster=cluster-01&name=alice")
    client.get("/disablecluster?cluster=cluster-02&name=root")
    assert take(client, 1).text == "cluster-03"
    assert refusal(take(client, 2)) == (404, "no_vacant_cluster")


def test_none_vacant_says_how_many_are_in_each_state_and_what_comes_next(
    client: FlaskClient, add: Add, clock: MovableClock
) -> None:
    add("cluster-01", "cluster-02", "cluster-03", "cluster-04")
    take(client, 1, ttl="3h")
    take(client, 2, ttl="40m")
    client.get("/holdcluster?cluster=cluster-03&name=alice&duration=2h")
    client.get("/disablecluster?cluster=cluster-04&name=root")
    answer = take(client, 3)
    assert refusal(answer) == (404, "no_vacant_cluster")
    assert "2 occupied, 1 held, 1 disabled; next: cluster-02 at 20" in answer.text
    assert answer.headers["Retry-After"] == "60"
    problem = client.get("/getvacant?build=3&job=a", headers=JSON).get_json()
    assert problem["counts"] == {"occupied": 2, "held": 1, "disabled": 1}
    end = datetime.fromisoformat(client.get("/clusters/cluster-02", headers=JSON).get_json()["leaseExpires"])
    clock.forward(minutes=39)
    before = (end - clock()).total_seconds()
    told = int(take(client, 3).headers["Retry-After"])
    assert (end - clock()).total_seconds() - 1 <= told <= before + 1


def test_none_vacant_without_a_known_end(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    take(client, 1)
    answer = take(client, 2)
    assert "1 occupied; no end time is known" in answer.text
    assert int(answer.headers["Retry-After"]) > 0


def test_an_empty_pool_has_no_such_kind_and_suggests_no_retry(client: FlaskClient) -> None:
    answer = take(client)
    assert refusal(answer) == (404, "no_such_cluster_kind")
    assert "Retry-After" not in answer.headers


def test_the_same_request_id_gets_the_same_cluster(client: FlaskClient, add: Add) -> None:
    add("cluster-01", "cluster-02")
    first = take(client, 1, request_id="r-1")
    again = take(client, 1, request_id="r-1")
    assert (first.text, again.text) == ("cluster-01", "cluster-01")
    assert "CIMaster-Repeated" not in first.headers
    assert again.headers["CIMaster-Repeated"] == "true"
    assert again.headers["CIMaster-Lease"] == first.headers["CIMaster-Lease"]
    assert take(client, 1, request_id="r-2").text == "cluster-02"


def test_the_header_idempotency_key_is_the_same_as_request_id(client: FlaskClient, add: Add) -> None:
    add("cluster-01", "cluster-02")
    key = {"Idempotency-Key": "r-1"}
    assert client.get("/getvacant?build=1&job=a", headers=key).text == "cluster-01"
    assert client.get("/getvacant?build=1&job=a&request_id=r-1").headers["CIMaster-Repeated"] == "true"
    assert client.get("/getvacant?build=1&job=a&request_id=r-1", headers=key).text == "cluster-01"
    differing = client.get("/getvacant?build=1&job=a&request_id=r-2", headers=key)
    assert refusal(differing) == (400, "bad_parameter")
    assert "request_id" in differing.text


def test_get_and_post_with_one_request_id_are_one_request(client: FlaskClient, add: Add) -> None:
    add("cluster-01", "cluster-02")
    assert take(client, 1, request_id="r-1").text == "cluster-01"
    answer = client.post("/getvacant", json={"request_id": "r-1", "job": "e2e-test", "build": 1})
    assert (answer.text, answer.headers["CIMaster-Repeated"]) == ("cluster-01", "true")


def test_a_take_that_was_finished_is_over_for_its_request_id(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    take(client, 1, request_id="r-1")
    client.get("/finishtest?cluster=cluster-01&job=e2e-test&build=1")
    answer = take(client, 1, request_id="r-1")
    assert refusal(answer) == (410, "request_over")
    assert "new request_id" in answer.text
    assert take(client, 2, request_id="r-2").text == "cluster-01"
    assert refusal(take(client, 1, request_id="r-1")) == (410, "request_over")


def test_the_request_id_of_an_expired_lease_is_over(client: FlaskClient, add: Add, clock: MovableClock) -> None:
    add("cluster-01")
    take(client, 1, request_id="r-1", ttl="30m")
    clock.forward(minutes=31)
    assert refusal(take(client, 1, request_id="r-1", ttl="30m")) == (410, "request_over")


def test_the_request_id_of_a_deleted_cluster_is_over(client: FlaskClient, add: Add) -> None:
    add("cluster-01", "cluster-02")
    take(client, 1, request_id="r-1")
    client.get("/deletecluster?cluster=cluster-01&name=root&force=true&reason=gone")
    assert refusal(take(client, 1, request_id="r-1")) == (410, "request_over")


def test_a_request_id_with_other_parameters_is_refused(client: FlaskClient, add: Add) -> None:
    add("cluster-01", "cluster-02")
    take(client, 1, request_id="r-1")
    assert refusal(take(client, 2, request_id="r-1")) == (422, "request_id_reused")
    assert refusal(take(client, 1, request_id="r-1", region="us-west")) == (422, "request_id_reused")
    client.get("/finishtest?cluster=cluster-01&job=e2e-test&build=1")
    assert refusal(take(client, 2, request_id="r-1")) == (422, "request_id_reused")


def test_a_request_id_with_another_verb_is_refused(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    take(client, 1, request_id="r-1")
    answer = client.get("/holdcluster?cluster=cluster-01&name=alice&request_id=r-1")
    assert refusal(answer) == (422, "request_id_reused")
    client.get("/finishtest?cluster=cluster-01&request_id=r-2")
    assert refusal(take(client, 1, request_id="r-2")) == (422, "request_id_reused")


def test_a_refused_take_may_be_repeated_with_its_request_id(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    take(client, 1)
    assert refusal(take(client, 2, request_id="r-1")) == (404, "no_vacant_cluster")
    client.get("/finishtest?cluster=cluster-01&job=e2e-test&build=1")
    assert take(client, 2, request_id="r-1").text == "cluster-01"


def test_only_a_lease_with_ttl_ends_automatically(client: FlaskClient, add: Add, clock: MovableClock) -> None:
    add("cluster-01", "cluster-02")
    take(client, 1, ttl="1m")
    take(client, 2)
    clock.forward(seconds=62)
    assert take(client, 3).text == "cluster-01"
    clock.forward(days=30)
    assert refusal(take(client, 4)) == (404, "no_vacant_cluster")


def test_a_lease_never_ends_early(client: FlaskClient, add: Add, clock: MovableClock) -> None:
    add("cluster-01")
    take(client, 1, ttl="10m")
    clock.forward(minutes=9, seconds=30)
    assert refusal(take(client, 2)) == (404, "no_vacant_cluster")
    assert 1 <= int(take(client, 2).headers["Retry-After"]) <= 30


@pytest.mark.parametrize("ttl", ["59s", "8d", "30", "0m", "1.5h", "-1h", "30m1h", "1H", "PT1H"])
def test_a_ttl_is_from_one_minute_to_seven_days(client: FlaskClient, add: Add, ttl: str) -> None:
    add("cluster-01")
    answer = take(client, ttl=ttl)
    assert refusal(answer) == (400, "bad_parameter")
    assert "from 1m to 7d" in answer.text
    assert take(client, ttl="60s").status_code == 200


@pytest.mark.parametrize("missing", ["build", "job"])
def test_build_and_job_are_required(client: FlaskClient, add: Add, missing: str) -> None:
    add("cluster-01")
    sent = {"build": "1", "job": "a"}
    del sent[missing]
    answer = client.get("/getvacant", query_string=sent)
    assert refusal(answer) == (400, "missing_parameter")
    assert f"{missing} is required" in answer.text


WHO = {
    "12345678+octodev@users.noreply.github.com": "octodev",
    "jane+ci@example.com": "jane+ci",
    "49699333+dependabot[bot]@users.noreply.github.com": "dependabot[bot]",
    "dependabot[bot]@example.com": "dependabot[bot]",
    "o'brien@example.com": "o'brien",
    "_svc@example.com": "_svc",
    "José@example.com": "José",
    "Jane Doe <jane@example.com>": "jane",
    "ci-bot": "ci-bot",
    "@": "@",
    "\u202e\u3164": "",
    "x" * 400 + "@example.com": "x" * 254,
    "a\x00b\r\nCIMaster-Lease: c@example.com": "ab CIMaster-Lease: c",
}


@pytest.mark.parametrize("email", WHO)
def test_any_trigger_name_is_accepted(client: FlaskClient, add: Add, email: str) -> None:
    add("cluster-01", "cluster-02", "cluster-03", "cluster-04", "cluster-05")
    sent = {"build": "1", "job": "e2e", "email": email}
    for name, answer in {
        "cluster-01": client.get("/getvacant", query_string=sent),
        "cluster-02": client.post("/getvacant", data=sent),
        "cluster-03": client.post("/getvacant", json=sent),
    }.items():
        assert (answer.status_code, answer.text) == (200, name)
        assert client.get(f"/clusters/{name}", headers=JSON).get_json()["lastTriggerName"] == WHO[email]
    for number, name in enumerate((email, f" {email}\n"), 4):
        assert take(client, name=name).status_code == 200
        stored = client.get(f"/clusters/cluster-0{number}", headers=JSON).get_json()["lastTriggerName"]
        assert stored.isprintable()
        assert len(stored) <= 254


def test_an_invisible_name_is_ignored_in_favour_of_the_email(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    take(client, name="\u200b", email="jane@example.com")
    assert client.get("/clusters/cluster-01", headers=JSON).get_json()["lastTriggerName"] == "jane"


@pytest.mark.parametrize("job", ["Größe e2e", "\u2699\ufe0f build / GPU (all)", "x" * 253, "e2e\n", "a\tb", "日本語"])
def test_a_job_and_its_build_are_any_printable_text(client: FlaskClient, add: Add, job: str) -> None:
    add("cluster-01")
    for number in range(2):
        assert take(client, job, job=job, request_id=f"r-{number}").text == "cluster-01"
        again = take(client, job.strip(), job=job.strip(), request_id=f"r-{number}")
        assert again.headers["CIMaster-Repeated"] == "true"
        answer = client.get(
            "/finishtest", query_string={"cluster": "cluster-01", "lease": again.headers["CIMaster-Lease"]}
        )
        assert (answer.status_code, answer.text) == (200, "cluster cluster-01 is finished\n")
    answer = take(client, job="x" * 254)
    assert refusal(answer) == (400, "bad_parameter")
    assert "at most 253 characters" in answer.text
