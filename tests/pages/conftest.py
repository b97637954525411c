"""People at their browsers: each with a cookie jar; and a pool written by hand."""

import json
import re
from collections.abc import Callable
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cimaster.repository import ConfigMapRepository
from cimaster.stores.port import Conflict, Store
from tests.conditions import until
from tests.conftest import ADMIN

HTMX = {"HX-Request": "true"}


@pytest.fixture
def person(app: Flask) -> Callable[[str], FlaskClient]:
    """Make a browser whose user gave a name: `person("alice")`."""

    def person(name: str) -> FlaskClient:
        browser = app.test_client()
        browser.set_cookie("cimaster_name", name)
        return browser

    return person


@pytest.fixture
def alice(person) -> FlaskClient:
    """Somebody who is no admin."""
    return person("alice")


@pytest.fixture
def root(person) -> FlaskClient:
    """An admin."""
    return person(ADMIN)


@pytest.fixture
def written(store: Store, repository: ConfigMapRepository) -> Callable[..., None]:
    """Write records by hand, as they may stand in data from before: `written({"name": ...}, "raw text")`."""

    def written(*records: object) -> None:
        texts = [record if isinstance(record, str) else json.dumps(record) for record in records]
        array = f"[{', '.join(texts)}]"
        while True:
            stored = store.read()
            try:
                store.replace(stored.replaced({"cluster.json": array}, stored.annotations))
            except Conflict:
                continue
            break
        repository.fresh()
        # A read of the watcher's own may have begun before and end later: then the news of the write are still to come.
        until(lambda: repository.snapshot().object.data.get("cluster.json") == array)

    return written


def text(answer: TestResponse) -> str:
    """Return what a reader sees of a page: no tags, single blanks."""
    body = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", answer.text, flags=re.DOTALL)
    words = " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())
    return re.sub(r" ([,.:])", r"\1", words)


def follow(browser: FlaskClient, answer: TestResponse) -> TestResponse:
    """Go where a 303 sends the browser."""
    assert answer.status_code == 303, text(answer)
    return browser.get(answer.location)


def hold(browser: FlaskClient, cluster: str, **fields: str) -> TestResponse:
    """Send the form of a hold."""
    return browser.post("/ui/hold", data={"cluster": cluster, "duration": "6h", **fields})
