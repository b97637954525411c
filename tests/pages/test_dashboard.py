"""The dashboard: counts, filter, table, and its messages when there is nothing to show."""

import re
from datetime import timedelta
from html import unescape

import pytest
from flask.testing import FlaskClient

from cimaster.app import create_app
from cimaster.errors import StoreUnreadable
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.stores.port import Store
from cimaster.services.clusters import Clusters
from cimaster.settings import Settings
from tests.conftest import Add, MovableClock
from tests.pages.conftest import WriteRecords, hold, names, text

HOSTILE = """<img src=x onerror="alert('1')"> / ../# & ?q="""


def test_every_cluster_is_shown_with_its_state_and_its_user(add: Add, client: FlaskClient, alice: FlaskClient) -> None:
    add("cluster-01", "cluster-02", "cluster-03")
    client.get("/getvacant?build=124&job=e2e&cluster=cluster-02&email=john@example.com")
    hold(alice, "cluster-03", desc="debugging the network")
    page = text(client.get("/"))
    assert re.search(r"cluster-01 vacant ok – – just now – tess-ci us-west", page)
    assert re.search(r"cluster-02 occupied ok e2e #124 for john – just now no end set tess-ci us-west", page)
    assert re.search(r"cluster-03 held ok alice debugging the network just now ends in (6 h|5 h 59 min) tess-ci", page)


def test_counts_are_per_state_and_link_to_it(add: Add, client: FlaskClient) -> None:
    add("cluster-01", "cluster-02")
    client.get("/getvacant?build=1&job=e2e")
    page = client.get("/")
    assert "1 occupied" in text(page)
    assert 'href="/?state=occupied"' in page.text
    assert "1 of 2" in text(client.get("/?state=occupied"))


def cards(page: str) -> dict[str, tuple[int, str]]:
    """Return the counts, and where their links lead."""
    found = re.findall(r'class="card card-(\w+)" href="([^"]*)".*?card-number">(\d+)<', page, re.DOTALL)
    return {state: (int(count), unescape(url)) for state, url, count in found}


@pytest.mark.parametrize(
    ("query", "counts"),
    [
        ("purpose=tnet-ci", {"all": 2, "vacant": 1, "held": 1}),
        ("region=eu-central&state=held", {"all": 2, "vacant": 1, "held": 1}),
        ("label=gpu%3Dyes", {"all": 1, "vacant": 0, "held": 1}),
        ("q=network", {"all": 1, "vacant": 0, "held": 1}),
        ("holder=alice", {"all": 1, "vacant": 0, "held": 1}),
        ("state=vacant", {"all": 3, "vacant": 2, "held": 1}),
    ],
)
def test_counts_follow_the_other_filters_and_keep_them(
    add: Add, alice: FlaskClient, query: str, counts: dict[str, int]
) -> None:
    add("cluster-01")
    add("cluster-02", purpose="tnet-ci", osimage="flatcar", region="eu-central")
    add("cluster-03", purpose="tnet-ci", osimage="flatcar", region="eu-central", label="gpu=yes")
    hold(alice, "cluster-03", desc="the network")
    others = [pair for pair in query.split("&") if not pair.startswith("state=")]
    for url in (f"/?{query}", f"/ui/fragments/summary?{query}"):
        shown = cards(alice.get(url).text)
        assert {state: shown[state][0] for state in counts} == counts
        assert shown["held"][1] == "/?" + "&".join([*others, "state=held"])
        assert shown["all"][1] == ("/?" + "&".join(others) if others else "/")
        for state, (count, address) in shown.items():
            rows = re.findall(r'<tr id="c-', alice.get(address).text)
            assert len(rows) == count, state


def test_mine_keeps_the_other_filters(add: Add, alice: FlaskClient) -> None:
    assert 'href="/?purpose=tnet-ci&amp;holder=alice"' in alice.get("/?purpose=tnet-ci").text


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("state=held", ["cluster-02"]),
        ("purpose=tnet-ci", ["cluster-03"]),
        ("q=NETWORK", ["cluster-02"]),
        ("q=&state=&purpose=", ["cluster-01", "cluster-02", "cluster-03"]),
        ("holder=Alice", ["cluster-02"]),
        ("label=gpu%3Dyes", ["cluster-03"]),
        ("region=us-west&state=vacant", ["cluster-01", "cluster-03"]),
    ],
)
def test_the_filter_in_the_address_says_what_is_shown(
    add: Add, alice: FlaskClient, query: str, shown: list[str]
) -> None:
    add("cluster-01", "cluster-02")
    add("cluster-03", purpose="tnet-ci", osimage="flatcar", label="gpu=yes")
    hold(alice, "cluster-02", desc="the network")
    for url in (f"/?{query}", f"/ui/fragments/clusters?{query}"):
        assert sorted(names(alice.get(url))) == shown


def test_the_filter_is_in_the_form_again(add: Add, client: FlaskClient) -> None:
    add("cluster-01")
    page = client.get("/?q=%3Cb%3E&state=held&purpose=gone&region=us-west").text
    assert 'name="q" value="&lt;b&gt;"' in page
    assert "<option selected>held</option>" in page
    assert "<option selected>gone</option>" in page
    assert "<option selected>us-west</option>" in page


def test_a_filter_that_cannot_be_read_is_400_and_says_what_is_expected(client: FlaskClient) -> None:
    answer = client.get("/?state=asleep")
    assert answer.status_code == 400
    assert "expected one of broken, occupied, quarantined, disabled, held, checking, vacant" in text(answer)


def test_an_empty_pool_says_what_to_do_next(client: FlaskClient, alice: FlaskClient, root: FlaskClient) -> None:
    assert "The pool is empty" in text(client.get("/"))
    assert "An admin can add clusters on the Inventory page" in text(alice.get("/"))
    assert "Add the first cluster" in text(root.get("/"))


def test_a_filter_without_matches_is_not_an_empty_pool(add: Add, client: FlaskClient) -> None:
    add("cluster-01")
    page = text(client.get("/?q=nothing-like-it"))
    assert "No cluster matches" in page
    assert "0 of 1" in page


def test_names_notes_and_reasons_are_shown_as_text(
    written: WriteRecords, alice: FlaskClient, root: FlaskClient
) -> None:
    record = {"name": HOSTILE, "status": "finished", "note": "</td><b>", "hold": True, "holdBy": "<i>", "holdDesc": '"'}
    written(record, {"name": "<script>alert(1)</script>", "status": "<b>"}, '{"note": "</pre><script>"}')
    for page in (alice.get("/"), alice.get("/?q=%3Cscript"), root.get("/ui/admin"), root.get("/ui/fragments/clusters")):
        assert page.status_code == 200
        assert "<img src=x" not in page.text
        assert "<script>" not in page.text
        assert "</td><b>" not in page.text
        assert "<i>" not in page.text


def test_a_lone_surrogate_in_a_name_breaks_no_page(written: WriteRecords, root: FlaskClient) -> None:
    written('{"name": "bad \\ud800", "status": "finished"}', '{"name": "\\udfff", "status": "x"}')
    for url in ("/", "/ui/admin"):
        assert root.get(url).status_code == 200


def test_a_page_has_nothing_that_its_csp_forbids(add: Add, root: FlaskClient) -> None:
    add("cluster-01")
    hold(root, "cluster-01")
    for url in ("/", "/ui/admin", "/ui/clusters/cluster-01", "/ui/extend?cluster=cluster-01", "/ui/whoami", "/ui/no"):
        page = root.get(url).text
        assert not re.search(r"<script(?![^>]*\ssrc=)", page)
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|hx-on|javascript:|\bjs:", page)


def test_pages_are_not_kept_by_caches(client: FlaskClient) -> None:
    for url in ("/", "/ui/admin", "/ui/whoami", "/ui/fragments/clusters", "/ui/missing"):
        assert client.get(url).headers["Cache-Control"] == "no-store"


def test_time_left_is_right_without_script(add: Add, alice: FlaskClient, clock: MovableClock) -> None:
    add("cluster-01")
    hold(alice, "cluster-01", duration="1h")
    clock.forward(minutes=45, seconds=20)
    page = alice.get("/")
    assert "45 min ago" in text(page)
    assert "time-left-soon" in page.text
    clock.forward(minutes=8)
    assert "time-left-late" in alice.get("/").text


def test_an_overdue_job_is_flagged(add: Add, client: FlaskClient, service: Clusters, clock: MovableClock) -> None:
    add("cluster-01")
    client.get("/getvacant?build=1&job=e2e")
    assert "overdue" not in text(client.get("/"))
    clock.forward(seconds=(service.view().pool.rules.overdue_after + timedelta(minutes=6)).total_seconds())
    assert "overdue" in text(client.get("/"))


def test_before_the_first_read_of_the_store_the_page_is_503(
    settings: Settings, written: WriteRecords, store: Store
) -> None:
    with pytest.raises(StoreUnreadable):
        written("{")
    fresh = create_app(settings, store).test_client()
    answer = fresh.get("/")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "not valid JSON" in text(answer)
    assert fresh.get("/ui/fragments/ready").status_code == 503


def test_while_the_store_fails_the_last_state_stays_with_a_warning(
    add: Add, written: WriteRecords, alice: FlaskClient, repository: ConfigMapRepository
) -> None:
    add("cluster-01")
    alice.get("/")
    with pytest.raises(StoreUnreadable):
        written("{")
    page = text(alice.get("/"))
    assert "The store cannot be used. cluster.json is not valid JSON" in page
    assert "cluster-01 vacant" in page
    answer = hold(alice, "cluster-01")
    assert answer.status_code == 503
    assert "not valid JSON" in text(answer)
