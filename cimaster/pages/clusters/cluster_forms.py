"""The forms about clusters: hold, extend, release, and the inventory's."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import request

from cimaster.common.parameters import ParameterType
from cimaster.common.texts import printable
from cimaster.common.times import format_duration, format_time, parse_duration, parse_time, roughly
from cimaster.errors import BadParameter, MissingParameter
from cimaster.pages.clusters import cluster_page, cluster_rows
from cimaster.pages.frame import template_filters
from cimaster.pages.frame.forms import Form, changed
from cimaster.pages.frame.visitors import current_visitor, latest
from cimaster.pool import Answer, ClusterFacts, Rules
from cimaster.pool.decisions import descriptions
from cimaster.pool.decisions.holding import ROUNDED, holder_of, same_person
from cimaster.pool.records.cluster import HELD, Cluster
from cimaster.repository.configmap_repository import Committed
from cimaster.web import endpoints, parameter_types, request_parameters
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import (
    AddCluster,
    ClusterParameters,
    DeleteCluster,
    DisableCluster,
    EnableCluster,
    HoldCluster,
    ReleaseCluster,
    UpdateCluster,
)

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
    row = cluster_rows.row(snapshot.pool, cluster, current_visitor(), now) if cluster else None
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
        end, left = template_filters.clock_time(hold.expires, now), roughly(hold.expires - now)
        return f"You hold {cluster.name} until {end} ({left})"
    lasts = f", for {roughly(hold.lasts)}" if hold.lasts else ""
    return f"You get {cluster.name} when {descriptions.occupant(cluster)} finishes{lasts}"


def _end(text: str) -> datetime | timedelta:
    end = parse_time(text) or parse_duration(text)
    if end is None:
        raise ValueError("one of the ends in the form")
    return end


@dataclass(frozen=True, kw_only=True)
class ExtendHold(ClusterParameters):
    """Extend a hold to one of the ends in the form."""

    until: datetime | timedelta = ParameterType(_end, "by how much to extend").required()


@dataclass(frozen=True, kw_only=True)
class TakeOver(HoldCluster):
    """Take over the hold of the person that the admin saw as its holder."""

    holder: str = parameter_types.HOLDER.optional("")


def _hold(asked: HoldCluster) -> Committed:
    return components().clusters.hold(asked.cluster, asked.name, asked.desc, asked.duration, expect=asked.expect)


def _extend(asked: ExtendHold) -> Committed:
    return components().clusters.extend(asked.cluster, asked.name, asked.until)


def _change_end(asked: HoldCluster) -> Committed:
    return components().clusters.hold(asked.cluster, asked.name, "", asked.duration, expect=HELD)


def _release(asked: ReleaseCluster) -> Committed:
    _require_reason(asked, "ends")
    is_admin = asked.name in components().admins
    return components().clusters.release(asked.cluster, asked.name, is_admin, asked.reason)


def _hand_over(asked: ReleaseCluster) -> Committed:
    _require_reason(asked, "is handed over")
    is_admin = asked.name in components().admins
    return components().clusters.hand_over(asked.cluster, asked.name, is_admin, asked.to, asked.reason)


def _take_over(asked: TakeOver) -> Committed:
    return components().clusters.take_over(
        asked.cluster, asked.name, asked.holder, asked.reason, asked.desc, asked.duration
    )


def _require_reason(asked: ReleaseCluster, what: str) -> None:
    """Refuse an admin's decision about another person's hold that gives no reason."""
    cluster = latest().pool.find(asked.cluster)
    hold = cluster.hold
    is_anothers = hold and not same_person(hold.by, asked.name) and asked.name in components().admins
    if hold and is_anothers and not asked.reason:
        raise MissingParameter(
            f"reason is required: tell {holder_of(cluster)} why the hold of {asked.cluster} {what}",
            parameter="reason",
            holder=hold.by,
        )


def _add(asked: AddCluster) -> Committed:
    return components().clusters.add(asked.cluster, asked.name, request_parameters.facts(asked))


def _edit(asked: UpdateCluster) -> Committed:
    """Write only what was changed in the form: someone else may have changed the rest in the meantime."""
    names = changed(*FACTS)
    if not names:
        cluster = latest().pool.find(asked.cluster)
        return Committed(Answer(f"cluster {asked.cluster} is unchanged", cluster), 0)
    facts = ClusterFacts(
        region=asked.region or "" if "region" in names else None,
        purpose=asked.purpose or "" if "purpose" in names else None,
        osimage=asked.osimage or "" if "osimage" in names else None,
        labels=request_parameters.labels(asked.label) if "labels" in names else None,
        note=asked.note or "" if "note" in names else None,
    )
    return components().clusters.update(asked.cluster, asked.name, facts)


def _disable(asked: DisableCluster) -> Committed:
    return components().clusters.disable(asked.cluster, asked.name, asked.reason)


def _enable(asked: EnableCluster) -> Committed:
    return components().clusters.enable(asked.cluster, asked.name, asked.reason)


def _delete(asked: DeleteCluster) -> Committed:
    name = asked.cluster.partition(".")[0] if asked.cluster.startswith("#") else asked.cluster
    if printable(request.form.get("typed", "")) != name:
        raise BadParameter(f"the typed name is not {name}: type {name} to delete it", parameter="typed")
    return components().clusters.delete(asked.cluster, asked.name, force=asked.force, reason=asked.reason)


_HOLD, _DURATION = endpoints.HOLDCLUSTER, endpoints.HOLDCLUSTER.requiring("duration")
_EXTEND = endpoints.HOLDCLUSTER.taking(ExtendHold)
_TAKE_OVER = endpoints.HOLDCLUSTER.taking(TakeOver).requiring("reason")
_HAND_OVER = endpoints.RELEASECLUSTER.requiring("to")
_DISABLE = endpoints.DISABLECLUSTER.requiring("reason")
FORMS = (
    Form("hold", _HOLD, _hold, "Hold", "Hold", "Holding…", "cluster", _tells, holds=True),
    Form("extend", _EXTEND, _extend, "Extend hold of", "Extend", "Extending…", "cluster", _tells, holds=True),
    Form(
        "changeend",
        _DURATION,
        _change_end,
        "Change end of hold of",
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
