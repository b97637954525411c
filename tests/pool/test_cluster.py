"""The meaning of a record: its state, its overlays and its faults."""

import itertools
import json
from typing import Any

import pytest

from cimaster.pool import UNVERIFIED
from cimaster.pool.records.cluster import BROKEN, CHECKING, DISABLED, HELD, OCCUPIED, STATES, VACANT, Cluster
from cimaster.pool.records.health import QUARANTINED
from cimaster.pool.records.json_values import load

FLAGS = (True, False, None)
LEASE = {"leaseId": "l", "leaseJob": "e2e", "leaseBuild": "1", "acquiredAt": "2026-01-02T03:04:05Z"}


def cluster(**fields: Any) -> Cluster:
    """Return a valid record with some fields changed."""
    record = {"name": "cluster-01", "status": "finished", "lastJob": "e2e", "lastBuild": "1", **fields}
    return Cluster(json.dumps(record), record)


@pytest.mark.parametrize(
    ("status", "disabled", "hold"),
    [*itertools.product(("finished", "testing"), (True, False, None), (True, False, None))],
)
def test_the_state_is_the_first_that_applies(status: str, disabled: bool | None, hold: bool | None) -> None:
    shown = cluster(status=status, disabled=disabled, hold=hold)
    expected = VACANT
    if hold:
        expected = HELD
    if disabled:
        expected = DISABLED
    if status == "testing":
        expected = OCCUPIED
    assert shown.state == expected
    assert (shown.held, shown.disabled, shown.lease is not None) == (
        hold is True,
        disabled is True,
        status == "testing",
    )


def test_states_are_listed_in_the_order_in_which_they_apply() -> None:
    assert STATES == (BROKEN, OCCUPIED, QUARANTINED, DISABLED, HELD, CHECKING, VACANT)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (None, "not an object"),
        ([], "not an object"),
        ("x", "not an object"),
        (1.5, "not an object"),
        ({}, "'name'"),
        ({"name": None, "status": "finished"}, "'name'"),
        ({"name": 5, "status": "finished"}, "'name'"),
        ({"name": "", "status": "finished"}, "'name'"),
        ({"name": " \t", "status": "finished"}, "'name'"),
        ({"name": "a"}, "'status'"),
        ({"name": "a", "status": None}, "'status'"),
        ({"name": "a", "status": "FINISHED"}, "'status'"),
        ({"name": "a", "status": ["finished"]}, "'status'"),
        ({"name": "a", "status": {}}, "'status'"),
        ({"name": "a", "status": "finished", "hold": 1}, "'hold'"),
        ({"name": "a", "status": "finished", "disabled": "false"}, "'disabled'"),
        ({"name": "a", "status": "finished", "lastBuild": 12345}, "'lastBuild'"),
        ({"name": "a", "status": "finished", "purpose": []}, "'purpose'"),
    ],
)
def test_a_malformed_record_is_broken_with_a_reason(record: object, reason: str) -> None:
    broken = Cluster(json.dumps(record), record)
    assert broken.state == BROKEN
    assert reason in broken.fault
    assert (broken.name, broken.lease, broken.hold, broken.due) == ("", None, None, None)


@pytest.mark.parametrize("key", ["region", "purpose", "osimage", "lastJob", "lastBuild", "lastTriggerName"])
def test_texts_that_are_null_or_missing_are_empty(key: str) -> None:
    for record in ({key: None}, {}):
        whole = {"name": "a", "status": "finished", **record}
        assert Cluster(json.dumps(whole), whole).state == VACANT


def test_a_record_without_a_purpose_serves_the_default() -> None:
    assert cluster().purpose == cluster(purpose="").purpose == cluster(purpose=None).purpose == "tess-ci"


def lease_id(**fields: str) -> str:
    """Return the lease id of an occupied cluster with these fields."""
    lease = cluster(status="testing", **fields).lease
    assert lease
    return lease.id


def test_lease_fields_count_only_for_the_job_and_build_that_they_name() -> None:
    assert lease_id(**LEASE) == "l"
    for by_hand in ({"lastJob": "other"}, {"lastBuild": "2"}):
        assert lease_id(**{**LEASE, **by_hand}) == ""
    assert cluster(status="finished", **LEASE).lease is None


def test_hold_fields_count_only_while_hold_is_true() -> None:
    left = {"holdBy": "alice", "holdExpires": "2026-01-02T03:04:05Z"}
    hold = cluster(hold=True, **left).hold
    assert hold
    assert hold.by == "alice"
    assert cluster(hold=False, **left).hold is None
    assert cluster(disabled=False, disabledBy="root", disabledReason="x").disabled_by == ""


@pytest.mark.parametrize("odd", [5, None, [], {}, "", "yesterday", 1.5, True])
def test_invalid_values_in_our_own_fields_are_ignored(odd: object) -> None:
    keys = (
        *LEASE,
        "leaseExpires",
        "leaseTtl",
        "requestId",
        "holdBy",
        "holdDesc",
        "heldAt",
        "holdExpires",
        "holdFor",
        "endedLeases",
        "labels",
        "note",
        "vacantSince",
        "disabledBy",
        "disabledReason",
    )
    for key in keys:
        odd_one = cluster(status="testing", hold=True, disabled=True, **{**LEASE, key: odd})
        assert odd_one.state == OCCUPIED
        assert odd_one.lease is not None
        assert odd_one.hold is not None
        assert isinstance(odd_one.labels, dict)
        assert isinstance(odd_one.ended_leases, tuple)
        assert isinstance(odd_one.note, str)
        assert odd_one.due is None or odd_one.due.tzinfo


def test_labels_that_are_not_texts_are_ignored() -> None:
    assert cluster(labels={"a": "b", "c": 5, "d": None}).labels == {"a": "b"}


def test_an_edit_keeps_unknown_fields() -> None:
    text = '{"name":"a", "status" : "finished", "x": 1.10}'
    edited = Cluster(text, json.loads(text)).edited(status="testing", hold=None, y=None)
    assert edited.text == '{"name":"a", "status" : "testing", "x": 1.10}'
    assert edited.edited(hold=True).text == '{"name":"a", "status" : "testing", "x": 1.10, "hold":true}' or (
        json.loads(edited.edited(hold=True).text)["hold"] is True
    )


def test_lone_surrogates_are_stored_but_never_shown() -> None:
    text = '{"name": "a", "status": "finished", "note": "\\ud800 \\ud83d\\ude00", "region": "\\udc00"}'
    odd = Cluster(text, load(text))
    assert odd.note == "\ufffd \U0001f600"
    odd.region.encode()
    assert odd.edited(hold=True).text.startswith('{"name": "a", "status": "finished", "note": "\\ud800 \\ud83d\\ude00"')
    odd.described(UNVERIFIED).encode()


def test_the_description_is_the_record_and_its_state() -> None:
    text = '{"name": "a", "status": "finished", "x": 1e400}'
    assert Cluster(text, json.loads(text)).described(UNVERIFIED, message="m") == (
        '{"name": "a", "status": "finished", "x": 1e400, "state": "vacant", "message": "m"}'
    )
    assert json.loads(Cluster("7", 7).described(UNVERIFIED))["fault"] == "the record is not an object"
