"""Creations and policies in a real browser: with script and without, by keyboard, light and dark, wide and narrow."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.conditions import until
from tests.pages.conftest import Curl, Visit
from tests.pages.people import AXE, Person, check
from tests.provisioners.trigger import Answer, ScriptedTrigger, begun, said
from tests.replica import Replica

JSON = {"Accept": "application/json"}
both = pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
_numbers = itertools.count(1)


def answer(_path: str, body: dict[str, Any]) -> Answer:
    """Start the job, unless its name demands a failure; it runs until the end of the tests."""
    if not body:
        return said(200, state="pending", complete=False)
    if body["prowjob"] == "waits":
        status, headers, content = said(503, message="Prow is away")
        return status, {**headers, "Retry-After": "300"}, content  # a page must not show the moment of the next try
    if body["prowjob"] == "fails":
        return said(400, message=f"there is no such job: {'a-long-name-' * 20}")
    return begun(f"{body['prowjob']}-{body['request_id']}", log_link="https://prow/log")


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    """A server whose clusters are created by a scripted trigger."""
    folder = tmp_path_factory.mktemp("creating")
    with (
        ScriptedTrigger(answer) as trigger,
        Replica(
            folder,
            CIMASTER_STORE=f"sqlite:{folder / 'pool.db'}",
            CIMASTER_PROW_URL=trigger.url,
            CIMASTER_DEFAULT_PROW_JOB="usual-job",
        ) as replica,
    ):
        yield replica


def creations(replica: Replica) -> list[dict[str, Any]]:
    """Return what the API lists."""
    found: list[dict[str, Any]] = replica.http.get(f"{replica.url}/creations", headers=JSON).json()["creations"]
    return found


@pytest.fixture(autouse=True)
def _tidy(replica: Replica) -> Iterator[None]:
    """Remove all creations after a test, so that pages stay small."""
    yield
    until(lambda: not [creation for creation in creations(replica) if not gone(replica, creation)])


def gone(replica: Replica, creation: dict[str, Any]) -> bool:
    """End a creation and dismiss it; say whether that was possible, which it is not while it is being started."""
    if creation["state"] == "running":
        end(replica, creation["id"], cluster := f"gone-{next(_numbers)}")
        replica.http.post(f"{replica.url}/deletecluster", {"cluster": cluster, "name": "root"})
    return dismissed(replica, creation["id"])


def dismissed(replica: Replica, identity: str) -> bool:
    """Dismiss a creation; say whether that was possible."""
    answer = replica.http.post(f"{replica.url}/creations", {"dismiss": identity, "name": "root"})
    return answer.status_code in (200, 404)


def end(replica: Replica, identity: str, cluster: str) -> None:
    """Add the cluster of a creation."""
    fields = {"cluster": cluster, "region": "us-west", "name": "root", "creation": identity}
    assert replica.http.post(f"{replica.url}/addcluster", fields).ok


def request_cluster(replica: Replica, job: str, user: str = "john", purpose: str = "tess-ci") -> str:
    """Request a cluster; return the id of its creation once the trigger has answered."""
    fields = {"name": user, "job": job, "purpose": purpose}
    assert replica.http.post(f"{replica.url}/ui/create", fields).ok
    until(lambda: creations(replica)[0].get("tries") or creations(replica)[0].get("failure"))
    until(lambda: job == "waits" or creations(replica)[0]["state"] != "requested")
    until(lambda: job != "waits" or creations(replica)[0].get("reason"))
    replica.http.cookies.clear()
    return str(creations(replica)[0]["id"])


def row(person: Person, words: str) -> Locator:
    """Find the row of a creation; on the dashboard the creations are opened for that."""
    person.opens("creations")
    return person.page.locator("#creations tr.row").filter(has_text=words)


def reloaded(person: Person, words: str) -> str:
    """Open the page again, and return the text of the row of a creation."""
    person.go()
    return row(person, words).inner_text()


@both
def test_a_creation_is_requested_and_repeated_after_confirmation(visit: Visit, script: bool) -> None:
    user = f"alice-{script}".lower()
    alice = visit(user, script)
    alice.go()
    alice.page.locator("#create-link").click()
    alice.fill(purpose="gpu-ci", branch="release-1.32")
    expect(alice.page.get_by_text("Requested a cluster for gpu-ci")).to_be_visible()
    if not script:
        until(lambda: "running" in reloaded(alice, user))
    expect(row(alice, user)).to_contain_text("running")
    expect(row(alice, user)).to_contain_text("release-1.32")
    assert alice.page.url == f"{alice.url}/"
    alice.page.locator("#create-link").click()
    alice.fill(purpose="gpu-ci", branch="release-1.32")
    expect(alice.page.get_by_role("alert").get_by_text("is already being created for")).to_be_visible()
    alice.page.get_by_role("button", name="Create another one anyway").click()
    expect(row(alice, user)).to_have_count(2)


@both
def test_a_failed_creation_is_retried_and_dismissed(visit: Visit, replica: Replica, script: bool) -> None:
    request_cluster(replica, "fails", user="john")
    alice = visit("alice", script)
    alice.go()
    row(alice, "failed").get_by_role("button", name="Retry tess-ci for john").click()
    expect(alice.page.get_by_text("is requested again")).to_be_visible()
    until(lambda: script or "failed" in reloaded(alice, "john"))
    expect(row(alice, "retried by alice")).to_contain_text("failed")
    row(alice, "failed").get_by_role("button", name="Dismiss tess-ci for john").click()
    expect(alice.page.get_by_text("is dismissed")).to_be_visible()
    expect(row(alice, "john")).to_have_count(0)
    assert alice.page.url == f"{alice.url}/"


@both
def test_a_new_visitor_is_asked_for_a_name(visit: Visit, replica: Replica, script: bool) -> None:
    request_cluster(replica, "fails", user="john")
    dora = visit(script=script)
    dora.go()
    row(dora, "failed").get_by_role("button", name="Retry tess-ci for john").click()
    dora.fill(name="dora")
    expect(dora.page.get_by_text("dora unverified")).to_be_visible()
    expect(row(dora, "retried by dora")).to_be_visible()


@both
def test_an_admin_maintains_policies(visit: Visit, script: bool) -> None:
    root, purpose = visit("root", script), f"purpose-{script}".lower()
    root.go("/ui/admin")
    root.page.locator("#policy-link").click()
    root.fill(purpose=purpose, min_vacant="2", max_total="1", hours="Mon-Fri 07:00-19:00")
    expect(root.page.get_by_role("alert").get_by_text("give a max_total of at least")).to_be_visible()
    expect(root.page.locator("#form-hours")).to_have_value("Mon-Fri 07:00-19:00")
    if script:
        expect(root.page.locator("#form-max_total")).to_be_focused()
    root.fill(max_total="4")
    policy = root.page.locator("#policies tr.row").filter(has_text=purpose)
    expect(policy).to_contain_text("Mon-Fri 07:00-19:00")
    policy.get_by_role("button", name=f"Edit {purpose}").click()
    root.fill(hours="", min_vacant="3")
    expect(policy).to_contain_text("always")
    expect(policy).to_contain_text("0 of 3 vacant")
    root.go()
    root.opens("creations")
    expect(root.page.locator("#creations li").filter(has_text=purpose)).to_contain_text("0 of 3 vacant")
    expect(root.page.get_by_text("Automatic top-up is off")).to_be_visible()
    root.page.get_by_role("button", name=f"Edit {purpose}").click()
    root.fill(min_vacant="1")
    expect(root.page.locator("#creations li").filter(has_text=purpose)).to_contain_text("0 of 1 vacant")
    root.go("/ui/admin")
    policy.get_by_role("button", name=f"Remove {purpose}").click()
    root.fill()
    expect(policy).to_have_count(0)


def test_the_panel_follows_what_happens_elsewhere(visit: Visit, replica: Replica) -> None:
    alice = visit("alice")
    alice.go()
    line = alice.page.locator("#creations-line")
    expect(line).to_be_hidden()
    identity, cluster = request_cluster(replica, "build"), f"built-{next(_numbers)}"
    expect(line.get_by_text("1 being created")).to_be_visible()
    expect(row(alice, "john")).to_contain_text("running")
    expect(row(alice, "john").get_by_role("link", name="log")).to_have_attribute("rel", "noopener")
    end(replica, identity, cluster)
    row(alice, "ready").get_by_role("link", name=cluster).click()
    expect(alice.page.get_by_role("heading", name=cluster)).to_be_visible()


def test_a_pressed_button_shows_that_it_is_busy(visit: Visit, replica: Replica) -> None:
    request_cluster(replica, "fails")
    alice = visit("alice")
    alice.go()
    dismissal = alice.holds_back("**/ui/dismiss", "POST")
    row(alice, "failed").get_by_role("button", name="Dismiss").click()
    expect(row(alice, "failed").get_by_text("Dismissing…")).to_be_visible()
    expect(row(alice, "failed").get_by_text("Retrying…")).to_be_hidden()
    dismissal.let_go()
    expect(row(alice, "failed")).to_have_count(0)


def test_a_refused_click_shows_the_reason_and_the_current_state(visit: Visit, replica: Replica) -> None:
    identity = request_cluster(replica, "fails")
    alice = visit("alice")
    alice.go()
    alice.keeps_state()
    assert dismissed(replica, identity)
    row(alice, "failed").get_by_role("button", name="Retry").click()
    expect(alice.page.locator("#alerts")).to_contain_text(f"creation {identity} is not known")
    alice.page.unroute_all()
    expect(row(alice, "failed")).to_have_count(0)


def test_keyboard_focus_stays_in_the_row_and_then_goes_to_its_neighbour(visit: Visit, replica: Replica) -> None:
    request_cluster(replica, "fails", user="first")
    request_cluster(replica, "fails", user="second")
    alice = visit("alice")
    alice.go()
    dismiss = row(alice, "for second").get_by_role("button", name="Dismiss")
    dismiss.focus()
    alice.page.keyboard.press("Enter")
    expect(row(alice, "for second")).to_have_count(0)
    expect(row(alice, "for first").get_by_role("rowheader")).to_be_focused()
    alice.rests()
    row(alice, "for first").get_by_role("button", name="Retry").focus()
    alice.page.keyboard.press("Enter")
    expect(row(alice, "retried by alice")).to_contain_text("failed")
    expect(row(alice, "for first").locator(":focus")).to_have_count(1)


def test_the_time_to_the_next_try_counts_down(visit: Visit, replica: Replica) -> None:
    request_cluster(replica, "waits")
    alice = visit("alice")
    alice.page.clock.install()
    alice.go()
    alice.keeps_state()
    expect(row(alice, "waiting to start: manual-trigger answered 503: Prow is away")).to_be_visible()
    alice.passes(minutes=10)
    expect(row(alice, "next try in a moment")).to_be_visible()
    expect(row(alice, "waits").locator("time[data-left]")).to_contain_text("1 h 4")


def test_nothing_new_is_304(visit: Visit, replica: Replica) -> None:
    request_cluster(replica, "build")
    alice = visit("alice")
    alice.go()
    wanted = "/ui/fragments/creations"
    with alice.page.expect_response(lambda answer: answer.url.endswith(wanted) and answer.status == 304):
        pass


@pytest.fixture
def busy(replica: Replica, curl: Curl) -> Iterator[str]:
    """A creation in each state, and policies; returns the id of one that failed."""
    end(replica, request_cluster(replica, "build", user="erin"), cluster := f"built-{next(_numbers)}")
    request_cluster(replica, "build", user="policy", purpose="purpose-" + "long-" * 15)
    request_cluster(replica, "waits")
    failed = request_cluster(replica, "fails")
    for purpose in ("tess-ci", "purpose-" + "long-" * 15):
        terms = {"min_vacant": "3", "max_total": "9", "hours": "Mon-Fri 07:00-19:00, Sat 08:00-12:00"}
        curl("setpolicy", purpose=purpose, name="root", **terms)
    yield failed
    for purpose in ("tess-ci", "purpose-" + "long-" * 15):
        curl("removepolicy", purpose=purpose, name="root")
    curl("deletecluster", cluster=cluster, name="root")


@pytest.mark.parametrize("name", ["", "alice", "root"])
def test_axe_finds_nothing_on_any_page(visit: Visit, busy: str, name: str) -> None:
    person = visit(name)
    person.page.context.add_init_script(AXE)
    pages = {
        "": ["/", f"/ui/retry?retry={busy}", "/ui/create"],
        "alice": [
            "/",
            "/ui/creations",
            "/ui/admin",
            f"/ui/dismiss?dismiss={busy}",
            "/ui/create",
            "/ui/retry?retry=c-0",
        ],
        "root": ["/", "/ui/admin", *(f"/ui/admin/{verb}policy?purpose=tess-ci" for verb in ("add", "edit", "remove"))],
    }
    for path in pages[name]:
        person.go(path)
        person.opens("creations")
        check(person.page, f"{path} for {name or 'a new visitor'}")


def test_axe_finds_nothing_with_dialog_error_and_toast(visit: Visit, busy: str) -> None:
    root = visit("root")
    root.page.context.add_init_script(AXE)
    root.go("/ui/admin")
    root.page.locator("#policy-link").click()
    root.fill(purpose="other", min_vacant="1", max_total="2", hours="always on Sundays")
    expect(root.page.locator("#form-alert")).to_be_visible()
    check(root.page, "the dialog with an error")
    root.page.keyboard.press("Escape")
    root.go()
    row(root, "failed").get_by_role("button", name="Dismiss").click()
    expect(root.page.locator("#toasts .toast")).to_be_visible()
    check(root.page, "the first page with a word of success")
