"""The page about usage: figures, pictures with tables, and links to the same figures as CSV."""

import csv
import io
import re
from dataclasses import replace
from html import unescape

import pytest
from flask.testing import FlaskClient

from cimaster.settings import Settings
from tests.conftest import Add, MovableClock
from tests.pages.conftest import text


def used(client: FlaskClient, add: Add, clock: MovableClock) -> None:
    """Let a job fail on one cluster, and a person hold another."""
    add("cluster-01", "cluster-02")
    client.get("/getvacant?build=1&job=e2e&name=alice&cluster=cluster-01")
    client.get("/holdcluster?cluster=cluster-02&name=bob")
    clock.forward(hours=2)
    client.get("/finishtest?cluster=cluster-01&job=e2e&build=1&result=fail")
    clock.forward(hours=2)


def test_the_page_says_when_nothing_is_recorded(alice: FlaskClient) -> None:
    shown = text(alice.get("/ui/usage"))
    assert "No usage is recorded for this choice." in shown
    assert "Busiest" not in shown


def test_the_page_shows_states_takes_jobs_people_and_faults(alice: FlaskClient, add: Add, clock: MovableClock) -> None:
    used(alice, add, clock)
    page = alice.get("/ui/usage?span=1d")
    shown = text(page)
    assert "75 % in use 6.0 h of 8.0 h" in shown
    assert "1 takes" in shown
    assert "e2e 2.0 h 1" in shown
    assert "bob 4.0 h 0" in shown
    assert "alice 2.0 h 1" in shown
    assert "cluster-02 bob 4.0 h goes on" in shown
    assert "cluster-01 1 0 1" in shown
    assert {"bar-occupied", "bar-held", "bar-vacant", "bar-takes"} <= set(re.findall('class="(bar-[a-z]+)"', page.text))


def test_each_csv_link_gives_the_figures_of_the_page(alice: FlaskClient, add: Add, clock: MovableClock) -> None:
    used(alice, add, clock)
    links = re.findall('class="usage-csv" href="([^"]+)"', alice.get("/ui/usage?span=7d").text)
    assert len(links) == 5
    found = [list(csv.DictReader(io.StringIO(alice.get(unescape(link)).text))) for link in links]
    assert [{"takes", "inUse", "waitP95"} <= set(lines[0]) for lines in found] == [True] * 5
    assert sum(int(line["takes"]) for line in found[0]) == 1
    assert next(line["occupied"] for line in found[2] if line["job"] == "e2e") == "2.0"


def test_the_form_keeps_its_choice_and_ignores_what_it_does_not_offer(alice: FlaskClient, add: Add) -> None:
    add("cluster-01", region="eu", purpose="gpu")
    page = alice.get("/ui/usage?span=30d&unit=week&purpose=gpu&region=eu").text
    chosen = re.findall('<option value="([^"]*)" selected>', page)
    assert chosen == ["30d", "week", "gpu", "eu"]
    assert re.findall('<option value="([^"]*)" selected>', alice.get("/ui/usage?span=9y&unit=x").text)[:2] == [
        "7d",
        "day",
    ]
    assert '<option value="week" selected>' in alice.get("/ui/usage?span=90d&unit=hour").text


class TestWithoutNames:
    """People are left out of usage."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, usage_names=False)

    def test_neither_the_page_nor_the_api_names_people(
        self, client: FlaskClient, add: Add, clock: MovableClock
    ) -> None:
        used(client, add, clock)
        shown = text(client.get("/ui/usage"))
        assert "Names of people are left out of usage here." in shown
        assert "bob" not in shown
        assert "alice" not in shown
        refused = client.get("/usage?by=person")
        assert refused.status_code == 400
        assert "names of people are left out" in refused.text
        assert "bob" not in client.get("/usage?by=day").text
        assert "bob" not in client.get("/usage?by=day&format=json").text
