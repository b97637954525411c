"""The queue in a real browser: with script and without, by keyboard, light and dark, wide and narrow."""

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Locator, expect

from cimaster.common.times import format_time
from cimaster.repository.stores.port import Conflict
from cimaster.repository.stores.sqlite import SQLiteStore
from tests.conditions import until
from tests.pages.conftest import Visit
from tests.pages.people import AXE, Person, check
from tests.replica import Replica

JSON = {"Accept": "application/json"}
both = pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
Waits = Callable[..., str]
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the server's pool."""
    return tmp_path_factory.mktemp("waited")


@pytest.fixture(scope="module")
def replica(folder: Path) -> Iterator[Replica]:
    """A server whose only cluster is lent to a job."""
    with Replica(folder, CIMASTER_STORE=f"sqlite:{folder / 'pool.db'}") as replica:
        fields = {"cluster": "cluster-01", "region": "us-west", "name": "root"}
        assert replica.http.post(f"{replica.url}/addcluster", fields).ok
        assert replica.get("/getvacant", job="e2e-k8s", build="1", email="bob@example.com").ok
        yield replica


def tickets(replica: Replica) -> list[dict[str, Any]]:
    """Return the tickets."""
    found: list[dict[str, Any]] = replica.http.get(f"{replica.url}/queue", headers=JSON).json()["tickets"]
    return found


@pytest.fixture
def waits(replica: Replica) -> Iterator[Waits]:
    """Have a job wait, connected for 25 s: `waits("e2e", "12", email="john@x.org")`; returns the request's id."""
    callers = []

    def ask(**query: str) -> None:
        requests.get(f"{replica.url}/getvacant", query, timeout=60)

    def waits(job: str, build: str, **more: str) -> str:
        identity = f"r-{next(_numbers)}"
        query = {"job": job, "build": build, "wait": "30m", "request_id": identity, **more}
        callers.append(threading.Thread(target=ask, kwargs=query))
        callers[-1].start()
        until(lambda: identity in [ticket["id"] for ticket in tickets(replica)])
        return identity

    yield waits
    for ticket in tickets(replica):
        replica.http.post(f"{replica.url}/leavequeue", {"request_id": ticket["id"]})
    for caller in callers:
        caller.join()


@pytest.fixture
def long_ago(folder: Path) -> Callable[[], None]:
    """Make all waits 41 minutes old."""

    def long_ago() -> None:
        store = SQLiteStore(str(folder / "pool.db"), "clusters")
        since = format_time(datetime.now(UTC) - timedelta(minutes=41))
        until(lambda: set_since(store, since))
        store.close()

    return long_ago


def set_since(store: SQLiteStore, since: str) -> bool:
    """Set the start of all waits; say whether that succeeded without a conflicting write."""
    stored = store.read()
    queue = [{**ticket, "since": since} for ticket in json.loads(stored.data["tickets.json"])]
    try:
        store.replace(stored.replaced({**stored.data, "tickets.json": json.dumps(queue)}, stored.annotations))
    except Conflict:
        return False
    return True


def row(person: Person, words: str) -> Locator:
    """Find the row of a ticket; on the dashboard the queue is opened for that."""
    person.opens("queue")
    return person.page.locator("#queue tr.row").filter(has_text=words)


@both
def test_a_ticket_is_cancelled(visit: Visit, waits: Waits, script: bool) -> None:
    identity = waits("e2e", "12", email="john@example.com")
    waits("e2e", "13", email="alice@example.com")
    alice = visit("alice", script)
    alice.go()
    row(alice, "by john").get_by_role("button", name="Cancel e2e #12 by john").click()
    alice.fill()
    expect(alice.page.get_by_text(f"request {identity} is no longer waiting")).to_be_visible()
    expect(row(alice, "by john")).to_have_count(0)
    expect(row(alice, "by alice")).to_be_visible()
    assert alice.page.url == f"{alice.url}/"


@both
def test_a_dismissed_confirmation_changes_nothing(visit: Visit, replica: Replica, waits: Waits, script: bool) -> None:
    waits("e2e", "12")
    alice = visit("alice", script)
    alice.go("/ui/queue")
    row(alice, "e2e #12").get_by_role("button", name="Cancel").click()
    alice.page.get_by_text("Keep waiting").click()
    expect(alice.page.locator("#form")).to_be_hidden()
    expect(row(alice, "e2e #12")).to_be_visible()
    assert alice.page.url == f"{alice.url}/ui/queue"
    assert len(tickets(replica)) == 1


@both
def test_a_new_visitor_is_asked_for_a_name(visit: Visit, waits: Waits, script: bool) -> None:
    waits("e2e", "12")
    dora = visit(script=script)
    dora.go("/ui/queue")
    row(dora, "e2e #12").get_by_role("button", name="Cancel").click()
    dora.fill(name="dora")
    expect(dora.page.get_by_text("dora unverified")).to_be_visible()
    expect(dora.page.get_by_text("No jobs are waiting")).to_be_visible()
    assert dora.page.url == f"{dora.url}/ui/queue"


def test_the_panel_follows_what_happens_elsewhere(visit: Visit, replica: Replica, waits: Waits) -> None:
    alice = visit("alice")
    alice.go()
    line = alice.page.locator("#queue-line")
    expect(line).to_be_hidden()
    first = waits("e2e", "12")
    expect(line.get_by_text("1 job waiting")).to_be_visible()
    expect(row(alice, "e2e #12")).to_be_visible()
    urgent = waits("urgent", "1", priority="high")
    expect(line.get_by_text("2 jobs waiting")).to_be_visible()
    expect(alice.page.locator("#queue tr.row").first).to_contain_text("urgent #1")
    replica.http.post(f"{replica.url}/leavequeue", {"request_id": urgent})
    replica.http.post(f"{replica.url}/leavequeue", {"request_id": first})
    expect(line).to_be_hidden()


def test_a_long_wait_leads_to_the_occupied_clusters(visit: Visit, waits: Waits, long_ago: Callable[[], None]) -> None:
    waits("e2e", "12")
    alice = visit("alice")
    alice.go()
    alice.opens("queue")
    long_ago()
    expect(alice.page.get_by_text("The job in place 1 has waited 41 min")).to_be_visible()
    alice.page.get_by_role("link", name="Show occupied clusters").click()
    alice.sees("cluster-01", state="occupied")
    expect(alice.page.locator("#filter-state")).to_have_value("occupied")


def test_the_waiting_time_advances_between_polls(visit: Visit, waits: Waits) -> None:
    waits("e2e", "12")
    alice = visit("alice")
    alice.page.clock.install()
    alice.go()
    alice.keeps_state()
    alice.passes(minutes=14)
    expect(alice.page.get_by_text("1 job waiting · for 14 min")).to_be_visible()
    expect(row(alice, "14 min ago")).to_be_visible()
    expect(row(alice, "e2e #12").locator("time[data-soon]")).to_have_text("15 min")


def test_keyboard_focus_goes_to_the_neighbour_of_a_cancelled_ticket(visit: Visit, waits: Waits) -> None:
    waits("first", "1")
    waits("second", "2")
    alice = visit("alice")
    alice.go()
    row(alice, "first").get_by_role("button", name="Cancel").focus()
    alice.page.keyboard.press("Enter")
    alice.page.locator("#form-send").focus()
    alice.page.keyboard.press("Enter")
    expect(row(alice, "first")).to_have_count(0)
    expect(row(alice, "second").get_by_role("rowheader")).to_be_focused()


def test_the_queue_stays_shown_while_nothing_changes(visit: Visit, waits: Waits) -> None:
    waits("e2e", "12")
    alice = visit("alice")
    alice.go()
    wanted = "/ui/fragments/queue"
    with alice.page.expect_response(lambda answer: answer.url.endswith(wanted) and answer.status == 304):
        pass
    expect(row(alice, "e2e #12")).to_be_visible()


@pytest.fixture
def crowded(waits: Waits, replica: Replica, long_ago: Callable[[], None]) -> str:
    """More tickets than the dashboard shows, of each kind; returns the id of one."""
    long_name = "conformance-" + "long-" * 15
    identity = waits("e2e", "12", email="john@example.com", cluster="cluster-01")
    waits("e2e", "13", email="alice@example.com", priority="low")
    waits(long_name, "14", email="erin@example.com", region="us-west", priority="high")
    for _ in range(2):
        assert replica.get("/getvacant", job="poller", build="7").status_code == 404
    long_ago()
    waits("e2e", "15")
    waits("e2e", "16")
    return identity


@pytest.mark.parametrize("name", ["", "alice"])
def test_axe_finds_nothing_on_any_page(visit: Visit, crowded: str, name: str) -> None:
    person = visit(name)
    person.page.context.add_init_script(AXE)
    for path in ("/", "/ui/queue", f"/ui/cancel?request_id={crowded}", "/ui/cancel?request_id=gone"):
        person.go(path)
        person.opens("queue")
        check(person.page, f"{path} for {name or 'a new visitor'}")


def test_axe_finds_nothing_with_dialog_and_toast(visit: Visit, crowded: str) -> None:
    alice = visit("alice")
    alice.page.context.add_init_script(AXE)
    alice.go()
    row(alice, "by john").get_by_role("button", name="Cancel").click()
    expect(alice.page.locator("#form")).to_be_visible()
    check(alice.page, "the dialog")
    alice.fill()
    expect(alice.page.locator("#toasts .toast")).to_be_visible()
    check(alice.page, "the first page with a word of success")
