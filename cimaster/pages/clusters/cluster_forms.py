"""The forms about clusters: hold, extend, release, and the inventory's."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from flask import request

from cimaster import pool as decide
from cimaster.common.request_body import Parameter
from cimaster.common.texts import printable
from cimaster.common.times import format_duration, format_time, parse_duration, parse_time, roughly
from cimaster.errors import BadParameter, MissingParameter
from cimaster.pages.clusters import cluster_page, cluster_rows
from cimaster.pages.frame import template_filters
from cimaster.pages.frame.forms import Form, changed, needing
from cimaster.pages.frame.visitors import latest, visitor
from cimaster.pool import Answer, ClusterFacts, Rules
from cimaster.pool.decisions import descriptions
from cimaster.pool.decisions.holding import ROUNDED, holder_of, same_person
from cimaster.pool.records.cluster import Cluster
from cimaster.repository.configmap_repository import Committed
from cimaster.web import endpoints, request_parameters
from cimaster.web.components import components
from cimaster.web.request_parameters import Given

FACTS = ("region", "purpose", "osimage", "labels", "note")
_CHOICES = tuple(timedelta(minutes=minutes) for minutes in (30, 60, 240, 360))
_MORE = (timedelta(minutes=30), timedelta(hours=1), timedelta(hours=4))


@dataclass(frozen=True)
class Extension:
    """One way to extend a hold: by `more`, to what it `lasts` in all; its end is None where it has not begun."""

    more: timedelta
    lasts: timedelta
    end: datetime | None

    @property
    def until(self) -> str:
        """What the form sends: the same end again adds nothing."""
        return format_time(self.end) if self.end else format_duration(self.lasts)


def _extensions(cluster: Cluster, rules: Rules, now: datetime) -> list[Extension]:
    """Return by how much a hold may be extended."""
    hold = cluster.hold
    if hold is None or (hold.expires is None and cluster.lease is None):
        return []
    lasts = hold.expires - (hold.since or now) if hold.expires else hold.lasts or rules.hold
    possible = [more for more in _MORE if lasts + more <= rules.max_hold + ROUNDED]
    return [Extension(more, lasts + more, hold.expires + more if hold.expires else None) for more in possible]


def _tells(values: Mapping[str, str], told: bool) -> dict[str, Any]:
    """Tell of the cluster as it is now, and for how long it may be held."""
    name, snapshot = values.get("cluster", ""), latest()
    cluster = cluster_page.find(snapshot, name)
    if cluster is None and not told:
        snapshot.pool.find_any(name)  # says what is wrong with the name
    rules, now = snapshot.pool.rules, components().clusters.clock()
    row = cluster_rows.row(snapshot.pool, cluster, visitor(), now) if cluster else None
    return {
        "extensions": _extensions(cluster, rules, now) if cluster else [],
        "row": row,
        "facts": _facts(row) if row else {},
        "choices": sorted({rules.hold, *(choice for choice in _CHOICES if choice <= rules.max_hold)}),
        "usual": format_duration(rules.hold),
        "longest": rules.max_hold,
    }


def _facts(row: cluster_rows.Row) -> dict[str, str]:
    """Return what the inventory says of a cluster, as the fields of a form."""
    told, labels = row.cluster, " ".join(f"{key}={value}" for key, value in row.cluster.labels.items())
    texts = {"region": told.region, "purpose": told.purpose, "osimage": told.osimage, "note": told.note}
    return {**({} if told.fault else texts), "labels": labels}


def held(cluster: Cluster, name: str, now: datetime) -> str:
    """Tell a person until when they hold a cluster; empty where they do not."""
    hold = cluster.hold
    if hold is None or not same_person(hold.by, name):
        return ""
    if hold.expires:
        return (
            f"You hold {cluster.name} until {template_filters.clock(hold.expires, now)} ({roughly(hold.expires - now)})"
        )
    lasts = f", for {roughly(hold.lasts)}" if hold.lasts else ""
    return f"You hold {cluster.name} from when {descriptions.occupant(cluster)} finishes{lasts}"


def _hold(given: Given) -> Committed:
    return components().clusters.change(
        decide.hold, None, given.cluster, given.name, given.desc or "", given.duration, given.expect or ""
    )


def _extend(given: Given) -> Committed:
    return components().clusters.change(decide.extend, None, given.cluster, given.name, given.until)


def _change_end(given: Given) -> Committed:
    return components().clusters.change(decide.hold, None, given.cluster, given.name, "", given.duration, "held")


def _release(given: Given) -> Committed:
    _require_reason(given, "ends")
    return components().clusters.change(
        decide.release, None, given.cluster, given.name, given.name in components().admins, given.reason or ""
    )


def _hand_over(given: Given) -> Committed:
    _require_reason(given, "is handed over")
    is_admin = given.name in components().admins
    return components().clusters.change(
        decide.hand_over, None, given.cluster, given.name, is_admin, given.to, given.reason or ""
    )


def _take_over(given: Given) -> Committed:
    said = given.cluster, given.name, given.holder or "", given.reason, given.desc or "", given.duration
    return components().clusters.change(decide.take_over, None, *said)


def _require_reason(given: Given, what: str) -> None:
    """Refuse an admin's decision about another person's hold that gives no reason."""
    cluster = latest().pool.find(given.cluster)
    hold = cluster.hold
    if hold and not same_person(hold.by, given.name) and given.name in components().admins and not given.reason:
        raise MissingParameter(
            f"reason is required: {holder_of(cluster)} is told why the hold of {given.cluster} {what}",
            parameter="reason",
            holder=hold.by,
        )


def _end(text: str) -> datetime | timedelta:
    read = parse_time(text) or parse_duration(text)
    if read is None:
        raise ValueError("one of the ends that the form offers")
    return read


def _disable(given: Given) -> Committed:
    return components().clusters.change(decide.disable, None, given.cluster, given.name, given.reason)


def _enable(given: Given) -> Committed:
    return components().clusters.change(decide.enable, None, given.cluster, given.name, given.reason or "")


def _add(given: Given) -> Committed:
    return components().clusters.change(decide.add, None, given.cluster, given.name, request_parameters.facts(given))


def _edit(given: Given) -> Committed:
    """Change only what was changed in the form: somebody else may have changed the rest meanwhile."""
    names = changed(*FACTS)
    texts = {name: given.values[name] or "" for name in FACTS if name in names and name != "labels"}
    facts = ClusterFacts(**texts, labels=request_parameters.labels(given.label) if "labels" in names else None)
    if not names:
        snapshot = latest()
        return Committed(Answer(f"cluster {given.cluster} stays as it is", snapshot.pool.find(given.cluster)), 0)
    return components().clusters.change(decide.update, None, given.cluster, given.name, facts)


def _delete(given: Given) -> Committed:
    name = given.cluster.partition(".")[0] if given.cluster.startswith("#") else given.cluster
    if printable(request.form.get("typed", "")) != name:
        raise BadParameter(f"type {name} to delete it: what was typed is something else", parameter="typed")
    return components().clusters.change(
        decide.delete, None, given.cluster, given.name, bool(given.force), given.reason or ""
    )


_HOLD, _DURATION = endpoints.HOLDCLUSTER, needing(endpoints.HOLDCLUSTER, "duration")
_UNTIL = Parameter("until", _end, "by how much to extend", required=True)
_EXTEND = replace(_HOLD, parameters=(endpoints.CLUSTER, endpoints.NAME, _UNTIL))
_HOLDER = next(p for p in endpoints.CLUSTERS.parameters if p.name == "holder")
_TAKE_OVER = replace(_HOLD, parameters=(*needing(_HOLD, "reason").parameters, _HOLDER))
_HAND_OVER = needing(endpoints.RELEASECLUSTER, "to")
_DISABLE = needing(endpoints.DISABLECLUSTER, "reason")
FORMS = (
    Form("hold", _HOLD, _hold, "Hold", "Hold", "Holding…", "cluster", _tells, holds=True),
    Form("extend", _EXTEND, _extend, "Extend the hold of", "Extend", "Extending…", "cluster", _tells, holds=True),
    Form(
        "changeend",
        _DURATION,
        _change_end,
        "Change the end of",
        "Change end",
        "Changing…",
        "cluster",
        _tells,
        holds=True,
    ),
    Form("release", endpoints.RELEASECLUSTER, _release, "Release", "Release", "Releasing…", "cluster", _tells),
    Form(
        "takeover",
        _TAKE_OVER,
        _take_over,
        "Take over",
        "Take over",
        "Taking over…",
        "cluster",
        _tells,
        True,
        holds=True,
    ),
    Form("handover", _HAND_OVER, _hand_over, "Hand over", "Hand over", "Handing over…", "cluster", _tells),
    Form("add", endpoints.ADDCLUSTER, _add, "Add a cluster", "Add cluster", "Adding…", for_admins=True),
    Form("edit", endpoints.UPDATECLUSTER, _edit, "Edit", "Save", "Saving…", "cluster", _tells, for_admins=True),
    Form("disable", _DISABLE, _disable, "Disable", "Disable", "Disabling…", "cluster", _tells, for_admins=True),
    Form("enable", endpoints.ENABLECLUSTER, _enable, "Enable", "Enable", "Enabling…", "cluster", _tells, True),
    Form("delete", endpoints.DELETECLUSTER, _delete, "Delete", "Delete", "Deleting…", "cluster", _tells, True, True),
)
