"""The forms of people who wait in line: hold a cluster when it is free, or any vacant one of a kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from cimaster.common.times import format_duration, roughly
from cimaster.pages.clusters import cluster_forms
from cimaster.pages.clusters.hold_alternatives import USUAL_WAIT
from cimaster.pages.frame.form_views import serve
from cimaster.pages.frame.forms import Form, PageUpdate, Result
from cimaster.pages.frame.visitors import latest
from cimaster.pool import HoldTerms
from cimaster.pool.decisions import queue_order
from cimaster.pool.records.cluster import DEFAULT_PURPOSE
from cimaster.pool.records.criteria import Criteria
from cimaster.repository.configmap_repository import Committed
from cimaster.web import callers, endpoints, parameter_types, request_parameters
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import HoldCluster, KindParameters, NamedParameters

_WAITS = tuple(timedelta(hours=hours) for hours in (4, 24, 48, 168))
_NO_WAIT = ("", "no")


def _waits() -> list[tuple[str, str]]:
    """Return the choices of how long to wait: the value that the form sends, and its words."""
    return [(format_duration(wait), f"for up to {roughly(wait)}") for wait in _WAITS]


def _message(committed: Committed, name: str) -> str:
    """Tell the visitor their place in line, or until when they hold the cluster."""
    answer = committed.answer
    if not answer.ticket:
        return cluster_forms.hold_message(committed, name)
    return f"You are number {answer.place} in line. You will hold the cluster when your turn comes"


def _wait_in_line(criteria: Criteria, name: str, terms: HoldTerms, wait: timedelta) -> Committed:
    return components().clusters.hold_or_wait(criteria, name, terms, wait, callers.owner())


# --- one cluster when it is free -------------------------------------------------------------------------------------


def _when_free_context(values: Mapping[str, str], is_shown_again: bool) -> dict[str, Any]:
    context = cluster_forms.context(values, is_shown_again)
    return {**context, "facts": {"wait": USUAL_WAIT}, "waits": _waits()}


def _hold_when_free(form: HoldCluster) -> Committed:
    assert form.wait  # the form requires it
    criteria = request_parameters.criteria(form, cluster=form.cluster, by=form.name)
    return _wait_in_line(criteria, form.name, HoldTerms(form.desc, form.duration, form.with_), form.wait)


serve(
    Form(
        "/ui/holdwhenfree",
        endpoints.HOLDCLUSTER.requiring("wait"),
        _hold_when_free,
        title="Hold when free:",
        button="Wait in line",
        busy_label="Joining…",
        subject="cluster",
        context=_when_free_context,
        update=cluster_forms.update,
        message=_message,
        leaves_hold=True,
    )
)


# --- any cluster of a kind -------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class HoldAny(KindParameters, NamedParameters):
    """Hold the longest vacant cluster of a kind, or wait in line for one."""

    desc: str = parameter_types.DESC.optional("")
    duration: timedelta | None = parameter_types.DURATION.optional(None)
    until: datetime | time | None = parameter_types.HOLD_END.optional(None)
    with_: tuple[str, ...] = parameter_types.WITH.optional(())
    wait: timedelta | None = parameter_types.HOLD_WAIT.optional(None)


def _any_context(_values: Mapping[str, str], _is_shown_again: bool) -> dict[str, Any]:
    """Show the purposes, for how long a cluster may be held and the visitor may wait, and the next place in line."""
    pool = latest().pool
    return {
        "facts": {"purpose": DEFAULT_PURPOSE},
        "purposes": pool.purposes(),
        "waits": [_NO_WAIT, *_waits()],
        "usual_wait": USUAL_WAIT,
        "place": queue_order.next_position(pool, components().clusters.now()),
        **cluster_forms.durations(pool.rules),
    }


def _hold_any(form: HoldAny) -> Committed:
    criteria = request_parameters.criteria(form, by=form.name)
    until = request_parameters.hold_end(form.until, components().clusters.now())
    terms = HoldTerms(form.desc, form.duration, form.with_, until=until)
    if form.wait:
        return _wait_in_line(criteria, form.name, terms, form.wait)
    return components().clusters.hold_any(criteria, form.name, terms)


def _update(_result: Result) -> PageUpdate | None:
    """Replace nothing: the page polls its table now, which shows the cluster if the filter does."""
    return None


serve(
    Form(
        "/ui/holdany",
        endpoints.HOLDCLUSTER.taking(HoldAny),
        _hold_any,
        title="Hold any cluster",
        button="Hold",
        busy_label="Holding…",
        context=_any_context,
        update=_update,
        message=_message,
        leaves_hold=True,
    )
)
