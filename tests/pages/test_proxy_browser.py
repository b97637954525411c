"""The pages in a real browser, behind a proxy that rewrites Host and adds a path prefix, and under a foreign name."""

import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, expect, sync_playwright
from werkzeug.serving import make_server

from tests.pages.conftest import Curl
from tests.pages.people import ARGUMENTS, PATIENCE, Person
from tests.replica import Replica
from tests.server import free_ports

PREFIX = "/pool"
NAMES = "MAP ci.example.com 127.0.0.1, MAP evil.test 127.0.0.1"  # names that browsers do not trust as much as loopback


class Proxy:
    """Forwards requests below a path prefix, which it keeps or strips, and hides the requested host."""

    def __init__(self, port: int) -> None:
        self.url, self.target, self.strips = f"http://ci.example.com:{port}{PREFIX}", "", True
        self.strayed: list[str] = []
        self._server = make_server("127.0.0.1", port, self, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> "Proxy":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a WSGI request."""
        path = environ["RAW_URI"]
        if not path.startswith(f"{PREFIX}/"):
            self.strayed += [path] if path != "/favicon.ico" else []  # which browsers request next to a text
            start_response("404 Not Found", [])
            return [b"not below the prefix"]
        headers = {key[5:].replace("_", "-"): text for key, text in environ.items() if key.startswith("HTTP_")}
        del headers["HOST"]
        if environ.get("CONTENT_TYPE"):
            headers["Content-Type"] = environ["CONTENT_TYPE"]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(
                environ["REQUEST_METHOD"],
                self.target + (path.removeprefix(PREFIX) if self.strips else path),
                data=body,
                headers=headers,
                allow_redirects=False,
                timeout=60,
            )
        dropped = ("connection", "transfer-encoding", "content-encoding", "content-length", "keep-alive")
        passed_on = [(key, text) for key, text in answer.raw.headers.items() if key.lower() not in dropped]
        start_response(f"{answer.status_code} {answer.reason}", passed_on)
        return [answer.content]


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    """The proxy that the browser uses."""
    with Proxy(free_ports(1)[0]) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def replica(proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    """A server that knows its public URL."""
    folder = tmp_path_factory.mktemp("served")
    settings: dict[str, Any] = {"CIMASTER_STORE": f"sqlite:{folder / 'pool.db'}", "CIMASTER_PUBLIC_URL": proxy.url}
    with Replica(folder, **settings) as replica:
        proxy.target = replica.url
        yield replica


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A chromium that resolves the names of the tests to this machine."""
    path = shutil.which("chromium")
    if path is None:
        if os.environ.get("CIMASTER_TEST_ALL"):
            pytest.fail("chromium is not there: apt-get install chromium")
        pytest.skip("chromium is not there: apt-get install chromium")
    with sync_playwright() as playwright:
        arguments = [*ARGUMENTS, f"--host-resolver-rules={NAMES}", "--no-proxy-server"]
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(params=[True, False], ids=["stripped", "whole"])
def visitor(
    request: pytest.FixtureRequest, browser: Browser, proxy: Proxy, replica: Replica, curl: Curl
) -> Iterator[Person]:
    """Open a browser behind either kind of proxy, on a pool with one vacant cluster."""
    proxy.strips = request.param
    curl("addcluster", cluster="cluster-01", region="us-west", name="root")
    context = browser.new_context(reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    yield Person(context.new_page(), proxy.url)
    context.close()
    assert proxy.strayed == []
    curl("deletecluster", cluster="cluster-01", name="root", force="true", reason="the test is over")


def test_a_person_holds_and_releases_behind_the_proxy(visitor: Person, proxy: Proxy, curl: Curl) -> None:
    page = visitor.page
    visitor.go()
    visitor.press("cluster-01", "Hold")
    visitor.fill(name="alice", desc="behind a proxy")
    visitor.sees("cluster-01", "alice", state="held")
    expect(page.locator(".visitor-name")).to_contain_text("alice")
    assert page.url == f"{proxy.url}/"
    visitor.row("cluster-01").get_by_role("link", name="cluster-01", exact=True).click()
    expect(page).to_have_url(f"{proxy.url}/ui/clusters/cluster-01")
    curl("releasecluster", cluster="cluster-01", name="alice")
    expect(page.locator("#cluster")).to_contain_text("released")
    page.get_by_role("link", name="Inventory").click()
    expect(page).to_have_url(f"{proxy.url}/ui/admin")
    page.get_by_role("link", name="CIMaster").click()
    visitor.sees("cluster-01", state="vacant")


def test_without_script_the_forms_lead_back_below_the_path(browser: Browser, visitor: Person, proxy: Proxy) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{proxy.url}/ui/hold?cluster=cluster-01")
    page.fill("#form-name", "bob")
    page.click("#form-send")
    expect(page).to_have_url(f"{proxy.url}/")
    expect(page.locator("tr.row")).to_contain_text("bob")
    context.close()


def test_a_link_to_a_verb_has_a_button_that_works_behind_the_proxy(visitor: Person, proxy: Proxy) -> None:
    visitor.go("/holdcluster?cluster=cluster-01&name=carol")
    visitor.page.get_by_role("main").get_by_role("button").click()
    expect(visitor.page).to_have_url(f"{proxy.url}/holdcluster")
    visitor.go()
    visitor.sees("cluster-01", "carol", state="held")


def test_a_site_that_rebinds_its_name_to_us_sees_nothing(browser: Browser, replica: Replica) -> None:
    context = browser.new_context()
    page = context.new_page()
    evil = replica.url.replace("127.0.0.1", "evil.test")
    answer = page.goto(f"{evil}/")
    assert answer is not None
    assert answer.status == 421
    expect(page.locator("pre")).to_contain_text("CIMASTER_HOSTS=evil.test")
    statuses = page.evaluate(
        """async () => Promise.all([
            fetch('/clusters'),
            fetch('/holdcluster?cluster=cluster-01&name=root', {method: 'POST'}),
            fetch('/getvacant?build=1&job=a', {headers: {'User-Agent': 'curl/8'}, referrerPolicy: 'no-referrer'}),
        ].map(async request => (await request).status))"""
    )
    assert statuses == [421, 421, 421]
    context.close()
