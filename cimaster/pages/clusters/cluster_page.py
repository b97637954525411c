"""The page of one cluster: all that is known of it, what can be done, and its history."""

from typing import Any

from flask import Response, render_template, request

from cimaster.common.texts import printable
from cimaster.errors import ClusterBroken, UnknownCluster
from cimaster.pages.clusters import cluster_rows, timeline
from cimaster.pages.frame import action_buttons
from cimaster.pages.frame.blueprint import pages
from cimaster.pages.frame.fragments import served, tagged
from cimaster.pages.frame.visitors import latest, visitor
from cimaster.pool.records.cluster import Cluster
from cimaster.repository.snapshots import Snapshot
from cimaster.web.components import components

_MOST = 50  # changes to show; the pool remembers fewer of each


def find(snapshot: Snapshot, name: str) -> Cluster | None:
    """Return a cluster, broken ones by name or as lists call them; None if it is not in the pool."""
    pool = snapshot.pool
    try:
        return pool.find_any(name)
    except UnknownCluster:
        return None
    except ClusterBroken:
        return next((cluster for cluster in pool.records_named(name) if cluster.fault), None)


def panel(snapshot: Snapshot, name: str) -> dict[str, Any]:
    """Return what the page of a cluster shows; the cluster may be gone, and its history still be there."""
    cluster, who, now, said = find(snapshot, name), visitor(), components().clusters.clock(), printable(name)
    entries = [entry for entry in reversed(snapshot.pool.history) if printable(entry.cluster) == said][:_MOST]
    return {
        "name": name,
        "tag": tagged(snapshot, name),
        "row": cluster_rows.row(snapshot.pool, cluster, who, now) if cluster else None,
        "buttons": action_buttons.all_of(cluster, who) if cluster else [],
        "moments": timeline.moments(entries),
        "earlier": timeline.last_use(entries),
    }


@pages.get("/ui/clusters/<path:name>", merge_slashes=False)
def cluster_by_path(name: str) -> tuple[str, int]:
    """Show one cluster."""
    context = panel(latest(), name)
    known = context["row"] or context["moments"]
    if not known:
        raise UnknownCluster(f"cluster {name} is not known; the dashboard lists all clusters", cluster=name)
    return render_template("cluster.html", **context), 200 if context["row"] else 404


@pages.get("/ui/cluster")
def cluster() -> tuple[str, int]:
    """Show one cluster whose name no path can carry."""
    return cluster_by_path(request.args.get("name", ""))


@pages.get("/ui/fragments/cluster")
def cluster_fragment() -> Response:
    """Keep the page of a cluster up to date."""
    snapshot, name = latest(), request.args.get("name", "")
    return served("fragments/cluster.html", tagged(snapshot, name), lambda: panel(snapshot, name))
