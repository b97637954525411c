"""Two people want the same cluster, in real browsers: the second reads who has it, and what to do instead."""

import re

import pytest
from playwright.sync_api import expect

from tests.pages.conftest import AddOne, Curl, Visit
from tests.pages.people import AXE, Person, check

both = pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])


@pytest.fixture
def wanted(added: AddOne) -> str:
    """The only cluster of its purpose."""
    return added("race-05", purpose="race")


def open_form(person: Person, cluster: str) -> None:
    """Open the form of a hold, so that another person can be faster."""
    person.go("/?purpose=race")
    person.press(cluster, "Hold")
    expect(person.page.locator("#form")).to_be_visible()


@both
def test_the_second_person_holds_another_cluster(visit: Visit, wanted: str, added: AddOne, script: bool) -> None:
    alice, bob = visit("alice", script), visit("bob", script)
    other = added("race-06", purpose="race")
    open_form(alice, wanted)
    open_form(bob, wanted)
    bob.fill(duration="4h")
    alice.fill(desc="a failed run", duration="1h")
    alert = alice.page.get_by_role("alert").filter(has_text=f"{wanted} is already held by bob")
    expect(alert).to_be_visible()
    alice.page.get_by_role("button", name=f"Hold {other} instead").click()
    alice.sees(other, "yours", "a failed run", state="held")
    alice.sees(wanted, "bob", state="held")
    expect(alice.row(other).locator(".cell-left")).to_contain_text(re.compile("59 min|1 h"))


@both
def test_the_second_person_waits_in_line_and_cancels(visit: Visit, wanted: str, curl: Curl, script: bool) -> None:
    alice = visit("alice", script)
    open_form(alice, wanted)
    curl("getvacant", job="e2e", build="124", cluster=wanted)
    alice.fill(desc="a failed run")
    alert = alice.page.get_by_role("alert").filter(has_text=f"{wanted} is no longer vacant: it is now occupied by e2e")
    expect(alert).to_be_visible()
    alice.page.get_by_role("button", name=re.compile(r"Wait in line \(place \d+\)")).click()
    expect(
        alice.page.locator("#places").get_by_text(re.compile(r"You are number \d+ in line for a race"))
    ).to_be_visible()
    alice.page.get_by_role("link", name=re.compile("Cancel waiting for race")).click()
    alice.fill()
    expect(alice.page.locator("#places").get_by_text("in line")).to_have_count(0)


def test_a_hasty_second_press_takes_no_other_cluster(visit: Visit, wanted: str, added: AddOne, curl: Curl) -> None:
    alice, other = visit("alice"), added("race-06", purpose="race")
    open_form(alice, wanted)
    curl("holdcluster", cluster=wanted, name="bob")
    with alice.in_one_moment():
        alice.page.locator("#form-send").focus()
        alice.page.keyboard.press("Enter")
        instead = alice.page.get_by_role("button", name=f"Hold {other} instead")
        expect(instead).to_be_visible()
        expect(alice.page.get_by_role("heading", name="is no longer free")).to_be_focused()
        instead.focus()
        alice.page.keyboard.press("Enter")
    alice.page.get_by_role("link", name="Cancel").click()
    alice.sees(other, state="vacant")


@both
def test_hold_any_waits_in_line_with_one_click_more(visit: Visit, wanted: str, curl: Curl, script: bool) -> None:
    curl("holdcluster", cluster=wanted, name="bob")
    alice = visit("alice", script)
    alice.go("/?purpose=race")
    alice.page.get_by_role("link", name="Hold any…").click()
    alice.fill(desc="a look", duration="1h")
    expect(alice.page.get_by_role("alert").filter(has_text="no race cluster is vacant: 1 held")).to_be_visible()
    alice.page.get_by_role("button", name=re.compile(r"Wait in line \(place \d+\)")).click()
    expect(alice.page.locator("#places").get_by_text("in line for a race cluster")).to_be_visible()
    curl("releasecluster", cluster=wanted, name="bob")
    if not script:
        alice.page.reload()
    alice.sees(wanted, "yours", "a look", state="held")


def test_axe_finds_nothing_in_a_conflict(visit: Visit, wanted: str, added: AddOne, curl: Curl) -> None:
    alice = visit("alice")
    open_form(alice, wanted)
    curl("holdcluster", cluster=wanted, name="bob")
    alice.fill(desc="a run")
    expect(alice.page.get_by_text("No other cluster of purpose race is vacant")).to_be_visible()
    alice.page.evaluate(AXE)
    check(alice.page, "wait in line")
    alice.page.get_by_role("link", name="Cancel").click()
    other = added("race-06", purpose="race")
    alice.go(f"/ui/hold?cluster={wanted}&expect=vacant")
    expect(alice.page.get_by_role("link", name=f"Hold {other} instead")).to_be_visible()
    alice.page.evaluate(AXE)
    check(alice.page, "another cluster")


def test_a_refusal_of_a_form_that_was_closed_is_shown(visit: Visit, wanted: str, added: AddOne, curl: Curl) -> None:
    alice, other = visit("alice"), added("race-06", purpose="race")
    open_form(alice, wanted)
    curl("holdcluster", cluster=wanted, name="bob")
    sent = alice.holds_back("**/ui/hold", "POST")
    alice.page.locator("#form-send").click()
    sent.wait()
    alice.page.keyboard.press("Escape")
    alice.page.get_by_role("link", name="Hold any…").click()
    alice.page.locator("#form-desc").fill("typed meanwhile")
    sent.let_go()
    expect(alice.page.locator("#alerts").get_by_text(f"{wanted} is already held by bob")).to_be_visible()
    expect(alice.page.locator("#form-desc")).to_have_value("typed meanwhile")
    alice.page.get_by_role("link", name="Cancel").click()
    alice.sees(other, state="vacant")
