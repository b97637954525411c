"""Hold clusters for people, and release them."""

from datetime import datetime, timedelta

from cimaster.errors import ClusterNotVacant, HeldByOther, HoldTooLong, NotAuthorized
from cimaster.pool import wording
from cimaster.pool.ask import Ask
from cimaster.pool.cluster import VACANT, Cluster
from cimaster.pool.lending import choose
from cimaster.pool.state import Answer, Pool
from cimaster.pool.transitions import hold_begun, hold_ended
from cimaster.texts import folded
from cimaster.times import format_duration, format_end


def same_person(one: str, other: str) -> bool:
    """Say whether two names mean one person: names are compared without case."""
    return folded(one) == folded(other)


def hold(
    pool: Pool, now: datetime, name: str, by: str, desc: str = "", duration: timedelta | None = None, expect: str = ""
) -> tuple[Pool, Answer]:
    """Hold a cluster for a person; the holder's own hold is extended where `duration` says so."""
    cluster = pool.find(name)
    if duration and duration > pool.rules.max_hold:
        raise _too_long(pool)
    if cluster.hold and same_person(cluster.hold.by, by):
        return _hold_again(pool, now, cluster, desc, duration)
    if cluster.hold:
        whose = f"held by {cluster.hold.by or 'somebody'}{wording.until(cluster.hold.expires)}"
        raise HeldByOther(f"{name} is already {whose}", cluster=name, holder=cluster.hold.by)
    if expect and cluster.state != expect:
        raise ClusterNotVacant(
            f"{name} is not {expect} any more: {wording.situation(cluster)}",
            cluster=name, state=cluster.state, holder=wording.who(cluster),
        )  # fmt: skip
    held = hold_begun(cluster, by, desc, duration or pool.rules.hold, now)
    pool = pool.changed(cluster, held, "held", now, by, reason=desc)
    return pool, Answer(_held(held), held)


def hold_any(
    pool: Pool, now: datetime, ask: Ask, by: str, desc: str = "", duration: timedelta | None = None
) -> tuple[Pool, Answer]:
    """Hold the longest vacant cluster of a kind."""
    return hold(pool, now, choose(pool, ask, now).name, by, desc, duration)


def _held(cluster: Cluster) -> str:
    held = cluster.hold
    assert held is not None
    if cluster.lease:
        return f"cluster {cluster.name} is held by {held.by} from when {wording.who(cluster)} finishes"
    return f"cluster {cluster.name} is held by {held.by}{wording.until(held.expires)}"


def _too_long(pool: Pool) -> HoldTooLong:
    most = format_duration(pool.rules.max_hold)
    return HoldTooLong(f"a hold lasts at most {most}, extensions included", parameter="duration", max=most)


def _hold_again(
    pool: Pool, now: datetime, cluster: Cluster, desc: str, duration: timedelta | None
) -> tuple[Pool, Answer]:
    held = cluster.hold
    assert held is not None
    edits: dict[str, str | None] = {"holdDesc": desc} if desc and desc != held.desc else {}
    if duration and held.expires is None:
        edits["holdFor"] = format_duration(duration)
    elif duration:
        if held.since and now + duration - held.since > pool.rules.max_hold:
            raise _too_long(pool)
        edits["holdExpires"] = format_end(now + duration)
    again = cluster.edited(**edits)
    if again.fields == cluster.fields:
        return pool, Answer(f"you hold it already: {_held(cluster)}", cluster)
    event = "hold extended" if duration else "hold described"
    pool = pool.changed(cluster, again, event, now, held.by, reason=desc)
    return pool, Answer(_held(again), again)


def release(pool: Pool, now: datetime, name: str, by: str, is_admin: bool, reason: str = "") -> tuple[Pool, Answer]:
    """End a hold: the holder's own, or anybody's where an admin asks."""
    cluster = pool.find(name)
    if not cluster.hold:
        return pool, Answer(f"cluster {name} was not held", cluster)
    holder = cluster.hold.by
    if not is_admin and not same_person(holder, by):
        whose = f"held by {holder}" if holder else "held, and nobody wrote by whom"
        raise NotAuthorized(
            f"user {by} is not authorized: {name} is {whose}; the holder or an admin can release it",
            cluster=name, holder=holder,
        )  # fmt: skip
    released = hold_ended(cluster, now)
    other = "" if same_person(holder, by) else holder
    pool = pool.changed(cluster, released, "released", now, by, holder=other, reason=reason)
    now_is = "" if released.state == VACANT else f"; it is now {wording.situation(released)}"
    return pool, Answer(f"cluster {name} is released{now_is}", released)
