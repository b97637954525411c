"""The pages by keyboard alone: the shortcuts, what they say when they can do nothing, and the switch."""

import re

import pytest
from playwright.sync_api import expect

from tests.pages.conftest import AddOne, Curl, Visit
from tests.pages.people import AXE, Person, check


class Keys:
    """Presses keys for a person, and counts them."""

    def __init__(self, person: Person) -> None:
        self._person, self.count = person, 0

    def press(self, *names: str) -> None:
        """Press keys one after the other."""
        for name in names:
            self._person.page.keyboard.press(name)
            self.count += 1


def enter_table(keys: Keys) -> None:
    """Go to the name in the first row: the second link of the page skips to the table."""
    keys.press("Tab", "Tab", "Enter", "j")


@pytest.fixture
def three(added: AddOne) -> list[str]:
    """Three clusters, in the order of the table."""
    return [added(f"row-{number}") for number in (1, 2, 3)]


def test_hold_extend_and_release_with_few_keys(visit: Visit, added: AddOne) -> None:
    added("keyed")
    alice = visit("alice")
    alice.go("/?q=keyed")
    keys, name = Keys(alice), alice.row("keyed").get_by_role("link", name="keyed")
    enter_table(keys)
    keys.press("h")
    assert keys.count <= 12
    expect(alice.page.locator("#form-desc")).to_be_focused()
    alice.page.keyboard.type("by keyboard")
    keys.press("Enter")
    alice.sees("keyed", "alice", "by keyboard", state="held")
    expect(name).to_be_focused()
    alice.rests()
    keys.press("e")
    expect(alice.page.get_by_role("dialog").get_by_role("radio", checked=True)).to_be_focused()
    keys.press("Enter")
    expect(alice.page.get_by_role("dialog")).to_be_hidden()
    expect(name).to_be_focused()
    alice.rests()
    keys.press("r")
    alice.sees("keyed", state="vacant")
    expect(name).to_be_focused()


@pytest.mark.usefixtures("three")
def test_j_and_k_move_between_the_names(visit: Visit) -> None:
    alice = visit("alice")
    alice.go("/?q=row-")
    keys = Keys(alice)
    enter_table(keys)
    for key, row in (("j", 2), ("j", 3), ("j", 3), ("k", 2)):
        keys.press(key)
        expect(alice.row(f"row-{row}").get_by_role("link", name=f"row-{row}")).to_be_focused()
    keys.press("Tab", "k")
    expect(alice.row("row-1").get_by_role("link", name="row-1")).to_be_focused()


@pytest.mark.usefixtures("three")
def test_from_anywhere_to_the_search_and_on_to_the_first_match(visit: Visit) -> None:
    alice = visit("alice")
    alice.go()
    alice.page.keyboard.press("/")
    alice.page.keyboard.type("row-2")
    expect(alice.page.get_by_label("Search")).to_have_value("row-2")
    expect(alice.row("row-1")).to_have_count(0)
    alice.page.keyboard.press("ArrowDown")
    expect(alice.row("row-2").get_by_role("link", name="row-2")).to_be_focused()


def test_row_keys_do_nothing_outside_the_table(visit: Visit, added: AddOne, curl: Curl) -> None:
    curl("holdcluster", cluster=added("kept"), name="alice")
    alice = visit("alice")
    alice.go()
    for key in ("r", "h", "e", "j"):
        alice.page.keyboard.press(key)
    expect(alice.page.get_by_role("dialog")).to_be_hidden()
    assert alice.page.evaluate("document.activeElement === document.body && lastAction.at") < 0
    alice.page.keyboard.press("/")
    alice.page.keyboard.type("kept")
    expect(alice.page.get_by_label("Search")).to_have_value("kept")
    alice.sees("kept", "alice", state="held")


def test_a_key_that_can_do_nothing_says_why(visit: Visit, three: list[str], curl: Curl) -> None:
    curl("holdcluster", cluster="row-1", name="alice")
    curl("holdcluster", cluster="row-2", name="bob")
    alice = visit("alice")
    alice.go("/?q=row-&sort=name")
    keys, status = Keys(alice), alice.page.get_by_role("status")
    enter_table(keys)
    keys.press("h")
    expect(status.get_by_text("You hold row-1 already. Press e to extend your hold.")).to_be_visible()
    keys.press("j", "r")
    expect(status.get_by_text("Release is not possible: held by bob: the holder or an admin")).to_be_visible()
    keys.press("e")
    expect(status.get_by_text("Someone else holds row-2. Only the holder can extend the hold.")).to_be_visible()
    keys.press("j", "r")
    expect(status.get_by_text("row-3 is vacant, so there is no hold to release.")).to_be_visible()
    expect(alice.row("row-3").get_by_role("link", name="row-3")).to_be_focused()


def test_help_lists_the_keys_and_turns_them_off(visit: Visit, three: list[str]) -> None:
    alice = visit("alice")
    alice.page.context.add_init_script(AXE)
    alice.go("/?q=row-")
    alice.page.keyboard.press("?")
    help_dialog = alice.page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(help_dialog).to_contain_text(re.compile("r Release the cluster"))
    check(alice.page, "the list of keys")
    help_dialog.get_by_role("checkbox", name="Use keyboard shortcuts").uncheck()
    alice.page.keyboard.press("Escape")
    alice.page.reload()
    keys = Keys(alice)
    keys.press("Tab", "Tab", "Enter", "j", "h", "?", "/")
    expect(alice.page.locator("#rows")).to_be_focused()
    expect(help_dialog).to_be_hidden()
    alice.page.get_by_role("button", name="Keyboard shortcuts").click()
    help_dialog.get_by_role("checkbox", name="Use keyboard shortcuts").check()
    help_dialog.get_by_role("button", name="Close", exact=True).last.click()
    alice.page.locator("#clusters").focus()
    keys.press("j")
    expect(alice.row("row-1").get_by_role("link", name="row-1")).to_be_focused()
