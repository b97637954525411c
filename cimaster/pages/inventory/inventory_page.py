"""The inventory page: broken records, clusters, checks and automatic top-up; only admins change it."""

from typing import Any

from flask import Response, render_template

from cimaster.pages.clusters import cluster_forms, cluster_rows, cluster_table
from cimaster.pages.clusters.view import INVENTORY, requested_view
from cimaster.pages.frame import action_buttons
from cimaster.pages.frame.blueprint import pages
from cimaster.pages.frame.forms import PageUpdate, Result
from cimaster.pages.frame.fragments import poll_response
from cimaster.pages.frame.visitors import current_visitor, element_id, fragment_tag, latest
from cimaster.pages.inventory import notice_panel, purpose_panel
from cimaster.pages.policies import policy_panel
from cimaster.repository.snapshots import Snapshot
from cimaster.web.components import components


def broken_context(snapshot: Snapshot) -> dict[str, Any]:
    """Build the context of fragments/broken_records.html."""
    pool, visitor, now = snapshot.pool, current_visitor(), components().clusters.now()
    broken = [cluster for cluster in pool.clusters if cluster.fault]
    rows = [cluster_rows.row(pool, cluster, visitor, now, cluster_rows.IN_INVENTORY) for cluster in broken]
    references = [row.reference for row in rows]
    return {"broken": rows, "broken_tag": fragment_tag(snapshot, references)}


def update(result: Result) -> PageUpdate | None:
    """Replace the row of the inventory, or what the form changed on another page."""
    if not result.page.startswith("/ui/admin"):
        return cluster_forms.update(result)
    cluster = result.committed.answer.cluster
    if cluster is None:
        return PageUpdate(element_id(result.subject)) if result.subject else None
    layout, now = cluster_rows.IN_INVENTORY, components().clusters.now()
    row = cluster_rows.row(result.snapshot.pool, cluster, current_visitor(), now, layout)
    return PageUpdate(row.id, layout.template, {"row": row}) if result.subject else None


@pages.get("/ui/admin")
def inventory_page() -> Response:
    """Show the inventory."""
    snapshot, view = latest(), requested_view(INVENTORY)
    page = render_template(
        "inventory.html",
        why_not=action_buttons.why_not_admin(current_visitor()),
        **cluster_table.filter_choices(snapshot, view),
        **cluster_table.context(snapshot, view),
        **broken_context(snapshot),
        **notice_panel.context(snapshot),
        **purpose_panel.context(snapshot),
        **policy_panel.context(snapshot),
    )
    return cluster_table.page_response(page, view)


@pages.get("/ui/fragments/inventory")
def inventory_fragment() -> Response:
    """Answer a poll of the table."""
    return cluster_table.live_response(latest(), requested_view(INVENTORY))


@pages.get("/ui/fragments/broken-records")
def broken_records_fragment() -> Response:
    """Answer a poll of the broken records."""
    shown = broken_context(latest())
    template, tag = "fragments/broken_records.html", shown["broken_tag"]
    return poll_response(template, tag, lambda: shown, triggers_refresh=False)
