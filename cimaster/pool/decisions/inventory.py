"""Change the inventory: add, update, delete, disable and enable clusters."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cimaster.common.times import format_time
from cimaster.errors import (
    BadParameter,
    ClusterExists,
    ClusterInUse,
    MissingParameter,
    NotAllowed,
    PoolFull,
    WrongCreationState,
)
from cimaster.pool.decisions import creation_matching, descriptions, health
from cimaster.pool.decisions.endings import remember_ended_request
from cimaster.pool.records.cluster import BROKEN, DEFAULT_PURPOSE, IMAGE_PURPOSE, OCCUPIED, Cluster
from cimaster.pool.records.creation import READY, Creation
from cimaster.pool.records.health import QUARANTINED
from cimaster.pool.records.owners import UNVERIFIED, Caller
from cimaster.pool.records.pool import Answer, Pool

RECORDS_LIMIT = 900_000  # bytes: the rest of the API server's 1 MiB is for leases, history and other keys
RESERVE = 500  # bytes per record, for the fields that lending adds


@dataclass(frozen=True)
class ClusterFacts:
    """The facts about a cluster that an admin sets; None keeps the current value, or the default of a new record."""

    region: str | None = None
    purpose: str | None = None
    osimage: str | None = None
    labels: Mapping[str, str] | None = field(default=None)
    note: str | None = None

    def edits(self) -> dict[str, object]:
        """Return the fields to write; an empty text or an empty set of labels removes the field."""
        given = {
            "region": self.region,
            "purpose": self.purpose,
            "osimage": self.osimage,
            "labels": dict(self.labels) if self.labels is not None else None,
            "note": self.note,
        }
        return {key: value or None for key, value in given.items() if value is not None}


def add(
    pool: Pool,
    now: datetime,
    name: str,
    by: str,
    facts: ClusterFacts,
    creation: str = "",
    caller: Caller = UNVERIFIED,
) -> tuple[Pool, Answer]:
    """Add a cluster, and mark its creation as ready: the named one, or the oldest that fits."""
    origin = creation_matching.creation_of_cluster(pool, creation, facts.purpose) if creation else None
    if origin and facts.purpose not in (None, origin.purpose):
        raise WrongCreationState(
            f"creation {origin.id} is for purpose {origin.purpose}, but the cluster is for {facts.purpose}: "
            "leave out purpose or creation",
            creation=origin.id,
        )
    purpose = facts.purpose or (origin.purpose if origin else DEFAULT_PURPOSE)
    grown, answer = _added(pool, now, name, by, dataclasses.replace(facts, purpose=purpose))
    if origin is None and not answer.repeated:
        origin = creation_matching.oldest_for_adder(pool, purpose, by)
    if caller.adds_only_requested and not answer.repeated:
        _check_requested(origin)
    return (creation_matching.mark_ready(grown, now, origin, name) if origin else grown), answer


def _check_requested(origin: Creation | None) -> None:
    """Refuse a cluster that no creation asked for, or that one asked for which has got its cluster."""
    if origin is None or origin.state == READY:
        raise NotAllowed(
            "role provisioner adds only clusters that a creation asked for: send the creation's id as creation, or ask "
            "an admin to add the cluster",
            parameter="creation",
        )


def _added(pool: Pool, now: datetime, name: str, by: str, facts: ClusterFacts) -> tuple[Pool, Answer]:
    """Add a vacant cluster at the end of the list; a repeat with the same facts is a success."""
    sentence = f"cluster {name} is added successfully"
    if pool.records_named(name):
        return pool, _added_before(pool.find(name), facts, sentence)
    purpose = facts.purpose or DEFAULT_PURPOSE
    if purpose == IMAGE_PURPOSE and not facts.osimage:
        raise MissingParameter(
            f"osimage is required for purpose {IMAGE_PURPOSE}: give the name that jobs request",
            parameter="osimage",
        )
    cluster = Cluster.new(
        {
            "name": name,
            "region": facts.region or "",
            "status": "finished",
            "lastJob": "",
            "lastBuild": "",
            "lastTriggerName": "",
            "hold": False,
            "disabled": False,
            "purpose": purpose,
            "osimage": facts.osimage or "",
            "vacantSince": format_time(now),
            **({"labels": dict(facts.labels)} if facts.labels else {}),
            **({"note": facts.note} if facts.note else {}),
        }
    )
    if pool.clusters:
        cluster.gap = pool.clusters[-1].gap if len(pool.clusters) > 1 else ", "
    grown = pool.changed(None, cluster, "added", now, by)
    _check_room(grown)
    return grown, Answer(sentence, cluster)


def _added_before(cluster: Cluster, facts: ClusterFacts, sentence: str) -> Answer:
    wanted = {
        "region": facts.region or "",
        "purpose": facts.purpose or DEFAULT_PURPOSE,
        "osimage": facts.osimage or "",
        "labels": dict(facts.labels or {}),
        "note": facts.note or "",
    }
    stored = {key: getattr(cluster, key) for key in wanted}
    different = [f"{key} {_brief(stored[key], 'none')}" for key in wanted if stored[key] != wanted[key]]
    if different:
        raise ClusterExists(
            f"cluster {cluster.name} exists already, with {', '.join(different)}: change it with /updatecluster",
            cluster=cluster.name,
        )
    return Answer(sentence, cluster, repeated=True)


def update(pool: Pool, now: datetime, name: str, by: str, facts: ClusterFacts) -> tuple[Pool, Answer]:
    """Change the facts about a cluster; its lease, hold and history are kept."""
    cluster = pool.find(name)
    edits = facts.edits()
    if not edits:
        raise MissingParameter(
            "nothing to change: give region, purpose, osimage, label, note or clear", parameter="region"
        )
    updated = cluster.edited(**edits)
    if updated.purpose == IMAGE_PURPOSE and not updated.osimage:
        raise BadParameter(
            f"osimage is required for purpose {IMAGE_PURPOSE}: give the name that jobs request", parameter="osimage"
        )
    if updated.fields == cluster.fields:
        return pool, Answer(f"cluster {name} is unchanged", cluster)
    what = ", ".join(f"{key} {_brief(value)}" for key, value in edits.items() if cluster.fields.get(key) != value)
    changed = pool.changed(cluster, updated, "updated", now, by, reason=what)
    if updated.size > cluster.size:
        _check_room(changed)
    return changed, Answer(f"cluster {name} is updated", updated)


def _brief(value: object, without: str = "removed") -> str:
    if value and isinstance(value, dict):
        return ",".join(f"{key}={text}" for key, text in value.items())
    return str(value or without)[:80]


def _check_room(pool: Pool) -> None:
    size = sum(cluster.size + RESERVE for cluster in pool.clusters)
    if size > RECORDS_LIMIT:
        raise PoolFull(
            f"the records of the pool would take {size // 1000} kB, more than the limit of {RECORDS_LIMIT // 1000} kB: "
            "delete clusters, or shorten notes and labels",
            size=size,
            limit=RECORDS_LIMIT,
        )


def delete(
    pool: Pool, now: datetime, reference: str, by: str, force: bool = False, reason: str = ""
) -> tuple[Pool, Answer]:
    """Delete a cluster; one that is occupied, held, or being checked or cleaned needs `force` and a reason."""
    cluster = pool.find_any(reference)
    if is_in_use(cluster):
        if not force:
            raise ClusterInUse(
                f"{cluster.name} is {descriptions.situation(cluster)}: send force=true and a reason to delete it",
                cluster=cluster.name,
                state=cluster.state,
                holder=descriptions.occupant(cluster),
            )
        if not reason:
            raise MissingParameter(
                "reason is required with force: tell the job or person that has the cluster why it is deleted",
                parameter="reason",
            )
    holder = cluster.hold.by if cluster.hold and not cluster.hold.is_of(by) else ""
    pool = remember_ended_request(
        pool.changed(cluster, None, "deleted", now, by, holder=holder, reason=reason), cluster, now
    )
    what = f"broken record {reference}" if cluster.state == BROKEN else f"cluster {cluster.name}"
    return pool, Answer(f"{what} is deleted")


def is_in_use(cluster: Cluster) -> bool:
    """Say whether a job or person has a cluster, or a replica checks or cleans it."""
    return cluster.state == OCCUPIED or bool(cluster.hold or cluster.check_claimed_by)


def disable(pool: Pool, now: datetime, name: str, by: str, reason: str = "") -> tuple[Pool, Answer]:
    """Disable a cluster, so that it is not lent; a job that has it keeps it until it finishes."""
    cluster = pool.find(name)
    disabled = cluster.edited(disabled=True, disabledBy=by, disabledReason=reason or None)
    if cluster.disabled and reason in ("", cluster.disabled_reason):
        return pool, Answer(f"cluster {name} was disabled already", cluster)
    pool = pool.changed(cluster, disabled, "disabled", now, by, reason=reason)
    drains = f"; {descriptions.occupant(disabled)} keeps it until it finishes" if disabled.lease else ""
    return pool, Answer(f"cluster {name} is disabled{drains}", disabled)


def enable(pool: Pool, now: datetime, name: str, by: str, reason: str = "") -> tuple[Pool, Answer]:
    """Enable a disabled cluster and bring a quarantined one back, so that it is lent again."""
    cluster = pool.find(name)
    if cluster.health.state == QUARANTINED:
        pool, answer = health.bring_back(pool, cluster, now, by, reason)
        cluster = pool.find(name)
        if not cluster.disabled:
            return pool, answer
    if not cluster.disabled:
        return pool, Answer(f"cluster {name} was not disabled", cluster)
    edits: dict[str, object] = {"disabled": False, "disabledBy": None, "disabledReason": None}
    if cluster.lease is None:
        edits["vacantSince"] = format_time(now)
    enabled = cluster.edited(**edits)
    pool = pool.changed(cluster, enabled, "enabled", now, by, reason=reason)
    return pool, Answer(f"cluster {name} is enabled", enabled)
