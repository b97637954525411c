"""The page of the admins: the inventory, and the records that are broken."""

from typing import Any

from flask import Response, render_template

from cimaster import web
from cimaster.pages import actions, policy_panel, rows
from cimaster.pages.blueprint import pages
from cimaster.pages.fragments import served, tagged
from cimaster.pages.visitors import latest, visitor
from cimaster.pool.cluster import BROKEN
from cimaster.snapshots import Snapshot


def inventory(snapshot: Snapshot) -> dict[str, Any]:
    """Return what the inventory shows: broken records first, then every cluster with its buttons."""
    pool, who, now = snapshot.pool, visitor(), web.service().clock()
    described = [(rows.row(pool, cluster, who, now), actions.of_admins(cluster, who)) for cluster in pool.clusters]
    return {
        "tag": tagged(snapshot),
        "broken": [(row, buttons) for row, buttons in described if row.state == BROKEN],
        "inventory": [(row, buttons) for row, buttons in described if row.state != BROKEN],
    }


@pages.get("/ui/admin")
def admin() -> str:
    """Show the inventory; only admins can change it."""
    snapshot = latest()
    why_not = "" if visitor().is_admin else actions.NEEDS_ADMIN
    return render_template("admin.html", **inventory(snapshot), filled=policy_panel.panel(snapshot), why_not=why_not)


@pages.get("/ui/fragments/inventory")
def inventory_fragment() -> Response:
    """Keep the inventory up to date."""
    snapshot = latest()
    return served("fragments/inventory.html", tagged(snapshot), lambda: inventory(snapshot))
