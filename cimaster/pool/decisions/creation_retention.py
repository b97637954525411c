"""Which creations are kept: of those that are closed, and of those of an imported pool."""

from datetime import datetime, timedelta

from cimaster.pool.records.creation import ATTEMPT_FIELDS, REFUSED, Creation

BUDGET, KEPT_FOR = 32_000, timedelta(days=7)  # bytes of those that are closed, and how long they are kept


def fail_unstarted(creations: tuple[Creation, ...], now: datetime) -> tuple[Creation, ...]:
    """Return creations of another pool: nobody carries on what had not begun there until somebody says so."""
    why = "the pool was imported before anybody knew what became of it: retry it if it is still wanted"
    free = (creation.edited(**dict.fromkeys(ATTEMPT_FIELDS)) for creation in creations)
    return tuple(c.failed(now, REFUSED, why) if c.is_open and not c.job_name else c for c in free)


def merge_imported(own: tuple[Creation, ...], imported: tuple[Creation, ...]) -> tuple[Creation, ...]:
    """Return the creations of a pool that another is imported into: what is on its way here is not forgotten."""
    there = {creation.id for creation in imported}
    return (*imported, *(c for c in own if c.id not in there and (c.may_bring_cluster or not imported)))


def trimmed(creations: tuple[Creation, ...], now: datetime) -> tuple[Creation, ...]:
    """Return the creations that are kept: all that count, and the newest of the others, for a week."""
    room, gone = BUDGET, set[str]()
    for creation in reversed(creations):
        if not creation.may_bring_cluster and not creation.fault:
            room -= len(creation.text)
            unseen = not creation.is_shown and not creation.by_policy
            if room < 0 or unseen or _age(creation, now) > KEPT_FOR:
                gone.add(creation.id)
    return tuple(creation for creation in creations if creation.id not in gone) if gone else creations


def _age(creation: Creation, now: datetime) -> timedelta:
    ended = creation.get_time("readyAt") or creation.get_time("failedAt") or creation.get_time("requestedAt")
    return now - ended if ended else KEPT_FOR * 2
