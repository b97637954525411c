"""The pages in a real browser, served by a real gunicorn: with script and without, by keyboard, light and dark."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from cimaster.repository.stores.sqlite import SQLiteStore
from tests.conditions import until
from tests.pages.conftest import NUMBERS, AddOne, Curl, Visit
from tests.pages.people import AXE, check
from tests.replica import Replica

ODD = [
    {"name": "twin", "status": "finished"},
    {"name": "twin", "status": "finished", "note": "</td>"},
    {"name": "ui <b>x</b> /#?", "status": "finished"},
    7,
]


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    """One server for all tests, over a file of its own with a few implausible records."""
    folder = tmp_path_factory.mktemp("served")
    store = SQLiteStore(str(folder / "pool.db"), "clusters")
    store.replace(store.read().replaced({"cluster.json": json.dumps(ODD)}, {}))
    store.close()
    with Replica(folder, CIMASTER_STORE=f"sqlite:{folder / 'pool.db'}") as replica:
        yield replica


both = pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])


@both
def test_hold_extend_and_release(visit: Visit, cluster: str, script: bool) -> None:
    alice = visit("alice", script)
    alice.go()
    alice.press(cluster, "Hold")
    alice.fill(duration="30m", desc="my reason")
    alice.sees(cluster, "alice", "my reason", state="held")
    expect(alice.page.get_by_text(f"You hold {cluster} until")).to_be_visible()
    alice.press(cluster, "Extend")
    expect(alice.page.get_by_label(re.compile(r"\+4 h Ends .* UTC, in 4 h (30|29) min"))).to_be_visible()
    alice.fill(**{"extend-4h": "on"})
    alice.sees(cluster, "4 h", state="held")
    alice.press(cluster, "Release")
    alice.sees(cluster, state="vacant")
    assert alice.page.url == f"{alice.url}/"


@both
def test_an_admin_maintains_the_inventory(visit: Visit, curl: Curl, script: bool) -> None:
    root, name = visit("root", script), f"new-{next(NUMBERS)}"
    root.go("/ui/admin")
    root.page.locator("#add-link").click()
    root.fill(cluster=name, region="us-west", labels="gpu=yes", note="fresh")
    root.sees(name, "us-west", "gpu=yes", "fresh", state="vacant")
    root.press(name, "Edit")
    root.fill(region="eu-central", note="")
    root.sees(name, "eu-central", state="vacant")
    expect(root.row(name)).not_to_contain_text("fresh")
    root.press(name, "Disable")
    root.fill(reason="waits for a switch")
    root.sees(name, "waits for a switch", state="disabled")
    root.press(name, "Enable")
    root.sees(name, state="vacant")
    curl("holdcluster", cluster=name, name="alice")
    root.press(name, "Delete")
    root.fill(typed=name, force="on", reason="not needed any more")
    expect(root.row(name)).to_have_count(0)
    assert root.page.url == f"{root.url}/ui/admin"


@both
def test_a_refused_form_keeps_what_was_entered(visit: Visit, cluster: str, script: bool) -> None:
    root = visit("root", script)
    root.go("/ui/admin")
    root.press(cluster, "Delete")
    root.fill(typed="something else", reason="a long reason")
    expect(root.page.get_by_role("alert").get_by_text(f"type {cluster} to delete it")).to_be_visible()
    assert root.page.locator("#form-reason").input_value() == "a long reason"
    root.fill(typed=cluster)
    expect(root.row(cluster)).to_have_count(0)


@both
def test_a_new_visitor_is_asked_for_a_name_once(visit: Visit, cluster: str, script: bool) -> None:
    dora = visit(script=script)
    dora.go()
    dora.press(cluster, "Hold")
    dora.fill(name="dora")
    dora.sees(cluster, "dora", state="held")
    expect(dora.page.get_by_text("dora unverified")).to_be_visible()
    dora.page.get_by_role("link", name="Change your name").click()
    dora.fill(name="dora.two")
    expect(dora.page.get_by_text("dora.two unverified")).to_be_visible()


def test_the_table_follows_changes_made_elsewhere(visit: Visit, cluster: str, curl: Curl) -> None:
    alice = visit("alice")
    alice.go()
    alice.sees(cluster, state="vacant")
    held = int(alice.page.locator(".card-held .card-number").inner_text())
    curl("holdcluster", cluster=cluster, name="bob", desc="by curl")
    expect(alice.row(cluster)).to_have_attribute("data-state", "held")
    expect(alice.page.locator(".card-held .card-number")).to_have_text(str(held + 1))


def test_an_update_leaves_the_other_rows_alone(visit: Visit, cluster: str, added: AddOne, curl: Curl) -> None:
    other = added(f"other-{next(NUMBERS)}")
    alice = visit("alice")
    alice.go()
    mark = "name => { document.querySelector(`tr:has(a[href$='${name}'])`).marked = true }"
    for name in (cluster, other):
        alice.page.evaluate(mark, name)
    curl("/holdcluster", cluster=cluster, name="bob")
    alice.sees(cluster, "bob", state="held")
    is_marked = "name => document.querySelector(`tr:has(a[href$='${name}'])`).marked === true"
    assert alice.page.evaluate(is_marked, other)
    alice.sees(other, state="vacant")


def test_only_a_pressed_button_shows_that_it_is_busy(visit: Visit, cluster: str, curl: Curl) -> None:
    curl("holdcluster", cluster=cluster, name="alice")
    alice = visit("alice")
    alice.go()
    poll = alice.holds_back("**/ui/fragments/clusters")
    expect(alice.page.locator("#clusters.htmx-request")).to_be_visible()
    expect(alice.row(cluster).get_by_text("Releasing…")).to_be_hidden()
    release = alice.holds_back("**/ui/release", "POST")
    alice.press(cluster, "Release")
    expect(alice.row(cluster).get_by_text("Releasing…")).to_be_visible()
    poll.let_go()
    release.let_go()
    alice.page.unroute_all()
    alice.sees(cluster, state="vacant")


RECEIVES_SLOWLY = """() => {
    const read = Response.prototype.text;
    Response.prototype.text = async function () {
        const content = await read.call(this);
        if (content && !window.deliver && this.url.includes('/ui/fragments/clusters'))
            await new Promise(done => { window.deliver = done; });
        return content;
    };
}"""
DELIVERS = """row => new Promise(done => {
    document.addEventListener('htmx:finally:request', event => {
        if (event.target.id === 'clusters') done(row.dataset.state);
    });
    window.deliver();
})"""


def test_a_poll_that_a_click_overtakes_is_dropped(visit: Visit, cluster: str, added: AddOne, curl: Curl) -> None:
    alice, other = visit("alice"), added(f"other-{next(NUMBERS)}")
    alice.go()
    alice.page.evaluate(RECEIVES_SLOWLY)
    poll = alice.holds_back("**/ui/fragments/clusters")
    poll.wait()
    for name in (cluster, other):
        curl("updatecluster", cluster=name, name="root", note="changed meanwhile")
    poll.let_go()
    alice.page.unroute_all()
    until(lambda: alice.page.evaluate("window.deliver !== undefined"))
    alice.press(cluster, "Hold")
    alice.fill(desc="a run")
    alice.sees(cluster, "a run", state="held")
    assert alice.row(cluster).evaluate(DELIVERS) == "held"
    alice.sees(other, "changed meanwhile", state="vacant")


def test_nothing_new_is_304(visit: Visit, cluster: str) -> None:
    alice = visit("alice")
    alice.go()
    wanted = "/ui/fragments/clusters"  # the first poll may still show a change by another test
    with alice.page.expect_response(lambda answer: answer.url.endswith(wanted) and answer.status == 304):
        pass


def test_the_answer_to_a_click_has_the_row_that_it_changed(visit: Visit, cluster: str) -> None:
    alice = visit("alice")
    alice.go()
    alice.press(cluster, "Hold")
    with alice.page.expect_response("**/ui/hold") as answer:
        alice.fill(desc="quick")
    assert answer.value.status == 200
    assert 'data-state="held"' in answer.value.text()
    assert "quick" in answer.value.text()
    assert "<table" not in answer.value.text()


def test_a_stale_hold_button_is_409_with_the_holder(visit: Visit, cluster: str, curl: Curl) -> None:
    alice = visit("alice")
    alice.go()
    alice.press(cluster, "Hold")
    expect(alice.page.locator("#form")).to_be_visible()
    curl("holdcluster", cluster=cluster, name="bob")
    with alice.page.expect_response("**/ui/hold") as answer:
        alice.fill(desc="too late")
    assert answer.value.status == 409
    alert = alice.page.get_by_role("dialog").get_by_role("alert")
    expect(alert).to_contain_text(f"{cluster} is already held by bob until")
    alice.page.keyboard.press("Escape")
    alice.sees(cluster, "bob", state="held")


def test_a_refused_click_in_a_row_leaves_the_table(visit: Visit, cluster: str, curl: Curl) -> None:
    curl("holdcluster", cluster=cluster, name="alice")
    alice = visit("alice")
    alice.go()
    alice.keeps_state()
    curl("releasecluster", cluster=cluster, name="alice")
    curl("holdcluster", cluster=cluster, name="bob")
    alice.press(cluster, "Release")
    expect(alice.page.locator("#alerts")).to_contain_text(f"user alice is not authorized: {cluster} is held by bob")
    alice.sees(cluster, state="held")


def _proxy_speaks(route: Route) -> None:
    """Answer as a proxy does when its service is down."""
    route.fulfill(status=502, content_type="text/html", body="<h1>502 Bad Gateway</h1>")


@pytest.mark.parametrize("fails", [lambda route: route.abort(), _proxy_speaks])
def test_a_click_without_an_answer_shows_a_message(visit: Visit, cluster: str, fails: Callable[[Route], None]) -> None:
    alice = visit("alice", listening=False)
    alice.page.context.add_init_script(AXE)
    alice.go()
    alice.page.route("**/ui/hold*", fails)
    alice.press(cluster, "Hold")
    expect(alice.page.locator("#alerts")).to_contain_text("The service did not answer. Try again in a moment.")
    assert not alice.page.locator("#dialog").is_visible()
    alice.page.unroute_all()
    alice.press(cluster, "Hold")
    expect(alice.page.locator("#form")).to_be_visible()
    alice.page.route("**/ui/hold*", fails)
    for _ in range(2):
        alice.fill(desc="a run")
        expect(alice.page.locator("#form-alert")).to_have_count(1)
        expect(alice.page.locator("#form #form-alert")).to_have_text(
            "The service did not answer, so the change may or may not have been made. "
            "Check the current state, then try again."
        )
    assert alice.page.locator("#form-desc").input_value() == "a run"
    check(alice.page, "an unanswered form")
    alice.page.unroute_all()
    alice.fill()
    alice.sees(cluster, "a run", state="held")


def test_the_filter_follows_typing_and_survives_updates(visit: Visit, cluster: str, curl: Curl) -> None:
    alice = visit("alice")
    alice.go("/?state=vacant")
    search = alice.page.get_by_label("Search")
    search.press_sequentially(cluster)
    expect(alice.page.locator("#count")).to_contain_text("1 of")
    expect(alice.page).to_have_url(f"{alice.url}/?state=vacant&q={cluster}")
    curl("holdcluster", cluster=cluster, name="bob")
    expect(alice.page.get_by_text("No cluster matches")).to_be_visible()
    expect(search).to_be_focused()
    expect(search).to_have_value(cluster)
    alice.page.reload()
    expect(search).to_have_value(cluster)


def test_everything_is_done_by_keyboard_and_the_focus_stays(visit: Visit, cluster: str) -> None:
    alice = visit("alice")
    alice.go(f"/?q={cluster}")
    press = alice.page.keyboard.press
    press("Tab")
    expect(alice.page.get_by_role("link", name="Skip to content")).to_be_focused()
    press("Tab")
    expect(alice.page.get_by_role("link", name="Skip to the clusters")).to_be_focused()
    press("Enter")
    hold = alice.row(cluster).get_by_role("button", name=f"Hold {cluster}")
    for _ in range(8):  # with the presses before, and the one that acts: at most 12
        press("Tab")
        if hold.evaluate("button => button === document.activeElement"):
            break
    expect(hold).to_be_focused()
    press("Enter")
    expect(alice.page.locator("#form-desc")).to_be_focused()
    press("Escape")
    expect(hold).to_be_focused()
    press("Enter")
    expect(alice.page.locator("#form-desc")).to_be_focused()
    alice.page.keyboard.type("by keyboard")
    press("Enter")
    alice.sees(cluster, "by keyboard", state="held")
    name = alice.row(cluster).get_by_role("link", name=cluster)
    expect(name).to_be_focused()
    press("Tab")
    expect(alice.row(cluster).get_by_role("link", name="alice")).to_be_focused()
    press("Tab")
    expect(alice.row(cluster).get_by_role("button", name=f"Release {cluster}")).to_be_focused()
    alice.rests()
    press("Enter")
    alice.sees(cluster, state="vacant")
    expect(name).to_be_focused()


def test_a_banner_reports_a_store_failure_and_goes_away(visit: Visit, cluster: str, replica: Replica) -> None:
    alice = visit("alice")
    alice.go()
    file = Path(replica.server.environment["CIMASTER_STORE"].removeprefix("sqlite:"))
    away = file.with_name("away.db")
    file.rename(away)
    try:
        expect(alice.page.locator("#warnings")).to_contain_text("The store cannot be used.")
        alice.sees(cluster, state="vacant")
    finally:
        away.rename(file)
    expect(alice.page.locator("#warnings .strip")).to_have_count(0)


def test_a_banner_reports_that_updates_stopped_and_goes_away(visit: Visit, cluster: str) -> None:
    alice = visit("alice", listening=False)
    alice.page.clock.install()
    alice.go()
    alice.gets(lambda route: route.abort())
    alice.page.clock.run_for(12_000)
    expect(alice.page.locator("#stale")).to_contain_text(re.compile(r"Last update [1-5]\d s ago, retrying"))
    alice.page.unroute_all()
    alice.page.clock.run_for(4_000)
    expect(alice.page.locator("#stale")).to_be_hidden()


def test_time_counts_down_between_updates(visit: Visit, cluster: str, curl: Curl) -> None:
    curl("holdcluster", cluster=cluster, name="alice", duration="40m")
    alice = visit("alice")
    alice.page.clock.install()
    alice.go()
    alice.keeps_state()
    alice.passes(minutes=11)
    expect(alice.row(cluster).locator("time[data-left]")).to_have_class("time-left time-left-soon")


@pytest.fixture
def busy(replica: Replica, curl: Curl, added: AddOne) -> str:
    """A cluster in every state; returns one that alice holds."""
    for number, state in enumerate(("held", "mine", "occupied", "disabled", "waiting")):
        name = f"{state}-{next(NUMBERS)}-{'long-name-' * number}x"
        added(name, note="a <b>note</b>", label="gpu=yes")
        if state in ("occupied", "waiting"):
            assert replica.get("/getvacant", cluster=name, job="e2e-conformance", build="12345", name="john").ok
        if state in ("held", "mine", "waiting"):
            curl(
                "holdcluster", cluster=name, name="bob" if state == "held" else "alice", duration="9m", desc="why " * 20
            )
        if state == "disabled":
            curl("disablecluster", cluster=name, name="root", reason="waits for a new switch")
    return next(name for name in replica.get("/clusters", holder="alice").text.split() if name.startswith("mine-"))


@pytest.mark.parametrize("name", ["", "alice", "root"])
def test_axe_finds_nothing_on_any_page(visit: Visit, busy: str, cluster: str, name: str) -> None:
    person = visit(name)
    person.page.context.add_init_script(AXE)
    admins = ["admin/takeover", "admin/add", "admin/edit", "admin/disable", "admin/enable", "admin/delete"]
    of_a_cluster = {"": ["hold"], "alice": ["extend", "release"], "root": admins}
    pages = {
        "": ["/", "/ui/whoami", "/ui/clusters/gone"],
        "alice": ["/?q=nothing-at-all", "/ui/admin", f"/ui/hold?cluster={busy}&expect=vacant"],
        "root": ["/", "/ui/admin", f"/ui/clusters/{busy}"],
    }
    for path in pages[name] + [f"/ui/{verb}?cluster={busy}" for verb in of_a_cluster[name]]:
        person.go(path)
        check(person.page, f"{path} for {name or 'a new visitor'}")


def test_axe_finds_nothing_with_dialog_error_and_toast(visit: Visit, busy: str, cluster: str, curl: Curl) -> None:
    alice = visit("alice")
    alice.page.context.add_init_script(AXE)
    alice.go()
    alice.press(cluster, "Hold")
    expect(alice.page.locator("#form")).to_be_visible()
    check(alice.page, "the dialog")
    curl("holdcluster", cluster=cluster, name="bob")
    alice.fill(desc="x")
    expect(alice.page.locator("#form-alert")).to_be_visible()
    check(alice.page, "the dialog with an error")
    alice.page.keyboard.press("Escape")
    alice.keeps_state()
    curl("releasecluster", cluster=busy, name="alice")
    curl("holdcluster", cluster=busy, name="bob")
    alice.press(busy, "Release")
    expect(alice.page.locator("#alerts .alert")).to_be_visible()
    check(alice.page, "the table with an error")
    alice.page.unroute_all()
    curl("releasecluster", cluster=busy, name="bob")
    alice.press(busy, "Hold")
    alice.fill(desc="mine again")
    expect(alice.page.locator("#toasts .toast")).to_be_visible()
    check(alice.page, "the table with a word of success")


def test_axe_finds_nothing_without_script(visit: Visit, busy: str) -> None:
    alice = visit("alice", listening=False)
    alice.page.context.add_init_script(AXE)
    alice.page.route("**/*.js*", lambda route: route.abort())
    alice.go()
    check(alice.page, "/ without our scripts")
