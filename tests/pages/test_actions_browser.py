"""The actions behind a row's menu, in a real browser: with script and without, by keyboard and by touch."""

import re

import pytest
from playwright.sync_api import expect

from tests.pages.conftest import NUMBERS, AddOne, Curl, Visit
from tests.pages.people import AXE, check
from tests.replica import Replica

both = pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])


@pytest.fixture
def held(cluster: str, curl: Curl) -> str:
    """A cluster that bob holds."""
    curl("holdcluster", cluster=cluster, name="bob", duration="2h")
    return cluster


@both
def test_share_and_hand_over(visit: Visit, cluster: str, curl: Curl, script: bool) -> None:
    curl("holdcluster", cluster=cluster, name="alice", duration="2h")
    alice = visit("alice", script)
    alice.go()
    alice.choose(cluster, "Share…")
    alice.fill(**{"with": "carol, dave"})
    alice.sees(cluster, "shared with carol, dave", state="held")
    alice.choose(cluster, "Hand over…")
    alice.fill(to="carol")
    alice.sees(cluster, "carol", state="held")
    expect(alice.row(cluster).get_by_text("yours")).to_have_count(0)


@both
def test_an_admin_quarantines_and_brings_back(visit: Visit, cluster: str, script: bool) -> None:
    root = visit("root", script)
    root.go()
    root.choose(cluster, "Mark as suspect…")
    root.fill(reason="slow disks")
    expect(root.row(cluster).get_by_role("button", name=f"suspect – reason for {cluster}")).to_be_visible()
    root.choose(cluster, "Quarantine…")
    root.fill(reason="disk errors")
    root.sees(cluster, "disk errors", state="quarantined")
    root.press(cluster, "Bring back")
    root.sees(cluster, state="vacant")


@both
def test_an_admin_holds_for_another_person_and_takes_over(visit: Visit, cluster: str, script: bool) -> None:
    root = visit("root", script)
    root.go()
    root.choose(cluster, "Hold for someone else…")
    root.fill(to="carol", desc="for the demo")
    root.sees(cluster, "carol", "for the demo", state="held")
    root.choose(cluster, "Take over…")
    root.fill(reason="she has left")
    root.sees(cluster, "yours", state="held")
    carol = visit("carol", script)
    carol.go()
    lost = carol.page.locator("#lost-holds")
    expect(lost).to_contain_text(f"root took over {cluster} from you just now: she has left")
    lost.get_by_role("button", name="Dismiss").click()
    expect(lost.get_by_role("listitem")).to_have_count(0)
    carol.page.reload()
    expect(carol.page.locator("#lost-holds").get_by_role("listitem")).to_have_count(0)


@both
def test_hold_when_free_shows_the_place_until_it_is_cancelled(visit: Visit, held: str, script: bool) -> None:
    alice = visit("alice", script)
    alice.go()
    alice.press(held, "Hold when free")
    alice.fill(desc="a look")
    place = alice.page.locator("#places").get_by_text(f"You are number 1 in line for {held}")
    expect(place).to_be_visible()
    alice.page.get_by_role("link", name=f"Cancel waiting for {held}").click()
    expect(alice.page.get_by_text("You lose your place")).to_be_visible()
    alice.fill()
    expect(place).to_have_count(0)


@both
def test_a_person_in_line_gets_any_cluster_of_a_kind(visit: Visit, added: AddOne, curl: Curl, script: bool) -> None:
    name, purpose = f"perf-{next(NUMBERS)}", f"perf-{next(NUMBERS)}"
    added(name, purpose=purpose)
    curl("holdcluster", cluster=name, name="bob")
    alice = visit("alice", script)
    alice.go(f"/?purpose={purpose}")
    alice.page.get_by_role("link", name="Hold any…").click()
    expect(alice.page.get_by_label("Purpose", exact=True).last).to_have_value(purpose)
    alice.fill()
    expect(alice.page.get_by_role("alert").filter(has_text="1 held")).to_be_visible()
    alice.fill(wait="2d")
    expect(alice.page.get_by_text(f"You are number 1 in line for a {purpose} cluster")).to_be_visible()
    curl("releasecluster", cluster=name, name="bob")
    if not script:
        alice.page.reload()
    alice.sees(name, "yours", state="held")


def test_a_menu_opens_and_closes_by_keyboard(visit: Visit, cluster: str) -> None:
    root = visit("root")
    root.go(f"/?q={cluster}")
    more = root.row(cluster).get_by_role("button", name=f"More {cluster}")
    more.focus()
    root.page.keyboard.press("Enter")
    first = root.row(cluster).get_by_role("link", name=f"Hold for someone else… {cluster}")
    root.page.keyboard.press("Tab")
    expect(first).to_be_focused()
    root.page.keyboard.press("Escape")
    expect(first).to_be_hidden()
    expect(more).to_be_focused()


def test_an_open_menu_stays_open_when_the_row_changes(visit: Visit, cluster: str, curl: Curl) -> None:
    root = visit("root")
    root.go(f"/?q={cluster}")
    root.row(cluster).get_by_role("button", name=f"More {cluster}").click()
    curl("updatecluster", cluster=cluster, name="root", note="changed meanwhile")
    expect(root.row(cluster)).to_contain_text("changed meanwhile")
    expect(root.row(cluster).get_by_role("link", name=f"Quarantine… {cluster}")).to_be_visible()


def test_the_reason_of_bad_health_is_read_by_touch(visit: Visit, cluster: str, curl: Curl) -> None:
    curl("healthcluster", cluster=cluster, name="root", health="suspect", reason="slow disks")
    alice = visit("alice", touch=True)
    alice.go(f"/?health=suspect&q={cluster}")
    reason = alice.row(cluster).get_by_text("suspect by root: slow disks")
    expect(reason).to_be_hidden()
    alice.row(cluster).get_by_role("button", name=f"suspect – reason for {cluster}").tap()
    expect(reason).to_be_visible()


def test_an_end_that_is_near_is_marked_by_more_than_colour(visit: Visit, cluster: str, curl: Curl) -> None:
    curl("holdcluster", cluster=cluster, name="bob", duration="40m")
    alice = visit("alice")
    alice.page.clock.install()
    alice.go(f"/?q={cluster}")
    clock = alice.row(cluster).locator(".ends .icon")
    expect(clock).to_be_hidden()
    alice.keeps_state()
    alice.passes(minutes=11)
    expect(clock).to_be_visible()
    expect(alice.row(cluster).locator(".ends")).to_have_text(re.compile(r"ends in\s+2\d min"))


@pytest.fixture
def sick(replica: Replica, added: AddOne, curl: Curl) -> str:
    """A quarantined cluster with results, beside a suspect one with a job."""
    name, other = added(f"sick-{next(NUMBERS)}"), added(f"suspect-{next(NUMBERS)}")
    for build, result in (("1", "pass"), ("2", "fail"), ("3", "error")):
        assert replica.get("/getvacant", cluster=name, job="e2e", build=build).ok
        assert replica.get("/finishtest", cluster=name, job="e2e", build=build, result=result).ok
    curl("healthcluster", cluster=name, name="root", health="quarantined", reason="disk errors")
    curl("healthcluster", cluster=other, name="root", health="suspect", reason="slow disks")
    assert replica.get("/getvacant", cluster=other, job="e2e", build="9").ok
    return name


def test_axe_finds_nothing_in_menus_and_forms(visit: Visit, sick: str, held: str, curl: Curl) -> None:
    curl("holdcluster", cluster=held, name="alice", wait="2d", desc="a look")
    curl("releasecluster", cluster=held, name="root", to="dave", reason="he knows it")
    root = visit("root")
    root.page.context.add_init_script(AXE)
    root.go("/")
    root.row(sick).get_by_role("button", name=f"More {sick}").click()
    check(root.page, "an open menu")
    root.page.keyboard.press("Escape")
    root.row(sick).get_by_role("button", name=f"quarantined – reason for {sick}").click()
    check(root.page, "why a cluster is quarantined")
    forms = ("admin/quarantine", "admin/suspect", "admin/bringback", "admin/holdfor", "holdwhenfree", "hold")
    for path in (f"/ui/clusters/{sick}", "/ui/holdany", *(f"/ui/{form}?cluster={sick}" for form in forms)):
        root.go(path)
        check(root.page, path)
    root.go("/ui/admin/editpurpose?purpose=tess-ci")
    check(root.page, "checks and cleaning")


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_axe_finds_nothing_with_a_place_and_lost_holds(
    visit: Visit, sick: str, held: str, curl: Curl, name: str
) -> None:
    curl("holdcluster", cluster=held, name="alice", wait="2d", desc="a look")
    curl("releasecluster", cluster=held, name="root", to="dave", reason="he knows it")
    person = visit(name)
    person.page.context.add_init_script(AXE)
    person.go("/")
    expect(person.page.locator(".place" if name == "alice" else "#lost-holds li").first).to_be_visible()
    check(person.page, f"the dashboard for {name}")
