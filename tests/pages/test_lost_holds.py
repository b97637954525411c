"""What the former holder of a cluster sees on the dashboard, and how they dismiss it."""

import re

import pytest
from flask.testing import FlaskClient

from cimaster.services.clusters import Clusters
from tests.conftest import Add, MovableClock
from tests.pages.conftest import HTMX, SignIn, hold, text

TAKE_OVER = {"cluster": "cluster-01", "duration": "1h", "holder": "alice", "reason": "urgent fix"}


def lines(browser: FlaskClient) -> list[str]:
    """Return the lines about lost holds, as a reader sees them."""
    page = browser.get("/")
    box = page.text.partition('<div id="lost-holds"')[2].partition('<section id="summary"')[0]
    return [" ".join(re.sub("<[^>]*>", "", item).split()) for item in re.findall(r"<li>(.*?)</li>", box, re.DOTALL)]


@pytest.fixture
def held(add: Add, alice: FlaskClient) -> str:
    """A cluster that alice holds."""
    add("cluster-01", "cluster-02")
    hold(alice, "cluster-01")
    return "cluster-01"


def test_a_take_over_is_told_with_its_reason(held: str, alice: FlaskClient, root: FlaskClient, person: SignIn) -> None:
    root.post("/ui/admin/takeover", data=TAKE_OVER)
    assert lines(alice) == ["root took over cluster-01 from you just now: urgent fix"]
    assert lines(root) == lines(person("carol")) == []
    assert lines(person("ALICE")) == lines(alice)


def test_a_hand_over_and_a_release_by_an_admin_are_told(held: str, alice: FlaskClient, root: FlaskClient) -> None:
    hold(alice, "cluster-02")
    root.post("/ui/handover", data={"cluster": "cluster-01", "to": "bob", "reason": "he knows it"})
    root.post("/ui/release", data={"cluster": "cluster-02", "reason": "jobs wait"})
    assert lines(alice) == [
        "root released your hold of cluster-02 just now: jobs wait",
        "root handed cluster-01 over from you to bob just now: he knows it",
    ]


def test_the_end_of_the_time_is_told_for_a_day(
    held: str, alice: FlaskClient, clock: MovableClock, service: Clusters
) -> None:
    clock.forward(hours=7)
    service.expire()
    clock.forward(minutes=30)
    assert lines(alice) == ["Your hold of cluster-01 ended 30 min ago: its time was over"]
    clock.forward(hours=24)
    assert lines(alice) == []


def test_the_holders_own_actions_are_not_told(held: str, alice: FlaskClient) -> None:
    alice.post("/ui/handover", data={"cluster": "cluster-01", "to": "bob"})
    hold(alice, "cluster-02")
    alice.post("/ui/release", data={"cluster": "cluster-02"})
    assert lines(alice) == []


def test_a_cluster_held_again_is_not_told(held: str, alice: FlaskClient, root: FlaskClient) -> None:
    root.post("/ui/release", data={"cluster": "cluster-01", "reason": "a mistake"})
    assert len(lines(alice)) == 1
    hold(alice, "cluster-01")
    assert lines(alice) == []
    alice.post("/ui/release", data={"cluster": "cluster-01"})
    assert lines(alice) == []


@pytest.mark.parametrize("script", [True, False])
def test_dismissed_lines_stay_away_and_later_ones_appear(
    held: str, alice: FlaskClient, root: FlaskClient, script: bool
) -> None:
    hold(alice, "cluster-02")
    root.post("/ui/admin/takeover", data=TAKE_OVER)
    commit = re.findall(r'name="commit" value="(\d+)"', alice.get("/").text)[0]
    answer = alice.post("/ui/dismissholds", data={"commit": commit, "back": "/?q=x"}, headers=HTMX if script else {})
    assert (answer.status_code, answer.headers.get("Location")) == ((200, None) if script else (303, "/?q=x"))
    assert "took over" not in answer.text
    assert lines(alice) == []
    root.post("/ui/release", data={"cluster": "cluster-02", "reason": "jobs wait"})
    assert len(lines(alice)) == 1


@pytest.mark.parametrize("commit", ["", "x", "-1", "9" * 400])
def test_an_odd_commit_dismisses_nothing_or_all_but_breaks_nothing(
    held: str, alice: FlaskClient, root: FlaskClient, commit: str
) -> None:
    root.post("/ui/admin/takeover", data=TAKE_OVER)
    assert alice.post("/ui/dismissholds", data={"commit": commit}).status_code == 303
    assert "took over" in text(alice.get("/"))


def test_many_lost_holds_leave_room_for_the_table(add: Add, alice: FlaskClient, root: FlaskClient) -> None:
    names = [f"cluster-{number:02}" for number in range(8)]
    add(*names)
    for name in names:
        hold(alice, name)
        root.post("/ui/release", data={"cluster": name, "reason": "jobs wait"})
    assert len(lines(alice)) == 5
    assert "and 3 more" in text(alice.get("/"))
