"""The forms that act on all clusters that a visitor has ticked: disable, enable, edit labels, release, delete."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Response, render_template, request

from cimaster import pool as decide
from cimaster.common.parameters import ParameterType
from cimaster.common.texts import brief, printable
from cimaster.errors import BadParameter, MissingParameter
from cimaster.pages.clusters import cluster_actions, cluster_page, cluster_rows
from cimaster.pages.clusters.selected_clusters import (
    SelectedClusters,
    carry_out_on,
    listing,
    no_note,
    no_update,
    report,
)
from cimaster.pages.clusters.view import requested_view
from cimaster.pages.frame import form_views
from cimaster.pages.frame.blueprint import pages
from cimaster.pages.frame.forms import Form
from cimaster.pages.frame.visitors import current_visitor, latest
from cimaster.pool.decisions import inventory, selection
from cimaster.pool.decisions.selection import LabelEdit
from cimaster.pool.records.cluster import Cluster
from cimaster.pool.records.health import QUARANTINED
from cimaster.repository.configmap_repository import Committed
from cimaster.web import access, endpoints, parameter_types, request_parameters
from cimaster.web.components import components

# --- disable, enable -------------------------------------------------------------------------------------------------


def _disable(form: SelectedClusters) -> Committed:
    return carry_out_on(form, selection.OF_LENDING, partial(decide.disable, by=form.name, reason=form.reason))


_DISABLE = Form(
    "/ui/admin/disableselected",
    endpoints.DISABLECLUSTER.taking(SelectedClusters).requiring("reason"),
    _disable,
    title="Disable the selected clusters",
    button="Disable",
    busy_label="Disabling…",
    context=listing(selection.OF_LENDING, no_note),
    update=no_update,
    report=report,
)


def _enable(form: SelectedClusters) -> Committed:
    return carry_out_on(form, selection.OF_LENDING, partial(decide.enable, by=form.name, reason=form.reason))


def _not_enabled(cluster: Cluster) -> str:
    return "" if cluster.disabled or cluster.state == QUARANTINED else "not disabled"


_ENABLE = Form(
    "/ui/admin/enableselected",
    endpoints.ENABLECLUSTER.taking(SelectedClusters),
    _enable,
    title="Enable the selected clusters",
    button="Enable",
    busy_label="Enabling…",
    context=listing(selection.OF_LENDING, _not_enabled),
    update=no_update,
    report=report,
)


# --- edit labels -----------------------------------------------------------------------------------------------------


def _keys(text: str) -> frozenset[str]:
    return frozenset(text.replace(",", " ").split())


@dataclass(frozen=True, kw_only=True)
class EditLabels(SelectedClusters):
    """Set and remove labels of the selected clusters; their other labels stay."""

    label: tuple[tuple[str, str], ...] = parameter_types.LABEL.repeated()
    remove: frozenset[str] = ParameterType(_keys, "keys of the labels to remove").optional(frozenset())


def _edit_labels(form: EditLabels) -> Committed:
    if not form.label and not form.remove:
        raise MissingParameter("nothing to change: give labels to set, or keys of labels to remove", parameter="label")
    edit = LabelEdit(request_parameters.labels(form.label), form.remove)
    return carry_out_on(form, (), partial(selection.edit_labels, by=form.name, edit=edit))


_EDIT_LABELS = Form(
    "/ui/admin/labelselected",
    endpoints.UPDATECLUSTER.taking(EditLabels),
    _edit_labels,
    title="Edit labels of the selected clusters",
    button="Save",
    busy_label="Saving…",
    context=listing((), no_note),
    update=no_update,
    report=report,
)


# --- release ---------------------------------------------------------------------------------------------------------


def _release(form: SelectedClusters) -> Committed:
    is_admin, snapshot = access.is_admin(form.name), latest()
    clusters = [cluster_page.find(snapshot, item.name) for item in form.clusters]
    others = [c.name for c in clusters if c and c.hold and not c.hold.may_be_changed_by(form.name)]
    if is_admin and others and not form.reason:
        raise MissingParameter(
            f"reason is required: tell the people who hold {brief(', '.join(others))} why their holds end",
            parameter="reason",
        )
    decision = partial(decide.release, by=form.name, is_admin=is_admin, reason=form.reason)
    return carry_out_on(form, selection.OF_HOLD, decision)


def _not_released(cluster: Cluster) -> str:
    return "" if cluster.hold else "not held"


_RELEASE = Form(
    "/ui/releaseselected",
    endpoints.RELEASECLUSTER.taking(SelectedClusters),
    _release,
    title="Release the selected clusters",
    button="Release",
    busy_label="Releasing…",
    context=listing(selection.OF_HOLD, _not_released),
    update=no_update,
    report=report,
)


# --- delete ----------------------------------------------------------------------------------------------------------


def _delete(form: SelectedClusters) -> Committed:
    count = str(len(form.clusters))
    if printable(request.form.get("typed", "")) != count:
        raise BadParameter(f"the typed number is not {count}: type {count} to delete them", parameter="typed")
    decision = partial(selection.delete_unused, by=form.name, reason=form.reason)
    return carry_out_on(form, selection.OF_INVENTORY_AND_USE, decision)


def _not_deleted(cluster: Cluster) -> str:
    return "in use, so it is not deleted" if inventory.is_in_use(cluster) else ""


_DELETE = Form(
    "/ui/admin/deleteselected",
    endpoints.DELETECLUSTER.taking(SelectedClusters).requiring("reason"),
    _delete,
    title="Delete the selected clusters",
    button="Delete",
    busy_label="Deleting…",
    context=listing(selection.OF_INVENTORY_AND_USE, _not_deleted),
    update=no_update,
    report=report,
    destroys=True,
)

_FORMS: Mapping[str, Form[Any]] = {form.verb: form for form in (_DISABLE, _ENABLE, _EDIT_LABELS, _RELEASE, _DELETE)}
for each in _FORMS.values():
    form_views.serve(each)


# --- the choice of the action ----------------------------------------------------------------------------------------


@pages.get("/ui/selection")
def selection_page() -> Response:
    """Show the form of the chosen action; without an action, all clusters that match the filter, each ticked."""
    action = request.args.get("action", "")
    if action in _FORMS:
        return form_views.show(_FORMS[action])
    view, pool, visitor, now = requested_view(), latest().pool, current_visitor(), components().clusters.now()
    found = [cluster for cluster in view.order.of(view.of(pool), visitor) if not cluster.fault]
    page = render_template(
        "selection.html",
        view=view,
        rows=[cluster_rows.row(pool, cluster, visitor, now) for cluster in found],
        selection_actions=cluster_actions.for_selection(visitor),
    )
    return Response(page)
