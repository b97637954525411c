"""The live table of the clusters that match the filter, on the dashboard and on the inventory page."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from flask import Response
from markupsafe import Markup

from cimaster.pages.clusters import cluster_actions
from cimaster.pages.clusters.live_rows import LiveRows
from cimaster.pages.clusters.view import ROWS, View
from cimaster.pages.frame.blueprint import is_htmx_request
from cimaster.pages.frame.fragments import poll_response
from cimaster.pages.frame.visitors import current_visitor, fragment_tag
from cimaster.pool.records.cluster import BROKEN, CHECKING, DISABLED, HELD, OCCUPIED, VACANT
from cimaster.pool.records.health import HEALTHS, QUARANTINED
from cimaster.pool.records.pool import Pool
from cimaster.repository.snapshots import Snapshot
from cimaster.web.components import components

_STATES = (VACANT, OCCUPIED, HELD, CHECKING, DISABLED, QUARANTINED)
_LABELS = 50  # at most, in the menu of the filter


@dataclass(frozen=True)
class ClusterTable:
    """The first of the clusters that match the filter, as rendered rows; `found` is how many match."""

    view: View
    tag: str
    total: int
    found: int
    rows: list[Markup]
    selectable: int

    @property
    def more(self) -> int:
        """How many rows the next click on "Show more" adds."""
        return min(self.found - len(self.rows), ROWS)


def context(snapshot: Snapshot, view: View, *, only_changes: bool = False) -> dict[str, Any]:
    """Build the context of fragments/clusters.html, for a poll with `only_changes` of what the browser shows."""
    pool, visitor = snapshot.pool, current_visitor()
    found = view.order.of(view.of(pool), visitor)
    shown = found[: view.rows]
    live = LiveRows(pool, shown, visitor, components().clusters.now(), view.page.layout)
    total, count = view.total(pool), len(found)
    tag = live.tagged(fragment_tag(snapshot, view.query, total, count, pool.counts()))  # the cards follow the table
    rows = live.changed() if only_changes else live.rendered()
    selectable = sum(not cluster.fault for cluster in shown)
    return {"table": ClusterTable(view, tag, total, count, list(rows), selectable)}


def filter_choices(snapshot: Snapshot, view: View) -> dict[str, Any]:
    """Return what fragments/filter.html offers to choose from, and the actions of fragments/selection_bar.html."""
    usable = [cluster for cluster in snapshot.pool.clusters if not cluster.fault]
    return {
        "view": view,
        "states": [*_STATES, BROKEN] if view.page.shows_broken else [*_STATES],
        "healths": HEALTHS,
        "purposes": sorted({cluster.purpose for cluster in usable}),
        "regions": sorted({cluster.region for cluster in usable if cluster.region}),
        "labels": _frequent_labels(snapshot.pool),
        "selection_actions": cluster_actions.for_selection(current_visitor()),
    }


def _frequent_labels(pool: Pool) -> list[str]:
    """Return the labels to choose from: a pool may have one for each cluster, which is too many for a menu."""
    counts = Counter(f"{key}={value}" for cluster in pool.clusters for key, value in cluster.labels.items())
    return sorted(label for label, _ in counts.most_common(_LABELS))


def page_response(page: str, view: View) -> Response:
    """Return a page with the table; the browser then shows the address of the view."""
    response = Response(page)
    if is_htmx_request():
        response.headers["HX-Replace-Url"] = view.url(view.query)
    return response


def live_response(snapshot: Snapshot, view: View) -> Response:
    """Answer a poll of the table."""
    shown = context(snapshot, view, only_changes=True)
    others = {"count": "fragments/count.html"}
    return poll_response("fragments/clusters.html", shown["table"].tag, lambda: shown, others)
