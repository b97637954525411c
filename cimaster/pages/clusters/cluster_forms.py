"""What all forms about a cluster share: what they show, which element of the page they change, and their message."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from cimaster.common.texts import same_person
from cimaster.common.times import format_duration, roughly
from cimaster.pages.clusters import cluster_page, cluster_rows
from cimaster.pages.frame import template_filters
from cimaster.pages.frame.forms import PageUpdate, Result
from cimaster.pages.frame.visitors import current_visitor, element_id, latest
from cimaster.pool import Rules
from cimaster.pool.decisions import descriptions
from cimaster.repository.configmap_repository import Committed
from cimaster.web.components import components

_CHOICES = tuple(timedelta(minutes=minutes) for minutes in (30, 60, 240, 360))


def context(values: Mapping[str, str], is_shown_again: bool) -> dict[str, Any]:
    """Show the cluster as it is now, its fields, and for how long it may be held."""
    name, snapshot = values.get("cluster", ""), latest()
    cluster = cluster_page.find(snapshot, name)
    if cluster is None and not is_shown_again:
        snapshot.pool.find_any(name)  # raises a refusal that says what is wrong with the name
    rules, now = snapshot.pool.rules, components().clusters.now()
    row = cluster_rows.row(snapshot.pool, cluster, current_visitor(), now) if cluster else None
    return {"row": row, "facts": _fields(row) if row else {}, **durations(rules)}


def durations(rules: Rules) -> dict[str, Any]:
    """Return what the field of a hold's duration shows: the choices, the usual one, and the longest possible."""
    return {
        "choices": sorted({rules.hold, *(choice for choice in _CHOICES if choice <= rules.max_hold)}),
        "usual": format_duration(rules.hold),
        "longest": rules.max_hold,
    }


def _fields(row: cluster_rows.Row) -> dict[str, str]:
    """Return the facts about a cluster, as the fields of a form."""
    cluster = row.cluster
    labels = " ".join(f"{key}={value}" for key, value in cluster.labels.items())
    if cluster.fault:
        return {"labels": labels}
    return {
        "region": cluster.region,
        "purpose": cluster.purpose,
        "osimage": cluster.osimage,
        "note": cluster.note,
        "labels": labels,
    }


def update(result: Result) -> PageUpdate | None:
    """Replace the page of the cluster, or its row on the dashboard."""
    if result.page.startswith("/ui/cluster"):
        context = cluster_page.context(result.snapshot, result.subject)
        return PageUpdate("cluster", "fragments/cluster.html", context, cluster_page.OTHERS)
    cluster = result.committed.answer.cluster
    if cluster is None:
        return None
    row = cluster_rows.row(result.snapshot.pool, cluster, current_visitor(), components().clusters.now())
    return PageUpdate(element_id(cluster.name), "fragments/row.html", {"row": row})


def hold_message(committed: Committed, name: str) -> str:
    """Tell the visitor until when they hold the cluster."""
    cluster, now = committed.answer.cluster, components().clusters.now()
    hold = cluster.hold if cluster else None
    if cluster is None or hold is None or not same_person(hold.by, name):
        return committed.answer.text
    if hold.expires:
        end, left = template_filters.clock_time(hold.expires, now), roughly(hold.expires - now)
        return f"You hold {cluster.name} until {end} ({left})"
    lasts = f", for {roughly(hold.lasts)}" if hold.lasts else ""
    return f"You get {cluster.name} when {descriptions.occupant(cluster)} finishes{lasts}"
