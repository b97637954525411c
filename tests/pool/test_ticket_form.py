"""Tickets are stored in a short form; those of earlier versions are read as well, and all of it can be any value."""

import json
from datetime import timedelta
from typing import Any

import pytest

from cimaster.pool import UNVERIFIED, Criteria, Pool, codec
from cimaster.pool.records import ticket_form
from cimaster.pool.records.ticket import BETWEEN_POLLS, Ticket
from tests.stored import NOW

EARLIER = {
    "id": "r-1",
    "hash": "0123456789abcdef",
    "owner": "f00",
    "priority": "high",
    "since": "2026-01-02T11:59:00Z",
    "until": "2026-01-02T13:00:00Z",
    "ask": {"job": "e2e", "build": "8", "by": "al", "labels": {"gpu": "yes"}, "ttl": "1h"},
    "here": "2026-01-02T12:00:20Z",
    "keeps": "9s",
}
SHORT = {
    "id": "r-1",
    "h": "0123456789abcdef",
    "o": "f00",
    "p": "high",
    "s": 1767355140,
    "u": 3660,
    "j": "e2e",
    "b": "8",
    "n": "al",
    "ask": {"labels": {"gpu": "yes"}, "ttl": "1h"},
    "c": 80,
    "k": "9s",
}


def decoded(**data: str) -> Pool:
    """Return the pool in these keys of the object."""
    named = {"tickets": codec.TICKETS, "earlier": codec.QUEUE}
    return codec.decode({codec.CLUSTERS: "[]", **{named[key]: text for key, text in data.items()}}, 1, Pool().rules)


def test_the_short_form_says_the_same() -> None:
    assert ticket_form.shortened(EARLIER) == SHORT
    assert ticket_form.expanded(SHORT) == EARLIER
    assert ticket_form.expanded(EARLIER) == EARLIER


@pytest.mark.parametrize(
    "odd",
    [
        {"since": "2026-01-02T11:59:00+00:00"},
        {"since": "0001-01-01T00:00:00Z"},
        {"since": 7},
        {"until": "never"},
        {"here": "2026-01-02T11:00:00Z"},
        {"ask": 7},
        {"ask": {"build": []}},
        {"hash": None},
        {"x": {"y": 1}, "desc": "Größe"},
    ],
)
def test_what_cannot_be_shortened_is_kept(odd: dict[str, Any]) -> None:
    fields = {**EARLIER, **odd}
    assert ticket_form.expanded(ticket_form.shortened(fields)) == fields


@pytest.mark.parametrize("odd", [{"s": "x"}, {"s": -1}, {"s": 10**12}, {"u": 1.5}, {"c": True}, {"j": 7}, {"ask": []}])
def test_a_short_form_with_odd_values_is_read_and_keeps_its_text(odd: dict[str, Any]) -> None:
    text = json.dumps([{**SHORT, **odd}])
    pool = decoded(tickets=text)
    (ticket,) = pool.queue
    assert not ticket.fault
    assert (ticket.id, ticket.hash) == ("r-1", "0123456789abcdef")
    assert codec.encode(pool, NOW)[1][codec.TICKETS] == text
    assert ticket.connected(NOW, BETWEEN_POLLS).connected_until == NOW


def test_a_ticket_of_an_earlier_version_is_shortened_when_it_changes() -> None:
    pool = decoded(earlier=json.dumps([EARLIER]))
    (ticket,) = pool.queue
    assert ticket.criteria == Criteria("e2e", "8", "al", labels={"gpu": "yes"}, ttl=timedelta(hours=1))
    assert (ticket.since, ticket.connected_until) == (NOW - timedelta(minutes=1), NOW + timedelta(seconds=20))
    data = codec.encode(pool, NOW)[1]
    assert codec.QUEUE not in data
    assert json.loads(data[codec.TICKETS]) == [EARLIER]
    renewed = ticket.connected(NOW + timedelta(seconds=20), timedelta(seconds=9))
    assert json.loads(renewed.text) == SHORT


def test_tickets_of_earlier_versions_join_those_of_this_one() -> None:
    """While replicas are being replaced, those of an earlier version still write tickets under their own key."""
    newer = {**EARLIER, "here": "2026-01-02T12:00:40Z", "since": "2026-01-02T12:00:30Z"}
    other = {**EARLIER, "id": "r-2"}
    first = {**SHORT, "id": "r-0"}
    queue = decoded(tickets=json.dumps([first, SHORT]), earlier=json.dumps([7, newer, other])).queue
    assert [ticket.id for ticket in queue if not ticket.fault] == ["r-0", "r-1", "r-2"]
    assert queue.by_id["r-1"].since == NOW - timedelta(minutes=1)
    assert queue.by_id["r-1"].connected_until == NOW + timedelta(seconds=40)
    assert [ticket.text for ticket in queue if ticket.fault] == ["7"]


def test_what_callers_see_has_the_long_names() -> None:
    shown = Ticket.parse(json.dumps(SHORT), SHORT).described(UNVERIFIED, 1, NOW)
    assert shown == {
        "place": 1,
        "id": "r-1",
        "priority": "high",
        "since": "2026-01-02T11:59:00Z",
        "until": "2026-01-02T13:00:00Z",
        "ask": EARLIER["ask"],
        "there": True,
    }
