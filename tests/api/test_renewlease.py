"""Renewing a lease: a live job keeps its cluster, a late one is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import Add, MovableClock

JSON = {"Accept": "application/json"}


def take(client: FlaskClient, build: object = 1, **more: object) -> str:
    """Take cluster-01 and return its lease."""
    answer = client.get("/getvacant", query_string={"build": build, "job": "e2e-test", **more})
    assert answer.text == "cluster-01"
    return answer.headers["CIMaster-Lease"]


def renew(client: FlaskClient, lease: str, **more: object) -> TestResponse:
    """Move the end of a lease of cluster-01."""
    return client.get("/renewlease", query_string={"cluster": "cluster-01", "lease": lease, **more})


def record(client: FlaskClient) -> dict[str, Any]:
    """Return the public record of cluster-01."""
    found: dict[str, Any] = client.get("/clusters/cluster-01", headers=JSON).get_json()
    return found


def refusal(answer: TestResponse) -> tuple[int, str]:
    """Return status and code of a refusal."""
    return answer.status_code, answer.headers["CIMaster-Code"]


def test_a_lease_is_renewed_by_its_own_ttl(client: FlaskClient, add: Add, clock: MovableClock) -> None:
    add("cluster-01")
    lease = take(client, ttl="30m")
    for _ in range(3):
        clock.forward(minutes=20)
        answer = renew(client, lease)
        assert answer.text.startswith("the lease of cluster-01 ends at 20")
        assert answer.headers["CIMaster-Lease"] == lease
    assert record(client)["state"] == "occupied"
    clock.forward(minutes=31)
    assert refusal(renew(client, lease)) == (410, "lease_over")


def test_a_lease_is_renewed_by_another_time(client: FlaskClient, add: Add, clock: MovableClock) -> None:
    add("cluster-01")
    lease = take(client, ttl="30m")
    renew(client, lease, ttl="2h")
    end = datetime.fromisoformat(record(client)["leaseExpires"])
    remaining = end - datetime.now(UTC)
    assert timedelta(minutes=119) < remaining <= timedelta(minutes=120, seconds=1)
    clock.forward(minutes=100)
    renew(client, lease)  # the new ttl is now its own
    clock.forward(minutes=100)
    assert renew(client, lease).status_code == 200


def test_a_lease_without_an_end_needs_a_ttl_to_get_one(client: FlaskClient, add: Add, clock: MovableClock) -> None:
    add("cluster-01")
    lease = take(client)
    answer = renew(client, lease)
    assert answer.status_code == 200
    assert "has no end; send ttl" in answer.text
    assert renew(client, lease, ttl="10m").status_code == 200
    clock.forward(minutes=11)
    assert refusal(renew(client, lease)) == (410, "lease_over")


def test_a_lease_that_was_finished_cannot_be_renewed(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    lease = take(client, 1, ttl="30m")
    client.get(f"/finishtest?cluster=cluster-01&lease={lease}")
    assert refusal(renew(client, lease)) == (410, "lease_over")
    take(client, 2)
    assert refusal(renew(client, lease)) == (410, "lease_over")


def test_an_unknown_lease_cannot_be_renewed(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    take(client, ttl="30m")
    assert refusal(renew(client, "a" * 32)) == (409, "not_current")
    unknown = client.get("/renewlease?cluster=cluster-09&lease=abc")
    assert refusal(unknown) == (404, "unknown_cluster")


def test_the_lease_is_required(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    answer = client.get("/renewlease?cluster=cluster-01")
    assert refusal(answer) == (400, "missing_parameter")
    assert "lease is required" in answer.text
    assert "CIMaster-Lease" in answer.text


def test_the_same_renewal_with_a_request_id_gets_the_same_answer(
    client: FlaskClient, add: Add, clock: MovableClock
) -> None:
    add("cluster-01")
    lease = take(client, ttl="30m")
    first = renew(client, lease, request_id="r-1")
    clock.forward(minutes=5)
    again = renew(client, lease, request_id="r-1")
    assert (again.text, again.headers["CIMaster-Repeated"]) == (first.text, "true")
