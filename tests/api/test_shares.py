"""Fair shares: one address cannot use up what the others need."""

import dataclasses
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cimaster.common import parsers
from cimaster.pool.decisions import fair_shares, queue_room
from cimaster.provisioners import KINDS, Provisioner
from cimaster.provisioners.manual_trigger import Settings as Prow
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.settings import Settings
from tests.conftest import Add
from tests.provisioners.trigger import ScriptedTrigger, begun, said

PROXY, FLOOD, OTHER = "10.0.0.7", "192.0.2.1", "192.0.2.2"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings of a replica behind a proxy that keeps no waiting connections open."""
    return dataclasses.replace(settings, waiters=0, trusted_proxies=parsers.networks(PROXY))


@pytest.fixture
def trigger() -> Iterator[ScriptedTrigger]:
    """A trigger that starts every job; no job ends."""
    running = said(200, success=True, state="pending", complete=False)
    with ScriptedTrigger(lambda _, body: begun(body["request_id"]) if body else running) as server:
        yield server


@pytest.fixture
def provisioner(trigger: ScriptedTrigger) -> Provisioner:
    """A provisioner that uses that server."""
    return Provisioner("manual-trigger", KINDS["manual-trigger"], Prow(url=trigger.url))


def send(client: FlaskClient, path: str, caller: str, **parameters: object) -> TestResponse:
    """Send a verb as the proxy passes it on for a caller."""
    return client.post(path, data=parameters, headers={"X-Forwarded-For": caller}, environ_base={"REMOTE_ADDR": PROXY})


def code(answer: TestResponse) -> tuple[int, str | None]:
    """Return the code of an answer."""
    return answer.status_code, answer.headers.get("CIMaster-Code")


def take(client: FlaskClient, caller: str, request_id: str, **parameters: object) -> TestResponse:
    """Request a cluster and wait for it."""
    wanted = {"job": "e2e", "build": "1", "wait": "1d", "request_id": request_id, **parameters}
    return send(client, "/getvacant", caller, **wanted)


def test_one_address_does_not_close_the_queue(client: FlaskClient, add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_room, "MOST_TICKETS", 80)
    add("cluster-01")
    assert take(client, OTHER, "owner").text == "cluster-01"
    answers = [code(take(client, FLOOD, f"{n:03}-" + "x" * 124, job="j" * 253, build="b" * 253)) for n in range(40)]
    assert set(answers) == {(429, "queued")}
    full = take(client, FLOOD, "one-more-" + "x" * 119, job="j" * 253, build="b" * 253)
    assert code(full) == (429, "queue_full")
    assert int(full.headers["Retry-After"]) > 0
    assert "/leavequeue" in full.text
    assert code(take(client, OTHER, "mine")) == (429, "queued")
    assert code(send(client, "/leavequeue", OTHER, request_id="mine")) == (200, None)
    assert "owner" not in client.get("/queue", headers={"Accept": "application/json"}).get_json()["tickets"][0]


@pytest.mark.slow
def test_one_address_does_not_use_up_the_creations_whatever_users_it_names(client: FlaskClient) -> None:
    answers = [code(send(client, "/createcluster", FLOOD, user=f"user-{n}", job="e2e")) for n in range(22)]
    assert answers == [(200, None)] * 20 + [(429, "too_many_creations")] * 2
    refused = send(client, "/createcluster", FLOOD, user="one-more", job="e2e")
    assert int(refused.headers["Retry-After"]) > 0
    assert "20 of them for this caller" in refused.text
    assert code(send(client, "/createcluster", OTHER, user="bob", job="e2e")) == (200, None)


def test_requests_of_one_address_do_not_displace_those_of_another(client: FlaskClient, add: Add) -> None:
    add("cluster-01")
    first = take(client, OTHER, "victim")
    send(client, "/finishtest", OTHER, cluster="cluster-01", lease=first.headers["CIMaster-Lease"])
    held = send(client, "/holdcluster", OTHER, cluster="cluster-01", name="alice", request_id="victim-hold")
    for n in range(400):
        flooding = send(client, "/finishtest", FLOOD, cluster="cluster-01", request_id=f"{n:03}" + "x" * 125)
        assert flooding.status_code == 200
    for n in range(100):
        send(client, "/leavequeue", FLOOD, request_id=f"{n:03}" + "y" * 125)
    again = send(client, "/holdcluster", OTHER, cluster="cluster-01", name="alice", request_id="victim-hold")
    assert (again.text, again.headers.get("CIMaster-Repeated")) == (held.text, "true")
    assert code(take(client, OTHER, "victim")) == (410, "request_over")


def test_a_repeat_from_another_address_is_known(client: FlaskClient, add: Add) -> None:
    """A job's repeat may come through another proxy; in open mode only its id shows to which job it belongs."""
    add("cluster-01", "cluster-02")
    first, again = take(client, OTHER, "mine"), take(client, "2001:db8::1", "mine")
    assert (again.text, again.headers["CIMaster-Repeated"]) == (first.text, "true")


def test_the_owner_is_not_the_address_and_not_shown(
    client: FlaskClient, repository: ConfigMapRepository, add: Add
) -> None:
    add("cluster-01")
    take(client, OTHER, "mine")
    take(client, OTHER, "waits")
    stored = "".join(repository.fresh().object.data.values())
    assert '"leaseOwner"' in stored
    assert OTHER not in stored
    assert "wner" not in client.get("/clusters", headers={"Accept": "application/json"}).text


def test_addresses_of_one_ipv6_network_are_one_caller(
    client: FlaskClient, add: Add, repository: ConfigMapRepository
) -> None:
    add("cluster-01")
    for n, caller in enumerate(("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1", OTHER)):
        send(client, "/finishtest", caller, cluster="cluster-01", request_id=f"r-{n}")
    owners = [request.owner for request in repository.fresh().pool.requests.values()]
    assert owners[0] == owners[1]
    assert len(set(owners)) == 3


@pytest.mark.parametrize(
    ("used", "limit", "level"),
    [([], 10, 10), ([3, 4], 10, 10), ([1000], 10, 10), ([2, 1000], 10, 8), ([2, 90, 90], 10, 4), ([9, 9, 9], 9, 3)],
)
def test_the_level_divides_what_small_users_leave(used: list[int], limit: int, level: int) -> None:
    assert fair_shares.fair_level(used, limit) == level
    assert sum(min(each, level) for each in used) <= limit


@pytest.mark.parametrize(("others", "most"), [(0, 20), (20, 10), (30, 5), (35, 3), (39, 1), (40, 0), (50, 0)])
def test_a_share_is_half_of_what_others_leave(others: int, most: int) -> None:
    assert fair_shares.share_limit(40, others) == most
