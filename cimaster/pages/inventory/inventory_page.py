"""The inventory page: broken records, clusters, checks and automatic top-up; only admins change it."""

from typing import Any

from flask import Response, render_template

from cimaster.pages.clusters import cluster_actions, cluster_forms, cluster_rows
from cimaster.pages.frame import action_buttons
from cimaster.pages.frame.blueprint import pages
from cimaster.pages.frame.forms import PageUpdate, Result
from cimaster.pages.frame.fragments import clusters_tag, poll_response
from cimaster.pages.frame.visitors import current_visitor, latest
from cimaster.pages.inventory import notice_panel, purpose_panel
from cimaster.pages.policies import policy_panel
from cimaster.pool.records.cluster import BROKEN
from cimaster.repository.snapshots import Snapshot
from cimaster.web.components import components


def context(snapshot: Snapshot) -> dict[str, Any]:
    """Build the context of fragments/inventory.html: pairs of a row and its buttons, broken records apart."""
    pool, visitor, now = snapshot.pool, current_visitor(), components().clusters.now()
    rows = [
        (cluster_rows.row(pool, cluster, visitor, now), cluster_actions.for_inventory(cluster, visitor))
        for cluster in pool.clusters
    ]
    return {
        "tag": clusters_tag(snapshot),
        "broken": [(row, buttons) for row, buttons in rows if row.state == BROKEN],
        "inventory": [(row, buttons) for row, buttons in rows if row.state != BROKEN],
    }


def update(result: Result) -> PageUpdate | None:
    """Replace the table of the inventory, or what the form changed on another page."""
    if result.page.startswith("/ui/admin"):
        return PageUpdate("inventory", "fragments/inventory.html", context(result.snapshot))
    return cluster_forms.update(result)


@pages.get("/ui/admin")
def inventory_page() -> str:
    """Show the inventory."""
    snapshot = latest()
    why_not = "" if current_visitor().is_admin else action_buttons.NEEDS_ADMIN
    return render_template(
        "inventory.html",
        why_not=why_not,
        **context(snapshot),
        **notice_panel.context(snapshot),
        **purpose_panel.context(snapshot),
        **policy_panel.context(snapshot),
    )


@pages.get("/ui/fragments/inventory")
def inventory_fragment() -> Response:
    """Answer a poll of the table."""
    snapshot = latest()
    return poll_response("fragments/inventory.html", clusters_tag(snapshot), lambda: context(snapshot))
