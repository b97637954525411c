"""Holds until a time of day, from the forms."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from tests.conftest import Add, MovableClock
from tests.pages.conftest import SignIn, follow, hold, text
from tests.pages.test_hold import ends, history, state


@pytest.fixture
def noon(clock: MovableClock) -> datetime:
    """Today at noon in UTC, to which the clock is moved."""
    now = datetime.now(UTC)
    noon = now.replace(hour=12, minute=0, second=0, microsecond=0)
    clock.moved = noon - now
    return noon


def test_a_time_of_day_counts_instead_of_the_duration(add: Add, alice: FlaskClient, noon: datetime) -> None:
    add("cluster-01")
    form = alice.get("/ui/hold?cluster=cluster-01")
    assert '<input type="time" id="form-until"' in form.text
    assert "Or until (UTC, optional) Counts instead of the duration. It is 12:00 UTC now." in text(form)
    page = follow(alice, hold(alice, "cluster-01", duration="1h", until="17:30"))
    assert ends(alice) == noon.replace(hour=17, minute=30)
    assert re.search(r"You hold cluster-01 until 17:30 UTC \(5 h (29|30) min\)", text(page))


def test_a_time_of_day_that_is_over_means_tomorrow(add: Add, alice: FlaskClient, noon: datetime) -> None:
    add("cluster-01")
    hold(alice, "cluster-01", until="08:05")
    assert ends(alice) == noon.replace(hour=8, minute=5) + timedelta(days=1)


def test_the_end_of_a_hold_is_changed_to_a_time_of_day(add: Add, alice: FlaskClient, noon: datetime) -> None:
    add("cluster-01")
    hold(alice, "cluster-01", duration="33h")
    follow(alice, alice.post("/ui/changeend", data={"cluster": "cluster-01", "duration": "6h", "until": "15:00"}))
    assert ends(alice) == noon.replace(hour=15)
    assert history(alice)[0]["event"] == "hold shortened"


def test_a_take_over_lasts_until_a_time_of_day(add: Add, alice: FlaskClient, root: FlaskClient, noon: datetime) -> None:
    add("cluster-01")
    hold(alice, "cluster-01")
    fields = {"cluster": "cluster-01", "holder": "alice", "reason": "urgent", "duration": "6h", "until": "18:00"}
    follow(root, root.post("/ui/admin/takeover", data=fields))
    assert ends(root) == noon.replace(hour=18)


def test_any_cluster_is_held_until_a_time_of_day(add: Add, alice: FlaskClient, noon: datetime) -> None:
    add("cluster-01")
    fields = {"purpose": "tess-ci", "duration": "6h", "until": "13:15", "wait": "1d"}
    follow(alice, alice.post("/ui/holdany", data=fields))
    assert ends(alice) == noon.replace(hour=13, minute=15)


def test_after_waiting_the_duration_counts(add: Add, alice: FlaskClient, person: SignIn, noon: datetime) -> None:
    add("cluster-01")
    bob = person("bob")
    hold(bob, "cluster-01")
    alice.post("/ui/holdany", data={"purpose": "tess-ci", "duration": "4h", "until": "13:15", "wait": "1d"})
    bob.post("/ui/release", data={"cluster": "cluster-01"})
    assert state(alice)["holdBy"] == "alice"
    assert timedelta() <= ends(alice) - noon - timedelta(hours=4) < timedelta(minutes=1)


def test_an_end_beyond_the_longest_hold_is_marked_in_its_field(add: Add, alice: FlaskClient, noon: datetime) -> None:
    add("cluster-01")
    hold(alice, "cluster-01", duration="60h")
    fields = {"cluster": "cluster-01", "duration": "1h", "until": f"{noon + timedelta(days=4):%Y-%m-%dT%H:%M:%SZ}"}
    answer = alice.post("/ui/changeend", data=fields)
    assert answer.status_code == 422
    assert "a hold lasts at most 3d, extensions included: choose an earlier end" in text(answer)
    assert 'aria-describedby="form-alert form-until-hint" aria-invalid="true"' in answer.text


def test_a_hold_behind_a_job_has_no_time_of_day(add: Add, alice: FlaskClient) -> None:
    add("cluster-01")
    alice.get("/getvacant?build=124&job=e2e")
    assert "form-until" not in alice.get("/ui/hold?cluster=cluster-01").text
    answer = hold(alice, "cluster-01", until="17:30")
    assert answer.status_code == 400
    assert "the hold begins when its job finishes: send duration instead of until" in text(answer)
    assert "hold" not in state(alice) or not state(alice)["hold"]


@pytest.mark.parametrize("until", ["25:00", "5pm", "12:60", "2026-01-02", "17:30:00"])
def test_another_text_is_no_time_of_day(add: Add, alice: FlaskClient, until: str) -> None:
    add("cluster-01")
    answer = hold(alice, "cluster-01", until=until)
    assert answer.status_code == 400
    assert "or a time of day in UTC, such as 17:30" in text(answer)
