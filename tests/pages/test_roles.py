"""What pages show and allow to callers with different roles, with `auth = required`."""

import json
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cimaster.errors import Queued
from cimaster.pool import Criteria, Request, WaitTerms
from cimaster.pool.records.owners import of_name
from cimaster.provisioners import KINDS, Provisioner
from cimaster.provisioners.manual_trigger import Settings as Prow
from cimaster.services.clusters import Clusters
from cimaster.settings import Settings
from tests.pages.conftest import HTMX, WriteRecords, names, text
from tests.required import RequiredFiles, bearer, required, signed_in

ADMINS = "ask an admin (bob, root, admin-1)"
NEEDS_PERSON = f"needs the role person: {ADMINS}"
NEEDS_ADMIN = f"only admins can do this: {ADMINS}"
ALICE, BOB, READER, JOB, ADMIN, FOR_OTHERS = "person-1", "person-2", "reader-1", "ci-1", "admin-1", "for-others-1"
ACCOUNT = "system:serviceaccount:ci:e2e"

Signed = Callable[[str], FlaskClient]


@pytest.fixture
def settings(settings: Settings, files: RequiredFiles) -> Settings:
    """Every caller needs a credential."""
    return required(settings, files)


@pytest.fixture
def provisioner() -> Provisioner:
    """A provisioner that nothing listens to."""
    return Provisioner("manual-trigger", KINDS["manual-trigger"], Prow(url="http://127.0.0.1:9"))


@pytest.fixture
def signed(app: Flask) -> Signed:
    """Make a browser in which a caller has signed in: `signed("person-1")`."""
    return lambda name: signed_in(app, name)


@pytest.fixture(autouse=True)
def _two_clusters(client: FlaskClient) -> None:
    for name in ("cluster-01", "cluster-02"):
        added = client.post("/addcluster", data={"cluster": name, "region": "eu"}, headers=bearer(ADMIN))
        assert added.status_code == 200, added.text


def hold(browser: FlaskClient, cluster: str = "cluster-01", **fields: str) -> None:
    """Hold a cluster by the form."""
    answer = browser.post("/ui/hold", data={"cluster": cluster, "duration": "6h", **fields})
    assert answer.status_code == 303, text(answer)


def record(client: FlaskClient, cluster: str = "cluster-01") -> dict[str, str]:
    """Return a cluster as an admin sees it."""
    headers = {**bearer(ADMIN), "Accept": "application/json"}
    found: dict[str, str] = json.loads(client.get(f"/clusters/{cluster}", headers=headers).data)
    return found


# --- buttons ---------------------------------------------------------------------------------------------------------


def test_a_reader_sees_buttons_that_say_which_role_they_need(signed: Signed) -> None:
    reader = signed(READER)
    page = text(reader.get("/"))
    assert f"Hold cluster-01 {NEEDS_PERSON}" in page
    assert f"Hold any… {NEEDS_PERSON}" in page
    assert f"Create… {NEEDS_PERSON}" in page
    assert f"Release… {NEEDS_PERSON}" in page
    assert f"Disable… {NEEDS_ADMIN}" in page
    hold(signed(ALICE))
    page = text(reader.get("/ui/clusters/cluster-01"))
    for label in ("Hold when free", "Release", "Hand over…"):
        assert f"{label} cluster-01 {NEEDS_PERSON}" in page
    assert f"Take over… cluster-01 {NEEDS_ADMIN}" in page


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/ui/hold", {"cluster": "cluster-01"}),
        ("/ui/holdany", {"purpose": "tess-ci"}),
        ("/ui/create", {"purpose": "tess-ci", "job": "j", "branch": "b"}),
        ("/ui/release", {"cluster": "cluster-01"}),
        ("/ui/releaseselected", {"item": "cluster-01"}),
        ("/ui/dismiss", {"dismiss": "x"}),
    ],
)
@pytest.mark.parametrize("name", [READER, JOB])
def test_a_form_for_persons_is_refused_without_that_role(
    signed: Signed, name: str, path: str, fields: dict[str, str]
) -> None:
    browser = signed(name)
    shown = browser.get(path, query_string=fields)
    if shown.status_code != 404:  # a form about a creation that does not exist
        assert "this needs the role person" in text(shown)
        assert "form-send" not in shown.text
    sent = browser.post(path, data=fields)
    assert (sent.status_code, sent.headers["CIMaster-Code"]) == (403, "not_allowed")
    assert ADMINS in text(sent)


@pytest.mark.parametrize("path", ["/ui/admin/disable", "/ui/admin/takeover", "/ui/admin/add", "/ui/admin/addpolicy"])
def test_a_form_for_admins_is_refused_to_persons(signed: Signed, path: str) -> None:
    sent = signed(ALICE).post(path, data={"cluster": "cluster-01", "reason": "x", "region": "eu"})
    assert sent.status_code == 403
    assert ADMINS in text(sent)


def test_a_menu_has_no_actions_for_a_visitor_that_is_no_person(signed: Signed) -> None:
    hold(signed(ALICE))
    assert f"Release cluster-01 held by {ALICE}" in text(signed(BOB).get("/"))
    page = text(signed(READER).get("/"))
    assert "Commands… cluster-01" in page
    assert "Hand over…" not in page


def test_the_inventory_is_read_only_to_persons_and_names_the_admins(signed: Signed) -> None:
    page = text(signed(ALICE).get("/ui/admin"))
    assert f"Read-only: only admins can change the inventory; {ADMINS}." in page
    for label in ("Import…", "Add a cluster", "Add a policy"):
        assert f"{label} {NEEDS_ADMIN}" in page
    shown = signed(ALICE).get("/ui/admin/import")
    assert f"Only admins can import an inventory; {ADMINS}" in text(shown)
    assert "Preview" not in shown.text
    assert "Read-only" not in text(signed(ADMIN).get("/ui/admin"))


def test_a_form_asks_no_name_and_believes_none(signed: Signed, client: FlaskClient) -> None:
    alice = signed(ALICE)
    assert 'name="name"' not in alice.get("/ui/hold?cluster=cluster-01").text
    hold(alice, name=BOB)
    assert record(client)["holdBy"] == ALICE


def test_a_role_that_is_given_shows_with_the_next_poll(signed: Signed, files: RequiredFiles) -> None:
    reader = signed(READER)
    before = reader.get("/ui/fragments/clusters")
    tag = before.headers["HX-PTag"]
    poll = {**HTMX, "HX-PTag": tag}
    assert reader.get("/ui/fragments/clusters", headers=poll).status_code == 304
    files.roles.write_text(f"{files.roles.read_text()}person {READER}\n")
    after = reader.get("/ui/fragments/clusters", headers=poll)
    assert after.status_code == 200
    assert "data-same" not in after.text
    assert NEEDS_PERSON not in text(after)


def test_rows_differ_by_what_the_visitor_may_do(signed: Signed) -> None:
    reader, alice, admin = signed(READER), signed(ALICE), signed(ADMIN)
    assert NEEDS_PERSON in text(reader.get("/ui/fragments/clusters"))
    assert NEEDS_PERSON not in text(alice.get("/ui/fragments/clusters"))
    assert NEEDS_ADMIN not in text(admin.get("/ui/fragments/inventory"))
    assert NEEDS_ADMIN in text(alice.get("/ui/fragments/inventory"))


# --- holds -----------------------------------------------------------------------------------------------------------


def test_only_the_holder_releases_and_mine_finds_it(signed: Signed, client: FlaskClient) -> None:
    alice, bob = signed(ALICE), signed(BOB)
    hold(alice)
    assert 'href="/?holder=person-1"' in alice.get("/").text
    assert names(alice.get("/?holder=person-1")) == ["cluster-01"]
    refused = bob.post("/ui/release", data={"cluster": "cluster-01", "name": ALICE})
    assert refused.status_code == 403
    assert alice.post("/ui/release", data={"cluster": "cluster-01"}).status_code == 303
    assert record(client)["status"] == "finished"
    assert "holdBy" not in record(client)


def test_a_released_hold_is_restored_by_its_holder_only(signed: Signed, client: FlaskClient) -> None:
    alice = signed(ALICE)
    hold(alice, desc="debugging")
    alice.post("/ui/release", data={"cluster": "cluster-01", "back": "/"})
    page = alice.get("/").text
    form = page.partition('action="/ui/undorelease"')[2].partition("</form>")[0]
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
    assert signed(BOB).post("/ui/undorelease", data=fields).status_code == 403
    assert alice.post("/ui/undorelease", data=fields).status_code == 303
    assert record(client)["holdBy"] == ALICE


def test_a_lost_hold_is_told_to_its_holder(signed: Signed) -> None:
    alice, admin = signed(ALICE), signed(ADMIN)
    hold(alice)
    admin.post("/ui/release", data={"cluster": "cluster-01", "reason": "needed"})
    assert "admin-1 released your hold of cluster-01" in text(alice.get("/"))
    assert "released your hold" not in text(signed(BOB).get("/"))


def test_holding_for_others_needs_a_role_of_its_own(signed: Signed, client: FlaskClient) -> None:
    fields = {"cluster": "cluster-01", "to": BOB, "duration": "1h"}
    alice = signed(ALICE)
    assert f"Hold for someone else… cluster-01 needs the role for-others: {ADMINS}" in text(
        alice.get("/ui/clusters/cluster-01")
    )
    assert alice.post("/ui/admin/holdfor", data=fields).status_code == 403
    assert "holdBy" not in record(client)
    other = signed(FOR_OTHERS)
    assert "needs the role for-others" not in text(other.get("/ui/clusters/cluster-01"))
    assert other.get("/ui/admin/holdfor?cluster=cluster-01").status_code == 200
    assert other.post("/ui/admin/holdfor", data=fields).status_code == 303
    assert record(client)["holdBy"] == BOB


# --- the queue, creations, ids ---------------------------------------------------------------------------------------


def test_a_ticket_is_cancelled_by_its_owner_or_an_admin(signed: Signed) -> None:
    for name in ("cluster-01", "cluster-02"):
        hold(signed(ALICE), name)
    bob = signed(BOB)
    waits = bob.post("/ui/holdwhenfree", data={"cluster": "cluster-01", "wait": "2d", "duration": "1h"})
    assert waits.status_code == 303, text(waits)
    own = bob.get("/ui/queue").text
    ticket = own.partition('name="request_id" value="')[2].partition('"')[0]
    assert ticket
    for name in (ALICE, READER):
        page = signed(name).get("/ui/queue")
        assert ticket.partition(" ")[0] not in page.text
    others = f"Cancel hold for {BOB} only {BOB} and admins can cancel this: {ADMINS}"
    assert others in text(signed(ALICE).get("/ui/queue"))
    assert f"Cancel hold for {BOB} {NEEDS_PERSON}" in text(signed(READER).get("/ui/queue"))
    refused = signed(ALICE).post("/ui/cancel", data={"request_id": ticket})
    assert refused.status_code == 403
    assert signed(ADMIN).post("/ui/cancel", data={"request_id": ticket}).status_code == 303
    assert ticket.partition(" ")[0] not in bob.get("/ui/queue").text


def test_a_job_sees_which_tickets_are_its_own(signed: Signed, service: Clusters) -> None:
    hour, owner = timedelta(hours=1), of_name(JOB)
    for cluster in ("cluster-01", "cluster-02"):
        hold(signed(ALICE), cluster)
    terms, request = WaitTerms(hour, connected_for=hour, owner=owner), Request("r-8", "h", "getvacant", owner)
    with pytest.raises(Queued):
        service.take_or_wait(Criteria("e2e", "8", by=ALICE), terms, request)
    assert "e2e #8 yours" in text(signed(JOB).get("/ui/queue"))
    assert "yours" not in text(signed("ci-2").get("/ui/queue"))
    assert f"Cancel e2e #8 by {ALICE} only {JOB} and admins can cancel this: {ADMINS}" in text(
        signed(ALICE).get("/ui/queue")
    )


def test_a_creation_is_dismissed_by_its_owner_or_an_admin(signed: Signed) -> None:
    alice, fields = signed(ALICE), {"purpose": "tess-ci", "job": "build-it", "branch": "main"}
    assert alice.post("/ui/create", data=fields).status_code == 303
    others = f"Dismiss tess-ci for {ALICE} only {ALICE} and admins can do this: {ADMINS}"
    assert others in text(signed(BOB).get("/ui/creations"))
    for browser in (alice, signed(ADMIN)):
        own = text(browser.get("/ui/creations"))
        assert "Dismiss" in own
        assert "and admins can do this" not in own


def test_ids_of_a_lease_are_for_its_owner_and_admins(signed: Signed, client: FlaskClient) -> None:
    fields = {"build": "7", "job": "e2e", "request_id": "once-7", "cluster": "cluster-01"}
    taken = client.post("/getvacant", data=fields, headers=bearer(JOB))
    lease = taken.headers["CIMaster-Lease"]
    for name, sees in ((ALICE, False), (READER, False), (JOB, True), (ADMIN, True)):
        page = signed(name).get("/ui/clusters/cluster-01").text
        assert (lease in page, "once-7" in page) == (sees, sees), name
        for path in ("/", "/ui/history"):
            assert lease not in signed(name).get(path).text


# --- names of service accounts ---------------------------------------------------------------------------------------


def test_a_service_account_is_shown_short_with_its_full_name_at_hand(signed: Signed, written: WriteRecords) -> None:
    held = {"name": "cluster-01", "region": "eu", "status": "finished", "hold": True, "holdBy": ACCOUNT}
    lent = {"name": "cluster-02", "region": "eu", "status": "testing", "lastJob": "e2e", "lastBuild": "1"}
    written(held, {**lent, "lastTriggerName": ACCOUNT})
    alice = signed(ALICE)
    for path in ("/", "/ui/clusters/cluster-01", "/ui/release?cluster=cluster-01"):
        page = alice.get(path)
        shown = text(page).partition("The record as JSON")[0]
        assert "e2e.ci" in shown, path
        assert ACCOUNT not in shown, path
    assert f'title="{ACCOUNT}"' in alice.get("/ui/clusters/cluster-01").text
    assert "for e2e.ci" in text(alice.get("/"))


def test_command_lines_send_the_token_of_the_clients_file(signed: Signed) -> None:
    page = text(signed(ALICE).get("/ui/clusters/cluster-01"))
    token = '-H "Authorization: Bearer $(cat "$CIMASTER_CLIENT_TOKEN_FILE")"'
    assert f"{token} -d 'cluster=cluster-01&duration=1h' http://localhost/holdcluster" in page  # the token has the name
    assert "cimaster release cluster-01 --server http://localhost" in page
