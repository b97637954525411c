"""Visitors with browsers, each with a cookie jar; and a pool edited by hand."""

import itertools
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser, ConsoleMessage, expect, sync_playwright
from werkzeug.test import TestResponse

from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.stores.port import COMMIT_ANNOTATION, Conflict, Store
from cimaster.repository.stores.sqlite import SQLiteStore
from tests.conditions import until
from tests.conftest import ADMIN
from tests.pages.people import ARGUMENTS, PATIENCE, REFUSED, Person
from tests.replica import Replica

expect.set_options(timeout=PATIENCE)

HTMX = {"HX-Request": "true"}

SignIn = Callable[[str], FlaskClient]
WriteKey = Callable[[str, Callable[[str], str]], None]
WriteRecords = Callable[..., None]
AddOne = Callable[..., str]
Curl = Callable[..., None]
Visit = Callable[..., Person]


@pytest.fixture
def store(embedded_store: SQLiteStore) -> Store:
    """One kind of store: pages use the services of the API, which tests/api runs over both."""
    return embedded_store


@pytest.fixture
def person(app: Flask) -> SignIn:
    """Make a browser whose visitor has entered a name: `person("alice")`."""

    def person(name: str) -> FlaskClient:
        browser = app.test_client()
        browser.set_cookie("cimaster_name", name)
        return browser

    return person


@pytest.fixture
def alice(person: SignIn) -> FlaskClient:
    """A person without the admin role."""
    return person("alice")


@pytest.fixture
def root(person: SignIn) -> FlaskClient:
    """An admin."""
    return person(ADMIN)


@pytest.fixture
def rewritten(store: Store, repository: ConfigMapRepository) -> WriteKey:
    """Change a key of the object by hand: `rewritten("policies.json", lambda text: ...)`."""

    def rewritten(key: str, change: Callable[[str], str]) -> None:
        while True:
            stored = store.read()
            text = change(stored.data.get(key, ""))
            try:
                store.replace(stored.replaced({**stored.data, key: text}, stored.annotations))
            except Conflict:
                continue
            break
        repository.fresh()
        # A read by the watcher may have begun before the write and end after it: then the write shows only later.
        until(lambda: repository.snapshot().object.data.get(key) == text)

    return rewritten


@pytest.fixture
def written(rewritten: WriteKey) -> WriteRecords:
    """Write records by hand, as older data may have them: `written({"name": ...}, "raw text")`."""

    def written(*records: object) -> None:
        texts = [record if isinstance(record, str) else json.dumps(record) for record in records]
        rewritten("cluster.json", lambda _: f"[{', '.join(texts)}]")

    return written


def text(answer: TestResponse) -> str:
    """Return what a reader sees of a page: no tags, single blanks."""
    body = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", answer.text, flags=re.DOTALL)
    words = " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())
    return re.sub(r" ([,.:])", r"\1", words)


def names(page: TestResponse) -> list[str]:
    """Return the names of the clusters in the table, from top to bottom."""
    return re.findall(r"<a [^>]*data-name>(.*?)</a>", page.text)


def line(answer: TestResponse, name: str) -> str:
    """Return what the closed line of the queue or the creations says on the dashboard."""
    summary = answer.text.partition(f'<span id="{name}-summary"')[2].partition("</summary>")[0]
    words = re.sub(r"<svg.*?</svg>|<[^>]*>", " ", f"<{summary}", flags=re.DOTALL)
    return " ".join(words.split())


def cookie(browser: FlaskClient, name: str) -> str:
    """Return the value of a cookie that the browser has."""
    found = browser.get_cookie(name)
    assert found is not None, f"there is no cookie {name}"
    return found.value


def follow(browser: FlaskClient, answer: TestResponse) -> TestResponse:
    """Go where a 303 sends the browser."""
    assert answer.status_code == 303, text(answer)
    return browser.get(answer.location)


def hold(browser: FlaskClient, cluster: str, **fields: str) -> TestResponse:
    """Send the form of a hold."""
    return browser.post("/ui/hold", data={"cluster": cluster, "duration": "6h", **fields})


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One chromium for all tests."""
    path = shutil.which("chromium")
    if path is None:
        if os.environ.get("CIMASTER_TEST_ALL"):
            pytest.fail("chromium is not there: apt-get install chromium")
        pytest.skip("chromium is not there: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    """One server for all tests of a module."""
    folder = tmp_path_factory.mktemp("served")
    with Replica(folder, CIMASTER_STORE=f"sqlite:{folder / 'pool.db'}") as replica:
        yield replica


def pool_file(replica: Replica) -> Path:
    """Return the file in which a server keeps its pool."""
    return Path(replica.server.environment["CIMASTER_STORE"].removeprefix("sqlite:"))


def write_pool(replica: Replica, records: list[object]) -> None:
    """Have the pool of a running server consist of these records, and of nothing that a test has left."""
    store, data = SQLiteStore(str(pool_file(replica)), "clusters"), {"cluster.json": json.dumps(records)}
    while True:
        stored = store.read()
        commit = int(stored.annotations.get(COMMIT_ANNOTATION, "0")) + 1
        try:
            store.replace(stored.replaced(data, {COMMIT_ANNOTATION: str(commit)}))
        except Conflict:  # a thread of the server has just written what became due
            continue
        break
    store.close()
    until(lambda: int(replica.get("/clusters").headers["CIMaster-Commit"]) >= commit)


NUMBERS = itertools.count(1)


@pytest.fixture
def added(replica: Replica, curl: Curl) -> Iterator[AddOne]:
    """Add clusters that are deleted after the test, so that pages stay small: `added("name", note=...)`."""
    names = []

    def added(name: str, **facts: str) -> str:
        names.append(name)
        curl("addcluster", cluster=name, region="us-west", name="root", **facts)
        return name

    yield added
    for name in names:
        fields = {"cluster": name, "name": "root", "force": "true", "reason": "the test is over"}
        replica.http.post(f"{replica.url}/deletecluster", fields)


@pytest.fixture
def cluster(added: AddOne) -> str:
    """A vacant cluster for this test only."""
    return added(f"cluster-{next(NUMBERS):02}")


@pytest.fixture
def curl(replica: Replica) -> Curl:
    """Make a change outside the browser: `curl("holdcluster", cluster=..., name=...)`."""

    def curl(verb: str, **fields: str) -> None:
        answer = replica.http.post(f"{replica.url}/{verb}", fields)
        assert answer.ok, answer.text

    return curl


@pytest.fixture
def visit(browser: Browser, replica: Replica) -> Iterator[Visit]:
    """Open a browser for a person; errors and warnings in its console fail the test."""
    complaints: list[str] = []
    contexts = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not REFUSED.search(message.text):
            complaints.append(message.text)

    def visit(
        name: str = "", script: bool = True, listening: bool = True, touch: bool = False, mobile: bool = False
    ) -> Person:
        context = browser.new_context(
            java_script_enabled=script, has_touch=touch or mobile, is_mobile=mobile, reduced_motion="reduce"
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        if name:
            context.add_cookies([{"name": "cimaster_name", "value": name, "url": replica.url}])
        page = context.new_page()
        if listening:
            page.on("console", listen)
            page.on("pageerror", lambda error: complaints.append(str(error)))
        return Person(page, replica.url)

    yield visit
    for context in contexts:
        context.close()
    assert not complaints
