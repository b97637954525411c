"""Live fragments: nothing is sent twice, no page goes back in time, and no cookie can do harm."""

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cimaster.app import create_app
from cimaster.errors import StoreUnreadable
from cimaster.pages.frame.fragments import CLOCK
from cimaster.repository.stores.port import Store
from cimaster.settings import Settings
from tests.conftest import Add, MovableClock
from tests.pages.conftest import HTMX, SignIn, WriteRecords, cookie, hold, text

LIVE = ["/ui/fragments/clusters", "/ui/fragments/cluster?name=cluster-01", "/ui/fragments/inventory"]


@pytest.fixture(autouse=True)
def _early(clock: MovableClock) -> None:
    """Begin just after pages were rendered again because of the time."""
    clock.forward(seconds=CLOCK + 1 - clock().timestamp() % CLOCK)


def poll(browser: FlaskClient, url: str = LIVE[0], tag: str = "") -> TestResponse:
    return browser.get(url, headers={**HTMX, "HX-PTag": tag})


@pytest.mark.parametrize("url", LIVE)
def test_polls_are_304_until_something_changes(add: Add, alice: FlaskClient, url: str) -> None:
    add("cluster-01")
    first = poll(alice, url)
    tag = first.headers["HX-PTag"]
    assert first.status_code == 200
    assert f'hx-ptag="{tag}"' in first.text
    again = poll(alice, url, tag)
    assert (again.status_code, again.data) == (304, b"")
    hold(alice, "cluster-01")
    changed = poll(alice, url, tag)
    assert changed.status_code == 200
    assert changed.headers["HX-PTag"] != tag
    assert "pool-changed" in changed.headers["HX-Trigger"]  # the counts and the banner follow


def test_the_page_and_its_fragment_have_the_same_tag(add: Add, alice: FlaskClient) -> None:
    add("cluster-01")
    tag = poll(alice).headers["HX-PTag"]
    assert f'hx-ptag="{tag}"' in alice.get("/").text
    assert int(tag.partition(".")[0]) > 0


def test_tags_differ_between_filters_and_visitors(
    add: Add, alice: FlaskClient, root: FlaskClient, client: FlaskClient
) -> None:
    add("cluster-01")
    tags = {
        poll(alice).headers["HX-PTag"],
        poll(root).headers["HX-PTag"],
        poll(client).headers["HX-PTag"],
        poll(alice, LIVE[0] + "?state=held").headers["HX-PTag"],
    }
    assert len(tags) == 4


def test_the_tag_is_the_same_on_every_replica(
    add: Add, settings: Settings, store: Store, clock: MovableClock, alice: FlaskClient
) -> None:
    add("cluster-01")
    other = create_app(settings, store, clock).test_client()
    other.set_cookie("cimaster_name", "alice")
    assert poll(other, tag=poll(alice).headers["HX-PTag"]).status_code == 304


def test_trouble_of_the_store_reaches_a_page_that_only_polls(
    add: Add, written: WriteRecords, alice: FlaskClient
) -> None:
    add("cluster-01")
    tag = poll(alice).headers["HX-PTag"]
    with pytest.raises(StoreUnreadable):
        written("{")
    answer = poll(alice, tag=tag)
    assert answer.status_code == 200
    assert "pool-changed" in answer.headers["HX-Trigger"]
    assert answer.text.count("data-same") == 1  # the row stays on the page
    assert "not valid JSON" in text(alice.get("/ui/fragments/warnings"))


def test_a_browser_that_saw_a_newer_state_makes_an_older_replica_read(
    add: Add, settings: Settings, store: Store, alice: FlaskClient, person: SignIn
) -> None:
    add("cluster-01")
    other = create_app(settings, store).test_client()  # its threads do not run: it reads only when it must
    assert "cluster-01 vacant" in text(other.get("/"))
    hold(alice, "cluster-01")
    assert "cluster-01 vacant" in text(other.get("/"))
    other.set_cookie("cimaster_seen", cookie(alice, "cimaster_seen"))
    assert "cluster-01 held" in text(other.get("/"))


def test_the_tag_alone_makes_an_older_replica_read(
    add: Add, settings: Settings, store: Store, alice: FlaskClient
) -> None:
    add("cluster-01")
    other = create_app(settings, store).test_client()
    other.get("/")
    hold(alice, "cluster-01")
    tag = poll(alice).headers["HX-PTag"]
    assert "cluster-01 held" in text(poll(other, tag=tag))


@pytest.mark.parametrize("cookie", ["", "x", "-1", "9" * 3000, "1e9", "²", "12.5", "%00", '"'])
def test_a_cookie_or_tag_that_is_no_commit_does_no_harm(add: Add, alice: FlaskClient, cookie: str) -> None:
    add("cluster-01")
    alice.set_cookie("cimaster_seen", cookie)
    assert "cluster-01" in text(alice.get("/"))
    if cookie.isascii():
        assert poll(alice, tag=f"{cookie}.abc").status_code == 200


def test_a_commit_that_never_existed_is_removed_from_the_cookie(
    add: Add, alice: FlaskClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    add("cluster-01")
    alice.set_cookie("cimaster_seen", "9" * 18)
    alice.get("/")
    assert int(cookie(alice, "cimaster_seen")) < 100
    monkeypatch.setattr(store, "read", lambda: pytest.fail("a page read the store"))
    alice.get("/")


@pytest.mark.parametrize("name", ["%E2%80%8B", "a%0Ab", "x" * 64, "%FF", "%00", ""])
def test_a_cookie_with_a_malformed_name_is_ignored(client: FlaskClient, name: str) -> None:
    client.set_cookie("cimaster_name", name)
    page = client.get("/")
    assert page.status_code == 200
    assert "Who are you?" in text(page)


def test_an_open_page_shows_that_its_cluster_was_deleted(add: Add, root: FlaskClient) -> None:
    add("cluster-01")
    url = LIVE[1]
    tag = poll(root, url).headers["HX-PTag"]
    root.post("/deletecluster", data={"cluster": "cluster-01", "name": "root"})
    answer = poll(root, url, tag)
    assert answer.status_code == 200
    assert "cluster-01 is no longer in the pool" in text(answer)
