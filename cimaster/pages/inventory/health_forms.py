"""The forms about the health of a cluster, for admins: quarantine it, mark it as suspect, bring it back."""

from dataclasses import dataclass

from cimaster.pages.clusters import cluster_forms
from cimaster.pages.frame.form_views import serve
from cimaster.pages.frame.forms import Form
from cimaster.pages.inventory import inventory_page
from cimaster.pool.records.health import OK, QUARANTINED, SUSPECT
from cimaster.repository.configmap_repository import Committed
from cimaster.web import endpoints, parameter_types
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import ClusterParameters


@dataclass(frozen=True, kw_only=True)
class JudgeCluster(ClusterParameters):
    """Set the health of a cluster to the one that the form stands for."""

    reason: str = parameter_types.REASON.optional("")


def _set_health(form: JudgeCluster, health: str) -> Committed:
    return components().clusters.set_health(form.cluster, form.name, health, form.reason)


def _quarantine(form: JudgeCluster) -> Committed:
    return _set_health(form, QUARANTINED)


serve(
    Form(
        "/ui/admin/quarantine",
        endpoints.HEALTHCLUSTER.taking(JudgeCluster).requiring("reason"),
        _quarantine,
        title="Quarantine",
        button="Quarantine",
        busy_label="Quarantining…",
        subject="cluster",
        context=cluster_forms.context,
        update=inventory_page.update,
    )
)


def _suspect(form: JudgeCluster) -> Committed:
    return _set_health(form, SUSPECT)


serve(
    Form(
        "/ui/admin/suspect",
        endpoints.HEALTHCLUSTER.taking(JudgeCluster).requiring("reason"),
        _suspect,
        title="Mark as suspect:",
        button="Mark as suspect",
        busy_label="Marking…",
        subject="cluster",
        context=cluster_forms.context,
        update=inventory_page.update,
    )
)


def _bring_back(form: JudgeCluster) -> Committed:
    return _set_health(form, OK)


serve(
    Form(
        "/ui/admin/bringback",
        endpoints.HEALTHCLUSTER.taking(JudgeCluster),
        _bring_back,
        title="Bring back",
        button="Bring back",
        busy_label="Bringing back…",
        subject="cluster",
        context=cluster_forms.context,
        update=inventory_page.update,
    )
)
