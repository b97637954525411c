"""The page about usage in a browser."""

import re

import pytest
from playwright.sync_api import expect

from tests.pages.conftest import AddOne, Curl, Visit
from tests.pages.people import AXE, check
from tests.replica import Replica


@pytest.fixture
def used(replica: Replica, curl: Curl, added: AddOne) -> None:
    """Clusters with long names, of which a job with a long name has one and a person holds another."""
    for number, verb in enumerate(("taken", "held", "idle")):
        added(f"usage-{verb}-{'long-name-' * number}x")
    job = "e2e-" + "conformance-" * 8
    assert replica.get("/getvacant", cluster="usage-taken-x", job=job, build="1", name="john-" * 12).ok
    curl("holdcluster", cluster="usage-held-long-name-x", name="alice")


@pytest.mark.usefixtures("used")
def test_axe_finds_nothing_on_the_page_about_usage(visit: Visit) -> None:
    alice = visit("alice")
    alice.page.context.add_init_script(AXE)
    for query in ("", "?span=1d&unit=hour", "?span=90d&purpose=there-is-none"):
        alice.go(f"/ui/usage{query}")
        check(alice.page, f"/ui/usage{query}")


@pytest.mark.usefixtures("used")
def test_the_form_shows_another_span_and_the_table_opens(visit: Visit) -> None:
    alice = visit("alice")
    alice.go("/ui/usage")
    alice.page.get_by_label("Time", exact=True).select_option("1d")
    alice.page.get_by_role("button", name="Show").click()
    expect(alice.page).to_have_url(re.compile("span=1d"))
    alice.page.get_by_text("Takes and waits, as a table").click()
    expect(alice.page.get_by_role("region", name="Takes and waits")).to_be_visible()
