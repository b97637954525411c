"""The forms about the inventory, for admins: add, edit, disable, enable and delete a cluster."""

from flask import request

from cimaster.common.texts import printable
from cimaster.errors import BadParameter
from cimaster.pages.clusters import cluster_forms
from cimaster.pages.frame.form_views import serve
from cimaster.pages.frame.forms import Form, PageUpdate, Result, changed
from cimaster.pages.frame.visitors import element_id, latest
from cimaster.pages.inventory import inventory_page
from cimaster.pool import Answer, ClusterFacts
from cimaster.repository.configmap_repository import Committed
from cimaster.web import endpoints, request_parameters
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import AddCluster, DeleteCluster, DisableCluster, EnableCluster, UpdateCluster

_FACTS = ("region", "purpose", "osimage", "labels", "note")


# --- add -------------------------------------------------------------------------------------------------------------


def _add(form: AddCluster) -> Committed:
    return components().clusters.add(form.cluster, form.name, request_parameters.facts(form))


serve(
    Form(
        "/ui/admin/add",
        endpoints.ADDCLUSTER,
        _add,
        title="Add a cluster",
        button="Add cluster",
        busy_label="Adding…",
        update=inventory_page.update,
    )
)


# --- edit ------------------------------------------------------------------------------------------------------------


def _edit(form: UpdateCluster) -> Committed:
    """Write only what was changed in the form: someone else may have changed the rest in the meantime."""
    names = changed(*_FACTS)
    if not names:
        cluster = latest().pool.find(form.cluster)
        return Committed(Answer(f"cluster {form.cluster} is unchanged", cluster), 0)
    facts = ClusterFacts(
        region=form.region or "" if "region" in names else None,
        purpose=form.purpose or "" if "purpose" in names else None,
        osimage=form.osimage or "" if "osimage" in names else None,
        labels=request_parameters.labels(form.label) if "labels" in names else None,
        note=form.note or "" if "note" in names else None,
    )
    return components().clusters.update(form.cluster, form.name, facts)


serve(
    Form(
        "/ui/admin/edit",
        endpoints.UPDATECLUSTER,
        _edit,
        title="Edit",
        button="Save",
        busy_label="Saving…",
        subject="cluster",
        context=cluster_forms.context,
        update=inventory_page.update,
    )
)


# --- disable, enable -------------------------------------------------------------------------------------------------


def _disable(form: DisableCluster) -> Committed:
    return components().clusters.disable(form.cluster, form.name, form.reason)


serve(
    Form(
        "/ui/admin/disable",
        endpoints.DISABLECLUSTER.requiring("reason"),
        _disable,
        title="Disable",
        button="Disable",
        busy_label="Disabling…",
        subject="cluster",
        context=cluster_forms.context,
        update=inventory_page.update,
    )
)


def _enable(form: EnableCluster) -> Committed:
    return components().clusters.enable(form.cluster, form.name, form.reason)


serve(
    Form(
        "/ui/admin/enable",
        endpoints.ENABLECLUSTER,
        _enable,
        title="Enable",
        button="Enable",
        busy_label="Enabling…",
        subject="cluster",
        context=cluster_forms.context,
        update=inventory_page.update,
    )
)


# --- delete ----------------------------------------------------------------------------------------------------------


def _delete(form: DeleteCluster) -> Committed:
    name = form.cluster.partition(".")[0] if form.cluster.startswith("#") else form.cluster
    if printable(request.form.get("typed", "")) != name:
        raise BadParameter(f"the typed name is not {name}: type {name} to delete it", parameter="typed")
    return components().clusters.delete(form.cluster, form.name, force=form.force, reason=form.reason)


def _remove_row(result: Result) -> PageUpdate | None:
    """Remove the row from the dashboard; other pages show what is left."""
    if result.page.startswith("/ui/"):
        return inventory_page.update(result)
    return PageUpdate(element_id(result.subject))


serve(
    Form(
        "/ui/admin/delete",
        endpoints.DELETECLUSTER,
        _delete,
        title="Delete",
        button="Delete",
        busy_label="Deleting…",
        subject="cluster",
        context=cluster_forms.context,
        update=_remove_row,
        destroys=True,
    )
)
