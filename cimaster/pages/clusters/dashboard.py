"""The dashboard: how many clusters are in each state, and the live table of those that match the filter."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from flask import Response, g, render_template
from markupsafe import Markup

from cimaster.pages.clusters import shortage_lines
from cimaster.pages.clusters.live_rows import LiveRows
from cimaster.pages.clusters.sorting import COLUMNS
from cimaster.pages.clusters.view import ROWS, View, requested_view
from cimaster.pages.creations import creation_panel
from cimaster.pages.frame.addresses import dashboard_url
from cimaster.pages.frame.blueprint import is_htmx_request, pages
from cimaster.pages.frame.fragments import poll_response
from cimaster.pages.frame.visitors import current_visitor, fragment_tag, latest
from cimaster.pages.queue import queue_panel
from cimaster.pool.records.cluster import BROKEN, CHECKING, DISABLED, HELD, OCCUPIED, VACANT
from cimaster.pool.records.health import HEALTHS, QUARANTINED
from cimaster.pool.records.pool import Pool
from cimaster.repository.snapshots import Snapshot
from cimaster.web.components import components

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
_LABELS = 50  # at most, in the menu of the filter


@dataclass(frozen=True)
class ClusterTable:
    """The first of the clusters that match the filter, as rendered rows; `found` is how many match."""

    view: View
    tag: str
    total: int
    found: int
    rows: list[Markup]

    @property
    def more(self) -> int:
        """How many rows the next click on "Show more" adds."""
        return min(self.found - len(self.rows), ROWS)


def clusters_context(snapshot: Snapshot, view: View, *, only_changes: bool = False) -> dict[str, Any]:
    """Build the context of fragments/clusters.html, for a poll with `only_changes` of what the browser shows."""
    pool, visitor = snapshot.pool, current_visitor()
    found = view.order.of(view.filter.of(pool), visitor)
    live = LiveRows(pool, found[: view.rows], visitor, components().clusters.now())
    total, count = len(pool.clusters), len(found)
    tag = live.tagged(fragment_tag(snapshot, view.query, total, count, pool.counts()))  # the cards follow the table
    rows = live.changed() if only_changes else live.rendered()
    return {"table": ClusterTable(view, tag, total, count, list(rows)), "columns": COLUMNS}


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


def _frequent_labels(pool: Pool) -> list[str]:
    """Return the labels to choose from: a pool may have one for each cluster, which is too many for a menu."""
    counts = Counter(f"{key}={value}" for cluster in pool.clusters for key, value in cluster.labels.items())
    return sorted(label for label, _ in counts.most_common(_LABELS))


@pages.get("/")
def dashboard() -> Response:
    """Show the pool."""
    snapshot, view = latest(), requested_view()
    page = render_template(
        "dashboard.html",
        view=view,
        states=list(CARDS),
        healths=HEALTHS,
        purposes=sorted({cluster.purpose for cluster in snapshot.pool.clusters if not cluster.fault}),
        regions=sorted({cluster.region for cluster in snapshot.pool.clusters if not cluster.fault and cluster.region}),
        labels=_frequent_labels(snapshot.pool),
        why_none=components().provisioning.why_none,
        **summary_context(snapshot, view),
        **shortage_lines.context(snapshot, view),
        **queue_panel.context(snapshot),
        **creation_panel.context(snapshot),
        **clusters_context(snapshot, view),
    )
    response = Response(page)
    if is_htmx_request():
        response.headers["HX-Replace-Url"] = dashboard_url(view.query)
    return response


@pages.get("/ui/fragments/clusters")
def clusters_fragment() -> Response:
    """Answer a poll of the table of clusters."""
    shown = clusters_context(latest(), requested_view(), only_changes=True)
    others = {"count": "fragments/count.html"}
    return poll_response("fragments/clusters.html", shown["table"].tag, lambda: shown, others)


@pages.get("/ui/fragments/summary")
def summary_fragment() -> Response:
    """Return the cards again, after the table has changed."""
    g.quiet = True
    return Response(render_template("fragments/summary.html", **summary_context(latest(), requested_view())))
