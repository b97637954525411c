"""Owners over HTTP: another caller's lease, ticket, request id and creation are out of reach, and ids are hidden."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cimaster.pool.codec import CLUSTERS
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.stores.sqlite import SQLiteStore
from tests.access.conftest import As

_JSON = {"Accept": "application/json"}


@pytest.fixture
def one(calling: As, admin: FlaskClient) -> FlaskClient:
    """A client of the CI account ci-1, over a pool with one cluster."""
    admin.post("/addcluster", data={"cluster": "cluster-01", "region": "us-west"})
    return calling("ci-1")


@pytest.fixture
def two(calling: As) -> FlaskClient:
    """A client of the CI account ci-2."""
    return calling("ci-2")


def taken(client: FlaskClient, **parameters: str) -> TestResponse:
    """Take a cluster; return the answer."""
    answer = client.post("/getvacant", data={"build": "1", "job": "e2e", **parameters})
    assert answer.status_code == 200, answer.text
    return answer


def queued(client: FlaskClient, request_id: str = "r-1") -> None:
    """Get a place in the queue: a repeated take of a legacy script."""
    for _ in range(2):
        client.post("/getvacant", data={"build": "9", "job": "old", "request_id": request_id})


def read(client: FlaskClient, path: str) -> Any:
    return json.loads(client.get(path, headers=_JSON).data)


@pytest.mark.parametrize(
    "end",
    [
        lambda client, lease: client.post("/finishtest", data={"cluster": "cluster-01", "lease": lease}),
        lambda client, lease: client.post("/finishtest", data={"cluster": "cluster-01", "job": "e2e", "build": "1"}),
        lambda client, lease: client.post("/renewlease", data={"cluster": "cluster-01", "lease": lease, "ttl": "1h"}),
    ],
)
def test_the_lease_of_another_caller_is_refused(
    one: FlaskClient, two: FlaskClient, admin: FlaskClient, end: Any
) -> None:
    lease = taken(one).headers["CIMaster-Lease"]
    refused = end(two, lease)
    assert (refused.status_code, refused.headers["CIMaster-Code"]) == (403, "not_owner")
    assert "belongs to ci-1: ask ci-1 or an admin to" in refused.text
    assert end(one, lease).status_code == 200
    if "renewlease" in refused.request.path:
        assert end(admin, lease).status_code == 200


def test_a_repeated_unfenced_finish_succeeds_and_ends_no_other_lease(one: FlaskClient, two: FlaskClient) -> None:
    finish = {"cluster": "cluster-01"}
    taken(one)
    assert one.post("/finishtest", data=finish).status_code == 200
    taken(two, build="2")
    repeated = one.post("/finishtest", data=finish)
    assert (repeated.status_code, "belongs to another caller" in repeated.text) == (200, True)
    assert read(two, "/clusters/cluster-01")["state"] == "occupied"


def test_an_unfenced_finish_of_an_admin_ends_any_lease(one: FlaskClient, admin: FlaskClient) -> None:
    taken(one)
    assert admin.post("/finishtest", data={"cluster": "cluster-01"}).text == "cluster cluster-01 is finished\n"


def test_callers_use_one_request_id_without_meeting(one: FlaskClient, two: FlaskClient, admin: FlaskClient) -> None:
    admin.post("/addcluster", data={"cluster": "cluster-02", "region": "us-west"})
    first, second = taken(one, request_id="r-1"), taken(two, request_id="r-1")
    assert {first.text, second.text} == {"cluster-01", "cluster-02"}
    again = taken(two, request_id="r-1")
    assert (again.text, again.headers["CIMaster-Repeated"]) == (second.text, "true")


def test_ids_of_leases_are_shown_to_their_owner_and_admins(
    one: FlaskClient, two: FlaskClient, admin: FlaskClient
) -> None:
    lease = taken(one, request_id="r-1").headers["CIMaster-Lease"]
    for path in ("/clusters", "/clusters/cluster-01"):
        for client, sees in ((one, True), (admin, True), (two, False), (two, False)):
            text = json.dumps(read(client, path))
            assert (lease in text, '"r-1"' in text, "requestHash" in text, "@ci-1" in text) == (sees,) * 4


def test_answers_about_a_cluster_hide_the_ids_of_its_lease(one: FlaskClient, two: FlaskClient, calling: As) -> None:
    lease = taken(one, request_id="r-1").headers["CIMaster-Lease"]
    unfenced = two.post("/finishtest", data={"cluster": "cluster-01"}, headers=_JSON)
    held = calling("person-1").post("/holdcluster", data={"cluster": "cluster-01"}, headers=_JSON)
    for answer in (unfenced, held):
        assert (answer.status_code, lease in answer.text, "r-1" in answer.text) == (200, False, False)
    page = calling("person-1").get("/ui/clusters/cluster-01")
    assert (page.status_code, lease in page.text) == (200, False)
    assert lease not in calling("reader-1").get("/history", headers=_JSON).text


def test_tickets_are_left_by_their_owner_or_an_admin_only(
    one: FlaskClient, two: FlaskClient, admin: FlaskClient
) -> None:
    taken(one)
    queued(two)
    (ticket,) = read(two, "/queue")["tickets"]
    assert ticket["owner"] == "@ci-2"
    assert read(one, "/queue")["tickets"][0].keys().isdisjoint({"id", "owner"})
    assert ticket["id"] in admin.get("/queue").text
    assert ticket["id"] not in one.get("/queue").text
    assert "is not waiting" in one.post("/leavequeue", data={"request_id": ticket["id"]}).text
    refused = one.post("/leavequeue", data={"request_id": f"{ticket['id']} @ci-2"})
    assert (refused.status_code, refused.headers["CIMaster-Code"]) == (403, "not_owner")
    assert len(read(two, "/queue")["tickets"]) == 1
    assert admin.post("/leavequeue", data={"request_id": ticket["id"]}).text.endswith("is no longer waiting\n")
    assert read(two, "/queue")["tickets"] == []


def test_a_provisioner_adds_no_cluster_without_a_creation(calling: As) -> None:
    refused = calling("provisioner-1").post("/addcluster", data={"cluster": "new", "region": "us-west"})
    assert (refused.status_code, refused.headers["CIMaster-Code"]) == (403, "not_allowed")
    assert refused.text.endswith("send the creation's id as creation, or ask an admin to add the cluster\n")


def test_pages_show_and_cancel_no_ticket_of_another_caller(one: FlaskClient, two: FlaskClient, calling: As) -> None:
    taken(one)
    queued(two)
    (ticket,) = read(two, "/queue")["tickets"]
    assert ticket["id"] not in calling("person-1").get("/ui/queue").text
    assert ticket["id"] in calling("admin-1").get("/ui/queue").text
    refused = calling("person-1").post("/ui/cancel", data={"request_id": f"{ticket['id']} @ci-2"})
    assert (refused.status_code, "belongs to ci-2" in refused.text) == (403, True)
    cancelled = calling("admin-1").post("/ui/cancel", data={"request_id": f"{ticket['id']} @ci-2"})
    assert (cancelled.status_code, read(two, "/queue")["tickets"]) == (303, [])


def test_the_content_of_a_broken_record_is_shown_to_admins_only(
    one: FlaskClient, admin: FlaskClient, embedded_store: SQLiteStore, repository: ConfigMapRepository
) -> None:
    lease = taken(one).headers["CIMaster-Lease"]
    stored = embedded_store.read()
    spoilt = stored.data[CLUSTERS].replace('"testing"', '"odd"')
    embedded_store.replace(stored.replaced({**stored.data, CLUSTERS: spoilt}, stored.annotations))
    (broken,) = repository.fresh().pool.clusters
    page = f"/ui/clusters/{quote(repository.fresh().pool.reference(broken))}"
    for path, headers in (("/clusters", _JSON), ("/ui/admin", {}), (page, {})):
        for client, sees in ((admin, True), (one, False)):
            shown = client.get(path, headers=headers)
            assert (shown.status_code, "broken" in shown.text, lease in shown.text) == (200, True, sees)
    form = {"cluster": repository.fresh().pool.reference(broken)}
    for client, status in ((admin, 200), (one, 403)):
        shown = client.get("/ui/admin/delete", query_string=form)
        assert (shown.status_code, lease in shown.text) == (status, status == 200)
