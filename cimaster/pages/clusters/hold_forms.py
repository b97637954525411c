"""The forms about holds: hold, extend, change the end, release, take over, hand over."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cimaster.common.parameters import ParameterType
from cimaster.common.times import format_duration, format_time, parse_duration, parse_time, roughly
from cimaster.errors import ClusterNotVacant, MissingParameter
from cimaster.pages.clusters import cluster_forms
from cimaster.pages.clusters.cluster_rows import Row
from cimaster.pages.frame import template_filters
from cimaster.pages.frame.form_views import serve
from cimaster.pages.frame.forms import Form
from cimaster.pages.frame.visitors import latest
from cimaster.pool import Rules
from cimaster.pool.decisions import descriptions
from cimaster.pool.decisions.holding import ROUNDED, holder_of, same_person
from cimaster.pool.records.cluster import HELD, Cluster
from cimaster.repository.configmap_repository import Committed
from cimaster.web import endpoints, parameter_types
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import ClusterParameters, HoldCluster, ReleaseCluster

_EXTENSIONS = (timedelta(minutes=30), timedelta(hours=1), timedelta(hours=4))


def _message(committed: Committed, name: str) -> str:
    """Tell the visitor until when they hold the cluster."""
    cluster, now = committed.answer.cluster, components().clusters.clock()
    hold = cluster.hold if cluster else None
    if cluster is None or hold is None or not same_person(hold.by, name):
        return committed.answer.text
    if hold.expires:
        end, left = template_filters.clock_time(hold.expires, now), roughly(hold.expires - now)
        return f"You hold {cluster.name} until {end} ({left})"
    lasts = f", for {roughly(hold.lasts)}" if hold.lasts else ""
    return f"You get {cluster.name} when {descriptions.occupant(cluster)} finishes{lasts}"


# --- hold ------------------------------------------------------------------------------------------------------------


def _hold_context(values: Mapping[str, str], is_shown_again: bool) -> dict[str, Any]:
    """Refuse at once where the cluster has changed since the page with the button was rendered."""
    context = cluster_forms.context(values, is_shown_again)
    row, expected = context["row"], values.get("expect")
    if row and expected and row.state != expected and not is_shown_again:
        context["refusal"] = _state_changed(row, expected)
    return context


def _state_changed(row: Row, expected: str) -> ClusterNotVacant:
    return ClusterNotVacant(
        f"{row.name} is no longer {expected}: {descriptions.situation(row.cluster)}",
        cluster=row.name,
        state=row.state,
        holder=descriptions.occupant(row.cluster),
    )


def _hold(form: HoldCluster) -> Committed:
    return components().clusters.hold(form.cluster, form.name, form.desc, form.duration, expect=form.expect)


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
        message=_message,
        leaves_hold=True,
    )
)


# --- extend ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Extension:
    """One choice of the form: `more` time, the duration in total, and the end (None if the hold has not begun)."""

    more: timedelta
    total: timedelta
    end: datetime | None

    @property
    def until(self) -> str:
        """The value that the form sends. It names the end, so that sending it twice adds nothing."""
        return format_time(self.end) if self.end else format_duration(self.total)


def _extensions(cluster: Cluster, rules: Rules, now: datetime) -> list[Extension]:
    """Return the extensions that the limit of a hold allows."""
    hold = cluster.hold
    if hold is None or (hold.expires is None and cluster.lease is None):
        return []
    total = hold.expires - (hold.since or now) if hold.expires else hold.lasts or rules.hold
    allowed = [more for more in _EXTENSIONS if total + more <= rules.max_hold + ROUNDED]
    return [Extension(more, total + more, hold.expires + more if hold.expires else None) for more in allowed]


def _extend_context(values: Mapping[str, str], is_shown_again: bool) -> dict[str, Any]:
    context, rules = cluster_forms.context(values, is_shown_again), latest().pool.rules
    row, now = context["row"], components().clusters.clock()
    context["extensions"] = _extensions(row.cluster, rules, now) if row else []
    return context


def _end(text: str) -> datetime | timedelta:
    end = parse_time(text) or parse_duration(text)
    if end is None:
        raise ValueError("one of the ends in the form")
    return end


@dataclass(frozen=True, kw_only=True)
class ExtendHold(ClusterParameters):
    """Extend a hold to one of the ends in the form."""

    until: datetime | timedelta = ParameterType(_end, "by how much to extend").required()


def _extend(form: ExtendHold) -> Committed:
    return components().clusters.extend(form.cluster, form.name, form.until)


serve(
    Form(
        "/ui/extend",
        endpoints.HOLDCLUSTER.taking(ExtendHold),
        _extend,
        title="Extend hold of",
        button="Extend",
        busy_label="Extending…",
        subject="cluster",
        context=_extend_context,
        update=cluster_forms.update,
        message=_message,
        leaves_hold=True,
    )
)


# --- change the end --------------------------------------------------------------------------------------------------


def _change_end(form: HoldCluster) -> Committed:
    return components().clusters.hold(form.cluster, form.name, "", form.duration, expect=HELD)


serve(
    Form(
        "/ui/changeend",
        endpoints.HOLDCLUSTER.requiring("duration"),
        _change_end,
        title="Change end of hold of",
        button="Change end",
        busy_label="Changing…",
        subject="cluster",
        context=cluster_forms.context,
        update=cluster_forms.update,
        message=_message,
        leaves_hold=True,
    )
)


# --- release, take over, hand over -----------------------------------------------------------------------------------


def _require_reason(form: ReleaseCluster, what: str) -> None:
    """Refuse an admin's decision about another person's hold without a reason."""
    cluster = latest().pool.find(form.cluster)
    hold, is_admin = cluster.hold, form.name in components().admins
    if hold and is_admin and not form.reason and not same_person(hold.by, form.name):
        raise MissingParameter(
            f"reason is required: tell {holder_of(cluster)} why the hold of {form.cluster} {what}",
            parameter="reason",
            holder=hold.by,
        )


def _release(form: ReleaseCluster) -> Committed:
    _require_reason(form, "ends")
    is_admin = form.name in components().admins
    return components().clusters.release(form.cluster, form.name, is_admin, form.reason)


serve(
    Form(
        "/ui/release",
        endpoints.RELEASECLUSTER,
        _release,
        title="Release",
        button="Release",
        busy_label="Releasing…",
        subject="cluster",
        context=cluster_forms.context,
        update=cluster_forms.update,
    )
)


@dataclass(frozen=True, kw_only=True)
class TakeOver(HoldCluster):
    """Take over a hold, if its holder is still the one that the admin saw."""

    holder: str = parameter_types.HOLDER.optional("")


def _take_over(form: TakeOver) -> Committed:
    return components().clusters.take_over(form.cluster, form.name, form.holder, form.reason, form.desc, form.duration)


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
        message=_message,
        leaves_hold=True,
    )
)


def _hand_over(form: ReleaseCluster) -> Committed:
    _require_reason(form, "is handed over")
    is_admin = form.name in components().admins
    return components().clusters.hand_over(form.cluster, form.name, is_admin, form.to, form.reason)


serve(
    Form(
        "/ui/handover",
        endpoints.RELEASECLUSTER.requiring("to"),
        _hand_over,
        title="Hand over",
        button="Hand over",
        busy_label="Handing over…",
        subject="cluster",
        context=cluster_forms.context,
        update=cluster_forms.update,
    )
)
