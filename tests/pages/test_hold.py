"""Hold, extend and release from the pages, without script and with htmx."""

import pytest
from flask.testing import FlaskClient

from tests.pages.conftest import HTMX, follow, hold, text

ROW = {**HTMX, "HX-Target": "div#alerts", "HX-Current-URL": "http://localhost/?state=vacant"}
DIALOG = {**ROW, "HX-Target": "div#dialog-content"}


def state(client: FlaskClient, name: str = "cluster-01") -> dict[str, object]:
    return client.get(f"/clusters/{name}", headers={"Accept": "application/json"}).get_json()


def test_the_form_asks_for_how_long_and_why(add, alice: FlaskClient) -> None:
    add("cluster-01")
    form = alice.get("/ui/hold?cluster=cluster-01")
    assert "<title>Hold cluster-01" in form.text
    assert '<option value="6h" selected>6 h</option>' in form.text
    assert [f'value="{choice}"' in form.text for choice in ("30m", "1h", "4h")] == [True] * 3
    assert 'name="name"' not in form.text  # it is known


def test_a_hold_leads_back_to_the_page_it_came_from_with_a_message_told_once(add, alice: FlaskClient) -> None:
    add("cluster-01")
    answer = hold(alice, "cluster-01", desc=" my reason ", duration="1h", expect="vacant", back="/?state=held")
    assert answer.location == "/?state=held"
    page = follow(alice, answer)
    assert "cluster cluster-01 is held by alice until 20" in text(page)
    assert "cluster-01 yours held alice my reason" in text(page)
    assert "is held by alice until" not in text(alice.get("/"))
    assert state(alice)["holdDesc"] == "my reason"


def test_a_row_sends_the_form_back_to_where_it_stood(add, alice: FlaskClient) -> None:
    add("cluster-01")
    form = alice.get("/ui/hold?cluster=cluster-01", headers={"Referer": "http://localhost/?q=a&state=vacant"})
    assert 'name="back" value="/?q=a&amp;state=vacant"' in form.text


@pytest.mark.parametrize(
    "back",
    ["https://evil.test/", "//evil.test/", "/\\evil.test", "javascript:alert(1)", "/addcluster", "http://[", "\x00"],
)
def test_nobody_is_sent_to_another_site(add, alice: FlaskClient, back: str) -> None:
    add("cluster-01")
    assert hold(alice, "cluster-01", back=back).location == "/"


def test_somebody_unknown_gives_a_name_once(add, client: FlaskClient) -> None:
    add("cluster-01", "cluster-02")
    assert 'name="name"' in client.get("/ui/hold?cluster=cluster-01").text
    hold(client, "cluster-01", name="dora")
    assert state(client)["holdBy"] == "dora"
    cookie = client.get_cookie("cimaster_name")
    assert (cookie.value, cookie.http_only, cookie.same_site) == ("dora", True, "Lax")
    hold(client, "cluster-02")
    assert state(client, "cluster-02")["holdBy"] == "dora"


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"name": ""}, 400, "name is required"),
        ({"name": "a\u200bb"}, 400, "name is 'a\\u200bb'"),
        ({"name": "dora", "duration": "100h"}, 422, "a hold lasts at most 3d"),
        ({"name": "dora", "duration": "5"}, 400, "a duration such as"),
        ({"name": "dora", "desc": "x" * 501}, 400, "at most 500 characters"),
        ({"name": "dora", "cluster": "cluster-09"}, 404, "cluster cluster-09 is not known"),
    ],
)
def test_a_refused_form_comes_back_as_it_was_filled_in(add, client, fields, status: int, said: str) -> None:
    add("cluster-01")
    answer = client.post("/ui/hold", data={"cluster": "cluster-01", "desc": "kept <b>", "duration": "4h", **fields})
    assert answer.status_code == status
    assert said in text(answer)
    assert 'role="alert"' in answer.text
    if "desc" not in fields:
        assert 'value="kept &lt;b&gt;"' in answer.text
    assert client.get_cookie("cimaster_name") is None


def test_a_stale_hold_button_is_409_with_who_has_it(add, alice: FlaskClient, person) -> None:
    add("cluster-01")
    hold(person("bob"), "cluster-01")
    opened = alice.get("/ui/hold?cluster=cluster-01&expect=vacant")
    assert opened.status_code == 409
    assert "cluster-01 is not vacant any more: held by bob until" in text(opened)
    sent = alice.post("/ui/hold", data={"cluster": "cluster-01", "duration": "6h", "expect": "vacant"}, headers=DIALOG)
    assert sent.status_code == 409
    assert "cluster-01 is already held by bob until" in text(sent)
    assert "<table" not in sent.text
    assert state(alice)["holdBy"] == "bob"


def test_a_cluster_taken_by_a_job_meanwhile_can_be_held_from_when_it_finishes(add, alice: FlaskClient) -> None:
    add("cluster-01")
    alice.get("/getvacant?build=124&job=e2e")
    stale = hold(alice, "cluster-01", expect="vacant")
    assert stale.status_code == 409
    assert "is not vacant any more: occupied by e2e #124" in text(stale)
    assert "expect=occupied" in stale.text
    page = follow(alice, hold(alice, "cluster-01", expect="occupied"))
    assert "is held by alice from when e2e #124 finishes" in text(page)
    assert "then held by alice" in text(page)


def test_the_answer_to_a_click_has_the_changed_row_and_a_word_of_success(add, alice: FlaskClient) -> None:
    add("cluster-01", "cluster-02")
    answer = alice.post("/ui/hold", data={"cluster": "cluster-01", "duration": "6h"}, headers=DIALOG)
    assert answer.status_code == 200
    assert 'data-state="held"' in answer.text
    assert 'hx-target="#toasts"' in answer.text
    assert "cluster cluster-01 is held by alice" in text(answer)
    assert "cluster-02" not in answer.text
    assert "pool-changed" in answer.headers["HX-Trigger"]


def test_the_answer_on_a_clusters_own_page_has_its_panel_and_history(add, alice: FlaskClient) -> None:
    add("cluster-01")
    where = {**DIALOG, "HX-Current-URL": "http://localhost/ui/clusters/cluster-01"}
    answer = alice.post("/ui/hold", data={"cluster": "cluster-01", "duration": "6h"}, headers=where)
    assert 'hx-target="#cluster"' in answer.text
    assert "held" in text(answer).partition("History")[2]


def test_a_hold_is_extended_from_now(add, alice: FlaskClient, clock) -> None:
    add("cluster-01")
    hold(alice, "cluster-01", duration="30m")
    clock.forward(minutes=20)
    assert "It ends in 10 min" in text(alice.get("/ui/extend?cluster=cluster-01"))
    page = follow(alice, alice.post("/ui/extend", data={"cluster": "cluster-01", "duration": "4h"}))
    assert "4 h" in text(page)


def test_an_extension_of_a_hold_that_ended_takes_nothing(add, alice: FlaskClient, clock) -> None:
    add("cluster-01")
    hold(alice, "cluster-01", duration="30m")
    clock.forward(minutes=40)
    answer = alice.post("/ui/extend", data={"cluster": "cluster-01", "duration": "4h"})
    assert answer.status_code == 409
    assert "cluster-01 is not held any more: vacant" in text(answer)
    assert state(alice)["state"] == "vacant"


def test_extensions_end_at_the_longest_hold(add, alice: FlaskClient, clock) -> None:
    add("cluster-01")
    hold(alice, "cluster-01")
    for _ in range(14):
        clock.forward(hours=5)
        alice.post("/ui/extend", data={"cluster": "cluster-01", "duration": "6h"})
    answer = alice.post("/ui/extend", data={"cluster": "cluster-01", "duration": "6h"})
    assert answer.status_code == 422
    assert "a hold lasts at most 3d, extensions included" in text(answer)


def test_ones_own_hold_is_released_with_one_click(add, alice: FlaskClient) -> None:
    add("cluster-01")
    hold(alice, "cluster-01")
    page = follow(alice, alice.post("/ui/release", data={"cluster": "cluster-01"}))
    assert "cluster cluster-01 is released" in text(page)
    assert "cluster-01 vacant" in text(page)


def test_one_click_with_htmx_changes_the_row_in_place(add, alice: FlaskClient) -> None:
    add("cluster-01")
    hold(alice, "cluster-01")
    answer = alice.post("/ui/release", data={"cluster": "cluster-01"}, headers=ROW)
    assert 'data-state="vacant"' in answer.text
    assert "cluster cluster-01 is released" in text(answer)


def test_anothers_hold_cannot_be_released_and_the_button_says_why(add, alice: FlaskClient, person) -> None:
    add("cluster-01")
    hold(person("bob"), "cluster-01")
    row = alice.get("/").text
    assert 'aria-disabled="true" title="held by bob: the holder or an admin can release it"' in row
    for headers in ({}, ROW, DIALOG):
        answer = alice.post("/ui/release", data={"cluster": "cluster-01"}, headers=headers)
        assert answer.status_code == 403
        assert "user alice is not authorized: cluster-01 is held by bob" in text(answer)
    assert state(alice)["holdBy"] == "bob"


def test_an_admin_releases_anothers_hold_with_a_reason(add, alice: FlaskClient, root: FlaskClient) -> None:
    add("cluster-01")
    hold(alice, "cluster-01")
    refused = root.post("/ui/release", data={"cluster": "cluster-01", "reason": "  "})
    assert refused.status_code == 400
    assert "reason is required" in text(refused)
    follow(root, root.post("/ui/release", data={"cluster": "cluster-01", "reason": "needed for the release"}))
    assert "alice's hold: needed for the release" in text(alice.get("/ui/clusters/cluster-01"))


def test_a_refused_click_in_a_row_replaces_no_table(add, alice: FlaskClient, person) -> None:
    add("cluster-01")
    hold(person("bob"), "cluster-01")
    answer = alice.post("/ui/release", data={"cluster": "cluster-01"}, headers=ROW)
    assert answer.text.strip().startswith('<div class="alert">')
    assert answer.headers["CIMaster-Code"] == "not_authorized"
    assert "pool-acted" in answer.headers["HX-Trigger"]  # the table shows at once how things really are


def test_names_are_compared_without_case(add, person) -> None:
    add("cluster-01")
    hold(person("Alice"), "cluster-01")
    assert "Release" in text(person("ALICE").get("/"))
    assert person("aLiCe").post("/ui/release", data={"cluster": "cluster-01"}).status_code == 303


def test_another_sites_page_changes_nothing(add, alice: FlaskClient) -> None:
    add("cluster-01")
    answer = alice.post(
        "/ui/hold", data={"cluster": "cluster-01", "duration": "1h"}, headers={"Origin": "https://evil.test"}
    )
    assert answer.status_code == 403
    assert "another site" in text(answer)
    assert state(alice)["state"] == "vacant"


def test_a_cluster_of_any_name_is_held_and_released(written, alice: FlaskClient) -> None:
    for name in ("a/b", "../x", "/", " lead", 'q"<b>#?&%', "ünï", "any", "#3", "."):
        written({"name": name, "status": "finished"})
        assert hold(alice, name).status_code == 303, name
        assert alice.post("/ui/release", data={"cluster": name}).status_code == 303, name
