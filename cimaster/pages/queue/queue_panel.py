"""The wait queue: a panel on the dashboard, and a page with all tickets."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Response, render_template, request

from cimaster.common.times import about
from cimaster.pages.frame import action_buttons
from cimaster.pages.frame.action_buttons import Action
from cimaster.pages.frame.blueprint import pages
from cimaster.pages.frame.fragments import poll_response
from cimaster.pages.frame.visitors import Visitor, current_visitor, element_id, fragment_tag, latest
from cimaster.pool.decisions import descriptions, expected_wait, queue_order
from cimaster.pool.records import owners
from cimaster.pool.records.owners import is_verified
from cimaster.pool.records.pool import Pool
from cimaster.pool.records.ticket import LONG_AGO, NORMAL, Ticket
from cimaster.repository.snapshots import Snapshot
from cimaster.web import callers
from cimaster.web.components import components

LONG_WAIT = timedelta(minutes=30)  # after which the panel warns that the pool is too small
_MOST_ROWS = 20  # on the dashboard; the page of the queue has all
ON_DASHBOARD = {"queue-summary": "fragments/queue_summary.html", "places": "fragments/queue_places.html"}
"""What changes on the dashboard with the queue."""


@dataclass(frozen=True)
class Row:
    """One ticket as pages show it. Plain values only, because the panel's tag is computed from them."""

    id: str
    reference: str
    place: int
    job: str
    by: str
    kind: str
    cluster: str
    expected_wait: str
    priority: str
    since: datetime | None
    until: datetime | None
    is_connected: bool
    is_hold: bool
    is_mine: bool
    actions: tuple[Action, ...]

    @property
    def shown_id(self) -> str:
        """The id as its caller sent it; empty for a visitor that may not see it."""
        return owners.shown(self.reference)

    @property
    def name(self) -> str:
        """The name in buttons and forms."""
        if self.is_hold:
            return f"hold for {self.by}"
        return f"{self.job} by {self.by}" if self.by else self.job


@dataclass(frozen=True)
class LongestWait:
    """The job that has waited longest. By priority, others may be served before it."""

    place: int
    since: datetime
    is_too_long: bool


@dataclass(frozen=True)
class Panel:
    """What the panel shows; `more` counts the tickets that only the page with `everything` shows.

    `places` are the tickets with which the visitor waits for a hold. `people` counts those of all people.
    """

    tag: str
    rows: tuple[Row, ...]
    places: tuple[Row, ...]
    count: int
    people: int
    longest: LongestWait | None
    more: int
    everything: bool


def context(snapshot: Snapshot, everything: bool = False) -> dict[str, Any]:
    """Build the context of fragments/queue.html."""
    return {"queue": _panel(snapshot, everything)}


def _panel(snapshot: Snapshot, everything: bool) -> Panel:
    visitor, now = current_visitor(), components().clusters.now()
    tickets = queue_order.in_serving_order(snapshot.pool, now)
    shown = tickets if everything else tickets[:_MOST_ROWS]
    own = [ticket for ticket in tickets if ticket.is_hold and visitor.owns_ticket(ticket)]
    by_id = _rows(snapshot.pool, tickets, {ticket.id for ticket in (*shown, *own)}, visitor, now)
    rows, places = tuple(by_id[ticket.id] for ticket in shown), tuple(by_id[ticket.id] for ticket in own)
    longest, count, people = _longest_wait(tickets, now), len(tickets), sum(ticket.is_hold for ticket in tickets)
    tag = fragment_tag(snapshot, rows, places, longest, count, people)
    return Panel(tag, rows, places, count, people, longest, count - len(shown), everything)


def _rows(pool: Pool, tickets: list[Ticket], wanted: set[str], visitor: Visitor, now: datetime) -> dict[str, Row]:
    """Return the rows of the wanted tickets by their ids; `tickets` are all, in serving order."""
    waits = expected_wait.expected_waits(pool, now, wanted) if wanted else {}
    numbered = ((place, ticket) for place, ticket in enumerate(tickets, 1) if ticket.id in wanted)
    return {ticket.id: _row(ticket, place, waits.get(ticket.id), visitor, now) for place, ticket in numbered}


def find(snapshot: Snapshot, identity: str) -> Row | None:
    """Return the row of a ticket; None if it is no longer waiting."""
    visitor, now = current_visitor(), components().clusters.now()
    tickets = queue_order.in_serving_order(snapshot.pool, now)
    return _rows(snapshot.pool, tickets, {identity}, visitor, now).get(identity)


def _longest_wait(tickets: list[Ticket], now: datetime) -> LongestWait | None:
    jobs = ((place, ticket) for place, ticket in enumerate(tickets, 1) if not ticket.is_hold)
    known = [(ticket.since, place) for place, ticket in jobs if ticket.since != LONG_AGO]
    if not known:
        return None
    since, place = min(known)
    return LongestWait(place, since, now - since > LONG_WAIT)


def _row(ticket: Ticket, place: int, wait: timedelta | None, visitor: Visitor, now: datetime) -> Row:
    criteria, caller, owner = ticket.criteria, callers.caller(), ticket.owner if is_verified(ticket.owner) else ""
    is_mine = visitor.owns_ticket(ticket) or bool(owner and caller.owner == owner)
    can_name_it = ticket.is_seen_by(caller)
    others = "" if can_name_it else owners.label(owner) or "the caller that waits"
    return Row(
        id=element_id(f"ticket {ticket.id}"),
        reference=ticket.id if can_name_it else "",
        place=place,
        job=_waits_for(ticket),
        by=criteria.by,
        kind="; ".join((ticket.fault or criteria.describe(), *descriptions.unreadable_fields(ticket))),
        cluster=criteria.cluster,
        expected_wait=about(wait) if wait is not None else "",
        priority="" if ticket.priority == NORMAL else ticket.priority,
        since=ticket.since if ticket.since != LONG_AGO else None,
        until=ticket.until,
        is_connected=ticket.is_present(now),
        is_hold=ticket.is_hold,
        is_mine=is_mine,
        actions=tuple(action_buttons.for_ticket(is_mine, others, visitor)),
    )


def _waits_for(ticket: Ticket) -> str:
    """Name the job that waits, or what a person wants."""
    if ticket.fault:
        return "a broken record"
    return "hold" if ticket.is_hold else descriptions.job_label(ticket.criteria.job, ticket.criteria.build)


@pages.get("/ui/queue")
def queue_page() -> str:
    """Show all tickets, including those that do not fit on the dashboard."""
    return render_template("queue.html", **context(latest(), everything=True))


@pages.get("/ui/fragments/queue")
def queue_fragment() -> Response:
    """Answer a poll of the panel."""
    shown = context(latest(), everything="all" in request.args)
    panel = shown["queue"]
    others = {} if panel.everything else ON_DASHBOARD
    return poll_response("fragments/queue.html", panel.tag, lambda: shown, others, triggers_refresh=panel.everything)
