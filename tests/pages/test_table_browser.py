"""The dashboard with 60 clusters in a real browser: how much fits, sorting in place, and what is cut off."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.conditions import until
from tests.pages.conftest import Visit
from tests.pages.people import AXE, check
from tests.replica import Replica
from tests.screenshots import write_pool

ROWS_ON_SCREEN = """() => [...document.querySelectorAll('table.clusters tbody tr')]
    .filter(row => row.getBoundingClientRect().bottom <= window.innerHeight).length"""
CLUSTERS = "table.clusters [data-name]"
NAMES = "names => names.map(name => name.textContent)"
both = pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])


@contextmanager
def served(folder: Path, clusters: int) -> Iterator[Replica]:
    """Run a server with some clusters, 7 jobs that wait, and 3 creations."""
    write_pool(folder / "pool.db", clusters)
    with Replica(
        folder,
        CIMASTER_STORE=f"sqlite:{folder / 'pool.db'}",
        CIMASTER_MANAGE_CLUSTER="on",
        CIMASTER_PROW_URL="http://127.0.0.1:9/",  # nothing listens there, so no creation starts or ends
        CIMASTER_DEFAULT_PROW_JOB="e2e-k8s-1.32",
    ) as replica:
        yield replica


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    """A server with 60 clusters."""
    with served(tmp_path_factory.mktemp("served"), 60) as replica:
        yield replica


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with one or two clusters of every kind: axe takes long over each row."""
    with served(tmp_path_factory.mktemp("small"), 20) as replica:
        yield replica.url


def names(page: Page) -> list[str]:
    """Return the names of the clusters in the table, from top to bottom; the table must be complete."""
    found: list[str] = page.locator(CLUSTERS).evaluate_all(NAMES)
    return found


def shows(page: Page, expected: list[str]) -> None:
    """Expect these clusters in the table, from top to bottom. What is above it may be there before it."""
    expect(page.locator(CLUSTERS)).to_have_text(expected)


def test_at_least_14_rows_are_on_the_first_screen(visit: Visit) -> None:
    alice = visit("alice")
    alice.page.set_viewport_size({"width": 1280, "height": 800})
    alice.go()
    expect(alice.page.locator("#count")).to_have_text("60 in total")
    expect(alice.page.get_by_text("7 jobs waiting · longest 2")).to_be_visible()
    expect(alice.page.get_by_text("2 being created · 1 failed")).to_be_visible()
    assert alice.page.evaluate(ROWS_ON_SCREEN) >= 14


@both
def test_a_click_on_a_heading_sorts_and_the_filter_keeps_the_order(visit: Visit, script: bool) -> None:
    alice = visit("alice", script)
    alice.go("/?state=held")
    usual = names(alice.page)
    heading = alice.page.get_by_role("columnheader", name="Cluster", exact=True)
    heading.get_by_role("link").click()
    expect(heading).to_have_attribute("aria-sort", "ascending")
    assert sorted(usual) != usual
    shows(alice.page, sorted(usual))
    expect(alice.page).to_have_url(f"{alice.url}/?state=held&sort=name")
    if script:
        expect(heading.get_by_role("link")).to_be_focused()
    heading.get_by_role("link").click()
    expect(heading).to_have_attribute("aria-sort", "descending")
    shows(alice.page, sorted(usual, reverse=True))
    alice.page.get_by_label("State", exact=True).select_option("disabled")
    if not script:
        alice.page.get_by_role("button", name="Filter").click()
    expect(alice.page.locator("#count")).to_have_text("2 of 60")
    shows(alice.page, ["cluster-18", "cluster-06"])
    expect(alice.page).to_have_url(re.compile("sort=-name$"))


def test_a_poll_keeps_the_order_and_an_open_queue(visit: Visit, replica: Replica) -> None:
    alice = visit("alice")
    alice.go("/?sort=-name&q=cluster-0")
    alice.opens("queue")
    fields = {"cluster": "cluster-01", "name": "root", "note": "changed meanwhile"}
    assert replica.http.post(f"{replica.url}/updatecluster", fields).ok
    expect(alice.row("cluster-01")).to_contain_text("changed meanwhile")
    assert names(alice.page) == sorted(names(alice.page), reverse=True)
    expect(alice.page.locator("#queue").get_by_role("row").nth(1)).to_be_visible()


@both
def test_people_and_jobs_in_a_row_filter_and_a_chip_ends_that(visit: Visit, script: bool) -> None:
    alice = visit("alice", script)
    alice.go("/?sort=name")
    alice.row("cluster-02").get_by_role("link", name="bob", exact=True).click()
    expect(alice.page.locator("#count")).to_have_text("1 of 60")
    shows(alice.page, ["cluster-02"])
    alice.page.get_by_role("link", name="Remove the filter holder: bob").click()
    expect(alice.page.locator("#count")).to_have_text("60 in total")
    alice.row("cluster-04").get_by_role("link", name="e2e-upgrade #871").click()
    expect(alice.page.get_by_label("Search")).to_have_value("e2e-upgrade")
    shows(alice.page, ["cluster-04", "cluster-24"])


def test_the_label_menu_filters_and_is_empty_again_on_demand(visit: Visit) -> None:
    alice = visit("alice")
    alice.go()
    menu = alice.page.get_by_label("Label", exact=True)
    menu.select_option("gpu=yes")
    expect(alice.page.locator("#count")).to_have_text("1 of 60")
    expect(alice.page).to_have_url(f"{alice.url}/?label=gpu%3Dyes")
    menu.select_option("")
    expect(alice.page.locator("#count")).to_have_text("60 in total")
    expect(alice.page).to_have_url(f"{alice.url}/")


def test_filters_and_heading_stay_in_sight_while_rows_scroll(visit: Visit) -> None:
    alice = visit("alice")
    alice.page.set_viewport_size({"width": 1280, "height": 800})
    alice.go()
    alice.page.mouse.move(600, 500)
    alice.page.mouse.wheel(0, 900)
    until(lambda: alice.page.evaluate("window.scrollY > 800"))
    search = alice.page.get_by_label("Search").bounding_box()
    head = alice.page.get_by_role("columnheader", name="State", exact=True).bounding_box()
    assert search
    assert head
    assert 0 <= search["y"] < search["y"] + search["height"] <= head["y"] + 4
    assert head["y"] < 60


@pytest.mark.parametrize("width", [320, 1280])
def test_a_long_note_and_reason_are_readable_by_touch(visit: Visit, replica: Replica, width: int) -> None:
    note = "a GPU node with two network cards, slow to boot, please keep it for the storage team " * 3
    fields = {"cluster": "cluster-10", "name": "root", "note": note.strip()}
    assert replica.http.post(f"{replica.url}/updatecluster", fields).ok
    alice = visit("alice", mobile=True)
    alice.page.set_viewport_size({"width": width, "height": 800})
    alice.go("/?q=cluster-10")
    shown = alice.row("cluster-10").get_by_text(note.strip())
    expect(shown).to_be_visible()
    assert shown.evaluate("note => { const box = note.parentElement; return box.scrollWidth <= box.clientWidth; }")


def test_nothing_in_a_row_covers_something_else(visit: Visit) -> None:
    overlaps = """() => [...document.querySelectorAll('table.clusters tbody tr')].flatMap(row =>
        [...row.cells].flatMap(cell => [...cell.querySelectorAll(':is(.pill, .health, .results, .time-left, .btn)')]
            .filter(part => part.checkVisibility())
            .filter(part => part.getBoundingClientRect().right > cell.getBoundingClientRect().right + 1
                || part.getBoundingClientRect().left < cell.getBoundingClientRect().left - 1)
            .map(part => row.innerText + ': ' + part.className)))"""
    root = visit("root")
    for path in ("/", "/ui/admin"):
        root.go(path)
        for width in (1440, 1280, 1100, 1000, 850, 760):
            root.page.set_viewport_size({"width": width, "height": 800})
            assert root.page.evaluate(overlaps) == [], (path, width)


def test_tables_fit_so_that_their_buttons_cover_no_column(visit: Visit) -> None:
    wide = "boxes => boxes.filter(box => box.scrollWidth > box.clientWidth).map(box => box.innerText)"
    root = visit("root")
    for path in ("/ui/queue", "/ui/creations", "/ui/admin", "/ui/history"):
        root.go(path)
        for width in (1000, 768, 760, 745, 650):
            root.page.set_viewport_size({"width": width, "height": 800})
            assert root.page.locator(".table-box").evaluate_all(wide) == [], (path, width)


def test_a_menu_is_within_a_small_window(visit: Visit) -> None:
    alice = visit("alice")
    alice.page.set_viewport_size({"width": 640, "height": 400})  # 1280 by 800 pixels at a zoom of 200 %
    alice.go("/?q=cluster-02")
    alice.row("cluster-02").get_by_role("button", name="More cluster-02", exact=True).click()
    menu = alice.page.get_by_role("list", name="More actions for cluster-02")
    expect(menu).to_be_in_viewport(ratio=1)
    alice.row("cluster-02").get_by_role("button", name="Copy name cluster-02", exact=True).scroll_into_view_if_needed()
    expect(menu.get_by_role("button", name="Copy name")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("name", ["alice", "root"])
def test_axe_finds_nothing_in_rows_of_every_kind_and_open_lines(visit: Visit, small: str, name: str) -> None:
    person = visit(name)
    person.url = small
    person.page.context.add_init_script(AXE)
    person.go("/?sort=-left")
    person.opens("queue")
    person.opens("creations")
    check(person.page, "the dashboard with open lines")
