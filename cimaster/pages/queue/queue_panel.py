"""Who waits for a cluster, in the order in which they are served: live on the first page, and on one of their own."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Response, render_template, request

from cimaster.pages.frame import action_buttons
from cimaster.pages.frame.action_buttons import Action
from cimaster.pages.frame.blueprint import pages
from cimaster.pages.frame.fragments import served
from cimaster.pages.frame.visitors import Visitor, element_id, latest, tag, visitor
from cimaster.pool.decisions import descriptions, queue_order
from cimaster.pool.records.ticket import LONG_AGO, NORMAL, Ticket
from cimaster.repository.snapshots import Snapshot
from cimaster.web.components import components

LONG = timedelta(minutes=30)  # of waiting after which something is wrong with the pool
_MOST = 5  # on the first page, so that the table stays in sight


@dataclass(frozen=True)
class Row:
    """One ticket as pages tell of it. Plain values only: what the panel's tag is made of."""

    id: str
    reference: str
    place: int
    job: str
    by: str
    kind: str
    priority: str
    since: datetime | None
    until: datetime | None
    is_there: bool
    mine: bool
    actions: tuple[Action, ...]

    @property
    def name(self) -> str:
        """What buttons and forms call it."""
        return f"{self.job} by {self.by}" if self.by else self.job


@dataclass(frozen=True)
class First:
    """Who came first of those that wait; others may be served before."""

    place: int
    since: datetime
    is_long: bool


@dataclass(frozen=True)
class Panel:
    """What the panel shows; `more` tickets are on the page that shows `everything`."""

    tag: str
    rows: tuple[Row, ...]
    count: int
    first: First | None
    more: int
    everything: bool


def panel(snapshot: Snapshot, everything: bool = False) -> Panel:
    """Return who waits, and for how long already."""
    who, now = visitor(), components().clusters.repository.now()
    ranked = queue_order.in_serving_order(snapshot.pool, now)
    drawn = ranked if everything else ranked[:_MOST]
    rows = tuple(_row(ticket, place, who, now) for place, ticket in enumerate(drawn, 1))
    first, count, more = _first(ranked, now), len(ranked), len(ranked) - len(drawn)
    return Panel(tag(snapshot, rows, first, count), rows, count, first, more, everything)


def find(snapshot: Snapshot, identity: str) -> Row | None:
    """Return the row of a ticket; None if it does not wait any more."""
    who, now = visitor(), components().clusters.repository.now()
    ranked = enumerate(queue_order.in_serving_order(snapshot.pool, now), 1)
    return next((_row(ticket, place, who, now) for place, ticket in ranked if ticket.id == identity), None)


def _first(ranked: list[Ticket], now: datetime) -> First | None:
    known = [(ticket.since, place) for place, ticket in enumerate(ranked, 1) if ticket.since != LONG_AGO]
    if not known:
        return None
    since, place = min(known)
    return First(place, since, now - since > LONG)


def _row(ticket: Ticket, place: int, who: Visitor, now: datetime) -> Row:
    criteria, mine = ticket.criteria, who.waits(ticket)
    return Row(
        element_id(f"ticket {ticket.id}"),
        ticket.id,
        place,
        "a broken record" if ticket.fault else descriptions.job_label(criteria.job, criteria.build),
        criteria.by,
        "; ".join((ticket.fault or criteria.describe(), *descriptions.unreadable_fields(ticket))),
        "" if ticket.priority == NORMAL else ticket.priority,
        ticket.since if ticket.since != LONG_AGO else None,
        ticket.until,
        ticket.is_present(now),
        mine,
        tuple(action_buttons.of_ticket(mine)),
    )


@pages.get("/ui/queue")
def whole_queue() -> str:
    """Show all who wait, those too for whom the first page has no room."""
    return render_template("queue.html", waiting=panel(latest(), everything=True))


@pages.get("/ui/fragments/queue")
def queue_fragment() -> Response:
    """Keep the panel up to date."""
    waiting = panel(latest(), everything="all" in request.args)
    return served("fragments/queue.html", waiting.tag, lambda: {"waiting": waiting}, leads=waiting.everything)
