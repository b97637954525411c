"""Record notices in the same write as the change that causes them, so that none is lost and none is sent for nothing.

It compares the pool before and after a change; what only time causes is found by the time up to which an earlier
change has looked. So no record of a cluster changes because of a notice.
"""

import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from cimaster.common.texts import brief, printable
from cimaster.common.times import format_time
from cimaster.pool.records import health
from cimaster.pool.records.cluster import EARLIEST, Cluster
from cimaster.pool.records.creation import FAILED, Creation
from cimaster.pool.records.history import Entry
from cimaster.pool.records.notice import (
    CREATION_FAILED,
    HOLD_ENDED,
    HOLD_ENDING,
    LEASE_OVERDUE,
    NONE_VACANT,
    QUARANTINED,
    VACANT_AGAIN,
    YOUR_TURN,
    Notice,
)
from cimaster.pool.records.outbox import NoticeState, Outbox, Shortage
from cimaster.pool.records.pool import Pool, Rules

BEFORE_END = timedelta(minutes=30)
SHORTAGE_NOTICED = timedelta(minutes=10)
MOST_NOTICES, MOST_BYTES = 100, 24_000
_LONGEST_REASON = 200
_OLDEST_ENTRY = timedelta(minutes=5)  # an imported history has older ones
_KIND_OF_EVENT = {"hold ended": HOLD_ENDED, "held when free": YOUR_TURN, health.QUARANTINED: QUARANTINED}
_log = logging.getLogger(__name__)


class Routes(Protocol):
    """Where notices are sent, as the operator configured it."""

    @property
    def kinds(self) -> Collection[str]:
        """The kinds of notice that a channel or a person wants; empty if no channel is configured."""
        ...

    def destinations(self, notice: Notice) -> list[str]:
        """Return the destinations of a notice; empty if no channel and no person wants it."""
        ...


class NoRoutes:
    """The routes without any channel: no notice is recorded."""

    kinds: tuple[str, ...] = ()

    def destinations(self, _notice: Notice) -> list[str]:
        """Return nothing."""
        return []


@dataclass(frozen=True)
class _Cause:
    """What a notice is about, before its destinations are known."""

    kind: str
    facts: Mapping[str, str] = field(default_factory=dict)


def record(before: Pool, after: Pool, now: datetime, routes: Routes, clock_is_right: bool = True) -> Pool:
    """Return the pool after a change, with the notices that the change and the time cause.

    The same pool is returned if no channel is configured, or if there is neither a change nor a cause. A cause that no
    channel wants is written too, as having been looked at: otherwise it would stay due.
    """
    if not routes.kinds:
        return after
    times = now if clock_is_right else None
    state, shortage_causes = _shortages(after, now, times)
    causes = [*_of_entries(before, after, now), *_of_creations(before, after), *_of_times(before, after, times)]
    causes += shortage_causes
    has_looked = state.looked_until is not None or not clock_is_right
    if after is before and not causes and state is after.outbox.state and has_looked:
        return after
    looked_until = now.replace(microsecond=0) if clock_is_right else state.looked_until
    kept, lost = _bounded((*after.outbox.notices, *_addressed(causes, after, now, routes)))
    return replace(after, outbox=Outbox(kept, replace(state, looked_until=looked_until), lost))


def next_due(pool: Pool) -> datetime | None:
    """Return when time causes the next notice; EARLIEST if no change has looked yet, None if no time is known."""
    state = pool.outbox.state
    looked = state.looked_until
    if looked is None:
        return EARLIEST
    moments = [moment for cluster in pool.clusters for _, moment in _moments(cluster, pool.rules) if moment > looked]
    shortages = [each.since + SHORTAGE_NOTICED for each in state.shortages.values() if not each.noticed]
    return min((*moments, *shortages), default=None)


def _addressed(causes: list[_Cause], pool: Pool, now: datetime, routes: Routes) -> list[Notice]:
    notices = []
    for number, cause in enumerate(causes):
        identity = f"{pool.next_commit}-{number}-{now:%Y%m%d%H%M%S}"
        try:
            notice = Notice.new(cause.kind, now, identity, cause.facts)
            destinations = routes.destinations(notice)
        except Exception:
            _log.exception("the notice %s cannot be recorded", cause.kind)
        else:
            notices += [notice.addressed(destinations)] if destinations else []
    return notices


def _bounded(notices: tuple[Notice, ...]) -> tuple[tuple[Notice, ...], tuple[Notice, ...]]:
    """Return the newest notices that there is room for, and the others."""
    room, first = MOST_BYTES, len(notices)
    while first > 0 and len(notices) - first < MOST_NOTICES:
        room -= len(notices[first - 1].text.encode("utf-8", "surrogatepass"))
        if room < 0:
            break
        first -= 1
    return notices[first:], notices[:first]


def _of_entries(before: Pool, after: Pool, now: datetime) -> Iterator[_Cause]:
    """Yield what the entries of the history that this change added cause, oldest first."""
    if after.history is before.history:
        return
    for entry in reversed(after.entries_of(before.next_commit)):
        if entry.at and now - entry.at < _OLDEST_ENTRY and entry.event in _KIND_OF_EVENT:
            yield _of_entry(before, after, entry)


def _of_entry(before: Pool, after: Pool, entry: Entry) -> _Cause:
    kind = _KIND_OF_EVENT[entry.event]
    cluster = _find(after, entry.cluster) or _find(before, entry.cluster)
    facts = {"cluster": entry.cluster, "purpose": cluster.purpose if cluster else ""}
    facts["reason"] = brief(entry.reason, _LONGEST_REASON)
    if kind == QUARANTINED:
        facts["by"] = entry.by
    elif kind == HOLD_ENDED:
        facts["person"] = entry.holder
    else:
        facts["person"] = entry.get_text("newHolder") or entry.by
        facts["ends"] = format_time(cluster.hold.expires) if cluster and cluster.hold and cluster.hold.expires else ""
    return _Cause(kind, facts)


def _of_creations(before: Pool, after: Pool) -> Iterator[_Cause]:
    """Yield the creations that this change made fail."""
    if after.creations is before.creations:
        return
    were_open = {creation.id for creation in before.creations if creation.is_open}
    for creation in after.creations:
        if creation.state == FAILED and creation.id in were_open:
            yield _Cause(CREATION_FAILED, _facts_of(creation))


def _facts_of(creation: Creation) -> dict[str, str]:
    facts = {"purpose": creation.purpose, "by": creation.user, "job": creation.job}
    person = "" if creation.by_policy else printable(creation.user)
    return facts | {"person": person, "reason": brief(creation.reason, _LONGEST_REASON)}


def _of_times(before: Pool, after: Pool, now: datetime | None) -> Iterator[_Cause]:
    """Yield what became due since an earlier change looked, for the holds and leases that this change leaves alone."""
    looked = before.outbox.state.looked_until
    if looked is None or now is None:
        return
    for cluster in before.clusters:
        for kind, moment in _moments(cluster, before.rules):
            current = _find(after, cluster.name)
            if looked < moment <= now and current and (kind, moment) in _moments(current, before.rules):
                yield _Cause(kind, _facts_of_use(current, kind))


def _moments(cluster: Cluster, rules: Rules) -> list[tuple[str, datetime]]:
    """Return when a hold is about to end, and when a lease becomes overdue."""
    moments = []
    if cluster.hold and cluster.hold.expires:
        moments.append((HOLD_ENDING, cluster.hold.expires - BEFORE_END))
    if cluster.lease and cluster.lease.acquired:
        moments.append((LEASE_OVERDUE, cluster.lease.acquired + rules.overdue_after))
    return moments


def _facts_of_use(cluster: Cluster, kind: str) -> dict[str, str]:
    facts = {"cluster": cluster.name, "purpose": cluster.purpose}
    if kind == HOLD_ENDING:
        assert cluster.hold
        ends = format_time(cluster.hold.expires) if cluster.hold.expires else ""
        return facts | {"person": cluster.hold.by, "ends": ends, "reason": brief(cluster.hold.desc, _LONGEST_REASON)}
    assert cluster.lease
    assert cluster.lease.acquired
    taken = {"job": cluster.lease.job, "build": cluster.lease.build, "person": printable(cluster.lease.by)}
    return facts | taken | {"since": format_time(cluster.lease.acquired)}


def _shortages(pool: Pool, now: datetime, times: datetime | None) -> tuple[NoticeState, list[_Cause]]:
    """Return the state with the purposes that have no vacant cluster now, and what is to be said about them."""
    state, causes = pool.outbox.state, list[_Cause]()
    vacant = {cluster.purpose for cluster in pool.vacant}
    shortages = dict[str, Shortage]()
    for purpose in sorted({cluster.purpose for cluster in pool.clusters if not cluster.fault}):
        known = state.shortages.get(purpose)
        if purpose in vacant:
            causes += [_Cause(VACANT_AGAIN, _facts_of_shortage(purpose, known))] if known and known.noticed else []
            continue
        current = shortages[purpose] = known or Shortage(now.replace(microsecond=0))
        if times and not current.noticed and current.since + SHORTAGE_NOTICED <= times:
            shortages[purpose] = replace(current, noticed=True)
            causes.append(_Cause(NONE_VACANT, _facts_of_shortage(purpose, current)))
    return (state if shortages == state.shortages else replace(state, shortages=shortages)), causes


def _facts_of_shortage(purpose: str, shortage: Shortage) -> dict[str, str]:
    return {"purpose": purpose, "since": format_time(shortage.since)}


def _find(pool: Pool, name: str) -> Cluster | None:
    return pool.clusters[pool.positions[name]] if name in pool.positions else None
