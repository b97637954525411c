"""Signing in and out with `auth = required`: the session that a browser gets, and what ends it."""

import logging
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cimaster.app import create_app
from cimaster.errors import StoreUnreadable
from cimaster.repository.stores.sqlite import SQLiteStore
from cimaster.settings import Settings
from cimaster.web.components import components_of
from tests.conftest import MovableClock
from tests.log_lines import logged
from tests.pages.conftest import HTMX, WriteRecords, cookie, follow, text
from tests.required import (
    OUTSIDER,
    RequiredFiles,
    bearer,
    behind_proxy,
    by_proxy,
    required,
    signed_in,
    token_of,
)

SESSION = "cimaster_session"
ALICE, BOB = "person-1", "person-2"


@pytest.fixture
def settings(settings: Settings, files: RequiredFiles, request: pytest.FixtureRequest) -> Settings:
    """Every caller needs a credential; a test may give further settings, and `proxy` for one that signs people in."""
    more = dict(getattr(request, "param", {}))
    if more.pop("proxy", False):
        settings = behind_proxy(settings, files)
    return replace(required(settings, files), **more)


def configured(**more: Any) -> pytest.MarkDecorator:
    """Run a test with further settings."""
    return pytest.mark.parametrize("settings", [more], indirect=True, ids=["-".join(more)])


def test_signing_in_leads_back_to_the_page(client: FlaskClient) -> None:
    opened = client.get("/ui/admin?state=held")
    assert (opened.status_code, opened.location) == (303, "/ui/signin?back=/ui/admin?state%3Dheld")
    form = client.get(opened.location)
    assert 'type="password"' in form.text
    assert 'name="back" value="/ui/admin?state=held"' in form.text
    answer = client.post("/ui/signin", data={"token": token_of(ALICE), "back": "/ui/admin?state=held"})
    assert answer.location == "/ui/admin?state=held"
    page = text(follow(client, answer))
    assert f"You are {ALICE} Sign out" in page
    assert "unverified" not in page


def test_a_session_is_out_of_reach_of_scripts_and_other_sites(client: FlaskClient) -> None:
    answer = client.post("/ui/signin", data={"token": f" {token_of(ALICE)}\n"})
    kept = next(line for line in answer.headers.getlist("Set-Cookie") if line.startswith(f"{SESSION}="))
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(kept.split("; "))
    assert "Max-Age=43199" in kept
    assert answer.headers["Cache-Control"] == "no-store"


@configured(public_url="https://ci.example.com")
def test_behind_tls_the_session_is_for_this_host_only(client: FlaskClient) -> None:
    answer = client.post("/ui/signin", data={"token": token_of(ALICE)})
    assert any(
        line.startswith(f"__Host-{SESSION}=") and "Secure" in line for line in answer.headers.getlist("Set-Cookie")
    )


@pytest.mark.parametrize(
    "back",
    [
        *("//evil.test/", "https://evil.test/ui/x", "/\\evil.test", "[", ""),
        *("/clusters", "/ui/signin", "/ui/signout?x=1"),
        *("/ui/../elsewhere", "/ui/x/%2E%2e/../../elsewhere", "/ui/.%2e/elsewhere", "http://localhost/ui/../elsewhere"),
    ],
)
def test_signing_in_leads_to_own_pages_only(client: FlaskClient, back: str) -> None:
    answer = client.post("/ui/signin", data={"token": token_of(ALICE), "back": back})
    assert (answer.status_code, answer.location) == (303, "/")


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({}, "there is no token"),
        ({"token": " "}, "there is no token"),
        ({"token": "secret-guess"}, "this token is unknown or has expired: check that you copied all of it"),
        ({"token": "\xff\x00"}, "this token is unknown or has expired"),
        ({"token": "x" * 20_000}, "this token is unknown or has expired"),
    ],
)
def test_a_refused_token_is_not_repeated(client: FlaskClient, sent: dict[str, str], sentence: str) -> None:
    answer = client.post("/ui/signin", data={**sent, "back": "/ui/history"})
    assert answer.status_code == 401
    assert sentence in text(answer)
    assert 'name="back" value="/ui/history"' in answer.text
    assert "secret-guess" not in answer.text
    assert client.get_cookie(SESSION) is None


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.test"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}]
)
@pytest.mark.parametrize("path", ["/ui/signin", "/ui/signout"])
def test_another_site_signs_no_visitor_in_or_out(app: Flask, path: str, headers: dict[str, str]) -> None:
    bob = signed_in(app, BOB)
    answer = bob.post(path, data={"token": token_of(ALICE)}, headers=headers)
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (403, "cross_origin")
    assert f"You are {BOB}" in text(bob.get("/"))


def test_a_new_session_takes_the_place_of_the_old_one(app: Flask) -> None:
    browser = signed_in(app, BOB)
    planted = cookie(browser, SESSION)
    assert f"You are signed in as {BOB}. A new session takes the place" in text(browser.get("/ui/signin"))
    browser.post("/ui/signin", data={"token": token_of(ALICE)})
    assert cookie(browser, SESSION) != planted
    assert f"You are {ALICE}" in text(browser.get("/"))


def test_a_planted_cookie_counts_for_nothing_after_signing_in(client: FlaskClient) -> None:
    client.set_cookie(SESSION, "planted")
    client.post("/ui/signin", data={"token": token_of(ALICE)})
    assert cookie(client, SESSION) != "planted"


def test_signing_out_ends_copies_of_the_session_too(app: Flask) -> None:
    alice, thief, elsewhere = signed_in(app, ALICE), app.test_client(), signed_in(app, ALICE)
    thief.set_cookie(SESSION, cookie(alice, SESSION))
    assert f"You are {ALICE}" in text(thief.get("/"))
    page = follow(alice, alice.post("/ui/signout"))
    assert "You are signed out, in all browsers" in text(page)
    assert alice.get_cookie(SESSION) is None
    for browser in (alice, thief, elsewhere):
        assert browser.get("/").location == "/ui/signin"
    assert f"You are {ALICE}" in text(signed_in(app, ALICE).get("/"))


def test_signing_out_ends_a_session_of_a_replica_ahead(app: Flask, settings: Settings, tmp_path: Path) -> None:
    store, clock = SQLiteStore(str(tmp_path / "pool.db"), "clusters"), MovableClock()
    store.clock_skew = 5.0
    clock.forward(seconds=store.clock_skew)
    ahead = create_app(settings, store, clock)
    components_of(ahead).lifecycle.start()
    session = cookie(signed_in(ahead, ALICE), SESSION)
    components_of(ahead).lifecycle.stop()
    signed_in(app, ALICE).post("/ui/signout")
    browser = app.test_client()
    browser.set_cookie(SESSION, session)
    assert browser.get("/").location == "/ui/signin"


def test_signing_out_leaves_others_signed_in(app: Flask) -> None:
    alice, bob = signed_in(app, ALICE), signed_in(app, BOB)
    alice.post("/ui/signout")
    assert f"You are {BOB}" in text(bob.get("/"))


def test_without_the_store_a_sign_out_says_how_long_a_copy_may_live(
    app: Flask, clock: MovableClock, written: WriteRecords
) -> None:
    clock.forward(seconds=61 - clock().timestamp() % 60)  # the minute does not end between this and the sign-in
    ends = clock() + timedelta(hours=12)
    alice = signed_in(app, ALICE)
    with pytest.raises(StoreUnreadable):
        written("{")
    answer = alice.post("/ui/signout")
    assert answer.status_code == 503
    page = text(answer)
    assert "This browser is signed out, but the store cannot be used: a copy of the session may work until" in page
    assert f"{ends:%H:%M} UTC. To end it, sign in and out again" in page
    assert 'type="password"' in answer.text
    assert "not valid JSON" not in page
    assert f"You are signed in as {ALICE}" not in page
    assert alice.get_cookie(SESSION) is None
    again = signed_in(app, ALICE)
    assert again.get("/").status_code == 200


@pytest.mark.parametrize("session", ["", "bad"])
def test_signing_out_twice_is_no_error(client: FlaskClient, session: str) -> None:
    client.set_cookie(SESSION, session)
    page = follow(client, client.post("/ui/signout"))
    assert "You are signed out" not in text(page)


def test_a_person_can_sign_in_after_a_sign_out_by_a_clock_ahead(app: Flask, clock: MovableClock) -> None:
    clock.forward(seconds=8)
    signed_in(app, ALICE).post("/ui/signout")
    clock.forward(seconds=-8)
    again = signed_in(app, ALICE)
    assert f"You are {ALICE}" in text(again.get("/"))
    again.post("/ui/signout")
    assert again.get("/").location == "/ui/signin"


def test_a_session_ends_after_twelve_hours(app: Flask, clock: MovableClock) -> None:
    alice = signed_in(app, ALICE)
    clock.forward(hours=11, minutes=59)
    assert alice.get("/").status_code == 200
    clock.forward(minutes=2)
    answer = alice.get("/ui/history")
    assert (answer.status_code, answer.location) == (303, "/ui/signin?back=/ui/history")
    assert alice.get_cookie(SESSION) is None


def test_an_ended_session_is_said_on_the_open_page(app: Flask) -> None:
    alice = signed_in(app, ALICE)
    copy = cookie(alice, SESSION)
    alice.post("/ui/signout")
    alice.set_cookie(SESSION, copy)
    for path, headers in (("/ui/fragments/clusters", {}), ("/", HTMX), ("/ui/hold?cluster=a", HTMX)):
        answer = alice.get(path, headers=headers)
        assert answer.status_code == 401
        assert "You are signed out" in text(answer)
    assert cookie(alice, SESSION) == copy


def test_a_form_of_a_visitor_without_a_session_changes_nothing(client: FlaskClient) -> None:
    answer = client.post("/ui/hold", data={"cluster": "cluster-01", "name": ALICE, "back": "/ui/history"})
    assert answer.status_code == 401
    assert "You are signed out, so nothing was changed" in text(answer)
    assert "/ui/signin?back=/ui/history" in answer.text


def test_the_api_refuses_in_its_own_words(client: FlaskClient) -> None:
    answer = client.get("/clusters")
    assert (answer.status_code, answer.mimetype) == (401, "text/plain")
    assert client.get("/ui/admin", headers=bearer("unknown")).status_code == 401


OPENED = {"Accept": "text/html,*/*", "Sec-Fetch-Site": "none"}


def test_an_address_of_the_api_in_a_browser_leads_to_signing_in(client: FlaskClient) -> None:
    for path in ("/clusters", "/holdcluster?cluster=cluster-01"):
        answer = client.get(path, headers=OPENED)
        assert (answer.status_code, answer.mimetype) == (401, "text/html")
        assert answer.headers["CIMaster-Code"] == "no_credential"
        assert "use a token from the operator" in text(answer)
        assert "or a browser that has signed in at /ui/signin" in text(answer)
        assert 'href="/ui/signin' in answer.text


def test_an_address_of_the_api_for_another_role_leads_to_the_own_ones(app: Flask) -> None:
    answer = signed_in(app, OUTSIDER).get("/clusters", headers=OPENED)
    assert (answer.status_code, answer.mimetype) == (403, "text/html")
    assert "this needs the role reader" in text(answer)
    assert 'href="/ui/whoami"' in answer.text


def test_two_credentials_with_a_session_cost_the_session(app: Flask) -> None:
    alice = signed_in(app, ALICE)
    answer = alice.get("/", headers=bearer(BOB))
    assert answer.status_code == 400
    assert "The session of this browser was deleted: reload the page" in text(answer)
    assert alice.get_cookie(SESSION) is None
    assert f"You are {BOB}" in text(alice.get("/", headers=bearer(BOB)))


def test_log_lines_name_the_caller_and_no_secret(app: Flask) -> None:
    with logged("", logging.DEBUG) as log:
        alice = signed_in(app, ALICE)
        secrets = (token_of(ALICE), cookie(alice, SESSION), "mistyped-secret")
        alice.get("/ui/whoami")
        alice.post("/ui/signin", data={"token": "mistyped-secret"})
        alice.post("/ui/signout")
    callers = {line["message"]: (line.get("caller"), line.get("source")) for line in log.lines}
    for message in ("POST /ui/signin 303", "POST /ui/signout 303"):
        assert callers[message][0] == ALICE
    assert callers["GET /ui/whoami 200"] == (ALICE, "session")
    assert not [secret for secret in secrets if secret in log.text]


def test_the_next_person_at_a_browser_sees_nothing_of_the_last(app: Flask) -> None:
    browser = signed_in(app, ALICE)
    for name, content in (("cimaster_name", "mallory"), ("cimaster_message", '{"text":"for person-1"}')):
        browser.set_cookie(name, content)
    browser.set_cookie("cimaster_dismissed", "5")
    page = text(follow(browser, browser.post("/ui/signout", headers={"Referer": "http://localhost/?holder=person-1"})))
    assert ALICE not in page
    for name in ("cimaster_name", "cimaster_dismissed"):
        assert browser.get_cookie(name) is None
    form = browser.get("/ui/signin", headers={"Referer": "http://localhost/?holder=person-1"})
    assert ALICE not in form.text


def test_a_page_of_an_earlier_visitor_is_reloaded(app: Flask) -> None:
    browser = signed_in(app, ALICE)
    opened_by = browser.get("/").text.partition('data-visitor="')[2].partition('"')[0]
    headers = {**HTMX, "CIMaster-Visitor": opened_by}
    assert browser.get("/ui/fragments/clusters", headers=headers).status_code == 200
    browser.post("/ui/signin", data={"token": token_of(BOB)})
    poll = browser.get("/ui/fragments/clusters", headers=headers)
    assert (poll.status_code, poll.headers["HX-Refresh"]) == (204, "true")
    press = browser.post("/ui/hold", data={"cluster": "cluster-01"}, headers=headers)
    assert (press.status_code, press.headers["HX-Refresh"]) == (204, "true")
    assert f"You are now {BOB}, so nothing was changed" in text(browser.get("/"))
    plain = browser.post("/ui/hold", data={"cluster": "cluster-01", "opened_by": opened_by, "back": "/ui/history"})
    assert (plain.status_code, plain.location) == (303, "/ui/history")
    assert f"You are now {BOB}, so nothing was changed" in text(follow(browser, plain))


def test_the_name_cookie_is_no_credential(client: FlaskClient) -> None:
    client.set_cookie("cimaster_name", "root")
    assert client.get("/").location == "/ui/signin"
    client.post("/ui/signin", data={"token": token_of(ALICE)})
    client.set_cookie("cimaster_name", "root")
    page = text(client.get("/"))
    assert f"You are {ALICE}" in page
    assert "root Sign out" not in page


@configured(session_key_file="")
def test_without_session_keys_the_page_says_what_to_set(client: FlaskClient) -> None:
    page = follow(client, client.get("/ui/history"))
    assert "an operator must set CIMASTER_SESSION_KEY_FILE" in text(page)
    assert "password" not in page.text
    answer = client.post("/ui/signin", data={"token": token_of(ALICE)})
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (503, "identity_unavailable")
    assert "an operator must set CIMASTER_SESSION_KEY_FILE" in text(answer)


def test_with_unusable_session_keys_the_form_says_so(app: Flask, settings: Settings) -> None:
    Path(settings.session_key_file).write_text("short")
    answer = app.test_client().post("/ui/signin", data={"token": token_of(ALICE)})
    assert answer.status_code == 503
    assert "an operator correct CIMASTER_SESSION_KEY_FILE" in text(answer)


@configured(proxy=True, session_key_file="")
def test_with_a_proxy_alone_visitors_are_sent_to_it(client: FlaskClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 401
    assert "A proxy signs people in here: open its address" in text(answer)
    assert "/ui/signin" not in answer.text


@configured(proxy=True)
def test_behind_a_proxy_there_is_nothing_to_sign_in_to(client: FlaskClient) -> None:
    page = text(client.get("/ui/signin?back=/ui/history", headers=by_proxy(ALICE)))
    assert "There is nothing to do: the proxy has signed you in as " + ALICE in page
    answer = client.post("/ui/signin", data={"token": token_of(ALICE)}, headers=by_proxy(ALICE))
    assert (answer.status_code, answer.headers["CIMaster-Code"]) == (400, "two_credentials")
    assert client.get_cookie(SESSION) is None
    assert "Sign out" not in text(client.get("/", headers=by_proxy(ALICE)))


@configured(proxy=True)
def test_a_session_from_before_the_proxy_is_deleted(app: Flask) -> None:
    alice = signed_in(app, ALICE)
    assert alice.get("/", headers=by_proxy(ALICE)).status_code == 400
    assert f"You are {ALICE}" in text(alice.get("/", headers=by_proxy(ALICE)))


# --- the page about the identity -----------------------------------------------------------------------------------


def test_the_identity_page_says_its_proof_and_all_roles(app: Flask, clock: MovableClock) -> None:
    alice = signed_in(app, ALICE)
    page = text(alice.get("/ui/whoami"))
    assert f"You are {ALICE}" in page
    assert "This browser has a session until" in page
    assert "which began with a token" in page
    yours, _, others = page.partition("What other roles allow")
    assert "person hold and release, wait for a hold, request clusters" in yours
    assert "ci take, finish and renew" in others
    assert "To get a role, ask an admin (bob, root, admin-1)" in others


def test_the_identity_page_is_for_callers_without_a_role_too(app: Flask) -> None:
    norole = signed_in(app, OUTSIDER)
    page = text(norole.get("/ui/whoami"))
    assert "Nothing yet: you have no role" in page
    refused = norole.get("/")
    assert refused.status_code == 403
    assert "user outsider is not authorized: this needs the role reader" in text(refused)
    assert "You are outsider Sign out" in text(refused)
    assert "hx-trigger" not in refused.text


@configured(proxy=True)
def test_the_identity_page_leaves_sign_out_to_a_proxy(client: FlaskClient) -> None:
    page = text(client.get("/ui/whoami", headers=by_proxy(ALICE)))
    assert "A proxy has signed you in. To sign out, sign out at the proxy" in page
    assert "Sign out" not in page.replace("To sign out", "")


def test_the_identity_page_for_a_token(client: FlaskClient) -> None:
    assert "The request has a token." in text(client.get("/ui/whoami", headers=bearer("admin-1")))
    assert client.get("/ui/whoami").location == "/ui/signin?back=/ui/whoami"


def test_no_name_can_be_given(app: Flask) -> None:
    assert signed_in(app, "admin-1").post("/ui/whoami", data={"name": BOB}).status_code == 404
