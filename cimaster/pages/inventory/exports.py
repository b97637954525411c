"""The inventory as a file: JSON, YAML or CSV, of the clusters that match the filter of the page."""

from flask import Response
from werkzeug.exceptions import NotFound

from cimaster.pages.clusters.view import INVENTORY, requested_view
from cimaster.pages.frame.blueprint import pages
from cimaster.pages.frame.visitors import latest
from cimaster.services import inventory_export


@pages.get("/ui/inventory.<kind>")
def export_inventory(kind: str) -> Response:
    """Return the facts about the clusters as a file."""
    if kind not in inventory_export.KINDS:
        raise NotFound(f"the inventory is exported as {', '.join(inventory_export.KINDS)}: choose one of them")
    text = inventory_export.exported(requested_view(INVENTORY).of(latest().pool), kind)
    response = Response(text.encode("utf-8", "replace"), content_type=f"{inventory_export.KINDS[kind]}; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="inventory.{kind}"'
    return response
