"""The page of one cluster: its facts, all actions, its history, and its record."""

import json
from typing import Any

from flask import Response, render_template, request

from cimaster.common.texts import printable
from cimaster.errors import ClusterBroken, UnknownCluster
from cimaster.pages.clusters import cluster_actions, cluster_rows, command_lines, state_durations, timeline
from cimaster.pages.frame.blueprint import pages
from cimaster.pages.frame.fragments import clusters_tag, poll_response
from cimaster.pages.frame.visitors import current_visitor, latest
from cimaster.pool.records import json_values
from cimaster.pool.records.cluster import Cluster
from cimaster.repository.snapshots import Snapshot
from cimaster.services.history import HistoryFilter
from cimaster.web import callers
from cimaster.web.components import components

_MOST_CHANGES = 50  # on the page; /ui/history has all
OTHERS = {"record": "fragments/record.html"}
"""The element of the page that changes with fragments/cluster.html, and its template."""


def find(snapshot: Snapshot, name: str) -> Cluster | None:
    """Return a cluster by its name, or a broken record by its name or position; None if it is not in the pool."""
    pool = snapshot.pool
    if not pool.knows(name):
        return None
    try:
        return pool.find_any(name)
    except UnknownCluster:
        return None
    except ClusterBroken:
        return next((cluster for cluster in pool.records_named(name) if cluster.fault), None)


def context(snapshot: Snapshot, name: str) -> dict[str, Any]:
    """Build the context of the page and its fragments. A deleted cluster has no row, but may still have a history."""
    cluster, visitor, now = find(snapshot, name), current_visitor(), components().clusters.now()
    wanted = HistoryFilter(cluster=printable(name))
    recent = components().history.page(snapshot, wanted, _MOST_CHANGES).entries
    entries = [entry for entry in recent if entry.cluster]
    return {
        "name": name,
        "tag": clusters_tag(snapshot, name),
        "row": cluster_rows.row(snapshot.pool, cluster, visitor, now) if cluster else None,
        "buttons": cluster_actions.for_cluster_page(cluster, visitor) if cluster else [],
        **(command_lines.context(cluster.name) if cluster and cluster.name else {}),
        "changes": timeline.changes(entries, state_durations.of(recent)),
        "previous_use": timeline.previous_use(entries),
        "record": _as_json(cluster) if cluster else "",
    }


def _as_json(cluster: Cluster) -> str:
    """Return the record as the API gives it, indented."""
    return json.dumps(json_values.load(cluster.described(callers.caller())), indent=2, ensure_ascii=False)


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
    tag = clusters_tag(snapshot, name)
    return poll_response("fragments/cluster.html", tag, lambda: context(snapshot, name), OTHERS)
