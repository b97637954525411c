"""Signing in and out in a real browser: keyboard, sessions that end, other sites, and two people at one machine."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Page, expect
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from tests.pages.people import AXE, PATIENCE, Person, check
from tests.replica import Replica
from tests.required import bearer, token_of, write_files
from tests.server import free_ports

ALICE, BOB, READER, ADMIN = "person-1", "person-2", "reader-1", "admin-1"
SESSION = "cimaster_session"
CLUSTER = "cluster-01"
SIGNED_OUT = "You are signed out, so this page is no longer updated."


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    """A server that requires credentials, with one cluster."""
    folder = tmp_path_factory.mktemp("served")
    files = write_files(folder / "auth")
    settings: dict[str, Any] = {
        "CIMASTER_STORE": f"sqlite:{folder / 'pool.db'}",
        "CIMASTER_AUTH": "required",
        "CIMASTER_TOKEN_FILE": str(files.tokens),
        "CIMASTER_ROLES_FILE": str(files.roles),
        "CIMASTER_SESSION_KEY_FILE": str(files.session_keys),
    }
    with Replica(folder, **settings) as replica:
        call(replica, "addcluster", cluster=CLUSTER, region="eu")
        yield replica


def call(replica: Replica, verb: str, caller: str = ADMIN, **fields: str) -> None:
    """Make a change outside the browser."""
    answer = replica.http.post(f"{replica.url}/{verb}", fields, headers=bearer(caller))
    assert answer.ok, answer.text


def state(replica: Replica) -> dict[str, Any]:
    """Return the cluster as an admin sees it."""
    headers = {**bearer(ADMIN), "Accept": "application/json"}
    answer = replica.http.get(f"{replica.url}/clusters/{CLUSTER}", headers=headers)
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture(autouse=True)
def _vacant(replica: Replica) -> Iterator[None]:
    yield
    call(replica, "releasecluster", cluster=CLUSTER, reason="the test is over")


@pytest.fixture
def machine(browser: Browser, replica: Replica) -> Iterator[BrowserContext]:
    """The browser of a machine, without a session."""
    context, errors = browser.new_context(reduced_motion="reduce"), []
    context.set_default_timeout(PATIENCE)
    context.on("weberror", lambda error: errors.append(str(error.error)))
    yield context
    context.close()
    assert errors == []


def signs_in(page: Page, name: str) -> None:
    """Fill in and send the form that is open."""
    page.get_by_label("Your token").fill(token_of(name))
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".visitor-name")).to_contain_text(name)


@pytest.fixture
def alice(machine: BrowserContext, replica: Replica) -> Person:
    """A person that has signed in and sees the dashboard."""
    assert machine.request.post(f"{replica.url}/ui/signin", form={"token": token_of(ALICE)}).ok
    person = Person(machine.new_page(), replica.url)
    person.go()
    expect(person.page.locator(".visitor-name")).to_contain_text(ALICE)
    return person


def session(context: BrowserContext) -> str:
    """Return the session that the browser keeps; empty if it has none."""
    return next((each.get("value", "") for each in context.cookies() if each.get("name") == SESSION), "")


def sign_out_elsewhere(replica: Replica, cookie: str) -> None:
    """Sign out in another browser with the same session."""
    answer = requests.post(f"{replica.url}/ui/signout", cookies={SESSION: cookie}, timeout=30)
    assert "You are signed out, in all browsers" in answer.text


# --- signing in ------------------------------------------------------------------------------------------------------


def test_a_person_signs_in_with_the_keyboard_and_holds(machine: BrowserContext, replica: Replica) -> None:
    page = machine.new_page()
    page.goto(f"{replica.url}/?q={CLUSTER}")
    expect(page.get_by_label("Your token")).to_be_focused()
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#form-alert")).to_contain_text("this token is unknown or has expired")
    expect(page.get_by_label("Your token")).to_be_focused()
    expect(page.get_by_label("Your token")).to_have_value("")
    page.keyboard.type(token_of(ALICE))
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{replica.url}/?q={CLUSTER}")
    person = Person(page, replica.url)
    person.press(CLUSTER, "Hold")
    expect(page.locator("#form-name")).to_have_count(0)
    person.fill(desc="without a name")
    person.sees(CLUSTER, ALICE, "without a name", state="held")


def test_without_script_a_person_signs_in_holds_and_signs_out(browser: Browser, replica: Replica) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{replica.url}/ui/hold?cluster={CLUSTER}")
    signs_in(page, ALICE)
    expect(page).to_have_url(f"{replica.url}/ui/hold?cluster={CLUSTER}")
    page.click("#form-send")
    assert state(replica)["holdBy"] == ALICE
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{replica.url}/ui/signin")
    expect(page.get_by_text("You are signed out, in all browsers")).to_be_visible()
    assert session(context) == ""
    context.close()


def test_axe_finds_nothing_in_pages_about_the_session(machine: BrowserContext, replica: Replica) -> None:
    page = machine.new_page()
    page.add_init_script(AXE)
    page.goto(f"{replica.url}/ui/signin")
    check(page, "the form for signing in")
    page.get_by_label("Your token").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#form-alert")).to_be_visible()
    check(page, "a refused token")
    signs_in(page, READER)
    for path in ("/ui/whoami", "/", "/ui/signin"):
        page.goto(replica.url + path)
        check(page, path)
    page.goto(replica.url)
    sign_out_elsewhere(replica, session(machine))
    expect(page.get_by_text(SIGNED_OUT)).to_be_visible()
    check(page, "a page without a session")


# --- the end of a session --------------------------------------------------------------------------------------------


def test_an_open_page_says_once_that_its_session_is_over(alice: Person, replica: Replica) -> None:
    page = alice.page
    with alice.in_one_moment():  # after 15 s, the page would poll again
        sign_out_elsewhere(replica, session(page.context))
        expect(page.get_by_role("alert").filter(has_text=SIGNED_OUT)).to_have_count(1)
        expect(page.locator("#stale")).to_be_hidden()
        expect(page.locator(".alerts .alert")).to_have_count(0)
        sent = page.evaluate(
            """() => {
                let sent = 0;
                document.addEventListener('htmx:before:request', () => sent++);
                for (const poll of document.querySelectorAll('[data-live]')) htmx.trigger(poll, 'every');
                htmx.trigger(document.body, 'pool-changed');
                return sent;
            }"""
        )
    assert sent == 0
    page.get_by_role("link", name="Sign in").click()
    signs_in(page, ALICE)
    expect(page).to_have_url(f"{replica.url}/")


def test_an_open_page_goes_on_after_signing_in_in_another_tab(alice: Person, replica: Replica) -> None:
    page = alice.page
    sign_out_elsewhere(replica, session(page.context))
    expect(page.get_by_text(SIGNED_OUT)).to_be_visible()
    tab = page.context.new_page()
    tab.goto(replica.url)
    signs_in(tab, ALICE)
    page.bring_to_front()
    page.evaluate("dispatchEvent(new Event('focus'))")
    expect(page.get_by_text(SIGNED_OUT)).to_be_hidden()
    call(replica, "holdcluster", BOB, cluster=CLUSTER)
    alice.sees(CLUSTER, BOB, state="held")


def test_a_filled_form_survives_the_end_of_the_session(alice: Person, replica: Replica) -> None:
    page = alice.page
    alice.press(CLUSTER, "Hold")
    expect(page.locator("#form")).to_be_visible()
    sign_out_elsewhere(replica, session(page.context))
    alice.fill(desc="long text")
    alert = page.locator("dialog").get_by_role("alert")
    expect(alert).to_contain_text("You are signed out, so nothing was changed")
    expect(page.locator("#form-desc")).to_have_value("long text")
    with page.context.expect_page() as opened:
        alert.get_by_role("link").click()
    signs_in(opened.value, ALICE)
    page.bring_to_front()
    page.evaluate("dispatchEvent(new Event('focus'))")
    expect(page.get_by_text(SIGNED_OUT)).to_be_hidden()
    alice.rests()
    page.locator("#form-send").click()
    alice.sees(CLUSTER, ALICE, "long text", state="held")


def test_a_stolen_session_is_over_with_the_sign_out(alice: Person, replica: Replica) -> None:
    stolen = {SESSION: session(alice.page.context)}
    before = requests.get(replica.url, cookies=stolen, timeout=30)
    assert ALICE in before.text
    alice.page.get_by_role("button", name="Sign out").click()
    expect(alice.page).to_have_url(f"{replica.url}/ui/signin")
    page = requests.get(replica.url, cookies=stolen, timeout=30, allow_redirects=False)
    assert (page.status_code, page.headers["Location"]) == (303, "/ui/signin")
    change = requests.post(f"{replica.url}/holdcluster", {"cluster": CLUSTER}, cookies=stolen, timeout=30)
    assert (change.status_code, change.headers["CIMaster-Code"]) == (401, "bad_credential")


# --- other people and other sites ------------------------------------------------------------------------------------


def test_a_session_planted_before_is_replaced(machine: BrowserContext, replica: Replica) -> None:
    planted = requests.post(
        f"{replica.url}/ui/signin", {"token": token_of(BOB)}, timeout=30, allow_redirects=False
    ).cookies[SESSION]
    machine.add_cookies([{"name": SESSION, "value": planted, "url": replica.url}])
    page = machine.new_page()
    page.goto(f"{replica.url}/ui/signin")
    signs_in(page, ALICE)
    assert session(machine) not in ("", planted)
    page.goto(f"{replica.url}/ui/whoami")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"You are {ALICE}")


def test_the_next_person_sees_nothing_of_the_one_before(alice: Person, replica: Replica) -> None:
    page = alice.page
    alice.go(f"/?holder={ALICE}")
    alice.go("/ui/whoami")
    page.get_by_role("button", name="Sign out").first.click()
    expect(page).to_have_url(f"{replica.url}/ui/signin")
    page.go_back()
    expect(page.get_by_label("Your token")).to_be_visible()
    expect(page.locator("body")).not_to_contain_text(ALICE)
    page.goto(f"{replica.url}/ui/signin")
    signs_in(page, BOB)
    expect(page).to_have_url(f"{replica.url}/")
    expect(page.locator("body")).not_to_contain_text(ALICE)
    page.go_back()
    page.go_back()
    expect(page.locator("body")).not_to_contain_text(ALICE)


def test_a_page_of_the_person_before_is_reloaded_for_the_next(alice: Person, replica: Replica) -> None:
    page, tab = alice.page, alice.page.context.new_page()
    tab.goto(replica.url)
    tab.get_by_role("button", name="Sign out").click()
    signs_in(tab, BOB)
    page.bring_to_front()
    expect(page.locator(".visitor-name")).to_contain_text(BOB)


class OtherSite:
    """A site whose page attacks: a form that sends itself, requests by script, an image and a frame."""

    def __init__(self, target: str, port: int) -> None:
        self.url, self.target = f"http://127.0.0.1:{port}", target
        self._server = make_server("127.0.0.1", port, self._app, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> "OtherSite":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def page(self, path: str) -> str:
        """Return a page that attacks in one way."""
        hold = f"cluster={CLUSTER}&name={ALICE}"
        fields = f'<input name="cluster" value="{CLUSTER}"><input name="token" value="{token_of(BOB)}">'
        pages = {
            "/form": f'<form method="post" action="{self.target}/ui/hold">{fields}<button>go</button></form>',
            "/verb": f'<form method="post" action="{self.target}/holdcluster">{fields}<button>go</button></form>',
            "/signin": f'<form method="post" action="{self.target}/ui/signin">{fields}<button>go</button></form>',
            "/signout": f'<form method="post" action="{self.target}/ui/signout"><button>go</button></form>',
            "/link": f'<a href="{self.target}/holdcluster?{hold}">go</a>',
            "/image": f'<img src="{self.target}/holdcluster?{hold}">',
            "/frame": f'<iframe src="{self.target}/" width="900" height="500"></iframe>',
            "/empty": "nothing",
        }
        return f"<!doctype html><title>other</title>{pages[path]}"

    def _app(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = Request(environ).path
        answer = Response("", 404) if path == "/favicon.ico" else Response(self.page(path), mimetype="text/html")
        return answer(environ, start_response)


@pytest.fixture(scope="module")
def other_site(replica: Replica) -> Iterator[OtherSite]:
    """A site on another port: browsers send it the same cookies, because it counts as the same site."""
    with OtherSite(replica.url, free_ports(1)[0]) as site:
        yield site


@pytest.fixture(params=["127.0.0.1", "localhost"], ids=["same-site", "cross-site"])
def attacker(request: pytest.FixtureRequest, other_site: OtherSite) -> str:
    """The address of the attacking site, of the same site as the service or of another one."""
    return other_site.url.replace("127.0.0.1", request.param)


def unharmed(alice: Person, replica: Replica) -> None:
    """Expect the cluster to be vacant and the person to be signed in as before."""
    assert state(replica)["state"] == "vacant"
    alice.go("/ui/whoami")
    expect(alice.page.get_by_role("heading", level=1)).to_have_text(f"You are {ALICE}")


def test_a_form_of_another_site_changes_nothing(alice: Person, replica: Replica, attacker: str) -> None:
    page = alice.page
    for path in ("/form", "/verb", "/signin", "/signout"):
        page.goto(attacker + path)
        with page.expect_navigation() as answered:
            page.get_by_role("button").click()
        assert answered.value is not None, path
        assert answered.value.status == 403, path
        unharmed(alice, replica)


def test_a_link_of_another_site_changes_nothing(alice: Person, replica: Replica, attacker: str) -> None:
    alice.page.goto(f"{attacker}/link")
    alice.page.get_by_role("link").click()
    expect(alice.page.get_by_text("opening a link changes nothing")).to_be_visible()
    unharmed(alice, replica)


def test_an_image_of_another_site_changes_nothing(alice: Person, replica: Replica, attacker: str) -> None:
    with alice.page.expect_request("**/holdcluster**"):
        alice.page.goto(f"{attacker}/image")  # until it has loaded, with the image
    unharmed(alice, replica)


def test_a_script_of_another_site_reads_and_changes_nothing(alice: Person, replica: Replica, attacker: str) -> None:
    alice.page.goto(f"{attacker}/empty")
    answers = alice.page.evaluate(
        """async target => {
            const body = new URLSearchParams({cluster: 'cluster-01'});
            const send = (path, more) => fetch(target + path, {credentials: 'include', ...more})
                .then(answer => `${answer.type} ${answer.status}`, error => 'blocked');
            return Promise.all([
                send('/clusters'),
                send('/ui/hold', {method: 'POST', body, mode: 'no-cors'}),
                send('/holdcluster', {method: 'POST', body}),
                send('/holdcluster', {method: 'POST', body, headers: {'CIMaster-Visitor': 'x'}}),
            ]);
        }""",
        replica.url,
    )
    assert set(answers) <= {"blocked", "opaque 0"}
    unharmed(alice, replica)


def test_another_site_shows_the_service_in_no_frame(alice: Person, replica: Replica, attacker: str) -> None:
    alice.page.goto(f"{attacker}/frame")
    frame = alice.page.frames[1]
    assert ALICE not in frame.content()
    assert not frame.url.startswith(replica.url) or "chrome-error" in frame.url
    unharmed(alice, replica)
