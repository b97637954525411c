"""The forms that begin, share or take over a hold."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cimaster.pages.clusters import cluster_forms, hold_alternatives
from cimaster.pages.frame import visitors
from cimaster.pages.frame.form_views import serve
from cimaster.pages.frame.forms import Form
from cimaster.pages.frame.visitors import latest
from cimaster.pool import HoldTerms
from cimaster.pool.decisions.holding import no_longer
from cimaster.repository.configmap_repository import Committed
from cimaster.web import endpoints, parameter_types, request_parameters
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import ClusterParameters, HoldCluster

_CARRIED = ("to", "duration", "until", "desc", "with")  # fields that are the same for another cluster


# --- hold ------------------------------------------------------------------------------------------------------------


def _hold_context(values: Mapping[str, str], is_shown_again: bool) -> dict[str, Any]:
    """Refuse immediately if the cluster has changed since the page with the button was rendered.

    After a refusal, `alternatives` says what the visitor can do instead.
    """
    context = cluster_forms.context(values, is_shown_again)
    row, expected = context["row"], values.get("expect")
    is_own = row and (row.is_mine or row.is_shared)
    if row and expected and row.state != expected and not is_own and not is_shown_again:
        context["refusal"] = no_longer(row.cluster, expected)
    if row and (is_shown_again or "refusal" in context):
        person = visitors.own_name() or values.get("name", "")
        context["alternatives"] = hold_alternatives.of(latest().pool, row.cluster, person, components().clusters.now())
        context["carried"] = {name: values[name] for name in _CARRIED if values.get(name)}
    return context


def _terms(form: HoldCluster) -> HoldTerms:
    until = request_parameters.hold_end(form.until, components().clusters.now())
    return HoldTerms(form.desc, form.duration, form.with_, until=until)


def _hold(form: HoldCluster) -> Committed:
    return components().clusters.hold(form.cluster, form.name, _terms(form), expect=form.expect)


serve(
    Form(
        "/ui/hold",
        endpoints.HOLDCLUSTER,
        _hold,
        title="Hold",
        button="Hold",
        busy_label="Holding…",
        subject="cluster",
        context=_hold_context,
        update=cluster_forms.update,
        message=cluster_forms.hold_message,
        leaves_hold=True,
    )
)


def _hold_for(form: HoldCluster) -> Committed:
    terms = replace(_terms(form), made_by=form.name)
    return components().clusters.hold(form.cluster, form.to, terms, expect=form.expect)


serve(
    Form(
        "/ui/admin/holdfor",
        endpoints.HOLDCLUSTER.requiring("to"),
        _hold_for,
        title="Hold for someone else:",
        button="Hold",
        busy_label="Holding…",
        subject="cluster",
        context=_hold_context,
        update=cluster_forms.update,
        for_others=True,
    )
)


# --- share -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Share(ClusterParameters):
    """Choose the people that a hold is shared with; none if the field is empty."""

    with_: tuple[str, ...] = parameter_types.WITH.optional(())


def _share_context(values: Mapping[str, str], is_shown_again: bool) -> dict[str, Any]:
    """Show the people that the hold is shared with now."""
    context = cluster_forms.context(values, is_shown_again)
    row = context["row"]
    hold = row.cluster.hold if row else None
    context["facts"] = {"with": ", ".join(hold.shared_with) if hold else ""}
    return context


def _share(form: Share) -> Committed:
    return components().clusters.share(form.cluster, form.name, form.with_)


serve(
    Form(
        "/ui/share",
        endpoints.HOLDCLUSTER.taking(Share),
        _share,
        title="Share the hold on",
        button="Save",
        busy_label="Saving…",
        subject="cluster",
        context=_share_context,
        update=cluster_forms.update,
        leaves_hold=True,
    )
)


# --- take over -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class TakeOver(HoldCluster):
    """Take over a hold, if its holder is still the one that the admin saw."""

    holder: str = parameter_types.HOLDER.optional("")


def _take_over(form: TakeOver) -> Committed:
    return components().clusters.take_over(form.cluster, form.name, form.holder, form.reason, _terms(form))


serve(
    Form(
        "/ui/admin/takeover",
        endpoints.HOLDCLUSTER.taking(TakeOver).requiring("reason"),
        _take_over,
        title="Take over",
        button="Take over",
        busy_label="Taking over…",
        subject="cluster",
        context=cluster_forms.context,
        update=cluster_forms.update,
        message=cluster_forms.hold_message,
        leaves_hold=True,
    )
)
