"""The order of the dashboard's table, and the links of a row that filter."""

import json
import re
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.conftest import Add
from tests.pages.conftest import HTMX, SignIn, WriteKey, WriteRecords, hold, names, text

RECORDS: list[dict[str, Any]] = [
    {"name": "zeta", "status": "finished", "vacantSince": "2099-01-03T00:00:00Z"},
    {"name": "beta", "status": "finished", "hold": True, "holdBy": "zoe", "holdExpires": "2099-01-02T00:00:00Z"},
    {"name": "Alpha", "status": "finished", "hold": True, "holdBy": "bob", "holdExpires": "2099-01-03T00:00:00Z"},
    {
        "name": "gamma",
        "status": "testing",
        "leaseId": "l",
        "leaseJob": "E2E",
        "leaseBuild": "7",
        "lastJob": "E2E",
        "lastBuild": "7",
        "lastTriggerName": "john",
        "acquiredAt": "2026-01-01T00:00:00Z",
        "leaseExpires": "2099-01-01T00:00:00Z",
    },
    {"name": "delta", "status": "finished", "disabled": True, "disabledBy": "amy", "labels": {"gpu": "yes"}},
    {"name": "épsilon", "status": "odd"},
]


@pytest.fixture
def pool(written: WriteRecords) -> None:
    """Clusters in several states, some without a user, a start or an end."""
    written(*RECORDS)


def sort_links(page: str) -> dict[str, str]:
    """Return where the headings of the columns lead."""
    found = re.findall(r'<a class="sort" id="sort-(\w+)" href="([^"]*)"', page)
    return {column: unescape(address) for column, address in found}


@pytest.mark.usefixtures("pool")
def test_the_visitors_own_come_first_and_then_what_ends_soonest(person: SignIn, client: FlaskClient) -> None:
    by_end = ["gamma", "beta", "Alpha", "delta", "zeta", "épsilon"]
    assert names(client.get("/")) == by_end
    assert names(person("BOB").get("/")) == ["Alpha", "gamma", "beta", "delta", "zeta", "épsilon"]
    assert "aria-sort" not in client.get("/").text


def test_a_shared_hold_counts_as_the_visitors_own(add: Add, alice: FlaskClient, person: SignIn) -> None:
    add("cluster-01", "cluster-02")
    hold(person("bob"), "cluster-01", duration="1h")
    hold(alice, "cluster-02", duration="2h")
    alice.post("/ui/share", data={"cluster": "cluster-02", "with": "dora"})
    assert names(person("erin").get("/")) == ["cluster-01", "cluster-02"]
    assert names(person("dora").get("/")) == ["cluster-02", "cluster-01"]


@pytest.mark.usefixtures("pool")
@pytest.mark.parametrize(
    ("column", "known", "unknown"),
    [
        ("name", ["Alpha", "beta", "delta", "gamma", "zeta", "épsilon"], []),
        ("by", ["delta", "Alpha", "gamma", "beta"], ["zeta", "épsilon"]),
        ("since", ["gamma", "zeta"], ["Alpha", "beta", "delta", "épsilon"]),
        ("left", ["gamma", "beta", "Alpha"], ["delta", "zeta", "épsilon"]),
    ],
)
def test_a_column_sorts_both_ways_and_missing_values_are_last(
    client: FlaskClient, column: str, known: list[str], unknown: list[str]
) -> None:
    for url in ("/", "/ui/fragments/clusters"):
        assert names(client.get(f"{url}?sort={column}")) == [*known, *unknown]
        assert names(client.get(f"{url}?sort=-{column}")) == [*reversed(known), *unknown]


@pytest.mark.usefixtures("pool")
def test_states_sort_by_how_much_attention_they_need(client: FlaskClient) -> None:
    order = ["épsilon", "gamma", "delta", "Alpha", "beta", "zeta"]  # within a state by name
    assert names(client.get("/?sort=state")) == order
    assert names(client.get("/?sort=-state")) == ["zeta", "Alpha", "beta", "delta", "gamma", "épsilon"]


@pytest.mark.usefixtures("pool")
def test_a_heading_says_the_order_and_a_click_goes_to_the_next_one(client: FlaskClient) -> None:
    address, directions = "/", []
    for _ in range(4):
        page = client.get(address).text
        directions.append(re.findall(r'<th scope="col" class="cell-(\w+)" aria-sort="(\w+)"', page))
        address = sort_links(page)["by"]
    assert directions == [[], [("user", "ascending")], [("user", "descending")], []]
    assert sort_links(client.get("/?sort=by").text)["left"] == "/?sort=left"


@pytest.mark.usefixtures("pool")
@pytest.mark.parametrize("sort", ["size", "-", "--by", "", "by,name", "%00", "ñ"])
def test_an_unknown_order_is_ignored(client: FlaskClient, sort: str) -> None:
    page = client.get(f"/?sort={sort}")
    assert page.status_code == 200
    assert names(page) == names(client.get("/"))
    assert "sort=" not in page.text.replace('hx-get="/?sort=', "").replace('href="/?sort=', "")


@pytest.mark.usefixtures("pool")
def test_polls_cards_chips_and_the_form_keep_the_order(alice: FlaskClient) -> None:
    page = alice.get("/?state=held&sort=-left").text
    assert 'hx-get="/ui/fragments/clusters?state=held&amp;sort=-left"' in page
    assert 'class="card card-vacant" href="/?sort=-left&amp;state=vacant"' in page
    assert '<input type="hidden" name="sort" value="-left">' in page
    assert 'href="/?state=held&amp;sort=-left&amp;holder=alice"' in page
    assert '<a class="chip" href="/?sort=-left">Clear filters</a>' in page
    assert sort_links(page)["name"] == "/?state=held&sort=name"
    answer = alice.get("/?state=held&q=&sort=-left", headers=HTMX)
    assert answer.headers["HX-Replace-Url"] == "/?state=held&sort=-left"


@pytest.mark.usefixtures("pool")
def test_a_shared_link_shows_the_same_to_others(alice: FlaskClient, person: SignIn) -> None:
    link = "/?state=held&sort=-left"
    assert names(alice.get(link)) == names(person("bob").get(link)) == ["Alpha", "beta"]
    assert "2 of 6" in text(alice.get(link))


@pytest.mark.usefixtures("pool")
@pytest.mark.parametrize(
    ("words", "shown"),
    [("bob", ["Alpha"]), ("E2E #7", ["gamma"]), ("john", ["gamma"]), ("gpu=yes", ["delta"])],
)
def test_people_jobs_and_labels_in_a_row_are_links_that_filter(
    client: FlaskClient, words: str, shown: list[str]
) -> None:
    found = re.search(rf'<a class="\w+" href="([^"]*)">{re.escape(words)}</a>', client.get("/").text)
    assert found
    assert names(client.get(unescape(found[1]))) == shown


def test_a_name_in_a_link_that_filters_may_have_any_characters(written: WriteRecords, client: FlaskClient) -> None:
    name = "O'Brien & <co> #1?"
    written({"name": "x", "status": "finished", "hold": True, "holdBy": name}, {"name": "y", "status": "finished"})
    found = re.search(r'<a class="strong" href="([^"]*)">', client.get("/").text)
    assert found
    assert names(client.get(unescape(found[1]))) == ["x"]


def test_the_first_label_is_in_the_form_and_others_are_chips(written: WriteRecords, client: FlaskClient) -> None:
    both = {"gpu": "yes", "rack": "4"}
    written(
        {"name": "one", "status": "finished", "labels": both},
        {"name": "two", "status": "finished", "labels": {"gpu": "yes"}},
        {"name": "three", "status": "finished"},
    )
    page = client.get("/?label=gpu%3Dyes&label=rack%3D4")
    assert names(page) == ["one"]
    assert re.search(r'<select id="filter-label".*?<option selected>gpu=yes</option><option>rack=4</option>', page.text)
    assert '<input type="hidden" name="label" value="rack=4">' in page.text
    assert "label: rack=4" in text(page)
    assert 'href="/?label=gpu%3Dyes"' in page.text
    written({"name": "one", "status": "finished"})
    assert "filter-label" not in client.get("/").text


def test_without_labels_there_is_no_menu_of_them(add: Add, client: FlaskClient) -> None:
    add("cluster-01")
    assert "filter-label" not in client.get("/").text


def test_two_hundred_rows_are_shown_and_then_more(rewritten: WriteKey, client: FlaskClient) -> None:
    records = [{"name": f"c-{number:04}", "status": "finished"} for number in range(450)]
    rewritten("cluster.json", lambda _: json.dumps(records))
    address, counts = "/?sort=-name", []
    while address:
        page = client.get(address)
        counts.append(len(names(page)))
        assert names(page)[0] == "c-0449"
        assert "450 in total" in text(page)
        more = re.search(r'id="show-more" href="([^"]*)"', page.text)
        address = unescape(more[1]) if more else ""
    assert counts == [200, 400, 450]
    assert "200 of 450 are shown" in text(client.get("/"))
    for rows in ("0", "-1", "x", "9" * 30):
        assert client.get(f"/?rows={rows}").status_code == 200
