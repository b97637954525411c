"""Undo of a release: the button in its message, and when the service refuses it."""

import re
from html import unescape
from urllib.parse import unquote

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cimaster.errors import ClusterNotVacant
from cimaster.pool import ReleasedHold
from cimaster.services.clusters import Clusters
from tests.conftest import Add, MovableClock
from tests.pages.conftest import HTMX, SignIn, WriteKey, cookie, follow, hold, text
from tests.pages.test_hold import ROW, history, state


def release(browser: FlaskClient, cluster: str = "cluster-01", **fields: str) -> TestResponse:
    """Release with a plain form, and return the page with the message."""
    return follow(browser, browser.post("/ui/release", data={"cluster": cluster, **fields}))


def undo_of(page: TestResponse) -> dict[str, str]:
    """Return what the button Undo of a page sends; empty if it has none."""
    form = re.search(r'<form class="undo".*?</form>', page.text, re.DOTALL)
    inputs = re.findall(r'name="(\w+)" value="([^"]*)"', form[0]) if form else []
    return {name: unescape(value) for name, value in inputs}


def undo(browser: FlaskClient, fields: dict[str, str], **headers: str) -> TestResponse:
    """Press the button Undo."""
    assert fields
    return browser.post("/ui/undorelease", data=fields, headers=headers)


def facts(browser: FlaskClient) -> dict[str, str]:
    """Return the stored facts of the hold."""
    names = ("hold", "holdBy", "holdDesc", "holdWith", "heldAt", "holdExpires", "holdFor", "state")
    return {name: value for name, value in state(browser).items() if name in names}


def test_undo_restores_the_hold_exactly(add: Add, alice: FlaskClient, clock: MovableClock) -> None:
    add("cluster-01")
    hold(alice, "cluster-01", desc="Größe, <b> & more", duration="2h", **{"with": "carol,Jürgen"})
    clock.forward(minutes=20)
    before = facts(alice)
    released = release(alice)
    assert "cluster cluster-01 is released Undo" in text(released)
    clock.forward(seconds=9)
    page = follow(alice, undo(alice, undo_of(released)))
    assert facts(alice) == before
    assert "You hold cluster-01 until" in text(page)
    assert [entry["event"] for entry in history(alice)][:3] == ["held", "released", "held"]


def test_undo_in_place_changes_the_row(add: Add, alice: FlaskClient) -> None:
    add("cluster-01")
    hold(alice, "cluster-01")
    before = facts(alice)
    released = alice.post("/ui/release", data={"cluster": "cluster-01"}, headers=ROW)
    assert undo_of(released)["cluster"] == "cluster-01"
    answer = undo(alice, undo_of(released), **ROW)
    assert 'data-state="held"' in answer.text
    assert "You hold cluster-01 until" in text(answer)
    assert facts(alice) == before


def test_undo_restores_a_hold_behind_a_job(add: Add, alice: FlaskClient, clock: MovableClock) -> None:
    add("cluster-01")
    alice.get("/getvacant?build=124&job=e2e")
    hold(alice, "cluster-01", duration="3h", desc="a look")
    before = facts(alice)
    clock.forward(minutes=5)
    fields = undo_of(release(alice))
    clock.forward(seconds=5)
    for _ in ("once", "again, because the answer was lost"):
        follow(alice, undo(alice, fields))
        assert facts(alice) == before


def test_no_undo_for_a_hold_that_no_form_may_send(add: Add, alice: FlaskClient, rewritten: WriteKey) -> None:
    add("cluster-01")
    hold(alice, "cluster-01", desc="long")
    rewritten("cluster.json", lambda text: text.replace('"long"', f'"{"l" * 501}"'))
    assert "Undo" not in text(release(alice))


def test_a_second_press_of_undo_changes_nothing(add: Add, alice: FlaskClient) -> None:
    add("cluster-01")
    hold(alice, "cluster-01", desc="mine")
    fields = undo_of(release(alice))
    assert undo(alice, fields).status_code == 303
    commits = len(history(alice))
    assert undo(alice, fields).status_code == 303
    assert len(history(alice)) == commits


def test_undo_names_the_job_that_has_the_cluster_since(add: Add, alice: FlaskClient, clock: MovableClock) -> None:
    add("cluster-01")
    hold(alice, "cluster-01")
    fields = undo_of(release(alice))
    clock.forward(seconds=2)
    alice.get("/getvacant?build=124&job=e2e")
    clock.forward(seconds=3)
    for headers in ({}, ROW):
        answer = undo(alice, fields, **headers)
        assert answer.status_code == 409
        assert re.search(r"cluster-01 went to e2e #124 ([3-9]|[1-5]\d) s ago: hold another cluster", text(answer))
    assert state(alice)["state"] == "occupied"


def test_undo_names_the_person_that_holds_the_cluster_since(add: Add, alice: FlaskClient, person: SignIn) -> None:
    add("cluster-01")
    hold(alice, "cluster-01", duration="1h")
    fields = undo_of(release(alice))
    hold(person("bob"), "cluster-01", duration="1h")
    answer = undo(alice, fields)
    assert answer.status_code == 409
    assert "cluster-01 went to bob" in text(answer)
    assert state(alice)["holdBy"] == "bob"


def test_a_late_undo_leaves_a_newer_hold_of_the_same_person_alone(add: Add, alice: FlaskClient) -> None:
    add("cluster-01")
    hold(alice, "cluster-01", duration="1h", desc="first")
    fields = undo_of(release(alice))
    hold(alice, "cluster-01", duration="2h", desc="second")
    newer = facts(alice)
    assert undo(alice, fields).status_code == 409
    assert facts(alice) == newer
    release(alice)
    answer = undo(alice, fields)  # the record may look the same as after the first release
    assert answer.status_code == 409
    assert "cluster-01 has changed since its release: it is now vacant" in text(answer)
    assert state(alice)["state"] == "vacant"


def test_undo_is_refused_after_a_change_without_history(add: Add, alice: FlaskClient, root: FlaskClient) -> None:
    add("cluster-01")
    hold(alice, "cluster-01")
    fields = undo_of(release(alice))
    root.get("/disablecluster?cluster=cluster-01&name=root&reason=disks")
    answer = undo(alice, fields)
    assert answer.status_code == 409
    assert "it is now disabled by root: disks" in text(answer)


def test_undo_is_refused_after_a_minute(add: Add, alice: FlaskClient, clock: MovableClock) -> None:
    add("cluster-01")
    hold(alice, "cluster-01")
    fields = undo_of(release(alice))
    clock.forward(seconds=62)
    answer = undo(alice, fields)
    assert answer.status_code == 410
    assert "it is too late to undo the release of cluster-01: hold it again" in text(answer)
    assert state(alice)["state"] == "vacant"


def test_undo_is_refused_when_the_hold_would_have_ended(add: Add, alice: FlaskClient, clock: MovableClock) -> None:
    add("cluster-01")
    hold(alice, "cluster-01", duration="1m")
    clock.forward(seconds=50)
    fields = undo_of(release(alice))
    clock.forward(seconds=20)
    answer = undo(alice, fields)
    assert answer.status_code == 410
    assert "the hold of cluster-01 would have ended at 20" in text(answer)


def test_only_the_person_that_released_can_undo(add: Add, alice: FlaskClient, person: SignIn) -> None:
    add("cluster-01")
    hold(alice, "cluster-01")
    fields = undo_of(release(alice))
    answer = undo(person("bob"), fields)
    assert answer.status_code == 403
    assert "only the person who released cluster-01 can undo that" in text(answer)
    assert undo(person("ALICE"), fields).status_code == 303


def test_an_admin_undoes_the_release_of_anothers_hold(add: Add, alice: FlaskClient, root: FlaskClient) -> None:
    add("cluster-01")
    hold(alice, "cluster-01", desc="debugging")
    before = facts(alice)
    fields = undo_of(release(root, reason="by mistake"))
    assert undo(alice, fields).status_code == 403
    follow(root, undo(root, fields))
    assert facts(alice) == before
    assert "released your hold" not in text(alice.get("/"))


@pytest.mark.parametrize(
    ("forged", "status"),
    [
        ({"holder": "bob"}, 403),
        ({"expires": "2099-01-01T00:00:00Z"}, 422),
        ({"expires": "2099-01-01T00:00:00Z", "since": "2098-12-31T00:00:00Z"}, 422),
        ({"expires": "9999-12-31T23:59:59Z", "since": "0001-01-01T00:00:00Z"}, 422),
        ({"expires": "", "lasts": "100h"}, 422),
        ({"commit": "1"}, 409),
        ({"digest": "00000000"}, 409),
        ({"expires": "soon"}, 400),
        ({"commit": ""}, 400),
        ({"cluster": "cluster-09"}, 404),
    ],
)
def test_forged_fields_of_undo_are_refused(add: Add, alice: FlaskClient, forged: dict[str, str], status: int) -> None:
    add("cluster-01")
    hold(alice, "cluster-01")
    fields = undo_of(release(alice))
    assert undo(alice, {**fields, **forged}).status_code == status
    assert state(alice)["state"] == "vacant"


def test_a_release_to_a_waiting_job_says_so_and_has_no_undo(
    add: Add, alice: FlaskClient, client: FlaskClient, service: Clusters
) -> None:
    add("cluster-01")
    hold(alice, "cluster-01", duration="1h")
    held = service.view().pool.find("cluster-01").hold
    assert held
    for _ in range(2):
        client.get("/getvacant?build=124&job=e2e")  # a legacy script that polls
    released = release(alice)
    assert "cluster cluster-01 is released; e2e #124 waited for it and gets it" in text(released)
    assert undo_of(released) == {}
    snapshot = service.view()
    digest = snapshot.pool.find("cluster-01").digest
    with pytest.raises(ClusterNotVacant, match="cluster-01 goes to e2e #124, which waits for it"):
        service.undo_release(ReleasedHold("cluster-01", held, snapshot.commit, digest), "alice")


def test_a_release_to_a_waiting_person_has_no_undo(add: Add, alice: FlaskClient, person: SignIn) -> None:
    add("cluster-01")
    hold(alice, "cluster-01")
    person("bob").post("/ui/holdwhenfree", data={"cluster": "cluster-01", "wait": "1d", "duration": "1h"})
    released = release(alice)
    assert "cluster cluster-01 is released; bob waited for it and gets it" in text(released)
    assert undo_of(released) == {}


def test_a_cluster_to_be_cleaned_after_its_release_has_no_undo(
    add: Add, alice: FlaskClient, rewritten: WriteKey
) -> None:
    add("cluster-01")
    rewritten("purposes.json", lambda _: '[{"purpose": "tess-ci", "clean": "wipe"}]')
    hold(alice, "cluster-01")
    released = release(alice)
    assert "is released; it is now waiting to be cleaned" in text(released)
    assert undo_of(released) == {}


@pytest.mark.parametrize("desc", ["ü" * 500, "\U0001f600" * 500])
def test_the_message_fits_into_a_cookie(add: Add, alice: FlaskClient, desc: str) -> None:
    add("cluster-01")
    hold(alice, "cluster-01", desc=desc)
    answer = alice.post("/ui/release", data={"cluster": "cluster-01"})
    set_cookies = answer.headers.getlist("Set-Cookie")
    assert max(len(each.partition(";")[0]) for each in set_cookies) <= 4000
    assert "is released" in unquote(cookie(alice, "cimaster_message"))
    assert "is released" in text(follow(alice, answer))


def test_a_cookie_of_another_service_is_no_message(add: Add, alice: FlaskClient) -> None:
    for value in ('{"text": "x", "undo": 3}', '{"text": "x", "undo": {"a": []}}', '{"text": "x", "undo": null}'):
        alice.set_cookie("cimaster_message", value.replace('"', "%22").replace(" ", "%20"))
        assert "toast-static" not in alice.get("/").text


def test_an_undo_without_its_fields_is_a_page_without_the_button(add: Add, alice: FlaskClient) -> None:
    add("cluster-01")
    page = alice.get("/ui/undorelease?cluster=cluster-01", headers=HTMX)
    assert page.status_code == 200
    assert "form-send" not in page.text
