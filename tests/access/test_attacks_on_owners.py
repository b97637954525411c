"""Attacks on what belongs to another caller: its leases, tickets, request ids, creations and holds."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cimaster.pool import Pool
from cimaster.provisioners import KINDS, Provisioner
from cimaster.provisioners.manual_trigger import Settings as Prow
from cimaster.services.clusters import Clusters
from cimaster.settings import Settings
from tests.access.conftest import As
from tests.provisioners.trigger import ScriptedTrigger, begun, said

JSON = {"Accept": "application/json"}
JOB = {"job": "e2e", "build": "7"}
CLUSTER = {"cluster": "cluster-01"}
FORBIDDEN = (403, "not_owner")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings with which a waiting caller is sent away with a ticket."""
    return replace(settings, waiters=0)


@pytest.fixture
def provisioner() -> Iterator[Provisioner]:
    """A provisioner whose jobs all fail to start."""
    with ScriptedTrigger(lambda _, body: said(422, message="no such job") if body else begun("c")) as server:
        yield Provisioner("manual-trigger", KINDS["manual-trigger"], Prow(url=server.url))


@pytest.fixture(autouse=True)
def one_cluster(admin: FlaskClient) -> None:
    """The pool has one cluster."""
    assert admin.post("/addcluster", data={**CLUSTER, "region": "us-west"}).status_code == 200


@pytest.fixture
def owner(calling: As) -> FlaskClient:
    """The owner of what the others attack."""
    return calling("ci-1")


@pytest.fixture
def other(calling: As) -> FlaskClient:
    """A caller with the same role."""
    return calling("ci-2")


def refusal(answer: TestResponse) -> tuple[int, str | None]:
    """Return the status and the code of an answer."""
    return answer.status_code, answer.headers.get("CIMaster-Code")


def taken(client: FlaskClient, **more: str) -> str:
    """Take the cluster, and return the id of the lease."""
    answer = client.post("/getvacant", data={**JOB, **more})
    assert answer.status_code == 200, answer.text
    return answer.headers["CIMaster-Lease"]


def pool(service: Clusters) -> Pool:
    """Return the pool as it is stored now."""
    return service.view_now().pool


def get_json(client: FlaskClient, path: str) -> Any:
    """Read a list."""
    return json.loads(client.get(path, headers=JSON).data)


@pytest.mark.parametrize("way", ["lease", "job and build", "result"])
def test_anothers_lease_cannot_be_finished(owner: FlaskClient, other: FlaskClient, service: Clusters, way: str) -> None:
    lease = taken(owner, ttl="1h")
    sent = {"lease": {"lease": lease}, "job and build": JOB, "result": {**JOB, "result": "error", "hold": "2h"}}[way]
    assert refusal(other.post("/finishtest", data={**CLUSTER, **sent})) == FORBIDDEN
    assert pool(service).find("cluster-01").lease
    assert owner.post("/finishtest", data={**CLUSTER, **sent}).status_code == 200


def test_an_unfenced_finish_does_not_end_anothers_lease(
    owner: FlaskClient, other: FlaskClient, service: Clusters
) -> None:
    taken(owner)
    other.post("/finishtest", data=CLUSTER)
    other.get("/finishtest?cluster=cluster-01")
    assert pool(service).find("cluster-01").lease
    assert owner.post("/finishtest", data=CLUSTER).status_code == 200
    assert not pool(service).find("cluster-01").lease


def test_anothers_lease_cannot_be_renewed(owner: FlaskClient, other: FlaskClient, service: Clusters) -> None:
    lease = taken(owner, ttl="1h")
    before = pool(service).find("cluster-01")
    assert refusal(other.post("/renewlease", data={**CLUSTER, "lease": lease, "ttl": "7d"})) == FORBIDDEN
    assert pool(service).find("cluster-01") == before


def test_an_admin_finishes_anothers_lease(owner: FlaskClient, admin: FlaskClient) -> None:
    lease = taken(owner)
    assert admin.post("/finishtest", data={**CLUSTER, "lease": lease}).status_code == 200


@pytest.mark.parametrize("path", ["/clusters", "/clusters/cluster-01", "/history", "/queue", "/creations"])
def test_no_list_shows_anothers_ids(owner: FlaskClient, calling: As, admin: FlaskClient, path: str) -> None:
    lease = taken(owner, request_id="request-of-the-owner")
    owner.post("/getvacant", data={**JOB, "wait": "1h", "request_id": "ticket-of-the-owner"})
    ids = (lease, "request-of-the-owner", "ticket-of-the-owner")
    for name in ("ci-2", "reader-1", "person-1", "probe-1", "provisioner-1", "for-others-1"):
        for headers in (JSON, {}, {"Accept": "text/csv"}, {"Accept": "text/html"}):
            text = calling(name).get(path, headers=headers).text
            assert not [one for one in ids if one in text]
    assert path not in ("/clusters", "/clusters/cluster-01") or lease in admin.get(path, headers=JSON).text


def test_no_page_shows_anothers_ids(app: Flask, owner: FlaskClient, other: FlaskClient) -> None:
    lease = taken(owner, request_id="request-of-the-owner")
    owner.post("/getvacant", data={**JOB, "wait": "1h", "request_id": "ticket-of-the-owner"})
    rules = [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ()) and not rule.arguments]
    pages = [rule.rule for rule in rules if rule.rule == "/" or rule.rule.startswith("/ui/")]
    files = [f"/ui/inventory.{kind}" for kind in ("json", "yaml", "csv")]
    answers = {page: other.get(f"{page}?cluster=cluster-01") for page in (*pages, *files, "/ui/clusters/cluster-01")}
    assert len([answer for answer in answers.values() if answer.status_code == 200]) > 20
    ids = (lease, "request-of-the-owner", "ticket-of-the-owner")
    assert not [(page, one) for page, answer in answers.items() for one in ids if one in answer.text]


def test_anothers_ticket_is_not_left(owner: FlaskClient, other: FlaskClient, service: Clusters) -> None:
    taken(owner)
    waiting = {**JOB, "wait": "1h", "request_id": "t-1"}
    assert refusal(owner.post("/getvacant", data=waiting)) == (429, "queued")
    assert other.post("/leavequeue", data={"request_id": "t-1"}).status_code in (200, 403)
    assert [ticket.owner for ticket in pool(service).queue] == ["@ci-1"]


def test_one_request_id_of_two_owners_is_two_requests(
    owner: FlaskClient, other: FlaskClient, admin: FlaskClient
) -> None:
    """The id of another caller's request gives neither its answer nor its cluster, and does not stop it."""
    admin.post("/addcluster", data={"cluster": "cluster-02", "region": "us-west"})
    sent = {**JOB, "request_id": "r-1"}
    first, second = owner.post("/getvacant", data=sent), other.post("/getvacant", data=sent)
    assert {first.text, second.text} == {"cluster-01", "cluster-02"}
    again = owner.post("/getvacant", data=sent)
    assert (again.text, again.headers["CIMaster-Repeated"]) == (first.text, "true")
    assert again.headers["CIMaster-Lease"] != second.headers["CIMaster-Lease"]


def test_a_request_id_contains_no_blank_that_could_name_an_owner(other: FlaskClient, owner: FlaskClient) -> None:
    taken(owner, request_id="r-1")
    for request_id in ("r-1 @ci-1", "r-1\t@ci-1", "r-1\u00a0@ci-1", "r-1%20@ci-1"):
        answer = other.post("/getvacant", data={**JOB, "request_id": request_id, "skip_if_none": "true", "wait": "1s"})
        assert answer.status_code in (400, 404)


def test_leaving_with_anothers_request_id_gives_no_cluster_back(
    owner: FlaskClient, other: FlaskClient, service: Clusters
) -> None:
    taken(owner, request_id="r-1")
    other.post("/leavequeue", data={"request_id": "r-1"})
    assert pool(service).find("cluster-01").lease


def test_anothers_creation_is_neither_repeated_nor_dismissed(
    calling: As, admin: FlaskClient, service: Clusters
) -> None:
    calling("person-1").post("/createcluster", data={"job": "e2e"})
    [creation] = pool(service).creations
    assert creation.owner == "@person-1"
    for action in ("retry", "dismiss"):
        answer = calling("person-2").post("/creations", data={action: creation.id})
        assert refusal(answer) == FORBIDDEN
    assert admin.post("/creations", data={"dismiss": creation.id}).status_code == 200


def test_a_creation_is_requested_under_the_callers_name_only(calling: As, service: Clusters) -> None:
    answer = calling("person-1").post("/createcluster", data={"user": "person-2", "job": "e2e"})
    assert refusal(answer) == (403, "not_you")
    assert not pool(service).creations


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/releasecluster", {}),
        ("/releasecluster", {"name": "person-1"}),
        ("/releasecluster", {"name": "Person-1"}),
        ("/releasecluster", {"to": "person-2"}),
        ("/holdcluster", {}),
        ("/holdcluster", {"name": "person-1", "duration": "12h"}),
        ("/holdcluster", {"with": "person-2"}),
        ("/holdcluster", {"to": "person-2"}),
        ("/holdcluster", {"force": "true", "reason": "mine"}),
    ],
)
def test_anothers_hold_stays(calling: As, service: Clusters, path: str, sent: dict[str, str]) -> None:
    assert calling("person-1").post("/holdcluster", data=CLUSTER).status_code == 200
    before = pool(service).find("cluster-01").hold
    assert calling("person-2").post(path, data={**CLUSTER, **sent}).status_code in (403, 409)
    assert pool(service).find("cluster-01").hold == before


def test_a_hold_that_is_shared_can_be_extended_and_released_only(calling: As, service: Clusters) -> None:
    calling("person-1").post("/holdcluster", data={**CLUSTER, "with": "PERSON-2"})
    guest = calling("person-2")
    assert guest.post("/holdcluster", data={**CLUSTER, "duration": "12h"}).status_code == 200
    assert guest.post("/holdcluster", data={**CLUSTER, "with": "person-3"}).status_code in (403, 409)
    assert guest.post("/releasecluster", data={**CLUSTER, "to": "person-2"}).status_code in (403, 409)
    hold = pool(service).find("cluster-01").hold
    assert hold
    assert hold.by == "person-1"
    assert guest.post("/releasecluster", data=CLUSTER).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/ui/release",
        "/ui/handover",
        "/ui/share",
        "/ui/extend",
        "/ui/changeend",
        "/ui/admin/takeover",
        "/ui/admin/holdfor",
    ],
)
def test_no_form_changes_anothers_hold(calling: As, signed_in: As, service: Clusters, path: str) -> None:
    signed_in("person-1").post("/ui/hold", data=CLUSTER)
    before = pool(service).find("cluster-01").hold
    fields = {"to": "person-2", "with": "person-2", "duration": "1h", "until": "2099-01-01T00:00", "reason": "mine"}
    sent = {**CLUSTER, **fields, "name": "person-1", "holder": "person-1", "force": "true"}
    for attacker in (signed_in("person-2"), calling("person-2"), calling("for-others-1")):
        answer = attacker.post(path, data=sent)
        assert answer.status_code >= 400
        assert answer.headers["CIMaster-Code"] not in ("missing_parameter", "unknown_parameter")
    assert before
    assert pool(service).find("cluster-01").hold == before


def test_anothers_wait_is_not_cancelled(calling: As, signed_in: As, service: Clusters) -> None:
    calling("person-1").post("/holdcluster", data=CLUSTER)
    assert calling("ci-1").post("/holdcluster", data=CLUSTER).status_code == 403
    calling("for-others-1").post("/holdcluster", data={**CLUSTER, "wait": "1d"})
    [ticket] = pool(service).queue
    for attacker in (signed_in("person-2"), signed_in("person-1")):
        assert refusal(attacker.post("/ui/cancel", data={"request_id": ticket.id}))[0] >= 400
    assert list(pool(service).queue) == [ticket]


def test_a_caller_for_others_acts_only_on_what_they_have(calling: As, service: Clusters) -> None:
    """It acts under another person's name, with what that person may do: here, nothing."""
    calling("person-1").post("/holdcluster", data=CLUSTER)
    answer = calling("for-others-1").post("/releasecluster", data={**CLUSTER, "name": "person-2"})
    assert refusal(answer) == (403, "not_authorized")
    assert pool(service).find("cluster-01").hold
