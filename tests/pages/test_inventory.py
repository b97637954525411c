"""The admins' page: add, edit, disable, enable, delete, and the broken records."""

import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.settings import Settings
from cimaster.web.components import components_of
from tests.conditions import until
from tests.conftest import Add
from tests.pages.conftest import HTMX, SignIn, WriteRecords, follow, hold, text
from tests.pages.test_hold import state

DIALOG = {**HTMX, "HX-Target": "div#dialog-content", "HX-Current-URL": "http://localhost/ui/admin"}
JSON = {"Accept": "application/json"}
VERBS = ["add", "edit", "disable", "enable", "delete"]


def send(browser: FlaskClient, verb: str, **fields: str) -> TestResponse:
    return browser.post(f"/ui/admin/{verb}", data={"cluster": "cluster-01", "back": "/ui/admin", **fields})


def test_an_admin_adds_a_cluster(root: FlaskClient) -> None:
    facts = {
        "region": "us-west",
        "purpose": "tnet-ci",
        "osimage": "flatcar",
        "note": "new",
        "labels": "gpu=yes, zone=a",
    }
    page = follow(root, send(root, "add", **facts))
    assert "cluster cluster-01 is added successfully" in text(page)
    assert "cluster-01 new vacant ok tnet-ci us-west flatcar gpu=yes zone=a" in text(page)
    assert state(root)["labels"] == {"gpu": "yes", "zone": "a"}


@pytest.mark.parametrize(
    ("fields", "status", "sentence"),
    [
        ({}, 400, "region is required"),
        ({"region": "r", "cluster": "Bad Name"}, 400, "cluster is 'Bad Name'"),
        ({"region": "r", "purpose": "tnet-ci"}, 400, "osimage is required"),
        ({"region": "r", "labels": "gpu"}, 400, "key=value"),
        ({"region": "r", "labels": "a=1 a=2"}, 400, "one key two values"),
        ({"region": "other", "cluster": "there"}, 409, "cluster there exists already, with region us-west"),
    ],
)
def test_a_refused_cluster_can_be_corrected(
    add: Add, root: FlaskClient, fields: dict[str, str], status: int, sentence: str
) -> None:
    add("there")
    answer = send(root, "add", note="kept", **fields)
    assert answer.status_code == status
    assert sentence in text(answer)
    assert 'value="kept"' in answer.text


@pytest.mark.parametrize("verb", VERBS)
def test_a_person_without_the_admin_role_is_refused(add: Add, alice: FlaskClient, verb: str) -> None:
    add("cluster-01")
    before = state(alice)
    name = "cluster-02" if verb == "add" else "cluster-01"
    answer = send(alice, verb, cluster=name, region="r", reason="why", typed=name)
    assert answer.status_code == 403
    assert "user alice is not authorized: only admins can do this" in text(answer)
    assert state(alice) == before


def test_without_the_admin_role_the_buttons_are_disabled(add: Add, alice: FlaskClient, client: FlaskClient) -> None:
    add("cluster-01")
    page = alice.get("/ui/admin")
    assert page.status_code == 200
    assert "Read-only: only admins can change the inventory" in text(page)
    assert page.text.count('aria-disabled="true"') == 11
    assert "give your name first" in text(client.get("/ui/admin"))


@pytest.mark.parametrize("path", ["/", "/ui/admin", "/ui/admin/import"])
def test_where_names_are_believed_no_refusal_names_an_admin(add: Add, alice: FlaskClient, path: str) -> None:
    """A visitor who gave that name would be one."""
    add("cluster-01")
    page = text(alice.get(path))
    assert "nly admins can" in page
    assert not re.search(r"\b(root|bob)\b", page, re.IGNORECASE)


@pytest.mark.parametrize("names", ["", "root;Bob"])
def test_no_page_reveals_the_path_of_the_admin_file(
    app: Flask, add: Add, person: SignIn, client: FlaskClient, settings: Settings, names: str
) -> None:
    add("cluster-01")
    hold(person("bob"), "cluster-01")
    (Path(settings.admin_dir) / "users").write_text(names)
    until(lambda: ("bob" in components_of(app).admins) == bool(names))
    forms = [f"/ui/admin/{verb}" for verb in (*VERBS, "takeover")]
    for browser in (client, person("charlie")):
        pages = [browser.get(path) for path in ("/", "/ui/admin", "/ui/clusters/cluster-01")]
        shown = [browser.get(form, query_string={"cluster": "cluster-01"}) for form in forms]
        sent = {"cluster": "cluster-01", "name": "charlie", "region": "r", "reason": "why", "typed": "cluster-01"}
        refused = [browser.post(form, data=sent) for form in forms]
        assert {answer.status_code for answer in refused} == {403}
        for page in (*pages, *shown, *refused):
            assert settings.admin_dir not in page.text


def test_edit_changes_only_what_was_changed_in_the_form(add: Add, root: FlaskClient, client: FlaskClient) -> None:
    add("cluster-01", note="old", osimage="one")
    form = root.get("/ui/admin/edit?cluster=cluster-01").text
    assert 'name="note" value="old"' in form
    assert 'name="was_note" value="old"' in form
    client.post("/updatecluster", data={"cluster": "cluster-01", "name": "root", "osimage": "two"})
    was = {"was_region": "us-west", "was_purpose": "tess-ci", "was_osimage": "one", "was_note": "old", "was_labels": ""}
    now = {"region": "eu", "purpose": "tess-ci", "osimage": "one", "note": "", "labels": "gpu=yes"}
    follow(root, send(root, "edit", **was, **now))
    record = state(root)
    assert (record["region"], record["osimage"], record["labels"]) == ("eu", "two", {"gpu": "yes"})
    assert "note" not in record


def test_edit_without_a_change_changes_nothing(add: Add, root: FlaskClient, repository: ConfigMapRepository) -> None:
    add("cluster-01")
    before = repository.fresh().version
    fields = dict.fromkeys(("osimage", "note", "labels", "was_osimage", "was_note", "was_labels"), "")
    fields |= {"region": "us-west", "was_region": "us-west", "purpose": "tess-ci", "was_purpose": "tess-ci"}
    assert "cluster cluster-01 is unchanged" in text(follow(root, send(root, "edit", **fields)))
    assert repository.fresh().version == before


def test_labels_can_be_taken_away(add: Add, root: FlaskClient) -> None:
    add("cluster-01", label="gpu=yes")
    assert 'value="gpu=yes"' in root.get("/ui/admin/edit?cluster=cluster-01").text
    send(root, "edit", was_labels="gpu=yes", labels="")
    assert "labels" not in state(root)


def test_disable_needs_a_reason_which_all_visitors_see(add: Add, root: FlaskClient, alice: FlaskClient) -> None:
    add("cluster-01")
    refused = send(root, "disable", reason=" ")
    assert refused.status_code == 400
    assert "reason is required" in text(refused)
    follow(root, send(root, "disable", reason="waits for a <switch>"))
    assert "cluster-01 disabled ok root waits for a <switch>" in text(alice.get("/"))
    assert "Enable cluster-01" not in text(alice.get("/"))


def test_a_cluster_in_use_is_drained(add: Add, root: FlaskClient) -> None:
    add("cluster-01")
    root.get("/getvacant?build=1&job=e2e")
    page = follow(root, send(root, "disable", reason="new switch"))
    assert "e2e #1 keeps it until it finishes" in text(page)
    assert "then disabled: new switch" in text(root.get("/"))


def test_enable_is_one_click(add: Add, root: FlaskClient) -> None:
    add("cluster-01")
    send(root, "disable", reason="why")
    page = follow(root, root.post("/ui/admin/enable", data={"cluster": "cluster-01"}))
    assert "cluster cluster-01 is enabled" in text(page)
    assert state(root)["state"] == "vacant"


@pytest.mark.parametrize("typed", ["", "cluster-02", "CLUSTER-01", "yes"])
def test_delete_requires_the_typed_name(add: Add, root: FlaskClient, typed: str) -> None:
    add("cluster-01")
    answer = send(root, "delete", typed=typed)
    assert answer.status_code == 400
    assert "type cluster-01 to delete it" in text(answer)
    assert state(root)["name"] == "cluster-01"


def test_delete_removes_the_cluster(add: Add, root: FlaskClient) -> None:
    add("cluster-01")
    page = follow(root, send(root, "delete", typed="cluster-01"))
    assert "cluster cluster-01 is deleted" in text(page)
    assert "The pool is empty" in text(page)
    assert root.get("/clusters/cluster-01").status_code == 404


def test_delete_of_a_cluster_in_use_needs_force_and_a_reason(add: Add, alice: FlaskClient, root: FlaskClient) -> None:
    add("cluster-01")
    hold(alice, "cluster-01")
    assert "even though it is in use" in text(root.get("/ui/admin/delete?cluster=cluster-01"))
    refused = send(root, "delete", typed="cluster-01")
    assert refused.status_code == 409
    assert "held by alice until" in text(refused)
    refused = send(root, "delete", typed="cluster-01", force="true")
    assert refused.status_code == 400
    assert "checked" in refused.text
    follow(root, send(root, "delete", typed="cluster-01", force="true", reason="the rack burned"))
    assert root.get("/clusters/cluster-01").status_code == 404


def test_a_delete_on_the_clusters_own_page_leads_to_the_dashboard(add: Add, root: FlaskClient) -> None:
    add("cluster-01")
    assert send(root, "delete", typed="cluster-01", back="/ui/clusters/cluster-01").location == "/"


def test_broken_records_show_their_reason_and_are_deleted_by_position(
    written: WriteRecords, add: Add, root: FlaskClient
) -> None:
    written({"name": "good", "status": "finished"}, {"name": "odd", "status": "<busy>"}, "7")
    page = root.get("/ui/admin")
    assert "odd at position #1 'status' is neither 'finished' nor 'testing'" in text(page)
    assert "at position #2 the record is not an object 7" in text(page)
    reference = page.text.partition('value="#1.')[2][:8]
    form = root.get("/ui/admin/delete", query_string={"cluster": f"#1.{reference}"})
    assert "Type #1 to confirm" in text(form)
    assert "<busy>" in text(form)
    page = follow(root, send(root, "delete", cluster=f"#1.{reference}", typed="#1"))
    assert f"broken record #1.{reference} is deleted" in text(page)
    assert "at position #1 the record is not an object" in text(page)
    assert "good" in text(page)


def test_a_broken_record_that_moved_is_not_confused_with_another(written: WriteRecords, root: FlaskClient) -> None:
    written("1", "2")
    first = root.get("/ui/admin").text.partition('value="#0.')[2][:8]
    written("2")
    answer = send(root, "delete", cluster=f"#0.{first}", typed="#0")
    assert answer.status_code == 404
    assert "no such broken record" in text(answer)
    assert "at position #0" in text(root.get("/ui/admin"))


def test_a_broken_record_is_deleted_from_the_dashboard_too(
    written: WriteRecords, root: FlaskClient, alice: FlaskClient
) -> None:
    written({"name": "twin", "status": "finished"}, {"name": "twin", "status": "finished", "note": "second"})
    assert text(root.get("/")).count("broken – – another record has the same name") == 2
    assert root.get("/").text.count('action="/ui/admin/delete"') == 2
    assert 'action="/ui/admin/delete"' not in alice.get("/").text


@pytest.mark.parametrize("verb", ["edit", "disable", "enable"])
def test_a_broken_record_can_only_be_deleted(written: WriteRecords, root: FlaskClient, verb: str) -> None:
    written({"name": "cluster-01", "status": "busy"})
    answer = send(root, verb, reason="why", region="r")
    assert answer.status_code == 409
    assert "an admin can delete it as #0" in text(answer)


def test_the_answer_to_a_click_is_the_current_inventory(add: Add, root: FlaskClient) -> None:
    add("cluster-01")
    answer = root.post(
        "/ui/admin/disable", data={"cluster": "cluster-01", "reason": "why", "back": "/ui/admin"}, headers=DIALOG
    )
    assert answer.status_code == 200
    row = re.findall(r'<tr id="([^"]+)"', root.get("/ui/admin").text)[0]
    assert f'hx-target="#{row}"' in answer.text
    assert "disabled why" in text(answer)
    assert "pool-acted" in answer.headers["HX-Trigger"]


def test_a_form_for_an_unknown_cluster_is_404(root: FlaskClient) -> None:
    for verb in ("edit", "disable", "enable", "delete"):
        assert root.get(f"/ui/admin/{verb}?cluster=gone").status_code == 404
        assert root.get(f"/ui/admin/{verb}").status_code == 404


@pytest.mark.parametrize("record", ['{"name": "twin"}', "7", '{"status": "finished"}'])
def test_two_broken_records_of_the_same_bytes_are_two(written: WriteRecords, root: FlaskClient, record: str) -> None:
    for name in ("other", "cluster-01"):  # the second time the broken records come from the cache
        written({"name": name, "status": "finished"}, record, record)
    for url in ("/", "/ui/admin"):
        page = root.get(url).text
        ids = re.findall(r'\bid="([^"]+)"', page)
        assert len(ids) == len(set(ids))
        assert [place for place in ("#1.", "#2.") if place in page] == ["#1.", "#2."]
    reference = re.search(r'value="(#2\.[0-9a-f]+)"', root.get("/ui/admin").text)
    assert reference
    answer = follow(root, send(root, "delete", cluster=reference[1], typed="#2"))
    assert "broken record #2" in text(answer)
    assert "at position #1" in text(answer)
    assert "at position #2" not in text(answer)
    clusters = root.get("/clusters", headers=JSON).get_json()["clusters"]
    assert [cluster.get("name", "") for cluster in clusters] == [
        "cluster-01",
        "twin" if "twin" in record else "",
    ]
