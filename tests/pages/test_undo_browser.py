"""Undo of a release in a real browser, with script and without, and what a person sees who is too late."""

import re

import pytest
from playwright.sync_api import expect

from tests.conditions import until
from tests.pages.conftest import Curl, Visit
from tests.pages.people import AXE, LEAP, Person, check

both = pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])


@pytest.fixture
def mine(cluster: str, curl: Curl) -> str:
    """A cluster that alice holds for 2 h."""
    curl("holdcluster", cluster=cluster, name="alice", desc="debugging", duration="2h")
    return cluster


def undo(person: Person, cluster: str) -> None:
    """Press Undo in the message about a release."""
    person.page.get_by_role("button", name=f"Undo the release of {cluster}").click()


@both
def test_a_release_is_undone_with_one_click(visit: Visit, mine: str, script: bool) -> None:
    alice = visit("alice", script)
    alice.go()
    alice.press(mine, "Release")
    alice.sees(mine, state="vacant")
    undo(alice, mine)
    alice.sees(mine, "yours", "debugging", state="held")
    expect(alice.row(mine).locator(".cell-left")).to_contain_text(re.compile("1 h 59 min|2 h"))
    expect(alice.page.get_by_text(f"You hold {mine} until")).to_be_visible()
    expect(alice.page.get_by_role("button", name="Undo")).to_have_count(0)


@both
def test_the_release_on_the_clusters_page_is_undone(visit: Visit, mine: str, script: bool) -> None:
    alice = visit("alice", script)
    alice.go(f"/ui/clusters/{mine}")
    alice.page.get_by_role("button", name=f"Release {mine}").click()
    undo(alice, mine)
    expect(alice.page.locator("#cluster .tag", has_text="yours")).to_be_visible()


def test_undo_without_script_says_who_has_the_cluster_since(visit: Visit, mine: str, curl: Curl) -> None:
    alice = visit("alice", script=False)
    alice.go()
    alice.press(mine, "Release")
    curl("getvacant", job="e2e", build="124", cluster=mine)
    undo(alice, mine)
    expect(
        alice.page.get_by_role("alert").filter(has_text=re.compile(f"{mine} went to e2e #124 .*s ago"))
    ).to_be_visible()
    alice.page.get_by_role("link", name="Cancel").click()
    alice.sees(mine, "e2e #124", state="occupied")


def test_undo_goes_when_the_row_shows_that_another_has_it(visit: Visit, mine: str, curl: Curl) -> None:
    alice = visit("alice")
    alice.go()
    alice.press(mine, "Release")
    expect(alice.page.get_by_role("button", name="Undo")).to_be_visible()
    curl("getvacant", job="e2e", build="124", cluster=mine)
    expect(alice.page.get_by_role("button", name="Undo")).to_have_count(0)


def test_undo_goes_after_ten_seconds(visit: Visit, mine: str) -> None:
    alice = visit("alice")
    clock = alice.page.clock
    clock.install()
    alice.go()
    clock.pause_at(alice.page.evaluate("Date.now()") / 1000 + LEAP)
    alice.press(mine, "Release")
    button = alice.page.get_by_role("button", name="Undo")

    def appears() -> bool:
        clock.run_for(50)
        return button.is_visible()

    until(appears)
    clock.run_for(8500)
    expect(button).to_be_visible()
    clock.run_for(2000)
    expect(button).to_have_count(0)


def test_undo_by_keyboard_leaves_the_focus_on_the_name(visit: Visit, mine: str) -> None:
    alice = visit("alice")
    alice.go()
    alice.press(mine, "Release")
    alice.page.get_by_role("button", name="Undo").focus()
    alice.page.keyboard.press("Enter")
    alice.sees(mine, "yours", state="held")
    expect(alice.row(mine).get_by_role("link", name=mine, exact=True)).to_be_focused()


def test_undo_with_cookies_blocked(visit: Visit, mine: str) -> None:
    alice = visit(script=False)
    alice.page.route("**/*", lambda route: route.continue_(headers={**route.request.headers, "cookie": ""}))
    alice.go(f"/ui/release?cluster={mine}")
    alice.fill(name="alice")
    undo(alice, mine)
    expect(alice.page.get_by_text(f"You hold {mine} until")).to_be_visible()


def test_axe_finds_nothing_with_undo(visit: Visit, mine: str) -> None:
    alice = visit("alice")
    alice.go()
    alice.press(mine, "Release")
    alice.page.locator("#toasts .toast").hover()
    alice.page.evaluate(AXE)
    check(alice.page, "undo")
