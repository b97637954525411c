"""Find the creation that an added cluster came of, and mark it as ready."""

import re
from datetime import datetime

from cimaster.common.texts import folded
from cimaster.common.times import format_time
from cimaster.errors import CreationNotSo, UnknownCreation
from cimaster.pool.decisions.provisioning import find, replace
from cimaster.pool.records.creation import ATTEMPT_FIELDS, READY, Creation
from cimaster.pool.records.pool import Pool

_JOB_NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def creation_of_cluster(pool: Pool, reference: str, purpose: str | None) -> Creation:
    """Return the creation that a cluster came of, which names the creation or its job; UnknownCreation if none does.

    The name of a job may never have been heard, where the answer that told it was lost: then the oldest creation is
    meant whose job would be that one.
    """
    try:
        named = find(pool, reference)
    except UnknownCreation:
        found = oldest_without_job(pool, purpose)
        if found is None or not _JOB_NAME.fullmatch(reference):
            raise
        return found.edited(jobName=reference, jobGuessed=True)
    if named.fault:
        raise CreationNotSo(
            f"the record of creation {reference} is broken ({named.fault}): leave creation out", creation=reference
        )
    return named


def oldest_without_job(pool: Pool, purpose: str | None) -> Creation | None:
    """Return the oldest creation that may have a job of which nobody has heard yet."""
    asked = (c for c in pool.creations if c.may_bring_cluster and (c.maybe_begun or c.claimed_by))
    return next((c for c in asked if not c.job_name and purpose in (None, c.purpose)), None)


def oldest_for_adder(pool: Pool, purpose: str, by: str) -> Creation | None:
    """Return the oldest creation on its way that somebody asked for who adds a cluster of that purpose.

    What a program of ours builds is added by nobody else.
    """
    wanted, ours = (purpose, folded(by)), (c for c in pool.creations if c.is_open and not c.built_here)
    return next((c for c in ours if (c.purpose, folded(c.user)) == wanted), None)


def mark_ready(pool: Pool, now: datetime, creation: Creation, cluster: str) -> Pool:
    """Return the pool with a creation as ready; CreationNotSo if it is, with another cluster."""
    if creation.state == READY and creation.cluster != cluster:
        raise CreationNotSo(
            f"creation {creation.id} is ready already, with cluster {creation.cluster}: leave creation out to "
            "add another cluster",
            creation=creation.id,
        )
    if creation.state == READY:
        return pool
    done = creation.edited(
        **dict.fromkeys((*ATTEMPT_FIELDS, "failure", "reason", "failedAt", "dismissedBy", "maybeBegun")),
        state=READY,
        cluster=cluster,
        readyAt=format_time(now),
    )
    return replace(pool, done)
