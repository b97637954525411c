"""What a visitor sees shortly before one of their holds ends, on every page, and how they extend it."""

import re

import pytest
from flask.testing import FlaskClient

from cimaster.errors import StoreUnreadable
from tests.conftest import Add, MovableClock
from tests.pages.conftest import HTMX, SignIn, WriteRecords, hold, text

PAGES = [
    "/",
    "/ui/clusters/cluster-02",
    "/ui/admin",
    "/ui/history",
    "/ui/usage",
    "/ui/queue",
    "/ui/hold?cluster=cluster-02",
]


@pytest.fixture
def held(add: Add, alice: FlaskClient, clock: MovableClock) -> str:
    """A cluster that alice holds for 28 and a half more minutes."""
    add("cluster-01", "cluster-02")
    hold(alice, "cluster-01", duration="1h")
    clock.forward(minutes=31.5)
    return "cluster-01"


def banners(browser: FlaskClient, page: str = "/") -> list[str]:
    """Return the texts of the banners, as a reader sees them."""
    box = browser.get(page).text.partition('<section id="ending"')[2].partition('id="bell"')[0]
    return [" ".join(re.sub("<[^>]*>", " ", each).split()) for each in re.findall(r"<p>(.*?)</p>", box, re.DOTALL)]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_says_when_a_hold_ends_and_so_does_its_title(held: str, alice: FlaskClient, page: str) -> None:
    assert banners(alice, page) == ["cluster-01 ends in 28 min"]
    title = re.search("<title[^>]*>(.*?)</title>", alice.get(page).text)
    assert title
    assert title[1].startswith("(28 min) cluster-01 · ")


def test_others_are_not_bothered_but_those_who_share_it_are(held: str, alice: FlaskClient, person: SignIn) -> None:
    alice.post("/ui/share", data={"cluster": held, "with": "carol"})
    assert banners(person("bob")) == []
    assert banners(person("carol")) == ["cluster-01 ends in 28 min"]


def test_it_appears_thirty_minutes_before_the_end(add: Add, alice: FlaskClient, clock: MovableClock) -> None:
    add("cluster-01")
    hold(alice, "cluster-01", duration="1h")
    clock.forward(minutes=29)
    assert banners(alice) == []
    clock.forward(minutes=1.5)
    assert banners(alice) == ["cluster-01 ends in 29 min"]
    clock.forward(minutes=30)
    assert banners(alice) == []


def test_the_button_extends_the_hold_by_an_hour_once(held: str, alice: FlaskClient) -> None:
    page = alice.get("/ui/history").text
    assert "Extend 1 h" in text(alice.get("/ui/history"))
    until = re.search(r'name="until" value="([^"]*)"', page)
    assert until
    for _ in range(2):
        done = alice.post("/ui/extend", data={"cluster": held, "until": until[1]}, headers=HTMX)
        assert done.status_code == 200
    assert banners(alice) == []
    assert "1 h 28 min" in text(alice.get("/"))


def test_a_hold_at_its_limit_says_so(held: str, alice: FlaskClient, clock: MovableClock) -> None:
    alice.post("/ui/changeend", data={"cluster": held, "duration": "71h"})
    clock.forward(hours=70, minutes=35)
    assert "It cannot be extended any further" in text(alice.get("/"))


def test_a_poll_is_304_until_something_changes(held: str, alice: FlaskClient, clock: MovableClock) -> None:
    first = alice.get("/ui/fragments/ending", headers=HTMX)
    assert "cluster-01" in first.text
    headers = {**HTMX, "HX-PTag": first.headers["HX-PTag"]}
    clock.forward(minutes=5)
    assert alice.get("/ui/fragments/ending", headers=headers).status_code == 304
    clock.forward(minutes=25)
    gone = alice.get("/ui/fragments/ending", headers=headers)
    assert gone.status_code == 200
    assert "cluster-01" not in gone.text


def test_it_is_shown_while_the_store_fails(held: str, written: WriteRecords, alice: FlaskClient) -> None:
    with pytest.raises(StoreUnreadable):
        written("{")
    assert banners(alice) == ["cluster-01 ends in 28 min"]
