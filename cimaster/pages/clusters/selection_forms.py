"""The forms that act on all clusters that a visitor has ticked: disable, enable, edit labels, release, delete.

A form lists the clusters as they are when it is opened. The service acts on the names in the form, and not on those
that match the filter by then. It leaves out each cluster that has changed in a way that matters for the action.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Response, render_template, request

from cimaster import pool as decide
from cimaster.common.parameters import ParameterType
from cimaster.common.texts import brief, printable
from cimaster.errors import BadParameter, MissingParameter
from cimaster.pages.clusters import cluster_actions, cluster_page, cluster_rows
from cimaster.pages.clusters.view import requested_view
from cimaster.pages.frame import form_views
from cimaster.pages.frame.blueprint import pages
from cimaster.pages.frame.forms import Form, FormContext, PageUpdate, Result
from cimaster.pages.frame.visitors import current_visitor, latest
from cimaster.pool import parsers
from cimaster.pool.decisions import inventory, selection
from cimaster.pool.decisions.selection import LabelEdit, SelectedCluster, SelectionAnswer
from cimaster.pool.records.cluster import Cluster
from cimaster.pool.records.health import QUARANTINED
from cimaster.repository.configmap_repository import Committed
from cimaster.services.selection import carry_out
from cimaster.web import endpoints, parameter_types, request_parameters
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import NamedParameters

MOST = 200  # clusters in one request: as many as the table shows at a time
_TICKED, _LISTED = "selected", "item"


def _selected(text: str) -> SelectedCluster:
    """Read what a form sends for a cluster: its name, a blank, and the digest of what the form showed."""
    name, _, seen = text.rpartition(" ")
    return SelectedCluster(parsers.compared(name), seen)


@dataclass(frozen=True, kw_only=True)
class SelectedClusters(NamedParameters):
    """The clusters that a form listed, and the reason for what is done with them."""

    item: tuple[SelectedCluster, ...] = ParameterType(_selected, "a cluster that the form listed").repeated()
    reason: str = parameter_types.REASON.optional("")

    @property
    def clusters(self) -> tuple[SelectedCluster, ...]:
        """The clusters, each once; raises a refusal if there are none or too many."""
        found = tuple({item.name: item for item in self.item}.values())
        _check_number(len(found))
        return found


def _check_number(count: int) -> None:
    if not count:
        raise MissingParameter("no cluster is selected: tick at least one in the table", parameter=_LISTED)
    if count > MOST:
        raise BadParameter(
            f"{count} clusters are selected, more than the limit of {MOST}: select fewer, and repeat the action",
            parameter=_LISTED,
        )


# --- what the forms show ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Listed:
    """A cluster in a form: as rows show it, what the form sends for it, and why the action leaves it as it is."""

    row: cluster_rows.Row
    value: str
    note: str


def _names() -> list[str]:
    """Return the names that were ticked in a table, or those in a form that is shown again."""
    listed = [text.rpartition(" ")[0] for text in request.form.getlist(_LISTED)]
    return list(dict.fromkeys(printable(name) for name in (*request.args.getlist(_TICKED), *listed)))


def _context(fields: Sequence[str], note: Callable[[Cluster], str]) -> FormContext:
    """Return what lists the selected clusters as they are now; `fields` are those that matter for the action."""

    def context(_values: Mapping[str, str], is_shown_again: bool) -> dict[str, Any]:
        names, snapshot, visitor, now = _names(), latest(), current_visitor(), components().clusters.now()
        if not is_shown_again:
            _check_number(len(names))
        found = {name: cluster_page.find(snapshot, name) for name in names}
        clusters = [cluster for cluster in found.values() if cluster and not cluster.fault]
        return {
            "listed": [
                Listed(
                    cluster_rows.row(snapshot.pool, cluster, visitor, now),
                    f"{cluster.name} {selection.digest(cluster, fields)}",
                    note(cluster),
                )
                for cluster in clusters
            ],
            "missing": [name for name, cluster in found.items() if cluster is None or cluster.fault],
            "has_others_holds": any(c.hold and not c.hold.may_be_changed_by(visitor.name) for c in clusters),
        }

    return context


def _no_note(_cluster: Cluster) -> str:
    return ""


def _no_update(_result: Result) -> PageUpdate | None:
    """Change nothing: the page polls the table as soon as it gets the answer."""
    return None


def _report(committed: Committed) -> dict[str, Any]:
    """Return the results by cluster if one failed; otherwise a message says enough."""
    answer = committed.answer
    assert isinstance(answer, SelectionAnswer)
    failed = [result for result in answer.results if result.outcome == selection.FAILED]
    return {"failed": failed, "summary": answer.text.partition(":")[0]} if failed else {}


def _carry_out(form: SelectedClusters, fields: Sequence[str], decision: selection.Decision) -> Committed:
    return carry_out(components().clusters.repository, form.clusters, fields, decision)


# --- disable, enable -------------------------------------------------------------------------------------------------


def _disable(form: SelectedClusters) -> Committed:
    return _carry_out(form, selection.OF_LENDING, partial(decide.disable, by=form.name, reason=form.reason))


_DISABLE = Form(
    "/ui/admin/disableselected",
    endpoints.DISABLECLUSTER.taking(SelectedClusters).requiring("reason"),
    _disable,
    title="Disable the selected clusters",
    button="Disable",
    busy_label="Disabling…",
    context=_context(selection.OF_LENDING, _no_note),
    update=_no_update,
    report=_report,
)


def _enable(form: SelectedClusters) -> Committed:
    return _carry_out(form, selection.OF_LENDING, partial(decide.enable, by=form.name, reason=form.reason))


def _not_enabled(cluster: Cluster) -> str:
    return "" if cluster.disabled or cluster.state == QUARANTINED else "not disabled"


_ENABLE = Form(
    "/ui/admin/enableselected",
    endpoints.ENABLECLUSTER.taking(SelectedClusters),
    _enable,
    title="Enable the selected clusters",
    button="Enable",
    busy_label="Enabling…",
    context=_context(selection.OF_LENDING, _not_enabled),
    update=_no_update,
    report=_report,
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
    return _carry_out(form, (), partial(selection.edit_labels, by=form.name, edit=edit))


_EDIT_LABELS = Form(
    "/ui/admin/labelselected",
    endpoints.UPDATECLUSTER.taking(EditLabels),
    _edit_labels,
    title="Edit labels of the selected clusters",
    button="Save",
    busy_label="Saving…",
    context=_context((), _no_note),
    update=_no_update,
    report=_report,
)


# --- release ---------------------------------------------------------------------------------------------------------


def _release(form: SelectedClusters) -> Committed:
    is_admin, snapshot = form.name in components().admins, latest()
    clusters = [cluster_page.find(snapshot, item.name) for item in form.clusters]
    others = [c.name for c in clusters if c and c.hold and not c.hold.may_be_changed_by(form.name)]
    if is_admin and others and not form.reason:
        raise MissingParameter(
            f"reason is required: tell the people who hold {brief(', '.join(others))} why their holds end",
            parameter="reason",
        )
    decision = partial(decide.release, by=form.name, is_admin=is_admin, reason=form.reason)
    return _carry_out(form, selection.OF_HOLD, decision)


def _not_released(cluster: Cluster) -> str:
    return "" if cluster.hold else "not held"


_RELEASE = Form(
    "/ui/releaseselected",
    endpoints.RELEASECLUSTER.taking(SelectedClusters),
    _release,
    title="Release the selected clusters",
    button="Release",
    busy_label="Releasing…",
    context=_context(selection.OF_HOLD, _not_released),
    update=_no_update,
    report=_report,
)


# --- delete ----------------------------------------------------------------------------------------------------------


def _delete(form: SelectedClusters) -> Committed:
    count = str(len(form.clusters))
    if printable(request.form.get("typed", "")) != count:
        raise BadParameter(f"the typed number is not {count}: type {count} to delete them", parameter="typed")
    decision = partial(selection.delete_unused, by=form.name, reason=form.reason)
    return _carry_out(form, selection.OF_FACTS, decision)


def _not_deleted(cluster: Cluster) -> str:
    return "in use, so it is not deleted" if inventory.is_in_use(cluster) else ""


_DELETE = Form(
    "/ui/admin/deleteselected",
    endpoints.DELETECLUSTER.taking(SelectedClusters).requiring("reason"),
    _delete,
    title="Delete the selected clusters",
    button="Delete",
    busy_label="Deleting…",
    context=_context(selection.OF_FACTS, _not_deleted),
    update=_no_update,
    report=_report,
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
