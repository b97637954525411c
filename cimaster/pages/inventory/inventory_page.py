"""The page of the admins: the inventory, and the records that are broken."""

from typing import Any

from flask import Response, render_template

from cimaster.pages.clusters import cluster_rows
from cimaster.pages.frame import action_buttons
from cimaster.pages.frame.blueprint import pages
from cimaster.pages.frame.fragments import served, tagged
from cimaster.pages.frame.visitors import latest, visitor
from cimaster.pages.policies import policy_panel
from cimaster.pool.records.cluster import BROKEN
from cimaster.repository.snapshots import Snapshot
from cimaster.web.components import components


def inventory(snapshot: Snapshot) -> dict[str, Any]:
    """Return what the inventory shows: broken records first, then every cluster with its buttons."""
    pool, who, now = snapshot.pool, visitor(), components().clusters.clock()
    described = [
        (cluster_rows.row(pool, cluster, who, now), action_buttons.of_admins(cluster, who)) for cluster in pool.clusters
    ]
    return {
        "tag": tagged(snapshot),
        "broken": [(row, buttons) for row, buttons in described if row.state == BROKEN],
        "inventory": [(row, buttons) for row, buttons in described if row.state != BROKEN],
    }


@pages.get("/ui/admin")
def admin() -> str:
    """Show the inventory; only admins can change it."""
    snapshot = latest()
    why_not = "" if visitor().is_admin else action_buttons.NEEDS_ADMIN
    return render_template("admin.html", **inventory(snapshot), filled=policy_panel.panel(snapshot), why_not=why_not)


@pages.get("/ui/fragments/inventory")
def inventory_fragment() -> Response:
    """Keep the inventory up to date."""
    snapshot = latest()
    return served("fragments/inventory.html", tagged(snapshot), lambda: inventory(snapshot))
