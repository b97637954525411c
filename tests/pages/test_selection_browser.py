"""Ticked rows in a real browser: the bar, what survives updates, and each action with script and without."""

import re

import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.pages.conftest import NUMBERS, AddOne, Curl, Visit
from tests.pages.people import AXE, Person, check

both = pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
COUNT = "#selection-count"


@pytest.fixture
def rack(added: AddOne) -> list[str]:
    """Three clusters with a label of their own."""
    label = f"rack=r{next(NUMBERS)}"
    return [added(f"cluster-{next(NUMBERS):02}", label=label) for _ in range(3)] + [label]


def tick(person: Person, *clusters: str) -> None:
    """Tick the rows of some clusters."""
    for cluster in clusters:
        person.page.get_by_role("checkbox", name=f"Select {cluster}", exact=True).check()


def bar(page: Page) -> Locator:
    """Find the bar with the actions for the selected clusters."""
    return page.get_by_role("form", name="Actions for the selected clusters")


def choose(person: Person, action: str) -> None:
    """Press a button of the bar."""
    bar(person.page).get_by_role("button", name=action, exact=True).click()


@both
def test_an_admin_disables_some_clusters_with_one_reason(visit: Visit, rack: list[str], script: bool) -> None:
    root, (one, two, three, _) = visit("root", script), rack
    root.go()
    expect(bar(root.page)).to_be_hidden()
    tick(root, one, two)
    choose(root, "Disable…")
    expect(root.page.get_by_role("list", name="Selected clusters").get_by_role("listitem")).to_have_count(2)
    root.fill(reason="new switch")
    expect(root.page.get_by_text("2 done")).to_be_visible()
    root.sees(one, "new switch", state="disabled")
    root.sees(two, "new switch", state="disabled")
    root.sees(three, state="vacant")
    expect(bar(root.page)).to_be_hidden()
    if script:
        expect(root.page.get_by_role("link", name=one, exact=True)).to_be_focused()


@both
def test_all_that_the_filter_shows_get_a_label(visit: Visit, rack: list[str], cluster: str, script: bool) -> None:
    root, (*clusters, label) = visit("root", script), rack
    root.go(f"/ui/admin?label={label.replace('=', '%3D')}")
    if script:
        root.page.get_by_role("checkbox", name="Select all 3 shown").check()
        expect(root.page.locator(COUNT)).to_have_text("3 selected")
    else:
        root.page.get_by_role("link", name="Select all 3 that match").click()
    choose(root, "Edit labels…")
    root.fill(labels="gpu=yes")
    expect(root.page.get_by_text("3 done")).to_be_visible()
    root.go("/ui/admin")
    for name in clusters:
        root.sees(name, "gpu=yes", state="vacant")
    expect(root.row(cluster)).not_to_contain_text("gpu=yes")


@both
def test_what_failed_is_named_with_its_user(visit: Visit, rack: list[str], curl: Curl, script: bool) -> None:
    root, (one, two, _, _) = visit("root", script), rack
    root.go()
    tick(root, one, two)
    choose(root, "Delete…")
    curl("getvacant", cluster=two, job="e2e", build="124")
    root.fill(typed="2", reason="sold")
    expect(root.page.get_by_role("heading", name="1 done, 1 failed")).to_be_visible()
    failed = root.page.get_by_role("list", name="Failed")
    expect(failed).to_contain_text(f"{two} is in use by e2e #124")
    if script:
        expect(root.page.get_by_role("link", name="Close")).to_be_focused()
    root.page.get_by_role("link", name="Close").click()
    expect(root.row(one)).to_have_count(0)
    if script:
        expect(root.page.get_by_role("checkbox", name=f"Select {two}", exact=True)).to_be_checked()
        expect(root.page.locator(COUNT)).to_have_text("1 selected")


@both
def test_a_person_releases_several_clusters(visit: Visit, rack: list[str], curl: Curl, script: bool) -> None:
    alice, (one, two, _, _) = visit("alice", script), rack
    for name in (one, two):
        curl("holdcluster", cluster=name, name="alice")
    alice.go()
    tick(alice, one, two)
    choose(alice, "Release…")
    alice.fill(reason="done")
    alice.sees(one, state="vacant")
    alice.sees(two, state="vacant")


def test_a_tick_survives_updates_sorting_and_the_form(visit: Visit, rack: list[str], curl: Curl) -> None:
    root, (one, two, _, _) = visit("root"), rack
    root.go()
    tick(root, one, two)
    curl("holdcluster", cluster=one, name="bob")
    expect(root.row(one)).to_have_attribute("data-state", "held")
    expect(root.page.locator(COUNT)).to_have_text("2 selected")
    root.page.get_by_role("columnheader", name="State").get_by_role("link").click()
    expect(root.page.get_by_role("columnheader", name="State")).to_have_attribute("aria-sort", "ascending")
    for name in (one, two):
        expect(root.page.get_by_role("checkbox", name=f"Select {name}", exact=True)).to_be_checked()
    choose(root, "Enable…")
    root.page.get_by_role("link", name="Cancel").click()
    expect(root.page.locator(COUNT)).to_have_text("2 selected")


def test_a_row_that_disappears_leaves_the_selection(visit: Visit, rack: list[str], curl: Curl) -> None:
    root, (one, two, _, _) = visit("root"), rack
    root.go("/?state=vacant")
    tick(root, one, two)
    curl("holdcluster", cluster=one, name="bob")
    expect(root.page.locator(COUNT)).to_have_text(f"1 selected; {one} is no longer shown, and no longer selected")
    choose(root, "Disable…")
    expect(root.page.get_by_role("list", name="Selected clusters").get_by_role("listitem")).to_have_count(1)
    root.page.keyboard.press("Escape")
    root.page.get_by_label("State", exact=True).select_option("held")
    expect(root.page.locator(COUNT)).to_contain_text("no longer selected")
    expect(root.page.get_by_role("checkbox", name=f"Select {one}", exact=True)).not_to_be_checked()


@pytest.mark.parametrize("way", ["Escape", "Clear the selection"])
def test_the_selection_is_cleared(visit: Visit, rack: list[str], way: str) -> None:
    root = visit("root")
    root.go()
    tick(root, *rack[:2])
    if way == "Escape":
        root.page.keyboard.press(way)
    else:
        choose(root, way)
    expect(bar(root.page)).to_be_hidden()
    expect(root.page.locator("#clusters :checked")).to_have_count(0)
    focused = root.page.locator("#clusters :focus")  # on the box that was ticked last, or on the name of a row
    expect(focused).to_have_accessible_name(f"Select {rack[1]}" if way == "Escape" else re.compile(rf"^{rack[0]}$"))


def test_escape_in_the_bar_moves_the_focus_to_a_row(visit: Visit, rack: list[str]) -> None:
    root = visit("root")
    root.go()
    tick(root, rack[0])
    bar(root.page).get_by_role("button", name="Delete…").focus()
    root.page.keyboard.press("Escape")
    expect(root.page.get_by_role("link", name=rack[0], exact=True)).to_be_focused()


def test_escape_closes_a_dialog_and_keeps_the_selection(visit: Visit, rack: list[str]) -> None:
    root = visit("root")
    root.go()
    tick(root, *rack[:2])
    choose(root, "Disable…")
    expect(root.page.get_by_role("dialog")).to_be_visible()
    root.page.keyboard.press("Escape")
    expect(root.page.get_by_role("dialog")).to_be_hidden()
    expect(root.page.locator(COUNT)).to_have_text("2 selected")


def test_all_of_it_works_by_keyboard_alone(visit: Visit, rack: list[str]) -> None:
    root, (one, two, three, label) = visit("root"), rack
    root.go(f"/?label={label.replace('=', '%3D')}")
    root.page.get_by_role("checkbox", name="Select all 3 shown").focus()
    root.page.keyboard.press("Space")
    expect(root.page.locator(COUNT)).to_have_text("3 selected")
    for _ in range(6):  # the six buttons of the bar come before the table
        root.page.keyboard.press("Shift+Tab")
    expect(bar(root.page).get_by_role("button", name="Disable…")).to_be_focused()
    root.page.keyboard.press("Enter")
    expect(root.page.get_by_label("Reason")).to_be_focused()
    root.page.keyboard.type("new switch")
    root.page.keyboard.press("Enter")
    for name in (one, two, three):
        root.sees(name, "new switch", state="disabled")


def test_a_person_reads_by_touch_why_a_button_is_disabled(visit: Visit, rack: list[str]) -> None:
    alice = visit("alice", mobile=True)
    alice.go()
    tick(alice, rack[0])
    bar(alice.page).get_by_role("button", name="Delete…").tap(force=True)  # aria-disabled
    expect(alice.page.get_by_text("only admins can do this").locator("visible=true")).to_be_visible()


@both
def test_an_admin_imports_a_file_after_a_look_at_the_plan(visit: Visit, rack: list[str], script: bool) -> None:
    root, (one, *_) = visit("root", script), rack
    root.go("/ui/admin")
    root.page.get_by_role("link", name="Import…").click()
    content = f"name,region,note\n{one},eu,moved\n".encode()
    file = FilePayload(name="inventory.csv", mimeType="text/csv", buffer=content)
    root.page.get_by_label(re.compile("^File")).set_input_files(file)
    root.page.get_by_role("button", name="Preview").click()
    steps = root.page.get_by_role("list", name="Changes")
    expect(steps).to_contain_text(f"change {one}: region us-west → eu; note none → moved")
    root.page.get_by_role("button", name="Apply 1 change").click()
    expect(root.page.get_by_text("the inventory is imported: 1 done")).to_be_visible()
    root.sees(one, "eu", "moved", state="vacant")


def test_the_inventory_is_downloaded(visit: Visit, rack: list[str]) -> None:
    root, (one, two, _, label) = visit("root"), rack
    root.go("/ui/admin")
    root.page.get_by_label("Label", exact=True).select_option(label)
    expect(root.page.get_by_text("Export the clusters that match")).to_be_visible()
    for kind in ("JSON", "YAML", "CSV"):
        with root.page.expect_download() as download:
            root.page.get_by_role("link", name=kind, exact=True).click()
        assert download.value.suggested_filename == f"inventory.{kind.lower()}"
        content = download.value.path().read_text()
        assert one in content
        assert two in content


def test_axe_finds_nothing_about_selections(visit: Visit, rack: list[str], curl: Curl) -> None:
    root, (one, two, _, _) = visit("root"), rack
    root.page.context.add_init_script(AXE)
    root.go()
    tick(root, one, two)
    check(root.page, "the bar")
    for action in ("Disable…", "Enable…", "Edit labels…", "Release…", "Delete…"):
        choose(root, action)
        expect(root.page.locator("#form")).to_be_visible()
        check(root.page, action)
        if action != "Delete…":
            root.page.keyboard.press("Escape")
            expect(root.page.get_by_role("dialog")).to_be_hidden()
    curl("getvacant", cluster=two, job="e2e", build="124")
    root.fill(typed="2", reason="sold")
    expect(root.page.get_by_role("list", name="Failed")).to_be_visible()
    check(root.page, "the report")


@pytest.mark.parametrize("name", ["", "root"])
def test_axe_finds_nothing_about_imports(visit: Visit, rack: list[str], name: str) -> None:
    person = visit(name)
    person.page.context.add_init_script(AXE)
    person.go("/ui/admin/import")
    check(person.page, "the form")
    person.go("/ui/selection?q=" + rack[0])
    check(person.page, "the clusters that match")
    if name:
        person.go("/ui/admin/import")
        person.page.get_by_label("Or paste its text").fill(f"name,region\n{rack[0]},eu\nnew,eu\n")
        person.page.get_by_label("Remove clusters").check()
        person.page.get_by_role("button", name="Preview").click()
        check(person.page, "the plan")


def test_rows_are_ticked_and_acted_on_with_single_keys(visit: Visit, rack: list[str]) -> None:
    root, (one, two, three, label) = visit("root"), rack
    root.go(f"/?sort=name&label={label.replace('=', '%3D')}")
    press = root.page.keyboard.press
    for key in ("Tab", "Tab", "Enter", "j", "x", "j", "x"):
        press(key)
    expect(root.page.locator(COUNT)).to_have_text("2 selected")
    press("b")
    expect(bar(root.page).get_by_role("button", name="Disable…")).to_be_focused()
    press("Enter")
    expect(root.page.get_by_label("Reason")).to_be_focused()
    root.page.keyboard.type("new switch")
    press("Enter")
    expect(root.page.get_by_text("2 done")).to_be_visible()
    root.sees(one, "new switch", state="disabled")
    root.sees(two, "new switch", state="disabled")
    root.sees(three, state="vacant")
