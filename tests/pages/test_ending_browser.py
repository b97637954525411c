"""Holds that end soon, in a real browser: the title counts down, a click extends, notifications can be switched on."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from cimaster.common.times import format_time
from tests.pages.conftest import Curl, Visit, write_pool
from tests.pages.people import AXE, check
from tests.replica import Replica

NOTED = """
window.noted = [];
window.Notification = class {
  static permission = 'default';
  static async requestPermission() { return this.permission = 'granted'; }
  constructor(text) { window.noted.push(text); }
};
"""


def held(number: int, minutes: float) -> dict[str, object]:
    """A cluster that alice holds for some more minutes."""
    now = datetime.now(UTC)
    times = {"heldAt": format_time(now), "holdExpires": format_time(now + timedelta(minutes=minutes))}
    return {"name": f"cluster-{number:02}", "status": "finished", "hold": True, "holdBy": "alice", **times}


@pytest.fixture
def replica(replica: Replica) -> Replica:
    """The server, over a pool of which alice holds three clusters, two of them for less than half an hour."""
    write_pool(replica, [held(1, 28.95), held(2, 9.95), held(3, 120)])
    return replica


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_click_extends_on_any_page(visit: Visit, script: bool) -> None:
    alice = visit("alice", script)
    alice.go("/ui/history")
    expect(alice.page).to_have_title("(9 min) cluster-02 · History · CIMaster")
    expect(alice.page.get_by_text("cluster-01 ends in 28 min")).to_be_visible()
    alice.page.get_by_role("button", name="Extend 1 h cluster-02").click()
    expect(alice.page.get_by_text("You hold cluster-02 until")).to_be_visible()
    expect(alice.page.get_by_text("cluster-02 ends in")).to_have_count(0)
    if script:
        expect(alice.page).to_have_title("(28 min) cluster-01 · History · CIMaster")
        assert alice.page.url == f"{alice.url}/ui/history"


def test_a_visitor_is_notified_once_for_each_hold(visit: Visit) -> None:
    alice = visit("alice")
    alice.page.add_init_script(NOTED)
    alice.go("/ui/usage")
    bell = alice.page.get_by_role("button", name="Notify me before a hold ends")
    expect(bell).to_have_attribute("aria-pressed", "false")
    assert alice.page.evaluate("noted") == []
    bell.click()
    expect(bell).to_have_attribute("aria-pressed", "true")
    assert alice.page.evaluate("noted") == ["cluster-02 ends in 9 min", "cluster-01 ends in 28 min"]
    alice.page.add_init_script("Notification.permission = 'granted'")
    alice.go()
    expect(bell).to_have_attribute("aria-pressed", "true")
    assert alice.page.evaluate("noted") == []
    bell.click()
    expect(bell).to_have_attribute("aria-pressed", "false")


def test_axe_finds_nothing_beside_the_banners(visit: Visit) -> None:
    alice = visit("alice")
    for page in ("/", "/ui/clusters/cluster-02"):
        alice.go(page)
        expect(alice.page.get_by_text("cluster-02 ends in")).to_be_visible()
        alice.page.evaluate(AXE)
        check(alice.page, page)


def test_a_note_replaces_the_banner_when_a_hold_ends(visit: Visit, curl: Curl) -> None:
    alice = visit("alice")
    note = alice.page.get_by_text("Your hold of cluster-02 ended")
    for page in ("/ui/history", "/ui/clusters/cluster-02"):
        alice.go(page)
        expect(alice.page.get_by_text("cluster-02 ends in")).to_be_visible()
    curl("holdcluster", cluster="cluster-02", name="alice", duration="1s")
    expect(note).to_contain_text("just now: its time was over")
    expect(alice.page.get_by_text("cluster-02 ends in")).to_have_count(0)
    alice.go("/ui/history")
    expect(note).to_be_visible()
    alice.page.get_by_role("button", name="Dismiss").click()
    expect(note).to_have_count(0)
    assert alice.page.url.endswith("/ui/history")
