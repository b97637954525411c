"""The forms about the end of a hold: extend it, or change it to another time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cimaster.common.parameters import ParameterType
from cimaster.common.times import format_duration, format_time, parse_duration, parse_time
from cimaster.pages.clusters import cluster_forms
from cimaster.pages.frame.form_views import serve
from cimaster.pages.frame.forms import Form
from cimaster.pages.frame.visitors import latest
from cimaster.pool import HoldTerms, Rules
from cimaster.pool.decisions.hold_times import ROUNDED
from cimaster.pool.records.cluster import HELD, Cluster
from cimaster.repository.configmap_repository import Committed
from cimaster.web import endpoints, request_parameters
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import ClusterParameters, HoldCluster

_EXTENSIONS = (timedelta(minutes=30), timedelta(hours=1), timedelta(hours=4))


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


def extensions(cluster: Cluster, rules: Rules, now: datetime) -> list[Extension]:
    """Return the extensions that the limit of a hold allows."""
    hold = cluster.hold
    if hold is None or (hold.expires is None and cluster.lease is None):
        return []
    total = hold.expires - (hold.since or now) if hold.expires else hold.lasts or rules.hold
    allowed = [more for more in _EXTENSIONS if total + more <= rules.max_hold + ROUNDED]
    return [Extension(more, total + more, hold.expires + more if hold.expires else None) for more in allowed]


def _extend_context(values: Mapping[str, str], is_shown_again: bool) -> dict[str, Any]:
    context, rules = cluster_forms.context(values, is_shown_again), latest().pool.rules
    row, now = context["row"], components().clusters.now()
    context["extensions"] = extensions(row.cluster, rules, now) if row else []
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
        title="Extend the hold on",
        button="Extend",
        busy_label="Extending…",
        subject="cluster",
        context=_extend_context,
        update=cluster_forms.update,
        message=cluster_forms.hold_message,
        leaves_hold=True,
    )
)


# --- change the end --------------------------------------------------------------------------------------------------


def _change_end(form: HoldCluster) -> Committed:
    until = request_parameters.hold_end(form.until, components().clusters.now())
    terms = HoldTerms(duration=form.duration, until=until)
    return components().clusters.hold(form.cluster, form.name, terms, expect=HELD)


serve(
    Form(
        "/ui/changeend",
        endpoints.HOLDCLUSTER.requiring("duration"),
        _change_end,
        title="Change the end of the hold on",
        button="Change end",
        busy_label="Changing…",
        subject="cluster",
        context=cluster_forms.context,
        update=cluster_forms.update,
        message=cluster_forms.hold_message,
        leaves_hold=True,
    )
)
