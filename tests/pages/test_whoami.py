"""The visitor's name: asked for once, and changed at will."""

import unicodedata
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import Add
from tests.pages.conftest import HTMX, SignIn, follow, text


def test_the_name_is_kept_for_a_year_out_of_reach_of_scripts(client: FlaskClient) -> None:
    answer = client.post("/ui/whoami", data={"name": " alice ", "back": "/ui/admin"})
    assert answer.location == "/ui/admin"
    cookie = next(line for line in answer.headers.getlist("Set-Cookie") if line.startswith("cimaster_name="))
    assert cookie.startswith("cimaster_name=alice;")
    assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=31536000"} <= set(cookie.split("; "))
    page = text(follow(client, answer))
    assert "You are alice unverified" in page
    assert "Your name is now alice" in page


def test_an_admin_is_shown_as_one(person: SignIn) -> None:
    assert "You are BOB admin" in text(person("BOB").get("/"))
    assert "admin unverified" not in text(person("alice").get("/"))


@pytest.mark.parametrize("name", ["", "two\nlines", "<b>\u200d</b>", "x" * 64, "\u3164", "a" + "\u0301" * 200])
def test_a_malformed_name_is_refused_and_can_be_corrected(client: FlaskClient, name: str) -> None:
    answer = client.post("/ui/whoami", data={"name": name})
    assert answer.status_code == 400
    assert "a name of 1 to 63 characters that can all be seen" in text(answer)
    assert "<b>" not in answer.text
    assert client.get_cookie("cimaster_name") is None


@pytest.mark.parametrize(
    "name", ["Jane  Doe ", "José O'Brien", "Jose\u0301 O'Brien", "<b>日本 & co; 100%</b>", "-a", "ü" * 63]
)
def test_any_visible_name_is_kept_shown_and_used(client: FlaskClient, add: Add, name: str) -> None:
    add("cluster-01")
    shown = unicodedata.normalize("NFC", " ".join(name.split()))
    page = text(follow(client, client.post("/ui/whoami", data={"name": name})))
    assert f"You are {shown} unverified" in page
    assert client.post("/ui/hold", data={"cluster": "cluster-01"}).status_code == 303
    held = client.get("/clusters/cluster-01", headers={"Accept": "application/json"}).get_json()
    assert held["holdBy"] == shown
    assert f"yours held ok {shown}" in text(client.get("/"))
    assert client.post("/ui/release", data={"cluster": "cluster-01"}).status_code == 303
    assert client.get("/holdcluster", query_string={"cluster": "cluster-01", "name": shown}).status_code == 200
    answer = client.get("/releasecluster", query_string={"cluster": "cluster-01", "name": shown.upper()})
    assert answer.text == "cluster cluster-01 is released\n"


def test_the_name_can_be_changed_and_forgotten(alice: FlaskClient) -> None:
    assert 'value="alice"' in alice.get("/ui/whoami").text
    alice.post("/ui/whoami", data={"name": "bob"})
    assert "You are bob" in text(alice.get("/"))
    page = follow(alice, alice.post("/ui/whoami", data={"name": "bob", "forget": "true"}))
    assert "Who are you?" in text(page)


def test_htmx_reloads_the_page_because_every_button_may_differ(client: FlaskClient) -> None:
    headers = {**HTMX, "HX-Current-URL": "http://localhost/?state=held"}
    assert client.get("/ui/whoami", headers=headers).text.lstrip().startswith("<form")
    answer = client.post("/ui/whoami", data={"name": "alice"}, headers=headers)
    assert answer.headers["HX-Redirect"] == "/?state=held"


@pytest.mark.parametrize("text", ["[" * 1300, '{"text":"\\ud800"}', '{"text": 5}', "[1]", '{"x": 1}', "%FF"])
def test_an_odd_message_cookie_breaks_no_page(client: FlaskClient, text: str) -> None:
    cookie = f"cimaster_message={quote(text, safe='[]')}"
    assert client.get("/", headers={"Cookie": cookie}).status_code == 200


def test_with_blocked_cookies_the_form_says_that_no_name_is_kept(app: Flask) -> None:
    dora = app.test_client(use_cookies=False)
    assert 'name="probed"' in dora.get("/ui/whoami").text
    answer = dora.post("/ui/whoami", data={"name": "dora", "probed": "true"})
    assert answer.status_code == 400
    assert "your browser blocks cookies, so it cannot keep your name" in text(answer)


@pytest.mark.parametrize("path", ["/ui/signin", "/ui/signout"])
def test_there_is_nothing_to_sign_in_to(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404
    assert client.post(path, data={"token": "x"}).status_code == 404


def test_every_page_says_that_names_are_not_verified(client: FlaskClient) -> None:
    for path in ("/", "/ui/admin", "/ui/history", "/ui/missing"):
        assert "this service believes what each visitor and each job says" in text(client.get(path))
