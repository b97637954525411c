"""A poll of the table gets the rows that the browser does not show yet, and stubs for the others."""

import re
from html import unescape

from flask.testing import FlaskClient

from cimaster.app import create_app
from cimaster.repository.stores.port import Store
from cimaster.settings import Settings
from tests.conftest import Add, MovableClock
from tests.pages.conftest import HTMX, SignIn, WriteRecords, hold, text

CLUSTERS = ("cluster-01", "cluster-02", "cluster-03")


class Browser:
    """A browser that shows the table and polls it."""

    def __init__(self, client: FlaskClient, query: str = "") -> None:
        self._url, self.client, self.tag = f"/ui/fragments/clusters{query}", client, ""

    def poll(self, other: FlaskClient | None = None) -> tuple[list[str], int]:
        """Return the names in the rows that a poll gets, and the number of stubs."""
        answer = (other or self.client).get(self._url, headers={**HTMX, "HX-PTag": self.tag})
        if answer.status_code == 304:
            return [], -1
        self.tag = answer.headers["HX-PTag"]
        return re.findall(r"data-name>([^<]*)<", answer.text), answer.text.count("data-same")


def test_a_poll_gets_the_changed_row_alone(add: Add, alice: FlaskClient, person: SignIn) -> None:
    add(*CLUSTERS)
    browser = Browser(alice)
    assert browser.poll() == ([*CLUSTERS], 0)
    assert browser.poll() == ([], -1)
    hold(person("bob"), "cluster-02")
    assert browser.poll() == (["cluster-02"], 2)
    assert browser.poll() == ([], -1)
    hold(alice, "cluster-03")
    assert browser.poll() == (["cluster-03"], 2)


def test_the_page_says_which_rows_it_shows(add: Add, alice: FlaskClient) -> None:
    add(*CLUSTERS)
    browser = Browser(alice)
    browser.poll()
    page = unescape(alice.get("/").text)
    assert [*re.findall(r"data-name>([^<]*)<", page)] == [*CLUSTERS]
    assert "data-same" not in page
    assert browser.tag.rpartition(".")[2] in page


def test_any_replica_knows_what_the_browser_shows(
    add: Add, alice: FlaskClient, settings: Settings, store: Store, clock: MovableClock
) -> None:
    add(*CLUSTERS)
    other = create_app(settings, store, clock).test_client()
    other.set_cookie("cimaster_name", "alice")
    browser = Browser(alice)
    browser.poll()
    hold(alice, "cluster-01")
    assert browser.poll(other) == (["cluster-01"], 2)
    assert browser.poll() == ([], -1)


def test_rows_come_and_go_with_the_filter(add: Add, alice: FlaskClient, person: SignIn) -> None:
    add(*CLUSTERS)
    browser = Browser(alice, "?state=held")
    assert browser.poll() == ([], 0)
    hold(person("bob"), "cluster-01")
    hold(alice, "cluster-02")
    assert browser.poll() == (["cluster-02", "cluster-01"], 0)
    alice.post("/ui/release", data={"cluster": "cluster-02"})
    assert browser.poll() == ([], 1)


def test_the_clock_alone_changes_nothing(add: Add, alice: FlaskClient, clock: MovableClock) -> None:
    add(*CLUSTERS)
    browser = Browser(alice)
    browser.poll()
    clock.forward(minutes=20)
    assert browser.poll() == ([], -1)


def test_a_lease_that_becomes_overdue_changes_its_row(
    add: Add, alice: FlaskClient, client: FlaskClient, clock: MovableClock
) -> None:
    add(*CLUSTERS)
    client.get("/getvacant?build=1&job=e2e&cluster=cluster-02")
    browser = Browser(alice)
    browser.poll()
    clock.forward(hours=9)
    assert browser.poll() == (["cluster-02"], 2)


def test_a_change_beyond_the_rows_shown_is_reported_for_the_cards(
    add: Add, written: WriteRecords, alice: FlaskClient, client: FlaskClient
) -> None:
    written(*({"name": f"c{number:03}", "status": "finished"} for number in range(201)))
    browser = Browser(alice)
    assert len(browser.poll()[0]) == 200
    client.get("/getvacant?build=1&job=e2e&cluster=c200")
    assert browser.poll() == ([], 200)
    assert "1 occupied" in text(alice.get("/ui/fragments/summary"))


def test_a_change_among_very_many_rows_is_not_missed(written: WriteRecords, alice: FlaskClient) -> None:
    written(*({"name": f"c{number:03}", "status": "finished"} for number in range(450)))
    browser = Browser(alice, "?rows=600")
    assert len(browser.poll()[0]) == 450
    assert browser.poll() == ([], -1)
    alice.post("/ui/hold", data={"cluster": "c000", "duration": "6h"})
    browser.poll()
    alice.post("/ui/extend", data={"cluster": "c000", "until": "8h"})
    alice.post("/ui/changeend", data={"cluster": "c000", "duration": "5h"})
    assert len(browser.poll()[0]) == 450  # the states are the same, and so are their counts
