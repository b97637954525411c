"""What pages show when something is wrong or missing: a sentence and a next step, readable by everyone."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from tests.pages.conftest import Curl, Visit, pool_file, write_pool
from tests.pages.people import AXE, check
from tests.replica import Replica

BROKEN = {"name": "twin", "status": "busy"}
KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: here
clusters: [{name: here, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: anyone, user: {}}]
contexts: [{name: here, context: {cluster: here, user: anyone}}]
"""
DUPLICATE_IDS = """() => {
    const ids = [...document.querySelectorAll('[id]')].map(element => element.id);
    return ids.filter((id, place) => ids.indexOf(id) !== place);
}"""
both = pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])


@pytest.fixture
def records() -> list[object]:
    """The records of the pool."""
    return [{"name": "cluster-01", "status": "finished"}]


@pytest.fixture
def replica(replica: Replica, records: list[object]) -> Replica:
    """The server, over a pool of these records."""
    write_pool(replica, records)
    return replica


@both
def test_a_form_on_its_own_page_shows_a_refusal_and_leads_back(visit: Visit, curl: Curl, script: bool) -> None:
    alice = visit("alice", script)
    alice.go("/ui/hold?cluster=cluster-01&expect=vacant")
    curl("holdcluster", cluster="cluster-01", name="bob")
    alice.fill(desc="kept")
    refusal = alice.page.get_by_role("alert").get_by_text("cluster-01 is already held by bob until")
    expect(refusal).to_be_visible()
    expect(alice.page.get_by_text("With the reason “kept” and a duration of 6h")).to_be_visible()
    curl("releasecluster", cluster="cluster-01", name="bob")
    alice.go("/ui/hold?cluster=cluster-01&expect=vacant")
    alice.fill(desc="mine")
    alice.sees("cluster-01", "mine", state="held")
    expect(alice.page.get_by_text("You hold cluster-01 until")).to_be_visible()


@both
def test_a_name_that_is_refused_on_its_own_page_says_why(visit: Visit, script: bool) -> None:
    dora = visit(script=script)
    dora.go("/ui/whoami")
    dora.fill(name="a\u200bb")
    expect(dora.page.get_by_role("alert").get_by_text("this name cannot be used")).to_be_visible()


@both
def test_a_form_for_admins_says_so_before_it_is_filled_in(visit: Visit, script: bool) -> None:
    alice = visit("alice", script)
    alice.page.context.add_init_script(AXE)
    alice.go("/ui/admin/disable?cluster=cluster-01")
    expect(alice.page.get_by_role("alert").get_by_text("user alice is not authorized: only admins")).to_be_visible()
    if script:
        check(alice.page, "a form for admins")


@pytest.mark.parametrize("touch", [False, True], ids=["keyboard", "touch"])
def test_each_disabled_button_shows_its_reason(visit: Visit, touch: bool) -> None:
    alice = visit("alice", touch=touch)
    for path in ("/", "/ui/admin", "/ui/clusters/cluster-01"):
        alice.go(path)
        buttons = alice.page.get_by_role("button", disabled=True).all()
        assert buttons, path
        for button in buttons:
            reason = alice.page.locator(f"id={button.get_attribute('aria-describedby')}")
            expect(reason, path).to_be_hidden()
            if touch:
                button.tap(force=True)  # playwright waits for what is not aria-disabled
            else:
                button.press("Enter")
            expect(reason, path).to_be_visible()
            expect(reason, path).to_be_in_viewport(ratio=1)
            alice.page.keyboard.press("Escape")


@pytest.mark.parametrize("records", [[]])
def test_an_empty_pool_says_how_to_fill_it(visit: Visit) -> None:
    for name, next_step in (("alice", "An admin can add clusters"), ("root", "Add the first cluster")):
        person = visit(name)
        person.go()
        expect(person.page.get_by_text("The pool is empty.")).to_be_visible()
        expect(person.page.get_by_text(next_step)).to_be_visible()


@pytest.mark.parametrize("records", [[]])
def test_axe_finds_nothing_on_pages_of_an_empty_pool(visit: Visit) -> None:
    alice = visit("alice")
    alice.page.context.add_init_script(AXE)
    for path in ("/", "/ui/admin", "/ui/history", "/ui/queue", "/ui/creations", "/ui/usage"):
        alice.go(path)
        check(alice.page, f"{path} of an empty pool")


@pytest.mark.parametrize("records", [[BROKEN, {"name": "cluster-01", "status": "finished"}, BROKEN, 7]])
def test_equal_broken_records_are_told_apart(visit: Visit) -> None:
    root = visit("root")
    root.page.context.add_init_script(AXE)
    for path in ("/", "/ui/admin"):
        root.go(path)
        assert root.page.evaluate(DUPLICATE_IDS) == []
        check(root.page, f"{path} with broken records")
    root.go()
    root.row("twin").nth(1).get_by_role("link", name="twin").click()
    expect(root.page.get_by_text("'status' is neither 'finished' nor 'testing'", exact=True)).to_be_visible()
    check(root.page, "the page of a broken record")
    root.page.get_by_role("button", name="Delete").click()
    root.fill(typed="#2", reason="it is there twice")  # its page is gone, so the service redirects to the dashboard
    expect(root.page).to_have_url(f"{root.url}/")
    expect(root.row("twin")).to_have_count(1)


def test_while_the_store_fails_pages_say_what_to_do(visit: Visit, replica: Replica) -> None:
    file = pool_file(replica)
    away = file.with_name("away.db")
    alice = visit("alice", listening=False)
    alice.page.context.add_init_script(AXE)
    alice.go()
    file.rename(away)
    banner = alice.page.get_by_role("alert").filter(has_text="The store cannot be used.")
    expect(banner).to_contain_text("show the last known state, and changes fail until the store is back")
    check(alice.page, "the dashboard while the store fails")
    alice.press("cluster-01", "Hold")
    alice.fill(desc="kept")
    refusal = alice.page.get_by_role("dialog").get_by_role("alert")
    expect(refusal).to_contain_text("Nothing was changed. An operator must repair the store; try again after that.")
    check(alice.page, "a form while the store fails")
    away.rename(file)
    expect(banner).to_have_count(0)
    alice.fill()
    alice.sees("cluster-01", "kept", state="held")


def test_a_store_that_was_never_reached_has_a_page_that_waits(visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    alice = visit("alice", listening=False)
    alice.page.context.add_init_script(AXE)
    file = str(tmp_path / "kubeconfig")
    with Replica(tmp_path, "unreached", CIMASTER_STORE="kubernetes", KUBECONFIG=file) as replica:
        alice.url = replica.url
        for path in ("/", "/ui/history", "/ui/clusters/cluster-01"):
            alice.go(path)
            expect(alice.page.get_by_role("heading", name="The store cannot be reached")).to_be_visible()
            expect(alice.page.get_by_role("link", name="Try again")).to_have_attribute("href", path)
        expect(alice.page).to_have_title(re.compile("The store cannot be reached"))
        check(alice.page, "a page without a store")


@pytest.mark.parametrize("status", [404, 429, 502, 503, 504])
def test_the_error_page_of_a_proxy_is_never_swapped_in(visit: Visit, status: int) -> None:
    def proxy_answers(route: Route) -> None:
        route.fulfill(status=status, content_type="text/html", body="<h1>nginx</h1>")

    alice = visit("alice", listening=False)
    alice.page.clock.install()
    alice.go()
    alice.page.route("**/ui/fragments/**", proxy_answers)
    alice.page.route("**/ui/hold*", proxy_answers)
    alice.page.clock.run_for(12_000)
    expect(alice.page.get_by_text("Updates have stopped")).to_be_visible()
    alice.press("cluster-01", "Hold")
    expect(alice.page.get_by_role("alert").get_by_text("The service did not answer. Try again")).to_be_visible()
    expect(alice.page.get_by_role("heading", name="nginx")).to_have_count(0)
    alice.sees("cluster-01", state="vacant")
    alice.page.unroute_all()
    alice.page.clock.run_for(4_000)
    expect(alice.page.get_by_text("Updates have stopped")).to_be_hidden()


def test_axe_finds_nothing_in_a_page_whose_updates_have_stopped(visit: Visit) -> None:
    alice = visit("alice", listening=False)
    alice.page.context.add_init_script(AXE)
    alice.page.clock.install()
    alice.go()
    alice.gets(lambda route: route.abort())
    alice.page.clock.run_for(12_000)
    expect(alice.page.get_by_text("Updates have stopped")).to_be_visible()
    check(alice.page, "the dashboard without updates")


def test_printed_pages_have_the_table_and_no_buttons(visit: Visit, curl: Curl) -> None:
    curl("holdcluster", cluster="cluster-01", name="alice", desc="a long reason " * 9)
    alice = visit("alice")
    for path in ("/", "/ui/clusters/cluster-01", "/ui/history", "/ui/admin"):
        alice.go(path)
        alice.page.emulate_media(media="print")
        alice.page.set_viewport_size({"width": 700, "height": 900})
        expect(alice.page.get_by_text("cluster-01").first).to_be_visible()
        for button in alice.page.get_by_role("button").all():
            expect(button).to_be_hidden()
        assert not alice.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
