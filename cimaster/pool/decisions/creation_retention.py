"""Choose the creations to keep: among closed ones, and when a pool is imported."""

from datetime import datetime, timedelta

from cimaster.pool.records.creation import ATTEMPT_FIELDS, REFUSED, Creation

BUDGET, KEPT_FOR = 32_000, timedelta(days=7)  # bytes of closed creations, and how long they are kept


def fail_unstarted(creations: tuple[Creation, ...], now: datetime) -> tuple[Creation, ...]:
    """Return an imported pool's creations; open ones without a job are marked as failed, so that a person can retry."""
    reason = "the pool was imported before its outcome was known: retry it if the cluster is still needed"
    unclaimed = (creation.edited(**dict.fromkeys(ATTEMPT_FIELDS)) for creation in creations)
    return tuple(c.failed(now, REFUSED, reason) if c.is_open and not c.job_name else c for c in unclaimed)


def merge_imported(own: tuple[Creation, ...], imported: tuple[Creation, ...]) -> tuple[Creation, ...]:
    """Return the creations after an import: this pool's own are kept if they may still add a cluster."""
    imported_ids = {creation.id for creation in imported}
    kept = (c for c in own if c.id not in imported_ids and (c.may_bring_cluster or not imported))
    return (*imported, *kept)


def trimmed(creations: tuple[Creation, ...], now: datetime) -> tuple[Creation, ...]:
    """Return the creations to keep: all that may still add a cluster, and for a week the newest of the others."""
    room, dropped = BUDGET, set[str]()
    for creation in reversed(creations):
        if creation.may_bring_cluster or creation.fault:
            continue
        room -= len(creation.text)
        dismissed = not creation.is_shown and not creation.by_policy
        if room < 0 or dismissed or _age(creation, now) > KEPT_FOR:
            dropped.add(creation.id)
    return tuple(creation for creation in creations if creation.id not in dropped) if dropped else creations


def _age(creation: Creation, now: datetime) -> timedelta:
    ended = creation.get_time("readyAt") or creation.get_time("failedAt") or creation.get_time("requestedAt")
    return now - ended if ended else KEPT_FOR * 2
