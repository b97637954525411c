"""The dashboard: how many clusters are in each state, and the live table of those that match the filter."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from flask import Response, g, render_template, request
from markupsafe import Markup
from werkzeug.datastructures import MultiDict

from cimaster.common.texts import printable
from cimaster.pages.clusters import lost_holds
from cimaster.pages.clusters.live_rows import LiveRows
from cimaster.pages.clusters.sorting import COLUMNS, Order
from cimaster.pages.creations import creation_panel
from cimaster.pages.frame.addresses import dashboard_url
from cimaster.pages.frame.blueprint import is_htmx_request, pages
from cimaster.pages.frame.fragments import poll_response
from cimaster.pages.frame.visitors import current_visitor, fragment_tag, latest
from cimaster.pages.queue import queue_panel
from cimaster.pool.decisions import descriptions
from cimaster.pool.decisions.cluster_filter import Filter
from cimaster.pool.records.cluster import BROKEN, CHECKING, DISABLED, HELD, OCCUPIED, VACANT
from cimaster.pool.records.health import HEALTHS, QUARANTINED
from cimaster.pool.records.pool import Pool
from cimaster.repository.snapshots import Snapshot
from cimaster.web import endpoints, request_parameters
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
_ROWS = 200  # at a time
_MOST_ROWS = 100_000
_LABELS = 50  # at most, in the menu of the filter
_FILTERS = ("state", "health", "purpose", "region", "label", "holder", "q")


@dataclass(frozen=True)
class View:
    """What the visitor wants to see: the filter, the order, how many rows, and the same as the query of a URL."""

    filter: Filter
    query: str
    values: tuple[tuple[str, str], ...] = ()
    order: Order = Order()
    rows: int = _ROWS

    @property
    def of_any_state(self) -> Filter:
        """The filter without its state, for the counts per state."""
        return replace(self.filter, state="")

    def query_with(self, name: str, value: str) -> str:
        """Return the query with one filter replaced, or removed if the value is empty."""
        others = [pair for pair in self.values if pair[0] != name]
        return urlencode([*others, (name, value)] if value else others)

    @property
    def unfiltered(self) -> str:
        """Return the query without all filters; the order stays."""
        return urlencode([pair for pair in self.values if pair[0] not in _FILTERS])

    @property
    def label(self) -> str:
        """The first of the labels to filter by, as the URL has it: the form has one field for it."""
        return next((text for name, text in self.values if name == "label"), "")

    @property
    def chips(self) -> list[tuple[str, str, str]]:
        """Return the filters that have no field in the form: name, value, and the query without it."""
        in_fields = ("label", self.label)
        extra = [pair for pair in self.values if pair[0] in ("label", "holder") and pair != in_fields]
        return [(*each, urlencode([pair for pair in self.values if pair != each])) for each in extra]


def requested_view() -> View:
    """Read the filter from the URL. Forms send empty fields too; those are ignored."""
    filters = [(name, text) for name in _FILTERS for text in request.args.getlist(name) if printable(text)]
    given = request_parameters.read(endpoints.CLUSTERS, MultiDict(filters))
    order = Order.parse(request.args.get("sort", ""))
    rows = min(max(request.args.get("rows", _ROWS, int), _ROWS), _MOST_ROWS)
    values = (*filters, *[("sort", str(order))] * bool(order.column), *[("rows", str(rows))] * (rows > _ROWS))
    return View(request_parameters.filter_of(given), urlencode(values), values, order, rows)


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
        return min(self.found - len(self.rows), _ROWS)


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
    """How many of the clusters that match the filter are in each state, and why none of them is vacant."""

    view: View
    total: int
    cards: list[tuple[str, int, str]]
    shortage: str


def summary_context(snapshot: Snapshot, view: View) -> dict[str, Any]:
    """Build the context of fragments/summary.html."""
    found = view.of_any_state.of(snapshot.pool)
    counts = Counter(cluster.state for cluster in found)
    shown = [state for state in CARDS if state not in _SHOWN_IF_ANY or counts[state] or state == view.filter.state]
    cards = [(state, counts[state], CARDS[state]) for state in shown]
    lendable = [cluster for cluster in found if cluster.state != BROKEN]
    is_short = bool(lendable) and not counts[VACANT] and not view.filter.holder
    return {"summary": Summary(view, len(found), cards, descriptions.shortage(lendable) if is_short else "")}


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
        **lost_holds.context(snapshot),
        **summary_context(snapshot, view),
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
