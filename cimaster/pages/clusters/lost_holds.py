"""The holds that a visitor lost within the last day: every page says how, until the visitor dismisses it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Response, g, render_template, request

from cimaster.common.texts import printable, same_person
from cimaster.pages.frame import addresses, cookies
from cimaster.pages.frame.blueprint import is_htmx_request, pages, redirect_to
from cimaster.pages.frame.visitors import current_visitor, latest
from cimaster.pool import parsers
from cimaster.pool.records.history import Entry
from cimaster.services.history import HistoryFilter
from cimaster.web import access, endpoints
from cimaster.web.components import components

SHOWN_FOR = timedelta(days=1)
_MOST_LINES = 5  # so that the table of clusters stays in sight
_TAKEN_OVER, _HANDED_OVER, _RELEASED, _ENDED = "taken over", "handed over", "released", "hold ended"
_ENDS = (_TAKEN_OVER, _HANDED_OVER, _RELEASED, _ENDED)
_BEGINS = ("held", "held when free", _TAKEN_OVER, _HANDED_OVER)


@dataclass(frozen=True)
class LostHold:
    """A hold that the visitor did not end: the event, the person who ended it, the new holder, and why."""

    cluster: str
    event: str
    by: str
    new_holder: str
    reason: str
    at: datetime
    commit: int


def of(history: Iterable[Entry], person: str, now: datetime, dismissed: int = 0) -> list[LostHold]:
    """Return the holds that a person lost after the commit `dismissed`, newest first, at most one for each cluster.

    The history is newest first, too.

    A cluster that the person has held again since, or whose hold they ended themselves, is left out.
    """
    lost: dict[str, LostHold | None] = {}
    for entry in history:
        cluster = printable(entry.cluster)
        if cluster not in lost and _concerns_hold_of(entry, person):
            lost[cluster] = _lost(entry, person)
    recent = (hold for hold in lost.values() if hold and now - hold.at <= SHOWN_FOR)
    return [hold for hold in recent if hold.commit > dismissed]


def _concerns_hold_of(entry: Entry, person: str) -> bool:
    """Say whether a hold of the person began or ended with this change."""
    if entry.event in _ENDS and same_person(entry.holder or entry.by, person):
        return True
    return entry.event in _BEGINS and same_person(entry.get_text("newHolder") or entry.by, person)


def _lost(entry: Entry, person: str) -> LostHold | None:
    """Return the hold that ended with this change; None if the person ended it or has it now."""
    if entry.event not in _ENDS or entry.at is None or not same_person(entry.holder, person):
        return None
    new_holder, commit = entry.get_text("newHolder"), entry.get_number("commit")
    return LostHold(entry.cluster, entry.event, entry.by, new_holder, entry.reason, entry.at, commit)


def _shown() -> tuple[list[LostHold], int]:
    """Return the lines to show and how many more there are; none on a page that reports an outage from the start."""
    name, newest = current_visitor().name, components().clusters.repository.newest
    if not name or newest is None:
        return [], 0
    now = components().clusters.now()
    recent = components().history.entries(newest, HistoryFilter(since=now - SHOWN_FOR))
    lost = of(recent, name, now, cookies.dismissed())
    return lost[:_MOST_LINES], len(lost[_MOST_LINES:])


@pages.app_context_processor
def _template_globals() -> dict[str, object]:
    return {"lost_holds": _shown}


@pages.get("/ui/fragments/lostholds")
def lost_holds_fragment() -> Response:
    """Return the lines again, after the pool has changed."""
    g.quiet = True
    latest()  # reads a state that the browser has seen, if this replica has not read it yet
    return Response(render_template("fragments/lost_holds.html"))


@access.allow(endpoints.READERS)
@pages.post("/ui/dismissholds")
def dismiss_holds() -> Response:
    """Dismiss the lines up to the commit that the page showed; the browser's cookie keeps it."""
    cookies.remember(dismissed=max(_sent_commit(), cookies.dismissed()))
    if is_htmx_request():
        return lost_holds_fragment()
    return redirect_to(addresses.return_address())


def _sent_commit() -> int:
    try:
        return parsers.commit(request.form.get("commit", ""))
    except ValueError:
        return 0
