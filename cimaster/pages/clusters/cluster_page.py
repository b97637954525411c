"""The page of one cluster: its facts, all actions, and its history."""

from typing import Any

from flask import Response, render_template, request

from cimaster.common.texts import printable
from cimaster.errors import ClusterBroken, UnknownCluster
from cimaster.pages.clusters import cluster_actions, cluster_rows, timeline
from cimaster.pages.frame.blueprint import pages
from cimaster.pages.frame.fragments import clusters_tag, poll_response
from cimaster.pages.frame.visitors import current_visitor, latest
from cimaster.pool.records.cluster import Cluster
from cimaster.repository.snapshots import Snapshot
from cimaster.services.history import HistoryFilter
from cimaster.web.components import components

_MOST_CHANGES = 50  # on the page; /ui/history has all


def find(snapshot: Snapshot, name: str) -> Cluster | None:
    """Return a cluster by its name, or a broken record by its name or position; None if it is not in the pool."""
    pool = snapshot.pool
    try:
        return pool.find_any(name)
    except UnknownCluster:
        return None
    except ClusterBroken:
        return next((cluster for cluster in pool.records_named(name) if cluster.fault), None)


def context(snapshot: Snapshot, name: str) -> dict[str, Any]:
    """Build the context of fragments/cluster.html. A deleted cluster has no row, but may still have a history."""
    cluster, visitor, now = find(snapshot, name), current_visitor(), components().clusters.now()
    wanted = HistoryFilter(cluster=printable(name))
    entries = [entry for entry in components().history.page(snapshot, wanted, _MOST_CHANGES).entries if entry.cluster]
    return {
        "name": name,
        "tag": clusters_tag(snapshot, name),
        "row": cluster_rows.row(snapshot.pool, cluster, visitor, now) if cluster else None,
        "buttons": cluster_actions.for_cluster_page(cluster, visitor) if cluster else [],
        "changes": timeline.changes(entries),
        "previous_use": timeline.previous_use(entries),
    }


@pages.get("/ui/clusters/<path:name>", merge_slashes=False)
def cluster_by_path(name: str) -> tuple[str, int]:
    """Show one cluster."""
    shown = context(latest(), name)
    if not shown["row"] and not shown["changes"]:
        raise UnknownCluster(f"cluster {name} is not known; the dashboard lists all clusters", cluster=name)
    return render_template("cluster.html", **shown), 200 if shown["row"] else 404


@pages.get("/ui/cluster")
def cluster() -> tuple[str, int]:
    """Show one cluster whose name does not survive in a path."""
    return cluster_by_path(request.args.get("name", ""))


@pages.get("/ui/fragments/cluster")
def cluster_fragment() -> Response:
    """Answer a poll of the page."""
    snapshot, name = latest(), request.args.get("name", "")
    return poll_response("fragments/cluster.html", clusters_tag(snapshot, name), lambda: context(snapshot, name))
