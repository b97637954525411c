"""Undo a release: the hold goes on as it was, unless something else has happened to the cluster since."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cimaster.common.texts import same_person
from cimaster.common.times import format_time, roughly
from cimaster.errors import ClusterNotVacant, NotAuthorized, Refusal, RequestOver
from cimaster.pool.decisions import descriptions, limits, queue_order
from cimaster.pool.decisions.hold_times import ROUNDED, check_duration, too_long, with_hold
from cimaster.pool.records.cluster import CHECKING, Cluster
from cimaster.pool.records.history import Entry
from cimaster.pool.records.lease import Hold
from cimaster.pool.records.pool import Answer, Pool
from cimaster.pool.records.ticket import Ticket

UNDO_WITHIN = timedelta(seconds=60)  # pages offer it for 10 s; the rest is for slow networks
_PASSES_ON = ("taken", "held", "held when free", "taken over", "handed over")


@dataclass(frozen=True)
class ReleasedHold:
    """A hold as it was before its release; the commit and the record's digest identify the release."""

    cluster: str
    hold: Hold
    commit: int
    digest: str


def successor(pool: Pool, now: datetime, released: Cluster) -> str:
    """Name the job or person that has a cluster that was just released, or that gets it next; empty if there is none.

    `released` is the record as the release left it. It may have been deleted since.
    """
    if released.name not in pool.positions:
        return ""
    current = pool.find(released.name)
    if current.digest != released.digest:
        return descriptions.occupant(current)
    ticket = queue_order.reservations(pool, now).get(released.name)
    return _waiting(ticket) if ticket else ""


def may_be_undone(released: Cluster, hold: Hold, now: datetime) -> bool:
    """Say whether a hold can be restored after its release.

    It cannot if its end or its holder is unknown, or if the cluster is to be cleaned now.
    """
    has_time_left = hold.expires > now if hold.expires else bool(released.lease and hold.lasts)
    return has_time_left and bool(hold.by) and released.state != CHECKING


def undo_release(pool: Pool, now: datetime, released: ReleasedHold, by: str) -> tuple[Pool, Answer]:
    """Restore the hold that `by` released, with the same times; a repeat of the request changes nothing."""
    cluster, hold = pool.find(released.cluster), released.hold
    if cluster.hold == hold:
        return pool, Answer(f"cluster {cluster.name} is held by {hold.holder} again", cluster)
    release = _last_change(pool, cluster.name)
    if cluster.digest != released.digest or (release and release.get_number("commit") != released.commit):
        raise _changed_since(cluster, release, now)
    if release is None or release.at is None or now - release.at > UNDO_WITHIN:
        raise RequestOver(f"it is too late to undo the release of {cluster.name}: hold it again", cluster=cluster.name)
    _check_release(cluster, release, hold, by)
    _check_times(pool, now, cluster.name, hold)
    if ticket := queue_order.reservations(pool, now).get(cluster.name):
        raise ClusterNotVacant(
            f"{cluster.name} goes to {_waiting(ticket)}, which waits for it: hold another cluster, or wait in line",
            cluster=cluster.name,
        )
    limits.check_holds(pool, hold.by)
    restored, new_holder = _restored(pool, now, cluster, hold), "" if same_person(hold.by, by) else hold.by
    pool = pool.changed(cluster, restored, "held", now, by, newHolder=new_holder, reason=hold.desc)
    return pool, Answer(f"cluster {cluster.name} is held by {hold.holder} again", restored)


def _last_change(pool: Pool, cluster: str) -> Entry | None:
    newest_first = (*reversed(pool.history), *reversed(pool.recent))
    return next((entry for entry in newest_first if entry.cluster == cluster), None)


def _changed_since(cluster: Cluster, last: Entry | None, now: datetime) -> Refusal:
    """Return the refusal that says what has happened to the cluster since its release."""
    if last and last.at and last.event in _PASSES_ON and (cluster.lease or cluster.hold):
        has_it, ago = descriptions.occupant(cluster), roughly(now - last.at)
        what = f"{cluster.name} went to {has_it} {ago} ago"
    else:
        what = f"{cluster.name} has changed since its release: it is now {descriptions.situation(cluster)}"
    return ClusterNotVacant(f"{what}: hold another cluster, or wait in line", cluster=cluster.name, state=cluster.state)


def _check_release(cluster: Cluster, release: Entry, hold: Hold, by: str) -> None:
    """Refuse unless the last change is the release of this holder's hold by the caller."""
    is_release = release.event == "released" and same_person(release.holder or release.by, hold.by)
    if not is_release or not same_person(release.by, by):
        raise NotAuthorized(
            f"user {by} is not authorized: only the person who released {cluster.name} can undo that; "
            "hold the cluster instead",
            cluster=cluster.name,
        )


def _check_times(pool: Pool, now: datetime, cluster: str, hold: Hold) -> None:
    """Refuse a hold that would have ended meanwhile, or that is longer than holds may be."""
    if hold.expires is None:
        check_duration(pool.rules, hold.lasts or pool.rules.hold, "lasts")
    elif hold.expires <= now:
        end = format_time(hold.expires)
        raise RequestOver(f"the hold of {cluster} would have ended at {end}: hold it again", cluster=cluster)
    elif hold.expires - min(hold.since or now, now) > pool.rules.max_hold + ROUNDED:
        raise too_long(pool, hold.since)


def _restored(pool: Pool, now: datetime, cluster: Cluster, hold: Hold) -> Cluster:
    held = with_hold(cluster, hold.by, hold.desc, hold.lasts or pool.rules.hold, now, hold.shared_with)
    ends = {"holdExpires": format_time(hold.expires), "holdFor": None} if hold.expires else {}
    return held.edited(heldAt=format_time(hold.since or now), **ends)


def _waiting(ticket: Ticket) -> str:
    """Name the job or the person of a ticket."""
    criteria = ticket.criteria
    return criteria.by if ticket.is_hold else descriptions.job_label(criteria.job, criteria.build)
