"""The form that holds any vacant cluster of a kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cimaster.pages.clusters import cluster_forms
from cimaster.pages.frame.form_views import serve
from cimaster.pages.frame.forms import Form, PageUpdate, Result
from cimaster.pages.frame.visitors import latest
from cimaster.pool import HoldTerms
from cimaster.pool.records.cluster import DEFAULT_PURPOSE
from cimaster.repository.configmap_repository import Committed
from cimaster.web import endpoints, parameter_types, request_parameters
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import KindParameters, NamedParameters


@dataclass(frozen=True, kw_only=True)
class HoldAny(KindParameters, NamedParameters):
    """Hold the longest vacant cluster of a kind."""

    desc: str = parameter_types.DESC.optional("")
    duration: timedelta | None = parameter_types.DURATION.optional(None)
    with_: tuple[str, ...] = parameter_types.WITH.optional(())


def _context(_values: Mapping[str, str], _is_shown_again: bool) -> dict[str, Any]:
    """Show the purposes, and for how long a cluster may be held."""
    pool = latest().pool
    return {"facts": {"purpose": DEFAULT_PURPOSE}, "purposes": pool.purposes(), **cluster_forms.durations(pool.rules)}


def _hold(form: HoldAny) -> Committed:
    terms = HoldTerms(form.desc, form.duration, form.with_)
    return components().clusters.hold_any(request_parameters.criteria(form), form.name, terms)


def _update(_result: Result) -> PageUpdate | None:
    """Replace nothing: the page polls its table now, which shows the cluster if the filter does."""
    return None


serve(
    Form(
        "/ui/holdany",
        endpoints.HOLDCLUSTER.taking(HoldAny),
        _hold,
        title="Hold any vacant cluster",
        button="Hold",
        busy_label="Holding…",
        context=_context,
        update=_update,
        message=cluster_forms.hold_message,
        leaves_hold=True,
    )
)
