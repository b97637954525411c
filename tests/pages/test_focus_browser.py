"""Where the focus is after a change; a hasty second press does nothing."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.conditions import until
from tests.pages.conftest import AddOne, Curl, Visit
from tests.pages.people import Person


@pytest.fixture
def mine(added: AddOne, curl: Curl) -> list[str]:
    """Three clusters that alice holds."""
    names = [added(f"mine-{number}") for number in (1, 2, 3)]
    for name in names:
        curl("holdcluster", cluster=name, name="alice")
    return names


def states(person: Person, names: list[str]) -> list[str]:
    """Return the states that the API lists."""
    json = {"Accept": "application/json"}
    return [person.page.request.get(f"{person.url}/clusters/{name}", headers=json).json()["state"] for name in names]


@pytest.mark.parametrize("query", ["", "?holder=alice", "?state=held"], ids=["stays", "mine", "held"])
@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_release_pressed_twice_by_keyboard_releases_one(visit: Visit, mine: list[str], query: str, key: str) -> None:
    alice = visit("alice")
    alice.go(f"/{query}")
    alice.row("mine-2").get_by_role("button", name="Release mine-2").focus()
    with alice.in_one_moment():
        alice.page.keyboard.press(key)
        alice.page.keyboard.press(key)
        if query:
            expect(alice.row("mine-2")).to_have_count(0)
            expect(alice.row("mine-3").get_by_role("link", name="mine-3")).to_be_focused()
        else:
            alice.sees("mine-2", state="vacant")
            expect(alice.row("mine-2").get_by_role("link", name="mine-2")).to_be_focused()
        alice.page.keyboard.press(key)
    assert alice.page.url == f"{alice.url}/{query}"
    assert states(alice, mine) == ["held", "vacant", "held"]


def test_release_clicked_twice_by_mouse_releases_one(visit: Visit, mine: list[str]) -> None:
    alice = visit("alice")
    alice.go("/?holder=alice")
    box = alice.row("mine-1").get_by_role("button", name="Release mine-1").bounding_box()
    assert box
    place = (box["x"] + 20, box["y"] + 10)
    with alice.in_one_moment():
        alice.page.mouse.click(*place)
        expect(alice.row("mine-1")).to_have_count(0)
        alice.page.mouse.click(*place)  # where the next row's release button has moved to
    alice.rests()
    assert states(alice, mine) == ["vacant", "held", "held"]
    alice.press("mine-2", "Release")
    expect(alice.row("mine-2")).to_have_count(0)
    assert states(alice, mine) == ["vacant", "vacant", "held"]


def test_two_rows_are_released_by_mouse_one_after_the_other(visit: Visit, mine: list[str]) -> None:
    alice = visit("alice")
    alice.go("/?sort=name")  # in the usual order a row may move to the place of the last click
    alice.press("mine-1", "Release")
    alice.press("mine-3", "Release")
    until(lambda: states(alice, mine) == ["vacant", "held", "vacant"])


@pytest.mark.parametrize(
    ("query", "change", "next_one"),
    [
        ("?holder=alice", lambda curl: curl("releasecluster", cluster="mine-2", name="root"), "mine-3"),
        (
            "?holder=alice",
            lambda curl: curl("deletecluster", cluster="mine-2", name="root", force="true", reason="x"),
            "mine-3",
        ),
        ("", lambda curl: curl("releasecluster", cluster="mine-2", name="root", to="bob"), "mine-2"),
        ("", lambda curl: curl("releasecluster", cluster="mine-2", name="root"), "mine-2"),
    ],
    ids=["left the filter", "deleted", "handed over", "released"],
)
def test_a_poll_that_takes_the_focused_button_leaves_the_focus_on_a_name(
    visit: Visit, mine: list[str], curl: Curl, query: str, change: Callable[..., None], next_one: str
) -> None:
    alice = visit("alice")
    alice.go(f"/{query}")
    alice.row("mine-2").get_by_role("button", name="Release mine-2").focus()
    change(curl)
    expect(alice.row(next_one).get_by_role("link", name=next_one)).to_be_focused()


def test_after_the_last_row_the_focus_is_on_the_content(visit: Visit, added: AddOne, curl: Curl) -> None:
    curl("holdcluster", cluster=added("only"), name="alice")
    alice = visit("alice")
    alice.go("/?holder=alice")
    alice.row("only").get_by_role("button", name="Release only").focus()
    alice.page.keyboard.press("Enter")
    expect(alice.page.get_by_text("No cluster matches")).to_be_visible()
    expect(alice.page.locator("#main")).to_be_focused()


def test_a_form_sent_twice_in_a_hurry_leaves_the_page_and_holds_once(visit: Visit, added: AddOne) -> None:
    added("once")
    alice = visit("alice")
    alice.go()
    alice.row("once").get_by_role("button", name="Hold once").focus()
    alice.page.keyboard.press("Enter")
    expect(alice.page.locator("#form-desc")).to_be_focused()
    with alice.in_one_moment():
        alice.page.keyboard.press("Enter")
        alice.sees("once", state="held")
        expect(alice.row("once").get_by_role("link", name="once")).to_be_focused()
        alice.page.keyboard.press("Enter")
    assert alice.page.url == f"{alice.url}/"
    alice.sees("once", state="held")


def test_on_a_clusters_own_page_the_focus_goes_to_its_name(visit: Visit, mine: list[str]) -> None:
    alice = visit("alice")
    alice.go("/ui/clusters/mine-1")
    alice.page.get_by_role("button", name="Release mine-1").focus()
    alice.page.keyboard.press("Enter")
    expect(alice.page.get_by_role("button", name="Hold mine-1")).to_be_visible()
    expect(alice.page.get_by_role("heading", name="mine-1", exact=True)).to_be_focused()


def test_focus_moved_before_the_answer_arrives_stays_there(visit: Visit, mine: list[str]) -> None:
    alice = visit("alice")
    alice.go()
    release = alice.holds_back("**/ui/release", "POST")
    alice.press("mine-1", "Release")
    release.wait()
    elsewhere = alice.row("mine-3").get_by_role("button", name="Extend mine-3")
    elsewhere.focus()
    release.let_go()
    alice.sees("mine-1", state="vacant")
    expect(elsewhere).to_be_focused()


@pytest.mark.parametrize("touch", [False, True], ids=["keyboard", "touch"])
def test_the_reason_of_a_disabled_button_is_readable_by_keyboard(
    visit: Visit, added: AddOne, curl: Curl, touch: bool
) -> None:
    curl("holdcluster", cluster=added("theirs"), name="bob")
    for script in (True, False):
        alice = visit("alice", script=script, touch=touch)
        alice.go("/ui/clusters/theirs")
        button = alice.page.get_by_role("button", name="Release theirs")
        reason = alice.page.get_by_text("held by bob: the holder or an admin can release it")
        expect(button).to_have_accessible_description("held by bob: the holder or an admin can release it")
        expect(reason).to_be_hidden()
        if touch:
            button.tap(force=True)  # playwright waits for what is not aria-disabled
        else:
            button.focus()
            alice.page.keyboard.press("Enter")
        expect(reason).to_be_visible()
        expect(reason).to_be_in_viewport(ratio=1)
        if not touch:
            alice.page.keyboard.press("Escape")
            expect(reason).to_be_hidden()
            expect(button).to_be_focused()


def test_an_open_reason_survives_a_poll(visit: Visit, added: AddOne, curl: Curl) -> None:
    curl("holdcluster", cluster=added("theirs"), name="bob")
    alice = visit("alice")
    alice.go("/ui/clusters/theirs")
    alice.page.get_by_role("button", name="Release theirs").click(force=True)
    reason = alice.page.get_by_text("held by bob: the holder or an admin can release it")
    expect(reason).to_be_visible()
    curl("updatecluster", cluster="theirs", name="root", note="changed meanwhile")
    expect(alice.page.locator("#cluster")).to_contain_text("changed meanwhile")
    expect(reason).to_be_visible()


def test_a_late_answer_does_not_replace_the_form_that_is_open(visit: Visit, added: AddOne) -> None:
    alice, (slow, quick) = visit("alice"), (added("slow-1"), added("quick-1"))
    alice.go()
    late = alice.holds_back(f"**/ui/hold?cluster={slow}*")
    alice.row(slow).get_by_role("link", name=slow).focus()
    alice.page.keyboard.press("h")
    late.wait()
    alice.row(quick).get_by_role("link", name=quick).focus()
    alice.page.keyboard.press("h")
    heading = alice.page.get_by_role("heading", name=f"Hold {quick}")
    expect(heading).to_be_visible()
    with alice.page.expect_response(f"**/ui/hold?cluster={slow}*"):
        late.let_go()
    alice.page.keyboard.press("Enter")
    expect(alice.page.get_by_role("dialog")).to_be_hidden()
    assert states(alice, [slow, quick]) == ["vacant", "held"]


def test_a_filter_chosen_while_a_click_is_answered_is_applied(visit: Visit, mine: list[str]) -> None:
    alice = visit("alice")
    alice.go()
    late = alice.holds_back("**/?*state=held*")
    alice.page.get_by_label("State", exact=True).select_option("held")
    late.wait()
    alice.press("mine-1", "Release")
    alice.sees("mine-1", state="vacant")
    late.let_go()
    expect(alice.row("mine-1")).to_have_count(0)
    alice.sees("mine-2", state="held")
