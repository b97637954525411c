"""The tasks of docs/dashboard.md in a real browser, with the mouse and by keyboard alone, and what each one takes."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.pages.conftest import AddOne, Curl, Visit
from tests.pages.people import Person

_PAGE = (Path(__file__).parents[2] / "docs" / "dashboard.md").read_text()
_ROW = re.compile(r"^\| (?P<task>[^|]+?) +\| (?P<how>[^|]+?) +\| +(?P<clicks>\d+) \| +(?P<keys>\d+) \|$", re.MULTILINE)
DOCUMENTED = {row["task"]: {"mouse": int(row["clicks"]), "keyboard": int(row["keys"])} for row in _ROW.finditer(_PAGE)}
MOST_CLICKS = 4
FARTHEST = 80  # presses of Tab
IS_FOCUSED = "element => element === document.activeElement"
IS_BEFORE = "e => !!(document.activeElement.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_PRECEDING)"


@dataclass
class Hand:
    """Does things on a page with the mouse or with keys, and counts clicks or presses; typed text does not count.

    To choose in a list takes two clicks: one opens it.
    """

    page: Page
    tool: str
    count: int = 0

    def press(self, *keys: str) -> None:
        """Press keys."""
        for key in keys:
            self.page.keyboard.press(key)
            self.count += 1

    def reach(self, target: Locator) -> None:
        """Move the focus to an element."""
        expect(target).to_be_visible()
        key = "Shift+Tab" if target.evaluate(IS_BEFORE) else "Tab"
        for _ in range(FARTHEST):
            if target.evaluate(IS_FOCUSED):
                return
            self.press(key)
        raise AssertionError(f"{target} cannot be reached by {key}")

    def click(self, target: Locator) -> None:
        """Activate a button, link or tick box."""
        if self.tool == "keyboard":
            self.reach(target)
            self.press("Space" if target.get_attribute("type") == "checkbox" else "Enter")
        else:
            target.click()
            self.count += 1

    def choose(self, target: Locator, words: str) -> None:
        """Choose in a list."""
        if self.tool == "keyboard":
            self.reach(target)
            self.page.keyboard.type(words)
        else:
            target.select_option(words)
            self.count += 2

    def write(self, target: Locator, text: str) -> None:
        """Write into a field, which has the focus already or is activated first."""
        expect(target).to_be_visible()
        if target.get_attribute("autofocus") is not None:
            expect(target).to_be_focused()  # the browser does that some time after it has shown the page
        if not target.evaluate(IS_FOCUSED):
            if self.tool == "keyboard":
                self.reach(target)
            else:
                self.click(target)
        if target.input_value():
            self.page.keyboard.press("Control+a")
            self.count += self.tool == "keyboard"
        self.page.keyboard.insert_text(text)

    def send(self) -> None:
        """Send the form that is open."""
        button = self.page.locator("#form-send")
        if self.tool == "keyboard" and self.page.evaluate("document.activeElement.matches('#form input')"):
            self.press("Enter")
        else:
            self.click(button)

    def act(self, cluster: str, label: str, key: str) -> None:
        """Press a button of a row, or the key for it after a search for the row."""
        button = self.page.get_by_role("button", name=f"{label} {cluster}", exact=True)
        if self.tool == "keyboard":
            self.go_to_row(cluster)
            self.press(key)
        else:
            self.click(button)

    def go_to_row(self, cluster: str) -> None:
        """Search for a row, and move the focus to its name."""
        self.press("/")
        self.page.keyboard.type(cluster)
        self.press("ArrowDown")
        expect(self.page.locator("#clusters tr.row [data-name]")).to_be_focused()

    def enter_table(self) -> None:
        """Move the focus into the table, from where its links and headings are near."""
        if self.tool == "keyboard":
            self.press("/", "ArrowDown")
            expect(self.page.locator("#clusters tr.row [data-name]").first).to_be_focused()

    def choose_in_menu(self, cluster: str, label: str) -> None:
        """Choose an action in the menu of a row."""
        if self.tool == "keyboard":
            self.go_to_row(cluster)
        self.click(self.page.get_by_role("button", name=f"More {cluster}", exact=True))
        self.click(self.page.get_by_role("link", name=f"{label} {cluster}", exact=True))


@dataclass
class Attempt:
    """One attempt at a task: the clusters that it needs, the person, and the person's hand."""

    visit: Visit
    added: AddOne
    curl: Curl
    tool: str
    made: list[str] = field(default_factory=list)

    def clusters(self, *names: str, **facts: str) -> None:
        """Add clusters."""
        for name in names:
            self.added(name, **facts)

    def hold(self, cluster: str, name: str, **fields: str) -> None:
        """Hold a cluster for a person."""
        self.curl("holdcluster", cluster=cluster, name=name, **fields)

    def begin(self, name: str, path: str = "/") -> tuple[Person, Hand]:
        """Open a page as a person."""
        person = self.visit(name)
        person.go(path)
        return person, self.take(person)

    def take(self, person: Person) -> Hand:
        """Begin to count."""
        self.hand = Hand(person.page, self.tool)
        return self.hand


def field_of(person: Person, name: str) -> Locator:
    """Find a field of the form that is open."""
    return person.page.locator(f"#form-{name}")


def hold_one_hour(attempt: Attempt) -> None:
    attempt.clusters("cluster-05")
    alice, hand = attempt.begin("alice")
    hand.act("cluster-05", "Hold", "h")
    hand.write(field_of(alice, "desc"), "network issue")
    hand.choose(field_of(alice, "duration"), "1 h")
    hand.send()
    alice.sees("cluster-05", "network issue", state="held")
    expect(alice.row("cluster-05").locator(".cell-left")).to_have_text(re.compile("59 min|60 min|1 h"))


def extend(attempt: Attempt) -> None:
    attempt.clusters("cluster-05")
    attempt.hold("cluster-05", "alice", duration="2h")
    alice, hand = attempt.begin("alice")
    hand.act("cluster-05", "Extend", "e")
    expect(alice.page.get_by_role("radio", checked=True)).to_be_visible()
    hand.send()
    expect(alice.row("cluster-05").locator(".cell-left")).to_have_text(re.compile("2 h 59 min|3 h"))


def release(attempt: Attempt) -> None:
    attempt.clusters("cluster-05")
    attempt.hold("cluster-05", "alice")
    alice, hand = attempt.begin("alice")
    hand.act("cluster-05", "Release", "r")
    alice.sees("cluster-05", state="vacant")


def undo(attempt: Attempt) -> None:
    attempt.clusters("cluster-05")
    attempt.hold("cluster-05", "alice", desc="network issue")
    alice, _ = attempt.begin("alice")
    alice.press("cluster-05", "Release")
    alice.sees("cluster-05", state="vacant")
    hand = attempt.take(alice)
    hand.click(alice.page.get_by_role("button", name="Undo the release of cluster-05"))
    alice.sees("cluster-05", "network issue", state="held")


def hold_any(attempt: Attempt) -> None:
    attempt.clusters("tnet-01", purpose="tnet-ci", osimage="flatcar-3975")
    alice, hand = attempt.begin("alice")
    hand.click(alice.page.get_by_role("link", name="Hold any…"))
    hand.write(field_of(alice, "purpose"), "tnet-ci")
    hand.write(field_of(alice, "osimage"), "flatcar-3975")
    hand.send()
    alice.sees("tnet-01", "alice", state="held")


def what_bob_holds(attempt: Attempt) -> None:
    attempt.clusters("cluster-05", "cluster-06", "cluster-07")
    for cluster in ("cluster-05", "cluster-06"):
        attempt.hold(cluster, "bob")
    alice, hand = attempt.begin("alice")
    hand.enter_table()
    hand.click(alice.row("cluster-05").get_by_role("link", name="bob"))
    expect(alice.row("cluster-07")).to_have_count(0)
    expect(alice.page.locator("tr.row", has_text="bob")).to_have_count(2)


def why_nothing_is_vacant(attempt: Attempt) -> None:
    attempt.clusters("tnet-01", "tnet-02", purpose="tnet-ci", osimage="flatcar-3975")
    attempt.hold("tnet-01", "bob", duration="43m")
    attempt.curl("disablecluster", cluster="tnet-02", name="root", reason="disk errors")
    alice, _ = attempt.begin("alice")
    line = alice.page.locator("#shortages")
    expect(line).to_contain_text("tnet-ci: none of 2 can be lent. 1 held, 1 disabled. Next: tnet-01 in 4")


def disable_ten(attempt: Attempt) -> None:
    rack = [f"rack4-{number:02}" for number in range(10)]
    attempt.clusters(*rack)
    root, hand = attempt.begin("root", "/?q=rack4")
    hand.enter_table()
    hand.click(root.page.get_by_label("Select all 10 shown"))
    hand.click(root.page.get_by_role("button", name="Disable…"))
    hand.write(field_of(root, "reason"), "waits for a new switch")
    hand.send()
    for cluster in rack:
        root.sees(cluster, "waits for a new switch", state="disabled")


def add_five(attempt: Attempt) -> None:
    names = [f"new-{number}" for number in range(1, 6)]
    root, hand = attempt.begin("root")
    hand.click(root.page.get_by_role("link", name="Inventory"))
    hand.click(root.page.get_by_role("link", name="Import…"))
    lines = ["name,region", *(f"{name},us-west" for name in names)]
    hand.write(root.page.locator("#import-text"), "\n".join(lines))
    hand.click(root.page.get_by_role("button", name="Preview"))
    hand.click(root.page.get_by_role("button", name="Apply 5 changes"))
    for name in names:
        expect(root.row(name)).to_be_visible()


def label_twenty(attempt: Attempt) -> None:
    rack = [f"rack4-{number:02}" for number in range(20)]
    attempt.clusters(*rack)
    root, hand = attempt.begin("root", "/?q=rack4")
    hand.enter_table()
    hand.click(root.page.get_by_label("Select all 20 shown"))
    hand.click(root.page.get_by_role("button", name="Edit labels…"))
    hand.write(field_of(root, "labels"), "rack=4")
    hand.send()
    expect(root.page.locator("tr.row", has_text="rack=4")).to_have_count(20)


def take_over(attempt: Attempt) -> None:
    attempt.clusters("cluster-05")
    attempt.hold("cluster-05", "bob")
    root, hand = attempt.begin("root")
    hand.choose_in_menu("cluster-05", "Take over…")
    hand.write(field_of(root, "reason"), "bob has left")
    hand.send()
    root.sees("cluster-05", "root", state="held")


def hand_over(attempt: Attempt) -> None:
    attempt.clusters("cluster-05")
    attempt.hold("cluster-05", "alice")
    alice, hand = attempt.begin("alice")
    hand.choose_in_menu("cluster-05", "Hand over…")
    hand.write(field_of(alice, "to"), "bob")
    hand.send()
    alice.sees("cluster-05", "bob", state="held")


def history_of_a_week(attempt: Attempt) -> None:
    attempt.clusters("cluster-05")
    attempt.hold("cluster-05", "bob")
    alice, hand = attempt.begin("alice")
    hand.enter_table()
    hand.click(alice.row("cluster-05").get_by_role("link", name="cluster-05", exact=True))
    hand.click(alice.page.get_by_role("link", name="All changes"))
    hand.click(alice.page.get_by_role("link", name="Last 7 days"))
    expect(alice.page.get_by_role("row", name=re.compile("held.*cluster-05.*bob")).first).to_be_visible()


def most_hours(attempt: Attempt) -> None:
    attempt.clusters("cluster-05")
    attempt.hold("cluster-05", "bob")
    alice, hand = attempt.begin("alice")
    hand.click(alice.page.get_by_role("link", name="Usage"))
    for heading in ("Busiest jobs", "Busiest people"):
        expect(alice.page.get_by_role("heading", name=heading)).to_be_visible()
    expect(alice.page.get_by_label("Time", exact=True)).to_have_value("7d")


def when_my_hold_ends(attempt: Attempt) -> None:
    attempt.clusters("cluster-05")
    attempt.hold("cluster-05", "alice", duration="28m")
    alice, hand = attempt.begin("alice")
    expect(alice.page.get_by_text(re.compile("cluster-05 ends in 2[78] min"))).to_be_visible()
    expect(alice.page).to_have_title(re.compile(r"^\(2[78] min\) cluster-05"))
    alice.page.context.grant_permissions(["notifications"])
    hand.click(alice.page.get_by_role("button", name="Notify me before a hold ends"))
    expect(alice.page.get_by_role("button", name=re.compile("[Nn]otif"), pressed=True)).to_be_visible()


def wait_in_line(attempt: Attempt) -> None:
    attempt.clusters("cluster-05")
    attempt.hold("cluster-05", "bob")
    alice, hand = attempt.begin("alice")
    hand.act("cluster-05", "Hold when free", "h")
    expect(alice.page.locator("#form-send")).to_be_visible()
    hand.send()
    expect(alice.page.get_by_text("1 person waiting")).to_be_visible()


def copy_a_command(attempt: Attempt) -> None:
    attempt.clusters("cluster-05")
    alice, hand = attempt.begin("alice")
    alice.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    hand.choose_in_menu("cluster-05", "Commands…")
    hand.click(alice.page.get_by_role("button", name=re.compile("^Copy .*with curl$")).first)
    copied = alice.page.locator("[data-copied]")
    expect(copied).to_contain_text("opied")
    assert "cluster=cluster-05" in alice.page.evaluate("navigator.clipboard.readText()")


def share_a_filter(attempt: Attempt) -> None:
    attempt.clusters("cluster-05", "cluster-06")
    attempt.hold("cluster-05", "bob")
    alice, hand = attempt.begin("alice")
    hand.choose(alice.page.get_by_label("State", exact=True), "held")
    expect(alice.row("cluster-06")).to_have_count(0)
    expect(alice.page).to_have_url(re.compile("state=held$"))
    carol = attempt.visit("carol")
    carol.page.goto(alice.page.url)
    carol.sees("cluster-05", state="held")
    expect(carol.row("cluster-06")).to_have_count(0)


def sort_by_time_left(attempt: Attempt) -> None:
    attempt.clusters("cluster-05", "cluster-06")
    attempt.hold("cluster-05", "bob", duration="5h")
    attempt.hold("cluster-06", "bob", duration="1h")
    alice, hand = attempt.begin("alice", "/?sort=name")
    heading = alice.page.get_by_role("columnheader", name="Time left")
    hand.enter_table()
    hand.click(heading.get_by_role("link"))
    expect(heading).to_have_attribute("aria-sort", "ascending")
    expect(alice.page.locator("tr.row").first).to_contain_text("cluster-06")


TASKS: dict[str, Callable[[Attempt], None]] = {
    "hold a cluster for 1 h with a reason": hold_one_hour,
    "extend my hold by 1 h": extend,
    "release my hold": release,
    "undo the release": undo,
    "hold any vacant cluster of a purpose and image": hold_any,
    "see what bob holds": what_bob_holds,
    "see why nothing is vacant, and what is next": why_nothing_is_vacant,
    "disable 10 clusters with one reason": disable_ten,
    "add 5 clusters": add_five,
    "edit a label on 20 clusters": label_twenty,
    "take over from a colleague who left": take_over,
    "hand over to a colleague": hand_over,
    "see the history of a cluster over a week": history_of_a_week,
    "see most hours this week by person and job": most_hours,
    "see when my hold ends, and be warned": when_my_hold_ends,
    "wait in line for a cluster": wait_in_line,
    "copy a ready command line": copy_a_command,
    "share a filtered link": share_a_filter,
    "sort by time left": sort_by_time_left,
}


@pytest.fixture
def leftovers(curl: Curl) -> Iterator[None]:
    """Delete what a task added through the page."""
    yield
    for number in range(1, 6):
        curl("deletecluster", cluster=f"new-{number}", name="root", reason="the test is over")


@pytest.mark.parametrize("tool", ["mouse", "keyboard"])
@pytest.mark.parametrize("task", TASKS)
def test_a_task_takes_what_the_page_says(
    visit: Visit, added: AddOne, curl: Curl, request: pytest.FixtureRequest, task: str, tool: str
) -> None:
    if task == "add 5 clusters":
        request.getfixturevalue("leftovers")
    attempt = Attempt(visit, added, curl, tool)
    TASKS[task](attempt)
    documented = DOCUMENTED[task][tool]  # of keys at most: browsers differ in how often Tab stops in a field for a time
    assert attempt.hand.count == documented or (tool == "keyboard" and attempt.hand.count < documented)


def test_each_task_is_documented_and_takes_few_clicks() -> None:
    assert DOCUMENTED.keys() == TASKS.keys()
    assert all(most["mouse"] <= MOST_CLICKS for most in DOCUMENTED.values())
