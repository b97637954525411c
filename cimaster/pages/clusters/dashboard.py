"""The dashboard: how many clusters are in each state, why none is vacant, and the table of clusters."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from flask import Response, g, render_template

from cimaster.pages.clusters import cluster_table, shortage_lines
from cimaster.pages.clusters.view import View, requested_view
from cimaster.pages.creations import creation_panel
from cimaster.pages.frame.action_buttons import why_not
from cimaster.pages.frame.blueprint import pages
from cimaster.pages.frame.visitors import current_visitor, latest
from cimaster.pages.queue import queue_panel
from cimaster.pool.records.cluster import BROKEN, CHECKING, DISABLED, HELD, OCCUPIED, VACANT
from cimaster.pool.records.health import QUARANTINED
from cimaster.repository.snapshots import Snapshot
from cimaster.web.components import components
from cimaster.web.identity.roles import Role

CARDS = {
    VACANT: "ready to lend",
    OCCUPIED: "in use by jobs",
    HELD: "in use by people",
    CHECKING: "not lent yet",
    DISABLED: "not lent",
    QUARANTINED: "faulty, not lent",
    BROKEN: "records to fix",
}
_SHOWN_IF_ANY = (CHECKING, QUARANTINED, BROKEN)


@dataclass(frozen=True)
class Summary:
    """How many of the clusters that match the filter are in each state."""

    view: View
    total: int
    cards: list[tuple[str, int, str]]


def summary_context(snapshot: Snapshot, view: View) -> dict[str, Any]:
    """Build the context of fragments/summary.html."""
    found = view.of_any_state.of(snapshot.pool)
    counts = Counter(cluster.state for cluster in found)
    shown = [state for state in CARDS if state not in _SHOWN_IF_ANY or counts[state] or state == view.filter.state]
    cards = [(state, counts[state], CARDS[state]) for state in shown]
    return {"summary": Summary(view, len(found), cards)}


@pages.get("/")
def dashboard() -> Response:
    """Show the pool."""
    snapshot, view, visitor = latest(), requested_view(), current_visitor()
    page = render_template(
        "dashboard.html",
        **cluster_table.filter_choices(snapshot, view),
        why_not_hold=why_not(Role.PERSON, visitor),
        why_none=why_not(Role.PERSON, visitor) or components().provisioning.why_none,
        **summary_context(snapshot, view),
        **shortage_lines.context(snapshot, view),
        **queue_panel.context(snapshot),
        **creation_panel.context(snapshot),
        **cluster_table.context(snapshot, view),
    )
    return cluster_table.page_response(page, view)


@pages.get("/ui/fragments/clusters")
def clusters_fragment() -> Response:
    """Answer a poll of the table of clusters."""
    return cluster_table.live_response(latest(), requested_view())


@pages.get("/ui/fragments/summary")
def summary_fragment() -> Response:
    """Return the cards again, after the table has changed."""
    g.quiet = True
    return Response(render_template("fragments/summary.html", **summary_context(latest(), requested_view())))
