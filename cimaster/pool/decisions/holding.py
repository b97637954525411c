"""Hold clusters for people, and release them."""

from datetime import datetime, timedelta

from cimaster.common.times import format_end
from cimaster.errors import ClusterNotVacant, HeldByOther, NotAuthorized
from cimaster.pool.decisions import descriptions, limits
from cimaster.pool.decisions.endings import end_hold
from cimaster.pool.decisions.hold_times import extended, requested, sharing_people, with_duration, with_hold
from cimaster.pool.decisions.lending import choose
from cimaster.pool.records.cluster import VACANT, Cluster
from cimaster.pool.records.criteria import Criteria
from cimaster.pool.records.hold_terms import HoldTerms
from cimaster.pool.records.lease import UNKNOWN_USER
from cimaster.pool.records.pool import Answer, Pool

_DEFAULT_TERMS = HoldTerms()


def hold(
    pool: Pool,
    now: datetime,
    name: str,
    by: str,
    terms: HoldTerms = _DEFAULT_TERMS,
    expect: str = "",
    force: bool = False,
    reason: str = "",
) -> tuple[Pool, Answer]:
    """Hold a cluster for a person; if they already hold it, `duration` or `until` moves the end of their hold.

    With `force`, which only admins may use, another person's hold ends in the same step.
    """
    cluster = pool.find(name)
    lasts = requested(pool, now, cluster, terms)
    before = cluster.hold
    if before and before.may_be_changed_by(by) and not (force and not before.is_of(by)):
        return _hold_again(pool, now, cluster, by, terms, lasts)
    if before and not force:
        until = descriptions.until(before.expires)
        raise HeldByOther(
            f"{name} is already held by {holder_of(cluster)}{until}: hold another one, or ask the holder to release it",
            cluster=name,
            holder=before.by,
        )
    if expect and cluster.state != expect:
        raise no_longer(cluster, expect)
    limits.check_holds(pool, by)
    held = with_hold(cluster, by, terms.desc, lasts or pool.rules.hold, now, terms.shared_with)
    if terms.until:
        held = held.edited(holdExpires=format_end(terms.until))  # exactly: a duration is stored in whole seconds
    event, holder = ("taken over", before.by) if before else ("held", "")
    actor = terms.actor(by)
    facts = {"holder": holder, "newHolder": "" if actor == by else by, "reason": reason or terms.desc}
    return pool.changed(cluster, held, event, now, actor, **facts), Answer(_held(held), held)


def holder_of(cluster: Cluster) -> str:
    """Return the holder of the cluster; `an unknown user` if none is stored."""
    return cluster.hold.holder if cluster.hold else UNKNOWN_USER


def no_longer(cluster: Cluster, expected: str) -> ClusterNotVacant:
    """Return the refusal of a change to a cluster that is no longer in the state that the caller saw."""
    return ClusterNotVacant(
        f"{cluster.name} is no longer {expected}: it is now {descriptions.situation(cluster)}; check, and decide again",
        cluster=cluster.name,
        state=cluster.state,
        holder=descriptions.occupant(cluster),
    )


def take_over(
    pool: Pool,
    now: datetime,
    name: str,
    by: str,
    holder: str,
    reason: str,
    terms: HoldTerms = _DEFAULT_TERMS,
) -> tuple[Pool, Answer]:
    """Hold a cluster for an admin in place of `holder`; refuse if `holder` no longer holds it."""
    cluster = pool.find(name)
    if not cluster.hold or not cluster.hold.is_of(holder):
        raise no_longer(cluster, f"held by {holder or UNKNOWN_USER}")
    return hold(pool, now, name, by, terms, force=True, reason=reason)


def hold_any(
    pool: Pool, now: datetime, criteria: Criteria, by: str, terms: HoldTerms = _DEFAULT_TERMS
) -> tuple[Pool, Answer]:
    """Hold the longest vacant cluster of a kind."""
    return hold(pool, now, choose(pool, criteria, now).name, by, terms)


def check_may_share(cluster: Cluster, by: str) -> None:
    """Refuse to change the people that a hold is shared with, unless `by` is its holder."""
    if cluster.hold and not cluster.hold.is_of(by):
        raise NotAuthorized(
            f"user {by} is not authorized: {cluster.name} is held by {holder_of(cluster)}; "
            "only the holder can share the hold",
            cluster=cluster.name,
            holder=cluster.hold.by,
        )


def _held(cluster: Cluster) -> str:
    held = cluster.hold
    assert held is not None
    if cluster.lease:
        return f"cluster {cluster.name} is held by {held.by} from when {descriptions.occupant(cluster)} finishes"
    return f"cluster {cluster.name} is held by {held.by}{descriptions.until(held.expires)}"


def _hold_again(
    pool: Pool, now: datetime, cluster: Cluster, by: str, terms: HoldTerms, lasts: timedelta | None
) -> tuple[Pool, Answer]:
    held = cluster.hold
    assert held is not None
    again = cluster.edited(holdDesc=terms.desc) if terms.desc and terms.desc != held.desc else cluster
    if terms.shared_with:
        check_may_share(cluster, by)
        again = again.edited(holdWith=sharing_people(terms.shared_with, by))
    if lasts:
        again = with_duration(pool, now, again, lasts)
    if again.fields == cluster.fields:
        return pool, Answer(f"you hold it already: {_held(cluster)}", cluster)
    event = _moved(cluster, again) if lasts else _described(cluster, again)
    actor, holder = terms.actor(by), held.by
    if held.is_of(actor):
        actor, holder = held.by, ""
    pool = pool.changed(cluster, again, event, now, actor, holder=holder, reason=terms.desc)
    return pool, Answer(_held(again), again)


def _described(cluster: Cluster, again: Cluster) -> str:
    """Name the event of changing a hold whose end stays the same."""
    return "hold described" if cluster.fields.get("holdWith") == again.fields.get("holdWith") else "hold shared"


def _moved(cluster: Cluster, again: Cluster) -> str:
    """Name the event of moving a hold's end; a hold that has not started has a duration instead of an end."""
    before, after = cluster.hold, again.hold
    assert before is not None
    assert after is not None
    if before.expires and after.expires:
        return "hold shortened" if after.expires < before.expires else "hold extended"
    shorter = before.lasts and after.lasts and after.lasts < before.lasts
    return "hold shortened" if shorter else "hold extended"


def extend(pool: Pool, now: datetime, name: str, by: str, until: datetime | timedelta) -> tuple[Pool, Answer]:
    """Move the end of a person's own hold to `until`; a hold that already ends later is unchanged.

    A hold that has not started has a duration instead of an end, and so has `until`. A repeat of the same request
    therefore adds nothing, and of two extensions from the same end the longer one counts.
    """
    cluster = pool.find(name)
    held = cluster.hold
    if held is None:
        raise no_longer(cluster, "held")
    if not held.may_be_changed_by(by):
        raise HeldByOther(
            f"{name} is held by {holder_of(cluster)}: ask the holder to extend it, or hold another cluster",
            cluster=name,
            holder=held.by,
        )
    if held.expires is None and cluster.lease is None:
        return pool, Answer(f"the hold of {name} has no end", cluster)
    again = extended(pool, now, cluster, until)
    if again is cluster:
        return pool, Answer(f"it lasts that long already: {_held(cluster)}", cluster)
    holder = "" if held.is_of(by) else held.by
    pool = pool.changed(cluster, again, "hold extended", now, held.by if held.is_of(by) else by, holder=holder)
    return pool, Answer(_held(again), again)


def release(pool: Pool, now: datetime, name: str, by: str, is_admin: bool, reason: str = "") -> tuple[Pool, Answer]:
    """End a hold, for its holder or an admin."""
    cluster = pool.find(name)
    if not cluster.hold:
        return pool, Answer(f"cluster {name} was not held", cluster)
    shares = cluster.hold.may_be_changed_by(by)
    other = _other_holder(cluster, by, is_admin or shares, "release it")
    pool = end_hold(pool, cluster, "released", now, by, holder=other, reason=reason)
    released = pool.find(name)
    note = "" if released.state == VACANT else f"; it is now {descriptions.situation(released)}"
    return pool, Answer(f"cluster {name} is released{note}", released, ended_hold=cluster.hold)


def hand_over(
    pool: Pool, now: datetime, name: str, by: str, is_admin: bool, to: str, reason: str = ""
) -> tuple[Pool, Answer]:
    """Hand a hold over to another person in one step, with the same end, for its holder or an admin."""
    cluster = pool.find(name)
    if not cluster.hold:
        raise no_longer(cluster, "held")
    if cluster.hold.is_of(to):
        return pool, Answer(f"{to} holds it already: {_held(cluster)}", cluster)
    other = _other_holder(cluster, by, is_admin, "hand it over")
    limits.check_holds(pool, to)
    handed = cluster.edited(holdBy=to, holdWith=None)
    pool = pool.changed(cluster, handed, "handed over", now, by, holder=other, newHolder=to, reason=reason)
    return pool, Answer(_held(handed), handed)


def _other_holder(cluster: Cluster, by: str, is_admin: bool, what: str) -> str:
    """Return the holder, or "" if that is `by`; NotAuthorized if `by` is neither the holder nor an admin."""
    holder = cluster.hold.by if cluster.hold else ""
    if cluster.hold and cluster.hold.is_of(by):
        return ""
    if not is_admin:
        raise NotAuthorized(
            f"user {by} is not authorized: {cluster.name} is held by {holder_of(cluster)}; "
            f"the holder or an admin can {what}",
            cluster=cluster.name,
            holder=holder,
        )
    return holder
