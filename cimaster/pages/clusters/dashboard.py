"""The first page: how many clusters are in each state, and the live table of those that a filter shows."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from flask import Response, g, render_template, request, url_for
from werkzeug.datastructures import MultiDict

from cimaster.common.texts import printable
from cimaster.pages.clusters import cluster_rows
from cimaster.pages.creations import creation_panel
from cimaster.pages.frame.blueprint import by_htmx, pages
from cimaster.pages.frame.fragments import served, tagged
from cimaster.pages.frame.visitors import latest, visitor
from cimaster.pages.queue import queue_panel
from cimaster.pool.decisions import descriptions
from cimaster.pool.decisions.cluster_filter import Filter
from cimaster.pool.records.cluster import BROKEN, DISABLED, HELD, OCCUPIED, VACANT
from cimaster.repository.snapshots import Snapshot
from cimaster.web import endpoints, request_parameters
from cimaster.web.components import components

CARDS = {
    VACANT: "ready to lend",
    OCCUPIED: "in use by jobs",
    HELD: "in use by people",
    DISABLED: "not lent",
    BROKEN: "records to fix",
}
_FILTERS = ("state", "purpose", "region", "label", "holder", "q")


@dataclass(frozen=True)
class Shown:
    """What the visitor asked to see: the filter, and the query that says the same in an address."""

    filter: Filter
    query: str
    values: "tuple[tuple[str, str], ...]" = ()

    @property
    def of_any_state(self) -> Filter:
        """The filter without its state, for what is told of each state."""
        return replace(self.filter, state="")

    def query_with(self, name: str, value: str) -> str:
        """Return the same query with a filter set anew, or without it where the value is empty."""
        others = [pair for pair in self.values if pair[0] != name]
        return urlencode([*others, (name, value)] if value else others)

    @property
    def chips(self) -> list[tuple[str, str, str]]:
        """Return the filters that the form has no field for: name, value, and the address without it."""
        extra = [(name, text) for name, text in self.values if name in ("region", "label", "holder")]
        return [
            (name, text, f"?{urlencode([pair for pair in self.values if pair != (name, text)])}")
            for name, text in extra
        ]


def asked() -> Shown:
    """Read the filter of the address; empty fields, which forms send, mean nothing."""
    values = tuple((name, text) for name in _FILTERS for text in request.args.getlist(name) if printable(text))
    given = request_parameters.read(endpoints.CLUSTERS, MultiDict(values))
    return Shown(request_parameters.filter_of(given), urlencode(values), values)


def clusters(snapshot: Snapshot, shown: Shown) -> dict[str, Any]:
    """Return what the live table shows."""
    pool, now, who = snapshot.pool, components().clusters.clock(), visitor()
    found = shown.filter.of(pool)
    return {
        "shown": shown,
        "tag": tagged(snapshot, shown.query),
        "total": len(pool.clusters),
        "found": len(found),
        "rows": [cluster_rows.drawn(pool, cluster, who, now) for cluster in found],
    }


def summary(snapshot: Snapshot, shown: Shown) -> dict[str, Any]:
    """Return how many of the clusters that the other filters show are in each state, and why none is vacant."""
    found = shown.of_any_state.of(snapshot.pool)
    counts = Counter(cluster.state for cluster in found)
    cards = [(state, counts[state], words) for state, words in CARDS.items() if state != BROKEN or counts[state]]
    usable = [cluster for cluster in found if cluster.state != BROKEN]
    missing = bool(usable) and not counts[VACANT] and not shown.filter.holder
    return {
        "shown": shown,
        "cards": cards,
        "of_any_state": len(found),
        "shortage": descriptions.shortage(usable) if missing else "",
    }


@pages.get("/")
def dashboard() -> Response:
    """Show the pool."""
    snapshot, shown = latest(), asked()
    purposes = sorted({cluster.purpose for cluster in snapshot.pool.clusters if not cluster.fault})
    context = {
        **summary(snapshot, shown),
        **clusters(snapshot, shown),
        "purposes": purposes,
        "states": list(CARDS),
        "waiting": queue_panel.panel(snapshot),
        "coming": creation_panel.panel(snapshot),
        "why_none": components().provisioning.why_none,
    }
    response = Response(render_template("dashboard.html", **context))
    if by_htmx():
        response.headers["HX-Replace-Url"] = url_for("pages.dashboard") + (f"?{shown.query}" if shown.query else "")
    return response


@pages.get("/ui/fragments/clusters")
def clusters_fragment() -> Response:
    """Keep the live table up to date."""
    snapshot, shown = latest(), asked()
    return served("fragments/clusters.html", tagged(snapshot, shown.query), lambda: clusters(snapshot, shown))


@pages.get("/ui/fragments/summary")
def summary_fragment() -> Response:
    """Keep the figures up to date."""
    g.quiet = True
    return Response(render_template("fragments/summary.html", **summary(latest(), asked())))
