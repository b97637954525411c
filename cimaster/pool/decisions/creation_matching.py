"""Find the creation that an added cluster belongs to, and mark it as ready."""

import re
from datetime import datetime

from cimaster.common.texts import folded
from cimaster.common.times import format_time
from cimaster.errors import UnknownCreation, WrongCreationState
from cimaster.pool.decisions.provisioning import find, replace
from cimaster.pool.records.creation import ATTEMPT_FIELDS, READY, Creation
from cimaster.pool.records.pool import Pool

_JOB_NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def creation_of_cluster(pool: Pool, reference: str, purpose: str | None) -> Creation:
    """Return the creation that a cluster belongs to, by the id or job that the caller named; else UnknownCreation.

    If the provisioner's answer with the job's name was lost, no creation has that job yet: then it is the oldest
    creation that still lacks one.
    """
    try:
        named = find(pool, reference)
    except UnknownCreation:
        found = oldest_without_job(pool, purpose)
        if found is None or not _JOB_NAME.fullmatch(reference):
            raise
        return found.edited(jobName=reference, jobGuessed=True)
    if named.fault:
        raise WrongCreationState(
            f"the record of creation {reference} is broken ({named.fault}): leave creation out", creation=reference
        )
    return named


def oldest_without_job(pool: Pool, purpose: str | None) -> Creation | None:
    """Return the oldest creation that may have a job whose name is not known yet."""
    for creation in pool.creations:
        may_have_job = creation.may_bring_cluster and (creation.may_have_started or creation.claimed_by)
        if may_have_job and not creation.job_name and purpose in (None, creation.purpose):
            return creation
    return None


def oldest_for_adder(pool: Pool, purpose: str, by: str) -> Creation | None:
    """Return the oldest open creation of that purpose and of the user who adds the cluster.

    Creations that a replica builds itself are skipped: the replica names them when it adds their clusters.
    """
    for creation in pool.creations:
        fits = (creation.purpose, folded(creation.user)) == (purpose, folded(by))
        if fits and creation.is_open and not creation.built_here:
            return creation
    return None


def mark_ready(pool: Pool, now: datetime, creation: Creation, cluster: str) -> Pool:
    """Return the pool with a creation marked as ready; WrongCreationState if it is ready with another cluster."""
    if creation.state == READY and creation.cluster == cluster:
        return pool
    if creation.state == READY:
        raise WrongCreationState(
            f"creation {creation.id} is ready already, with cluster {creation.cluster}: leave creation out to "
            "add another cluster",
            creation=creation.id,
        )
    done = creation.edited(
        **dict.fromkeys((*ATTEMPT_FIELDS, "failure", "reason", "failedAt", "dismissedBy", "maybeBegun")),
        state=READY,
        cluster=cluster,
        readyAt=format_time(now),
    )
    return replace(pool, done)
