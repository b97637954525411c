"""Check vacant clusters and clean returned ones: what is due, which replica runs it, and what its outcome means."""

from collections import Counter
from datetime import datetime, timedelta

from cimaster.common.times import format_end, format_time
from cimaster.pool.decisions import health, queue_order
from cimaster.pool.records.cluster import BROKEN, CHECKING, EARLIEST, VACANT, Cluster
from cimaster.pool.records.field_types import LARGEST_NUMBER
from cimaster.pool.records.health import BY_CHECKS, BY_PERSON, CHECK, CHECK_FIELDS, CLAIM_FIELDS, CLEAN, OK, QUARANTINED
from cimaster.pool.records.pool import Answer, Pool
from cimaster.pool.records.purpose import PurposeRules

_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=30), timedelta(minutes=30)  # after a failure, before the next try
_FARTHEST = timedelta(days=1)
_VACANT_PER_CHECK = 4  # of a purpose, for each one that is checked at the same time, so that jobs find others


def needs_clean(pool: Pool, cluster: Cluster) -> bool:
    """Say whether the clusters of this purpose are cleaned before they are lent again."""
    return bool(pool.rules_for(cluster.purpose).clean)


def with_clean_due(cluster: Cluster, commit: int) -> Cluster:
    """Return the record waiting for a clean, which begins once no job or person has the cluster.

    The commit that requested the clean identifies it: its repeats do the same work. It begins after the end of a claim
    that a hold interrupted, so that no two replicas work on the cluster.
    """
    return cluster.edited(checking=CLEAN, checkId=str(commit), checkBy=None, checkAfter=None)


def due(pool: Pool, now: datetime) -> list[Cluster]:
    """Return the clusters whose check or clean a replica may claim now; those longest unchecked first."""
    claimable = [c for c in pool.clusters if c.checking and not _in_use(c) and _is_claimable(c, now)]
    return claimable + _checks_due(pool, now)


def _in_use(cluster: Cluster) -> bool:
    return cluster.state == BROKEN or cluster.lease is not None or cluster.held


def _is_claimable(cluster: Cluster, now: datetime) -> bool:
    return not any(_is_ahead(time, now) for time in (cluster.check_claimed_until, cluster.get_time("checkAfter")))


def _is_ahead(time: datetime | None, now: datetime) -> bool:
    """Say whether a stored time is in the future; one that is more than a day ahead was written by hand."""
    return time is not None and now < time <= now + _FARTHEST


def _checks_due(pool: Pool, now: datetime) -> list[Cluster]:
    """Return the clusters whose periodic check may begin now."""
    checked = {rules.purpose: rules for rules in pool.purpose_rules if rules.check and not rules.fault}
    if not checked:
        return []
    room = _room_for_checks(pool)
    reserved = queue_order.reservations(pool, now) if pool.queue else {}
    chosen = []
    for cluster in sorted(pool.clusters, key=lambda c: c.get_time("checkedAt") or EARLIEST):
        rules = checked.get(cluster.purpose)
        if rules is None or cluster.checking or not _check_is_due(cluster, rules, now) or cluster.name in reserved:
            continue
        if cluster.state == VACANT:
            if room[cluster.purpose] <= 0:
                continue
            room[cluster.purpose] -= 1
        chosen.append(cluster)
    return chosen


def _room_for_checks(pool: Pool) -> Counter[str]:
    """Return how many more vacant clusters of each purpose may be checked now: a quarter in all, but at least one."""
    vacant, running = Counter[str](), Counter[str]()
    for cluster in pool.clusters:
        if cluster.state == VACANT:
            vacant[cluster.purpose] += 1
        elif cluster.state == CHECKING and cluster.checking == CHECK:
            running[cluster.purpose] += 1
    return Counter({p: max((vacant[p] + running[p]) // _VACANT_PER_CHECK, 1) - running[p] for p in vacant})


def _check_is_due(cluster: Cluster, rules: PurposeRules, now: datetime) -> bool:
    if cluster.state not in (VACANT, QUARANTINED) or _in_use(cluster) or not _is_claimable(cluster, now):
        return False
    last = cluster.get_time("checkedAt")
    if last is None or last > now:
        return True
    failed = cluster.health.failed_checks
    pause = min(_pause_after(failed), rules.check_every) if failed else rules.check_every
    return last + pause <= now


def _pause_after(failures: int) -> timedelta:
    return min(_FIRST_PAUSE * (1 << min(failures - 1, 10)), _LONGEST_PAUSE)


def claim(pool: Pool, now: datetime, name: str, owner: str, duration: timedelta) -> tuple[Pool, Answer]:
    """Claim the check or clean of a cluster, so that no other replica runs it.

    The answer's text is its name in the operator's file; empty if it cannot be claimed.
    """
    cluster = next((c for c in due(pool, now) if c.name == name), None)
    if cluster is None:
        return pool, Answer("")
    kind = cluster.checking or CHECK
    rules = pool.rules_for(cluster.purpose)
    chosen = rules.clean if kind == CLEAN else rules.check
    if not chosen:
        cancelled = _checked(cluster, now)
        return pool.changed(cluster, cancelled, f"{kind} cancelled", now, reason=f"no {kind} is set"), Answer("")
    identity = cluster.get_id("checkId") or str(pool.next_commit)
    edits = {"checking": kind, "checkId": identity, "checkBy": owner, "checkUntil": format_end(now + duration)}
    claimed = cluster.edited(**edits, checkAfter=None)
    return pool.with_record(cluster, claimed, pool.history), Answer(chosen, claimed)


def renew_claim(pool: Pool, now: datetime, name: str, owner: str, duration: timedelta) -> tuple[Pool, Answer]:
    """Extend a claim; the answer's text is empty if another replica has it now."""
    cluster = _claimed(pool, name, owner)
    if cluster is None:
        return pool, Answer("")
    renewed = cluster.edited(checkUntil=format_end(now + duration))
    return pool.with_record(cluster, renewed, pool.history), Answer(cluster.checking, renewed)


def release_claim(pool: Pool, _now: datetime, name: str, owner: str) -> tuple[Pool, Answer]:
    """Release a claim after an interruption, so that another replica can run the check or clean immediately."""
    cluster = _claimed(pool, name, owner)
    if cluster is None:
        return pool, Answer("")
    released = cluster.edited(**dict.fromkeys(CLAIM_FIELDS))
    return pool.with_record(cluster, released, pool.history), Answer(cluster.checking, released)


def is_claimed(pool: Pool, name: str, owner: str) -> bool:
    """Say whether a replica has the claim on the check or clean of a cluster."""
    return _claimed(pool, name, owner) is not None


def _claimed(pool: Pool, name: str, owner: str) -> Cluster | None:
    known = pool.clusters[pool.positions[name]] if name in pool.positions else None
    return known if known and known.checking and known.check_claimed_by == owner else None


def record_outcome(pool: Pool, now: datetime, name: str, owner: str, failure: str) -> tuple[Pool, Answer]:
    """Record the outcome of a claimed check or clean; an empty `failure` means that it passed.

    The first failure in a row makes the cluster suspect, the second quarantines it. The answer's text is empty if
    another replica has the claim now.
    """
    cluster = _claimed(pool, name, owner)
    if cluster is None:
        return pool, Answer("")
    kind = cluster.checking
    if failure:
        return _failed(pool, now, cluster, kind, failure)
    passed = _checked(cluster, now).edited(failedChecks=None)
    event = f"{kind} passed"
    if _heals(passed, kind):
        passed = health.without_bad_health(passed, now)
        event = "healthy"
    if kind == CHECK and event != "healthy":  # a periodic check that passes is no news
        return pool.with_record(cluster, passed, pool.history), Answer(event, passed)
    return pool.changed(cluster, passed, event, now, reason=f"its {kind} passed"), Answer(event, passed)


def _heals(cluster: Cluster, kind: str) -> bool:
    """Say whether a passed check or clean brings the cluster back.

    A check does unless a person set the health; a clean only if a failed check or clean was the cause.
    """
    cause = cluster.health.cause
    return cluster.health.state != OK and (cause == BY_CHECKS or (kind == CHECK and cause != BY_PERSON))


def _checked(cluster: Cluster, now: datetime) -> Cluster:
    """Return the record without its check or clean; after a clean the cluster is vacant from now on."""
    edits: dict[str, str | None] = {**dict.fromkeys(CHECK_FIELDS), "checkedAt": format_time(now)}
    if cluster.checking == CLEAN and cluster.lease is None:
        edits["vacantSince"] = format_time(now)
    return cluster.edited(**edits)


def _failed(pool: Pool, now: datetime, cluster: Cluster, kind: str, failure: str) -> tuple[Pool, Answer]:
    failures = min(cluster.health.failed_checks + 1, LARGEST_NUMBER)
    failed = _checked(cluster, now).edited(failedChecks=failures)
    reason = f"its {kind} failed: {failure}" if failures == 1 else f"its {kind} failed {failures} times: {failure}"
    if cluster.health.state == QUARANTINED:  # known to be faulty: another failure is no news
        pool = pool.with_record(cluster, failed, pool.history)
    else:
        pool = pool.changed(cluster, failed, f"{kind} failed", now, reason=failure)
    if failures == 1:
        pool = health.suspect(pool, failed, reason, BY_CHECKS, now)
    else:
        pool = health.quarantine_automatically(pool, failed, reason, BY_CHECKS, now)
    marked = pool.find(cluster.name)
    if kind == CLEAN and (failures == 1 or marked.state == QUARANTINED):  # else too many are out already: it is lent
        again = with_clean_due(marked, pool.next_commit).edited(checkAfter=format_end(now + _pause_after(failures)))
        pool = pool.with_record(marked, again, pool.history)
    return pool, Answer(f"{kind} failed", pool.find(cluster.name))
