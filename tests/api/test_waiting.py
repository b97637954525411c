"""Waiting for a cluster: a job that finds none is served in its turn, without polling for luck."""

import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cimaster.app import create_app
from cimaster.repository.stores.port import Store
from cimaster.services import waiting_room
from cimaster.settings import Settings
from cimaster.web.components import components_of
from tests.conditions import until
from tests.conftest import Add, MovableClock

JSON = {"Accept": "application/json"}


@pytest.fixture
def elsewhere() -> Iterator[ThreadPoolExecutor]:
    """Threads of waiting callers."""
    with ThreadPoolExecutor(8) as pool:
        yield pool


@pytest.fixture
def lent(client: FlaskClient, add: Add) -> None:
    """A pool with one cluster, which is lent to a job."""
    add("cluster-01")
    client.get("/getvacant?build=1&job=first")


@pytest.fixture
def briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting requests are held open for a short time only."""
    monkeypatch.setattr(waiting_room, "_LONGEST_REQUEST", 0.3)


def ask(app: Flask, build: str, wait: str = "10m", headers: dict[str, str] | None = None, **more: str) -> TestResponse:
    """Take a cluster as a waiting job; its request id is its build."""
    sent = {"build": build, "job": "e2e", "wait": wait, "request_id": build, **more}
    return app.test_client().get("/getvacant", query_string=sent, headers=headers)


def give_back(client: FlaskClient, build: str, job: str = "e2e", cluster: str = "cluster-01") -> None:
    """Give a cluster back."""
    answer = client.get("/finishtest", query_string={"cluster": cluster, "job": job, "build": build})
    assert answer.status_code == 200, answer.text


def in_line(client: FlaskClient) -> list[str]:
    """Return the waiting builds, in order."""
    return [ticket["ask"]["build"] for ticket in client.get("/queue", headers=JSON).get_json()["tickets"]]


def waits(
    app: Flask, client: FlaskClient, threads: ThreadPoolExecutor, build: str, **more: Any
) -> Future[TestResponse]:
    """Have a job wait in another thread; return when it has its place."""
    waiting = threads.submit(ask, app, build, **more)
    until(lambda: build in in_line(client))
    return waiting


def test_a_waiting_take_gets_the_cluster_as_soon_as_it_is_returned(
    app: Flask, client: FlaskClient, lent: None, elsewhere: ThreadPoolExecutor
) -> None:
    waiting = waits(app, client, elsewhere, "2", name="bob", ttl="2h")
    give_back(client, "1", "first")
    answer = waiting.result()
    assert (answer.status_code, answer.text) == (200, "cluster-01")
    assert answer.headers["CIMaster-Lease"]
    record = client.get("/clusters/cluster-01", headers=JSON).get_json()
    assert (record["lastTriggerName"], record["lastBuild"], record["leaseTtl"]) == ("bob", "2", "2h")
    assert in_line(client) == []


def test_a_vacant_cluster_is_lent_without_waiting(app: Flask, client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    assert ask(app, "1").text == "cluster-01"
    assert in_line(client) == []


def test_a_waiting_request_is_kept_briefly_and_then_asked_to_retry(
    app: Flask, client: FlaskClient, lent: None, briefly: None
) -> None:
    answer = ask(app, "2")
    assert (answer.status_code, answer.headers["CIMaster-Code"], answer.text) == (429, "queued", "")
    assert (answer.headers["CIMaster-Place"], answer.headers["Retry-After"]) == ("1", "1")
    problem = ask(app, "2", headers=JSON).get_json()
    assert (problem["code"], problem["place"]) == ("queued", 1)
    assert problem["until"].endswith("Z")
    assert in_line(client) == ["2"]


def test_the_expected_wait_is_told_once_it_is_known(
    app: Flask, client: FlaskClient, lent: None, briefly: None, clock: MovableClock
) -> None:
    assert "CIMaster-Expected-Wait" not in ask(app, "waits").headers
    client.get("/leavequeue?request_id=waits")
    for number in range(2, 6):
        clock.forward(minutes=9)
        give_back(client, str(number - 1), "first")
        assert client.get("/getvacant", query_string={"build": str(number), "job": "first"}).text == "cluster-01"
    answer = ask(app, "9", headers=JSON)
    told = answer.get_json()["expectedWait"]
    assert 540 <= told <= 600
    assert answer.headers["CIMaster-Expected-Wait"] == str(told)
    assert re.search(r"number 1 of 1 in the queue \(about (9|10) min\) until", answer.get_json()["detail"])
    (ticket,) = client.get("/queue", headers=JSON).get_json()["tickets"]
    assert ticket["expectedWait"] >= told
    assert re.search(r"  about (9|10) min  ", client.get("/queue").text)
    refused = client.get("/getvacant?build=10&job=other").text
    assert re.search(r"; 1 waiting in the queue; a caller that waits would be number 2, about (18|19|20) min;", refused)


def test_an_identical_repeat_keeps_its_place(
    app: Flask, client: FlaskClient, lent: None, briefly: None, elsewhere: ThreadPoolExecutor
) -> None:
    assert [ask(app, build).headers["CIMaster-Place"] for build in ("2", "3", "2")] == ["1", "2", "1"]
    give_back(client, "1", "first")
    assert ask(app, "3").status_code == 429
    assert ask(app, "2").text == "cluster-01"


def test_jobs_that_wait_are_served_in_order_and_priority_comes_first(
    app: Flask, client: FlaskClient, lent: None, elsewhere: ThreadPoolExecutor
) -> None:
    waiting = {build: waits(app, client, elsewhere, build) for build in ("2", "3")}
    waiting["4"] = waits(app, client, elsewhere, "4", priority="high")
    assert in_line(client) == ["4", "2", "3"]
    before, job = "1", "first"
    for build in ("4", "2", "3"):
        give_back(client, before, job)
        assert waiting[build].result().text == "cluster-01"
        before, job = build, "e2e"


def test_a_take_without_wait_cannot_jump_the_queue(app: Flask, client: FlaskClient, lent: None, briefly: None) -> None:
    ask(app, "2")
    give_back(client, "1", "first")
    answer = client.get("/getvacant?build=9&job=hasty")
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (404, "no_vacant_cluster")
    assert "1 reserved for waiting callers" in answer.text
    assert ask(app, "2").text == "cluster-01"


def test_a_wait_that_is_over_is_answered_at_its_end(app: Flask, client: FlaskClient, lent: None) -> None:
    answer = ask(app, "2", wait="1s")
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (404, "no_vacant_cluster")
    assert in_line(client) == []


def test_the_same_request_gets_its_cluster_again_and_no_other(app: Flask, client: FlaskClient, add: Add) -> None:
    add("cluster-01", "cluster-02")
    assert ask(app, "1").text == "cluster-01"
    again = ask(app, "1")
    assert (again.text, again.headers["CIMaster-Repeated"]) == ("cluster-01", "true")
    other = ask(app, "1", wait="20m")
    assert (other.status_code, other.headers["CIMaster-Code"]) == (422, "request_id_reused")


def test_simultaneous_tries_of_one_request_get_the_same_cluster(
    app: Flask, client: FlaskClient, lent: None, elsewhere: ThreadPoolExecutor
) -> None:
    first = waits(app, client, elsewhere, "2")
    second = elsewhere.submit(ask, app, "2")
    until(lambda: components_of(app).waiting_room.connected == 2)
    give_back(client, "1", "first")
    answers = [first.result(), second.result()]
    assert [answer.text for answer in answers] == ["cluster-01"] * 2
    assert len({answer.headers["CIMaster-Lease"] for answer in answers}) == 1


def test_a_wait_needs_a_request_id(client: FlaskClient, lent: None) -> None:
    answer = client.get("/getvacant?build=2&job=e2e&wait=10m", headers=JSON)
    assert (answer.status_code, answer.get_json()["parameter"]) == (400, "request_id")


@pytest.mark.parametrize("wait", ["0s", "30", "2d", "forever"])
def test_a_wait_is_a_duration_of_a_day_at_most(app: Flask, lent: None, wait: str) -> None:
    answer = ask(app, "2", wait=wait, headers=JSON)
    assert (answer.status_code, answer.get_json()["parameter"]) == (400, "wait")


def test_skip_if_none_refuses_immediately_and_leaves_no_ticket(app: Flask, client: FlaskClient, lent: None) -> None:
    for _ in range(3):
        answer = ask(app, "2", skip_if_none="true")
        assert (answer.status_code, answer.headers["CIMaster-Code"]) == (404, "no_vacant_cluster")
    assert in_line(client) == []


def test_waiting_for_a_kind_that_does_not_exist_is_refused(app: Flask, client: FlaskClient, lent: None) -> None:
    answer = ask(app, "2", region="mars")
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (404, "no_such_cluster_kind")
    assert in_line(client) == []


def test_a_ticket_for_one_cluster_gets_that_cluster(
    app: Flask, client: FlaskClient, lent: None, add: Add, elsewhere: ThreadPoolExecutor
) -> None:
    waiting = waits(app, client, elsewhere, "2", cluster="cluster-01")
    add("cluster-02")
    assert client.get("/getvacant?build=3&job=other").text == "cluster-02"
    give_back(client, "1", "first")
    assert waiting.result().text == "cluster-01"


def test_a_new_cluster_goes_to_a_matching_ticket(
    app: Flask, client: FlaskClient, lent: None, add: Add, elsewhere: ThreadPoolExecutor
) -> None:
    waiting = waits(app, client, elsewhere, "2")
    add("cluster-02")
    assert waiting.result().text == "cluster-02"


def test_an_expired_lease_frees_a_cluster_for_the_queue(
    app: Flask, client: FlaskClient, add: Add, clock: MovableClock, elsewhere: ThreadPoolExecutor
) -> None:
    add("cluster-01")
    client.get("/getvacant?build=1&job=e2e&ttl=1m")
    waiting = waits(app, client, elsewhere, "2")
    clock.forward(seconds=61)
    add("cluster-02", purpose="perf")  # any change applies what has expired, otherwise the reaper does
    assert waiting.result().text == "cluster-01"


class TestScriptsThatPoll:
    """A script of the first service repeats an identical request."""

    WORDS = "/getvacant?build=2&job=old"

    def test_it_has_a_place_from_its_second_try_on(
        self, app: Flask, client: FlaskClient, lent: None, briefly: None
    ) -> None:
        assert "CIMaster-Place" not in client.get(self.WORDS).headers
        answer = client.get(self.WORDS)
        assert (answer.status_code, answer.headers["CIMaster-Code"]) == (404, "no_vacant_cluster")
        assert answer.headers["CIMaster-Place"] == "1"
        assert ask(app, "3").headers["CIMaster-Place"] == "2"
        give_back(client, "1", "first")
        assert ask(app, "3").status_code == 429
        assert client.get(self.WORDS).text == "cluster-01"
        assert in_line(client) == ["3"]

    def test_a_single_request_leaves_no_place(self, client: FlaskClient, lent: None) -> None:
        for build in range(5):
            client.get(f"/getvacant?build={build}&job=old")
        assert in_line(client) == []

    def test_each_of_its_takes_is_a_cluster_of_its_own(self, client: FlaskClient, lent: None, add: Add) -> None:
        for _ in range(2):
            client.get(self.WORDS)
        add("cluster-02", "cluster-03")
        assert [client.get(self.WORDS).text for _ in range(2)] == ["cluster-02", "cluster-03"]

    def test_priority_counts_for_its_place_too(
        self, app: Flask, client: FlaskClient, lent: None, briefly: None
    ) -> None:
        ask(app, "3")
        assert [client.get(f"{self.WORDS}&priority=high").headers.get("CIMaster-Place") for _ in range(2)] == [
            None,
            "1",
        ]


def test_a_request_beyond_the_kept_connections_still_has_a_place(
    settings: Settings, store: Store, clock: MovableClock, elsewhere: ThreadPoolExecutor
) -> None:
    app = create_app(Settings(**{**vars(settings), "waiters": 1}), store, clock)
    lifecycle = components_of(app).lifecycle
    lifecycle.start()
    try:
        client = app.test_client()
        client.get("/addcluster?cluster=cluster-01&region=us&name=root")
        client.get("/getvacant?build=1&job=first")
        connected = waits(app, client, elsewhere, "2")
        answer = ask(app, "3")
        assert (answer.status_code, answer.headers["Retry-After"], answer.headers["CIMaster-Place"]) == (429, "2", "2")
        give_back(client, "1", "first")
        assert connected.result().text == "cluster-01"
    finally:
        lifecycle.stop()


def test_a_draining_replica_keeps_no_request_waiting(
    app: Flask, client: FlaskClient, lent: None, elsewhere: ThreadPoolExecutor
) -> None:
    waiting = waits(app, client, elsewhere, "2")
    components_of(app).lifecycle.draining = lambda: True
    assert waiting.result().status_code == 429
    assert ask(app, "2").status_code == 429
    assert in_line(client) == ["2"]


def test_a_waiter_is_served_when_another_replica_takes_the_cluster_back(
    app: Flask,
    client: FlaskClient,
    lent: None,
    settings: Settings,
    another_store: Store,
    clock: MovableClock,
    elsewhere: ThreadPoolExecutor,
) -> None:
    other = create_app(settings, another_store, clock)
    lifecycle = components_of(other).lifecycle
    lifecycle.start()
    try:
        waiting = waits(app, client, elsewhere, "2")
        give_back(other.test_client(), "1", "first")
        assert waiting.result().text == "cluster-01"
        until(lambda: in_line(other.test_client()) == [])
    finally:
        lifecycle.stop()


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)  # on the API server, the server's clock decides
@pytest.mark.parametrize("hours", [1, -1])
def test_a_replica_with_a_wrong_clock_uses_the_time_of_the_store(
    app: Flask,
    client: FlaskClient,
    add: Add,
    store: Store,
    clock: MovableClock,
    elsewhere: ThreadPoolExecutor,
    hours: int,
) -> None:
    add("cluster-01")
    start = datetime.now(UTC)
    clock.forward(hours=hours)
    store.clock_skew = hours * 3600.0
    client.get("/getvacant?build=1&job=first")
    record = client.get("/clusters/cluster-01", headers=JSON).get_json()
    assert abs(datetime.fromisoformat(record["acquiredAt"]) - start) < timedelta(minutes=5)
    waiting = waits(app, client, elsewhere, "2")
    (ticket,) = client.get("/queue", headers=JSON).get_json()["tickets"]
    assert ticket["there"]
    give_back(client, "1", "first")
    assert waiting.result().text == "cluster-01"


def test_waiting_callers_are_counted(app: Flask, client: FlaskClient, lent: None, briefly: None) -> None:
    registry = components_of(app).metrics.registry
    ask(app, "2", priority="high")
    assert registry.get_sample_value("cimaster_queue", {"purpose": "tess-ci", "priority": "high"}) == 1
    assert registry.get_sample_value("cimaster_allocations_total", {"outcome": "queued"}) == 1
    give_back(client, "1", "first")
    ask(app, "2", priority="high")
    assert registry.get_sample_value("cimaster_wait_seconds_count") == 1
    assert registry.get_sample_value("cimaster_callers_kept") == 0
