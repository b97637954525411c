"""Hold, extend and release from the pages, without script and with htmx."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import Add, MovableClock
from tests.pages.conftest import HTMX, SignIn, WriteRecords, follow, hold, text

ROW = {**HTMX, "HX-Target": "div#alerts", "HX-Current-URL": "http://localhost/?state=vacant"}
DIALOG = {**ROW, "HX-Target": "div#dialog-content"}


def state(client: FlaskClient, name: str = "cluster-01") -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/clusters/{name}", headers={"Accept": "application/json"}).get_json()
    return found


def history(client: FlaskClient) -> list[dict[str, str]]:
    """Return the history, newest first."""
    found: list[dict[str, str]] = client.get("/history", headers={"Accept": "application/json"}).get_json()["history"]
    return found


def test_the_form_has_duration_and_reason(add: Add, alice: FlaskClient) -> None:
    add("cluster-01")
    form = alice.get("/ui/hold?cluster=cluster-01")
    assert re.search("<title[^>]*>Hold cluster-01", form.text)
    assert '<option value="6h" selected>6 h</option>' in form.text
    assert [f'value="{choice}"' in form.text for choice in ("30m", "1h", "4h")] == [True] * 3
    assert 'name="name"' not in form.text  # the name is known


def test_a_hold_leads_back_to_its_page_with_a_message_shown_once(add: Add, alice: FlaskClient) -> None:
    add("cluster-01")
    answer = hold(alice, "cluster-01", desc=" my reason ", duration="1h", expect="vacant", back="/?state=held")
    assert answer.location == "/?state=held"
    page = follow(alice, answer)
    assert "You hold cluster-01 until" in text(page)
    assert "cluster-01 yours held ok alice my reason" in text(page)
    assert "You hold cluster-01 until" not in text(alice.get("/"))
    assert state(alice)["holdDesc"] == "my reason"


def test_a_form_returns_to_the_page_of_its_row(add: Add, alice: FlaskClient) -> None:
    add("cluster-01")
    form = alice.get("/ui/hold?cluster=cluster-01", headers={"Referer": "http://localhost/?q=a&state=vacant"})
    assert 'name="back" value="/?q=a&amp;state=vacant"' in form.text


@pytest.mark.parametrize(
    "back",
    ["https://evil.test/", "//evil.test/", "/\\evil.test", "javascript:alert(1)", "/addcluster", "http://[", "\x00"],
)
def test_a_redirect_never_leads_to_another_site(add: Add, alice: FlaskClient, back: str) -> None:
    add("cluster-01")
    assert hold(alice, "cluster-01", back=back).location == "/"


def test_an_unknown_visitor_gives_a_name_once(add: Add, client: FlaskClient) -> None:
    add("cluster-01", "cluster-02")
    assert 'name="name"' in client.get("/ui/hold?cluster=cluster-01").text
    hold(client, "cluster-01", name="dora")
    assert state(client)["holdBy"] == "dora"
    cookie = client.get_cookie("cimaster_name")
    assert cookie
    assert (cookie.value, cookie.http_only, cookie.same_site) == ("dora", True, "Lax")
    hold(client, "cluster-02")
    assert state(client, "cluster-02")["holdBy"] == "dora"


@pytest.mark.parametrize(
    ("fields", "status", "sentence"),
    [
        ({"name": ""}, 400, "name is required"),
        ({"name": "a\u200bb"}, 400, "name is 'a\\u200bb'"),
        ({"name": "dora", "duration": "100h"}, 422, "a hold lasts at most 3d"),
        ({"name": "dora", "duration": "5"}, 400, "a duration such as"),
        ({"name": "dora", "desc": "x" * 501}, 400, "at most 500 characters"),
        ({"name": "dora", "cluster": "cluster-09"}, 404, "cluster cluster-09 is not known"),
    ],
)
def test_a_refused_form_comes_back_as_it_was_filled_in(
    add: Add, client: FlaskClient, fields: dict[str, str], status: int, sentence: str
) -> None:
    add("cluster-01")
    answer = client.post("/ui/hold", data={"cluster": "cluster-01", "desc": "kept <b>", "duration": "4h", **fields})
    assert answer.status_code == status
    assert sentence in text(answer)
    assert 'role="alert"' in answer.text
    if "desc" not in fields:
        assert 'value="kept &lt;b&gt;"' in answer.text
    assert client.get_cookie("cimaster_name") is None


def test_a_stale_hold_button_is_409_with_the_holder(add: Add, alice: FlaskClient, person: SignIn) -> None:
    add("cluster-01")
    hold(person("bob"), "cluster-01")
    opened = alice.get("/ui/hold?cluster=cluster-01&expect=vacant")
    assert opened.status_code == 409
    assert "cluster-01 is no longer vacant: it is now held by bob until" in text(opened)
    sent = alice.post("/ui/hold", data={"cluster": "cluster-01", "duration": "6h", "expect": "vacant"}, headers=DIALOG)
    assert sent.status_code == 409
    assert "cluster-01 is already held by bob until" in text(sent)
    assert "<table" not in sent.text
    assert state(alice)["holdBy"] == "bob"


def test_a_cluster_just_taken_can_be_held_from_the_end_of_its_job(add: Add, alice: FlaskClient) -> None:
    add("cluster-01")
    alice.get("/getvacant?build=124&job=e2e")
    stale = hold(alice, "cluster-01", expect="vacant")
    assert stale.status_code == 409
    assert "is no longer vacant: it is now occupied by e2e #124" in text(stale)
    assert "expect=occupied" in stale.text
    page = follow(alice, hold(alice, "cluster-01", expect="occupied"))
    assert "You get cluster-01 when e2e #124 finishes, for 6 h" in text(page)
    assert "then held by alice" in text(page)


def test_the_answer_to_a_click_has_the_changed_row_and_a_message(add: Add, alice: FlaskClient) -> None:
    add("cluster-01", "cluster-02")
    answer = alice.post("/ui/hold", data={"cluster": "cluster-01", "duration": "6h"}, headers=DIALOG)
    assert answer.status_code == 200
    assert 'data-state="held"' in answer.text
    assert 'hx-target="#toasts"' in answer.text
    assert "You hold cluster-01 until" in text(answer)
    assert "cluster-02" not in answer.text
    assert "pool-changed" in answer.headers["HX-Trigger"]


def test_the_answer_on_a_clusters_own_page_has_its_panel_and_history(add: Add, alice: FlaskClient) -> None:
    add("cluster-01")
    where = {**DIALOG, "HX-Current-URL": "http://localhost/ui/clusters/cluster-01"}
    answer = alice.post("/ui/hold", data={"cluster": "cluster-01", "duration": "6h"}, headers=where)
    assert 'hx-target="#cluster"' in answer.text
    assert "held" in text(answer).partition("History")[2]


def ends(browser: FlaskClient, cluster: str = "cluster-01") -> datetime:
    """Return when a hold ends."""
    return datetime.fromisoformat(state(browser, cluster)["holdExpires"])


def offers(browser: FlaskClient, cluster: str = "cluster-01") -> dict[str, str]:
    """Return the extensions that the form offers, and the value that each sends."""
    page = browser.get(f"/ui/extend?cluster={cluster}").text
    return dict(re.findall(r'id="form-extend-(\w+)" name="until" value="([^"]+)"', page))


def extend(browser: FlaskClient, until: str, cluster: str = "cluster-01", **headers: str) -> TestResponse:
    """Send the form of an extension."""
    return browser.post("/ui/extend", data={"cluster": cluster, "until": until}, headers=headers)


def test_an_extension_adds_to_the_remaining_time_and_shows_the_end(
    add: Add, alice: FlaskClient, clock: MovableClock
) -> None:
    add("cluster-01")
    hold(alice, "cluster-01", duration="33h")
    before = ends(alice)
    offered = offers(alice)
    assert list(offered) == ["30m", "1h", "4h"]
    assert offered["1h"] == f"{before + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    form = text(alice.get("/ui/extend?cluster=cluster-01"))
    assert re.search(r"\+4 h Ends \w{3} \d\d \w{3}, \d\d:\d\d UTC, in 1 d 1[23] h", form)
    page = follow(alice, extend(alice, offered["4h"]))
    assert ends(alice) - before == timedelta(hours=4)
    assert re.search(r"You hold cluster-01 until .* UTC \(1 d 1[23] h", text(page))


def test_two_clicks_or_two_tabs_extend_only_to_the_end_they_showed(add: Add, alice: FlaskClient) -> None:
    add("cluster-01")
    hold(alice, "cluster-01", duration="2h")
    before, offered = ends(alice), offers(alice)
    for until, hours in (("1h", 1), ("1h", 1), ("4h", 4), ("30m", 4)):
        assert extend(alice, offered[until]).status_code == 303
        assert ends(alice) - before == timedelta(hours=hours)
    events = [entry["event"] for entry in history(alice)]
    assert events[:3] == ["hold extended", "hold extended", "held"]


def test_an_extension_of_a_hold_behind_a_job_makes_it_longer(add: Add, alice: FlaskClient, clock: MovableClock) -> None:
    add("cluster-01")
    alice.get("/getvacant?build=124&job=e2e")
    hold(alice, "cluster-01", duration="2h")
    offered = offers(alice)
    assert offered == {"30m": "150m", "1h": "3h", "4h": "6h"}
    assert "3 h in total, starting when the job finishes" in text(alice.get("/ui/extend?cluster=cluster-01"))
    assert "for 3 h" in text(follow(alice, extend(alice, offered["1h"])))
    assert state(alice)["holdFor"] == "3h"
    alice.get("/finishtest?cluster=cluster-01&job=e2e&build=124")
    before = ends(alice)
    extend(alice, offered["4h"])  # from a form that was opened while the job was running
    assert timedelta(seconds=-1) <= ends(alice) - before - timedelta(hours=3) <= timedelta()


def test_the_end_of_a_hold_is_changed_to_an_earlier_one_by_another_form(add: Add, alice: FlaskClient) -> None:
    add("cluster-01")
    hold(alice, "cluster-01", duration="33h")
    assert "Change end…" in text(alice.get("/ui/clusters/cluster-01"))
    assert 'href="/ui/changeend?cluster=cluster-01' in alice.get("/ui/extend?cluster=cluster-01").text
    page = follow(alice, alice.post("/ui/changeend", data={"cluster": "cluster-01", "duration": "30m30s"}))
    assert "(30 min)" in text(page)
    assert history(alice)[0]["event"] == "hold shortened"


@pytest.mark.parametrize("form", [("/ui/extend", "until"), ("/ui/changeend", "duration")])
def test_an_extension_of_a_hold_that_ended_takes_nothing(
    add: Add, alice: FlaskClient, clock: MovableClock, form: tuple[str, str]
) -> None:
    add("cluster-01")
    hold(alice, "cluster-01", duration="30m")
    clock.forward(minutes=40)
    answer = alice.post(form[0], data={"cluster": "cluster-01", form[1]: "4h"})
    assert answer.status_code == 409
    assert "cluster-01 is no longer held: it is now vacant" in text(answer)
    assert state(alice)["state"] == "vacant"


def test_an_extension_of_anothers_hold_is_refused(add: Add, alice: FlaskClient, person: SignIn) -> None:
    add("cluster-01")
    hold(person("bob"), "cluster-01")
    before = ends(alice)
    answer = extend(alice, offers(alice)["1h"])
    assert answer.status_code == 409
    assert "cluster-01 is held by bob" in text(answer)
    assert ends(alice) == before


def test_extensions_end_at_the_longest_hold(add: Add, alice: FlaskClient) -> None:
    add("cluster-01")
    hold(alice, "cluster-01", duration="68h")
    late = offers(alice)["4h"]
    assert extend(alice, late).status_code == 303
    assert offers(alice) == {}
    form = alice.get("/ui/extend?cluster=cluster-01")
    assert "This hold cannot be extended any further. A hold lasts at most 3 d" in text(form)
    assert "form-send" not in form.text
    answer = extend(alice, f"{ends(alice) + timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}")
    assert answer.status_code == 422
    assert "a hold lasts at most 3d, extensions included; this one began at 20" in text(answer)


def test_an_extension_that_no_form_offers_is_refused(add: Add, alice: FlaskClient) -> None:
    add("cluster-01")
    hold(alice, "cluster-01")
    before = state(alice)
    for until in ("soon", "99999999999d", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"):
        assert extend(alice, until).status_code in (303, 400, 422), until
        assert state(alice) == before


def test_the_holder_releases_with_one_click(add: Add, alice: FlaskClient) -> None:
    add("cluster-01")
    hold(alice, "cluster-01")
    page = follow(alice, alice.post("/ui/release", data={"cluster": "cluster-01"}))
    assert "cluster cluster-01 is released" in text(page)
    assert "cluster-01 vacant" in text(page)


def test_one_click_with_htmx_changes_the_row_in_place(add: Add, alice: FlaskClient) -> None:
    add("cluster-01")
    hold(alice, "cluster-01")
    answer = alice.post("/ui/release", data={"cluster": "cluster-01"}, headers=ROW)
    assert 'data-state="vacant"' in answer.text
    assert "cluster cluster-01 is released" in text(answer)


def test_anothers_hold_cannot_be_released_and_the_button_says_why(add: Add, alice: FlaskClient, person: SignIn) -> None:
    add("cluster-01")
    hold(person("bob"), "cluster-01")
    page = text(alice.get("/"))
    for label, what in (("Release", "release it"), ("Hand over…", "hand it over")):
        assert f"{label} cluster-01 held by bob: the holder or an admin can {what}" in page
    for headers in ({}, ROW, DIALOG):
        answer = alice.post("/ui/release", data={"cluster": "cluster-01"}, headers=headers)
        assert answer.status_code == 403
        assert "user alice is not authorized: cluster-01 is held by bob" in text(answer)
    assert state(alice)["holdBy"] == "bob"


def test_an_admin_releases_anothers_hold_with_a_reason(add: Add, alice: FlaskClient, root: FlaskClient) -> None:
    add("cluster-01")
    hold(alice, "cluster-01")
    refused = root.post("/ui/release", data={"cluster": "cluster-01", "reason": "  "})
    assert refused.status_code == 400
    assert "reason is required" in text(refused)
    follow(root, root.post("/ui/release", data={"cluster": "cluster-01", "reason": "needed for the release"}))
    assert "alice's hold: needed for the release" in text(alice.get("/ui/clusters/cluster-01"))


def test_a_refused_click_in_a_row_replaces_no_table(add: Add, alice: FlaskClient, person: SignIn) -> None:
    add("cluster-01")
    hold(person("bob"), "cluster-01")
    answer = alice.post("/ui/release", data={"cluster": "cluster-01"}, headers=ROW)
    assert answer.text.strip().startswith('<div class="alert" data-about=')
    assert answer.headers["CIMaster-Code"] == "not_authorized"
    assert "pool-acted" in answer.headers["HX-Trigger"]  # the table immediately shows the current state


def test_names_are_compared_without_case(add: Add, person: SignIn) -> None:
    add("cluster-01")
    hold(person("Alice"), "cluster-01")
    assert "Release" in text(person("ALICE").get("/"))
    assert person("aLiCe").post("/ui/release", data={"cluster": "cluster-01"}).status_code == 303


def test_another_sites_page_changes_nothing(add: Add, alice: FlaskClient) -> None:
    add("cluster-01")
    answer = alice.post(
        "/ui/hold", data={"cluster": "cluster-01", "duration": "1h"}, headers={"Origin": "https://evil.test"}
    )
    assert answer.status_code == 403
    assert "another site" in text(answer)
    assert state(alice)["state"] == "vacant"


def test_a_cluster_of_any_name_is_held_and_released(written: WriteRecords, alice: FlaskClient) -> None:
    for name in ("a/b", "../x", "/", " lead", 'q"<b>#?&%', "ünï", "any", "#3", "."):
        written({"name": name, "status": "finished"})
        assert hold(alice, name).status_code == 303, name
        assert alice.post("/ui/release", data={"cluster": name}).status_code == 303, name


def test_a_visitor_without_a_name_is_asked_for_it_before_a_release(
    add: Add, client: FlaskClient, alice: FlaskClient
) -> None:
    add("cluster-01")
    hold(alice, "cluster-01")
    assert 'action="/ui/release"' in client.get("/").text
    form = client.get("/ui/release?cluster=cluster-01").text
    assert 'id="form-name" name="name" value="" required' in form
    assert not re.search(r'id="form-reason"[^>]* required', form)
    assert client.post("/ui/release", data={"cluster": "cluster-01", "name": "dora"}).status_code == 403
    client.post("/ui/release", data={"cluster": "cluster-01", "name": "alice"})
    assert state(alice)["state"] == "vacant"


@pytest.mark.parametrize("headers", [{}, DIALOG])
def test_with_blocked_cookies_the_page_says_so_and_release_works(add: Add, app: Flask, headers: dict[str, str]) -> None:
    add("cluster-01")
    dora = app.test_client(use_cookies=False)
    form = dora.get("/ui/hold?cluster=cluster-01", headers=headers)
    assert any(line.startswith("cimaster_seen=") for line in form.headers.getlist("Set-Cookie"))
    fields = dict.fromkeys(re.findall(r'name="(probed)"', form.text), "true")
    held = dora.post("/ui/hold", data={**fields, "cluster": "cluster-01", "name": "dora"}, headers=headers)
    assert held.status_code == 200
    assert re.search(
        r"You hold cluster-01 until .* UTC \((6 h|5 h 59 min)\). Your browser blocks cookies: the hold is made; "
        r"to release it you must give your name again",
        text(held),
    )
    assert 'action="/ui/release"' in dora.get("/").text
    released = dora.post("/ui/release", data={**fields, "cluster": "cluster-01", "name": "dora"}, headers=headers)
    assert "cluster cluster-01 is released. Your browser blocks cookies" in text(released)
    assert state(dora)["state"] == "vacant"


def test_a_browser_with_cookies_sees_no_warning_about_them(add: Add, client: FlaskClient) -> None:
    add("cluster-01")
    client.get("/ui/hold?cluster=cluster-01")
    answer = hold(client, "cluster-01", name="dora", probed="true")
    assert "blocks cookies" not in text(follow(client, answer))


def take_over(browser: FlaskClient, **fields: str) -> TestResponse:
    """Send the form of a take-over."""
    return browser.post("/ui/admin/takeover", data={"cluster": "cluster-01", "duration": "1h", **fields})


def test_an_admin_takes_a_hold_over(add: Add, alice: FlaskClient, root: FlaskClient) -> None:
    add("cluster-01")
    hold(alice, "cluster-01")
    assert 'href="/ui/admin/takeover?cluster=cluster-01"' in root.get("/").text
    assert "takeover" not in alice.get("/").text
    form = root.get("/ui/admin/takeover?cluster=cluster-01").text
    assert 'name="holder" value="alice"' in form
    assert take_over(root, holder="alice").status_code == 400
    page = follow(root, take_over(root, holder="alice", reason="she has left", desc="her disks"))
    assert "You hold cluster-01 until" in text(page)
    assert (state(alice)["holdBy"], state(alice)["holdDesc"]) == ("root", "her disks")
    shown = text(alice.get("/ui/clusters/cluster-01"))
    assert "taken over" in shown
    assert "alice's hold: she has left" in shown
    assert "Previous use alice" in shown


def test_a_take_over_is_refused_if_the_holder_has_changed(
    add: Add, alice: FlaskClient, person: SignIn, root: FlaskClient
) -> None:
    add("cluster-01")
    hold(alice, "cluster-01")
    alice.post("/ui/release", data={"cluster": "cluster-01"})
    answer = take_over(root, holder="alice", reason="she has left")
    assert answer.status_code == 409
    assert "cluster-01 is no longer held by alice: it is now vacant" in text(answer)
    hold(person("charlie"), "cluster-01")
    answer = take_over(root, holder="alice", reason="she has left")
    assert answer.status_code == 409
    assert "cluster-01 is no longer held by alice: it is now held by charlie" in text(answer)
    assert state(alice)["holdBy"] == "charlie"


def test_only_an_admin_takes_over(add: Add, alice: FlaskClient, person: SignIn) -> None:
    add("cluster-01")
    hold(alice, "cluster-01")
    assert take_over(person("charlie"), holder="alice", reason="mine").status_code == 403
    assert state(alice)["holdBy"] == "alice"


def test_the_holder_hands_over(add: Add, alice: FlaskClient, person: SignIn, root: FlaskClient) -> None:
    add("cluster-01")
    hold(alice, "cluster-01", duration="2h")
    assert "Hand over…" in text(alice.get("/ui/clusters/cluster-01"))
    of_others = person("charlie").get("/ui/clusters/cluster-01")
    assert "Hand over… cluster-01 held by alice: the holder or an admin can hand it over" in text(of_others)
    assert 'id="form-to"' in alice.get("/ui/handover?cluster=cluster-01").text
    before = ends(alice)
    answer = alice.post("/ui/handover", data={"cluster": "cluster-01", "to": "charlie"})
    assert "cluster cluster-01 is held by charlie until" in text(follow(alice, answer))
    assert (state(alice)["holdBy"], ends(alice)) == ("charlie", before)
    assert "to charlie" in text(alice.get("/ui/clusters/cluster-01")).partition("History")[2]


def test_an_admin_hands_anothers_hold_over_with_a_reason(add: Add, alice: FlaskClient, root: FlaskClient) -> None:
    add("cluster-01")
    hold(alice, "cluster-01")
    assert "Hand over…" in text(root.get("/ui/clusters/cluster-01"))
    fields = {"cluster": "cluster-01", "to": "charlie"}
    refused = root.post("/ui/handover", data=fields)
    assert refused.status_code == 400
    assert "reason is required: tell alice why the hold of cluster-01 is handed over" in text(refused)
    root.post("/ui/handover", data={**fields, "reason": "she has left"})
    assert state(alice)["holdBy"] == "charlie"
