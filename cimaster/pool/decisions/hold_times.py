"""When a hold ends: at first, with a new duration, and after an extension; and how long it may last."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from cimaster.common.texts import same_person
from cimaster.common.times import format_duration, format_end, format_time
from cimaster.errors import BadParameter, HoldTooLong
from cimaster.pool.records.cluster import Cluster
from cimaster.pool.records.health import INTERRUPTED_FIELDS
from cimaster.pool.records.hold_terms import HoldTerms
from cimaster.pool.records.lease import HOLD_FIELDS, Hold
from cimaster.pool.records.pool import Pool, Rules

_RETRIED_WITHIN = timedelta(seconds=30)  # within which `curl --retry` repeats a hold whose answer was lost
ROUNDED = timedelta(seconds=1)  # a hold may be this much longer than requested: its start is stored in whole seconds


def with_hold(
    cluster: Cluster, by: str, desc: str, lasts: timedelta, now: datetime, shared_with: Sequence[str] = ()
) -> Cluster:
    """Return the record held by a person; if a job has the cluster, the duration counts from when it finishes.

    A hold interrupts a check or clean: the check is dropped, the clean is done after the hold.
    """
    edits: dict[str, Any] = dict.fromkeys(INTERRUPTED_FIELDS.get(cluster.checking, ()))
    held = cluster.edited(
        **edits,
        hold=True,
        holdBy=by,
        holdDesc=desc or None,
        holdWith=sharing_people(shared_with, by),
        holdFor=format_duration(lasts),
        heldAt=None,
        holdExpires=None,
    )
    return held.edited(**first_end(held, now, lasts))


def sharing_people(people: Iterable[str], holder: str) -> list[str] | None:
    """Return the people that a hold is shared with as they are stored: without its holder; None if there are none."""
    return [person for person in people if not same_person(person, holder)] or None


def without_hold(cluster: Cluster, now: datetime) -> Cluster:
    """Return the record without its hold; unless a job has the cluster, it is vacant from now on."""
    edits: dict[str, Any] = {"hold": False, **dict.fromkeys(HOLD_FIELDS)}
    if cluster.lease is None:
        edits["vacantSince"] = format_time(now)
    return cluster.edited(**edits)


def first_end(cluster: Cluster, now: datetime, default_hold: timedelta) -> dict[str, Any]:
    """Return the times of a hold that starts; its duration counts from when no job has the cluster.

    An end that is already stored is kept, and so is an unreadable value.
    """
    start = {} if cluster.unreadable_among("heldAt") else {"heldAt": format_time(now)}
    if not cluster.hold_has_no_end:
        return {} if cluster.has("heldAt") else start
    lasts = (cluster.hold and cluster.hold.lasts) or default_hold
    if cluster.lease:
        return {**start, "holdFor": format_duration(lasts)}
    return {**start, "holdExpires": format_end(now + lasts), "holdFor": None}


def requested(pool: Pool, now: datetime, cluster: Cluster, terms: HoldTerms) -> timedelta | None:
    """Return for how long a hold shall last from now; None if the terms leave that open. Refuse what cannot be."""
    if terms.until is None:
        if terms.duration and terms.duration > pool.rules.max_hold:
            raise too_long(pool)
        return terms.duration
    if cluster.lease:
        raise BadParameter(
            f"{cluster.name} is in use, so the hold begins when its job finishes: send duration instead of until",
            parameter="until",
        )
    if terms.until <= now:
        raise BadParameter(f"until is {format_time(terms.until)}, which is over: send a later time", parameter="until")
    if terms.until - now > pool.rules.max_hold:
        raise too_long(pool, parameter="until")
    return terms.until - now


def with_duration(pool: Pool, now: datetime, cluster: Cluster, duration: timedelta) -> Cluster:
    """Return the record with its hold lasting for `duration` from now, or from when its job finishes."""
    held = cluster.hold
    assert held is not None
    if cluster.lease and held.expires is None:
        return cluster.edited(holdFor=format_duration(duration), holdExpires=None)
    return cluster.edited(holdExpires=format_end(_new_end(pool, now, held, duration)), holdFor=None)


def extended(pool: Pool, now: datetime, cluster: Cluster, until: datetime | timedelta) -> Cluster:
    """Return the record with its hold extended to an end, or to a duration if it has not started.

    The same record is returned if the hold lasts that long already.
    """
    held = cluster.hold
    assert held is not None
    since = held.since if held.expires and held.since else now
    lasts = until if isinstance(until, timedelta) else until - since
    if lasts > pool.rules.max_hold + ROUNDED:
        raise too_long(pool, since if held.expires else None)
    if lasts <= (held.expires - since if held.expires else held.lasts or timedelta()):
        return cluster
    if held.expires:
        return cluster.edited(holdExpires=format_end(since + lasts))
    return cluster.edited(holdFor=format_duration(lasts), holdExpires=None)


def _new_end(pool: Pool, now: datetime, held: Hold, duration: timedelta) -> datetime:
    """Return the new end of a hold, `duration` from now; a retry of the longest possible hold does not change it."""
    end, latest = now + duration, held.since + pool.rules.max_hold if held.since else None
    if latest is None or end <= latest:
        return end
    if end > latest + _RETRIED_WITHIN:
        raise too_long(pool, held.since)
    return max(latest, held.expires or latest)


def check_duration(rules: Rules, lasts: timedelta, parameter: str) -> None:
    """Refuse a duration that is longer than any hold may be."""
    if lasts > rules.max_hold:
        most = format_duration(rules.max_hold)
        raise HoldTooLong(f"a hold lasts at most {most}: choose a shorter {parameter}", parameter=parameter, max=most)


def too_long(pool: Pool, since: datetime | None = None, parameter: str = "duration") -> HoldTooLong:
    """Return the refusal of a hold that would last longer than holds may, because of this parameter."""
    most = format_duration(pool.rules.max_hold)
    start = f"; this one began at {format_time(since)}" if since else ""
    return HoldTooLong(
        f"a hold lasts at most {most}, extensions included{start}: choose an earlier end",
        parameter=parameter,
        max=most,
    )
