"""The page about the history in a browser."""

import re

import pytest
from playwright.sync_api import expect

from tests.pages.conftest import AddOne, Curl, Visit
from tests.pages.people import AXE, check


@pytest.fixture
def used(curl: Curl, added: AddOne) -> None:
    """A cluster with a long name that was held for a long reason."""
    added("history-long-name-long-name-long-name-long-name-x")
    curl("holdcluster", cluster="history-long-name-long-name-long-name-long-name-x", name="john-" * 12, desc="x" * 200)


@pytest.mark.usefixtures("used")
def test_axe_finds_nothing_on_the_page_about_history(visit: Visit) -> None:
    alice = visit("alice")
    alice.page.context.add_init_script(AXE)
    for query in ("", "?person=there-is-none", "?since=yesterday"):
        alice.go(f"/ui/history{query}")
        check(alice.page, f"/ui/history{query}")


@pytest.mark.usefixtures("used")
def test_the_form_chooses_among_the_changes(visit: Visit) -> None:
    alice = visit("alice")
    alice.go("/ui/history")
    alice.page.get_by_label("Event").fill("held")
    alice.page.get_by_role("button", name="Show").click()
    expect(alice.page).to_have_url(re.compile("kind=held"))
    expect(alice.page.get_by_role("row", name=re.compile("history-long-name")).first).to_contain_text("held")
