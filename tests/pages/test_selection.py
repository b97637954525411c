"""Actions on ticked clusters: what the forms list, what is done by cluster, and what is refused."""

import re
from html import unescape

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cimaster.pages.clusters.selected_clusters import MOST
from cimaster.repository.configmap_repository import ConfigMapRepository
from tests.conftest import Add
from tests.pages.conftest import HTMX, SignIn, WriteRecords, follow, hold, text
from tests.pages.test_hold import history, state

THREE = ("cluster-01", "cluster-02", "cluster-03")
DIALOG = {**HTMX, "HX-Target": "div#dialog-content", "HX-Current-URL": "http://localhost/"}
FOR_ADMINS = ("disableselected", "enableselected", "labelselected", "deleteselected")


def opened(browser: FlaskClient, action: str, *names: str) -> TestResponse:
    """Open the form of an action for ticked clusters."""
    return browser.get("/ui/selection", query_string={"action": action, "selected": names})


def listed(form: TestResponse) -> list[str]:
    """Return what a form will send for its clusters."""
    return [unescape(value) for value in re.findall(r'name="item" value="([^"]*)"', form.text)]


def send(browser: FlaskClient, form: TestResponse, **fields: str) -> TestResponse:
    """Send a form that is open."""
    address = re.findall(r'action="(/ui/[a-z/]*selected)"', form.text)[0]
    return browser.post(address, data={"item": listed(form), "back": "/", **fields})


def commits(browser: FlaskClient, kind: str) -> set[int]:
    """Return the commits with changes of a kind."""
    changes = browser.get(f"/history?kind={kind}&limit=500", headers={"Accept": "application/json"}).get_json()
    return {change["commit"] for change in changes["history"]}


def test_several_clusters_are_disabled_in_one_write_with_one_reason(add: Add, root: FlaskClient) -> None:
    add(*THREE, "cluster-04")
    page = follow(root, send(root, opened(root, "disableselected", *THREE), reason="new switch"))
    assert "3 done" in text(page)
    assert len(commits(root, "disabled")) == 1
    assert [state(root, name)["state"] for name in (*THREE, "cluster-04")] == ["disabled"] * 3 + ["vacant"]
    newest = history(root)[:3]
    assert {change["cluster"] for change in newest} == {*THREE}
    assert {(change["event"], change["by"], change["reason"]) for change in newest} == {
        ("disabled", "root", "new switch")
    }


def test_more_clusters_than_fit_into_one_write_are_all_changed(
    add: Add, root: FlaskClient, repository: ConfigMapRepository
) -> None:
    names = [f"cluster-{number:03}" for number in range(120)]
    add(*names)
    page = follow(root, send(root, opened(root, "labelselected", *names), labels="rack=4"))
    assert "120 done" in text(page)
    assert len(commits(root, "updated")) == 3
    assert all(cluster.labels == {"rack": "4"} for cluster in repository.fresh().pool.clusters)


def test_clusters_that_need_no_change_are_counted_apart(add: Add, root: FlaskClient) -> None:
    add(*THREE)
    send(root, opened(root, "disableselected", "cluster-01", "cluster-02"), reason="why")
    form = opened(root, "enableselected", *THREE)
    assert "cluster-03 vacant (not disabled)" in text(form)
    assert "2 done, 1 unchanged" in text(follow(root, send(root, form)))


def test_a_failed_cluster_stops_no_other_and_is_named_with_its_user(add: Add, root: FlaskClient) -> None:
    add(*THREE)
    form = opened(root, "deleteselected", *THREE)
    root.get("/getvacant?build=124&job=e2e&cluster=cluster-02")
    report = send(root, form, typed="3", reason="sold")
    assert report.status_code == 200
    assert "2 done, 1 failed" in text(report)
    assert "cluster-02 is in use by e2e #124: wait until it is free, or delete it on its own page" in text(report)
    assert [root.get(f"/clusters/{name}").status_code for name in THREE] == [404, 200, 404]


def test_a_cluster_that_the_form_showed_in_use_is_not_deleted(add: Add, root: FlaskClient, alice: FlaskClient) -> None:
    add("cluster-01", "cluster-02")
    hold(alice, "cluster-01")
    root.get("/getvacant?build=124&job=e2e")
    form = opened(root, "deleteselected", "cluster-01", "cluster-02")
    assert text(form).count("(in use, so it is not deleted)") == 2
    alice.post("/ui/release", data={"cluster": "cluster-01"})
    root.get("/finishtest?cluster=cluster-02")
    report = text(send(root, form, typed="2", reason="sold"))
    assert "0 done, 2 failed" in report
    assert "cluster-01 was changed meanwhile: it is now vacant; select it again" in report


def test_the_report_stays_in_the_dialog_and_has_the_page_updated(add: Add, root: FlaskClient) -> None:
    add("cluster-01")
    item = listed(opened(root, "deleteselected", "cluster-01"))
    root.get("/getvacant?build=124&job=e2e")
    fields = {"item": item, "typed": "1", "reason": "sold"}
    report = root.post("/ui/admin/deleteselected", data=fields, headers=DIALOG)
    assert 'id="form-title">0 done, 1 failed<' in report.text
    assert "<html" not in report.text
    assert "pool-acted" in report.headers["HX-Trigger"]


@pytest.mark.parametrize(("typed", "status"), [("", 400), ("2", 400), ("cluster-01", 400), ("3", 303)])
def test_delete_needs_the_typed_number(add: Add, root: FlaskClient, typed: str, status: int) -> None:
    add(*THREE)
    answer = send(root, opened(root, "deleteselected", *THREE), typed=typed, reason="sold")
    assert answer.status_code == status
    assert ("type 3 to delete them" in text(answer)) == (status == 400)
    assert root.get("/clusters/cluster-01").status_code == (200 if status == 400 else 404)


def test_a_hold_that_the_form_did_not_show_is_not_released(
    add: Add, root: FlaskClient, alice: FlaskClient, person: SignIn
) -> None:
    add("cluster-01", "cluster-02")
    for name in ("cluster-01", "cluster-02"):
        hold(alice, name)
    form = opened(root, "releaseselected", "cluster-01", "cluster-02")
    alice.post("/ui/release", data={"cluster": "cluster-01"})
    hold(person("carol"), "cluster-01", desc="urgent")
    report = send(root, form, reason="maintenance")
    assert "1 done, 1 failed" in text(report)
    assert "cluster-01 was changed meanwhile: it is now held by carol" in text(report)
    assert (state(root, "cluster-01")["holdBy"], state(root, "cluster-02")["state"]) == ("carol", "vacant")


def test_a_person_releases_their_own_clusters_and_no_others(add: Add, alice: FlaskClient, person: SignIn) -> None:
    add(*THREE)
    hold(alice, "cluster-01")
    hold(person("carol"), "cluster-02")
    report = send(alice, opened(alice, "releaseselected", *THREE))
    assert "1 done, 1 unchanged, 1 failed" in text(report)
    assert "user alice is not authorized: cluster-02 is held by carol" in text(report)
    assert [state(alice, name)["state"] for name in THREE] == ["vacant", "held", "vacant"]


def test_an_admin_tells_other_holders_why(add: Add, root: FlaskClient, alice: FlaskClient) -> None:
    add("cluster-01")
    hold(alice, "cluster-01")
    refused = send(root, opened(root, "releaseselected", "cluster-01"))
    assert refused.status_code == 400
    assert "reason is required: tell the people who hold cluster-01 why" in text(refused)
    assert listed(refused) == listed(opened(root, "releaseselected", "cluster-01"))
    follow(root, send(root, refused, reason="maintenance"))
    assert state(root)["state"] == "vacant"


def test_labels_are_set_and_removed_and_others_stay(add: Add, root: FlaskClient) -> None:
    add("cluster-01", label="gpu=yes")
    add("cluster-02", label="zone=a")
    form = opened(root, "labelselected", "cluster-01", "cluster-02")
    assert "nothing to change" in text(send(root, form))
    assert "2 done" in text(follow(root, send(root, form, labels="rack=4", remove="gpu")))
    assert [state(root, name)["labels"] for name in ("cluster-01", "cluster-02")] == [
        {"rack": "4"},
        {"zone": "a", "rack": "4"},
    ]


@pytest.mark.parametrize("action", FOR_ADMINS)
def test_only_admins_do_what_single_actions_need_admins_for(
    add: Add, root: FlaskClient, alice: FlaskClient, action: str
) -> None:
    add("cluster-01")
    before = state(root)
    form = opened(root, action, "cluster-01")
    refused = send(alice, form, reason="why", typed="1", labels="a=b")
    assert refused.status_code == 403
    assert "user alice is not authorized: only admins can do this" in text(refused)
    assert state(root) == before


def test_the_bar_says_why_a_button_is_disabled(add: Add, root: FlaskClient, alice: FlaskClient) -> None:
    add("cluster-01")
    assert root.get("/").text.count('name="action"') == 5
    page = alice.get("/").text
    assert page.count('name="action"') == 1
    assert 'id="disableselected-why" class="disabled-reason" popover>only admins can do this<' in page


@pytest.mark.parametrize("path", ["/ui/selection?action=disableselected", "/ui/admin/disableselected"])
def test_without_a_ticked_cluster_the_form_says_what_to_do(add: Add, root: FlaskClient, path: str) -> None:
    add("cluster-01")
    for answer in (root.get(path), root.post("/ui/admin/disableselected", data={"reason": "why"})):
        assert answer.status_code == 400
        assert "no cluster is selected: tick at least one in the table" in text(answer)
        assert "This address" not in text(answer)


def test_the_number_of_clusters_in_a_request_is_limited(root: FlaskClient) -> None:
    names = [f"cluster-{number}" for number in range(MOST + 1)]
    sentence = f"{MOST + 1} clusters are selected, more than the limit of {MOST}: select fewer"
    items = [f"{name} 12345678" for name in names]
    for answer in (
        opened(root, "disableselected", *names),
        root.post("/ui/admin/disableselected", data={"item": items, "reason": "why"}),
    ):
        assert answer.status_code == 400
        assert sentence in text(answer)


def test_a_form_says_which_clusters_are_gone(add: Add, root: FlaskClient) -> None:
    add("cluster-01")
    form = opened(root, "disableselected", "cluster-01", "cluster-02")
    assert "cluster-02 (is no longer in the pool)" in text(form)
    assert [item.partition(" ")[0] for item in listed(form)] == ["cluster-01"]
    root.post("/deletecluster", data={"cluster": "cluster-01", "name": "root"})
    assert "cluster cluster-01 is no longer in the pool" in text(send(root, form, reason="why"))


def test_a_new_visitor_is_asked_for_a_name(add: Add, alice: FlaskClient, client: FlaskClient) -> None:
    add("cluster-01")
    hold(alice, "cluster-01")
    form = opened(client, "releaseselected", "cluster-01")
    assert 'name="name"' in form.text
    assert "1 done" in text(follow(client, send(client, form, name="alice")))


def test_a_broken_record_cannot_be_ticked(written: WriteRecords, root: FlaskClient) -> None:
    written({"name": "good", "status": "finished"}, {"name": "odd", "status": "busy"})
    assert re.findall(r'name="selected" value="([^"]*)"', root.get("/").text) == ["good"]
    assert 'aria-label="Select all 1 shown"' in root.get("/").text


def test_without_script_all_that_match_the_filter_can_be_ticked(add: Add, root: FlaskClient) -> None:
    add("cluster-01", "cluster-02", label="gpu=yes")
    add("cluster-03")
    page = root.get("/?label=gpu%3Dyes").text
    link = unescape(re.findall(r'class="no-script" href="([^"]*)"', page)[0])
    shown = root.get(link)
    assert "These 2 match the filter" in text(shown)
    assert re.findall(r'value="(cluster-0\d)" checked', shown.text) == ["cluster-01", "cluster-02"]


def test_clusters_that_are_gone_take_no_search_for_similar_names(add: Add, alice: FlaskClient) -> None:
    add(*(f"cluster-{number:03}" for number in range(10)))
    form = opened(alice, "releaseselected", "cluster-001")
    alice.post("/deletecluster", data={"cluster": "cluster-001", "name": "root"})
    report = text(send(alice, form))
    assert "cluster cluster-001 is no longer in the pool" in report
    assert "did you mean" not in report
