"""Automatic top-up: create clusters so that enough are vacant, within limits, and explain why no more are created."""

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cimaster.common.texts import brief, printable
from cimaster.common.times import format_duration, format_time, roughly
from cimaster.errors import BadParameter, MissingParameter, UnknownPolicy
from cimaster.pool.decisions import provisioning
from cimaster.pool.decisions.provisioning import CreationRequest
from cimaster.pool.records.cluster import VACANT
from cimaster.pool.records.creation import FAILED, MAX_OPEN, Creation
from cimaster.pool.records.policy import Policy
from cimaster.pool.records.pool import Answer, Pool
from cimaster.pool.records.record import BROKEN

USER = "cimaster"  # the user of creations that a policy requests; their jobs see it as AUTHOR
JOB_NEEDED = "job is required: name the job that creates a cluster (CIMASTER_DEFAULT_PROW_JOB sets a default)"
_LONGEST_PAUSE = timedelta(hours=1)


@dataclass(frozen=True)
class PolicyTerms:
    """The terms of a policy as an admin sets them; None keeps the current term."""

    min_vacant: int | None = None
    max_total: int | None = None
    max_creating: int | None = None
    cooldown: timedelta | None = None
    hours: str | None = None
    job: str | None = None
    branch: str | None = None

    def edits(self) -> dict[str, object]:
        """Return the fields to write; None removes one."""
        given: dict[str, object] = {
            "minVacant": self.min_vacant,
            "maxTotal": self.max_total,
            "maxCreating": self.max_creating,
            "cooldown": format_duration(self.cooldown) if self.cooldown else None,
            "hours": self.hours,
            "job": self.job,
            "branch": self.branch,
        }
        return {key: None if value == "" else value for key, value in given.items() if value is not None}


@dataclass(frozen=True)
class PolicyStatus:
    """How many clusters a policy has, is short of and may request, and what prevents it from requesting more.

    `total` counts the clusters of the purpose, including those that may still be created.
    """

    vacant: int
    creating: int
    total: int
    missing: int
    room: int
    why_not: str = ""
    next_try: datetime | None = None

    @property
    def wanted(self) -> int:
        """How many clusters to request now."""
        return 0 if self.why_not or self.next_try else min(self.missing, self.room)


@dataclass(frozen=True)
class PolicyDescription:
    """The status of a policy in words, when it next requests clusters, and why not earlier."""

    text: str
    next_try: datetime | None = None
    reason: str = ""


def find(pool: Pool, purpose: str) -> Policy:
    """Return the policy of a purpose."""
    wanted = printable(purpose)
    found = next((policy for policy in pool.policies if printable(policy.purpose) == wanted), None)
    if found is None:
        raise _unknown(purpose)
    return found


def _unknown(purpose: str) -> UnknownPolicy:
    return UnknownPolicy(f"there is no policy for purpose {brief(purpose)}: /policies lists them", purpose=purpose)


def set_policy(
    pool: Pool,
    now: datetime,
    purpose: str,
    by: str,
    terms: PolicyTerms,
    new: bool | None = None,
    needs_job: bool = False,
) -> tuple[Pool, Answer]:
    """Set the policy of a purpose, or change some of its terms; with `needs_job` it must name a job.

    If `new` is given, the caller is refused when another admin has removed or set the policy meanwhile.
    """
    current = next((policy for policy in pool.policies if policy.get_text("purpose") == purpose), None)
    if new and current:
        raise BadParameter(f"purpose {purpose} already has a policy: edit that one", parameter="purpose")
    if new is False and not current:
        raise _unknown(purpose)
    if current is None:
        _check_required(terms)
    before = current or Policy({"purpose": purpose, "minVacant": 0, "maxTotal": 0, "maxCreating": 1})
    policy = before.edited({**terms.edits(), "by": by, "at": format_time(now)})
    if policy.min_vacant > policy.max_total:
        raise BadParameter(
            f"max_total {policy.max_total} is less than min_vacant {policy.min_vacant}: "
            f"give a max_total of at least {policy.min_vacant}",
            parameter="max_total",
        )
    if needs_job and not policy.job:
        raise MissingParameter(JOB_NEEDED, parameter="job")
    others = tuple(each for each in pool.policies if each is not current)
    changed = dataclasses.replace(pool, policies=(*others, policy))
    return changed, Answer(f"policy {purpose}: {describe_terms(policy)}")


def _check_required(terms: PolicyTerms) -> None:
    for name, value in (("min_vacant", terms.min_vacant), ("max_total", terms.max_total)):
        if value is None:
            raise MissingParameter(
                f"{name} is required for a new policy: give a number of clusters, such as {name}=5", parameter=name
            )


def describe_terms(policy: Policy) -> str:
    """Describe in one line what a policy does, and when."""
    limits = f"keeps {policy.min_vacant} vacant, at most {policy.max_total} clusters in total"
    pace = f"{policy.max_creating} created at a time, {format_duration(policy.cooldown)} between rounds"
    branch = f" on {policy.branch}" if policy.branch else ""
    job = f", by {policy.job}{branch}" if policy.job else ""
    hours = f", {policy.hours_with_zone}" if policy.hours else ""
    return f"{limits}, {pace}{job}{hours}"


def remove_policy(pool: Pool, _now: datetime, purpose: str) -> tuple[Pool, Answer]:
    """Remove a policy; clusters that it has already requested are still created."""
    removed = find(pool, purpose)
    others = tuple(policy for policy in pool.policies if policy is not removed)
    return dataclasses.replace(pool, policies=others), Answer(f"policy {purpose} is removed")


def status(pool: Pool, policy: Policy, now: datetime) -> PolicyStatus:
    """Return how many clusters a policy has, is short of and may request now."""
    clusters = [cluster for cluster in pool.clusters if not cluster.fault and cluster.purpose == policy.purpose]
    creations = [creation for creation in pool.creations if creation.purpose == policy.purpose]
    vacant = sum(cluster.state == VACANT for cluster in clusters)
    creating = sum(creation.is_open for creation in creations)
    total = len(clusters) + sum(creation.may_bring_cluster for creation in creations)
    missing = max(policy.min_vacant - vacant - creating, 0)
    free_places = MAX_OPEN - sum(creation.is_open for creation in pool.creations)
    room = max(min(policy.max_total - total, policy.max_creating - creating, free_places), 0)
    counts = PolicyStatus(vacant, creating, total, missing, room, policy.fault)
    if policy.fault or not missing:
        return counts
    if why_not := _why_not(policy, counts, free_places, now):
        return dataclasses.replace(counts, why_not=why_not)
    next_try = _earliest_next_round(_rounds(policy, creations), policy.cooldown)
    return dataclasses.replace(counts, next_try=next_try) if next_try and next_try > now else counts


def _why_not(policy: Policy, counts: PolicyStatus, free_places: int, now: datetime) -> str:
    if counts.total >= policy.max_total:
        return f"limit of {policy.max_total} clusters reached"
    if counts.creating >= policy.max_creating:
        return "limit reached"
    if not policy.is_active(now):
        return f"only active {policy.hours_with_zone}"
    return f"{MAX_OPEN} clusters are being created for all purposes" if free_places <= 0 else ""


def _rounds(policy: Policy, creations: Sequence[Creation]) -> list[Creation]:
    """Return the creations that the policy requested under its current terms, so that old failures do not delay it."""
    return [each for each in creations if each.by_policy and each.get_text("requestedAt") >= policy.get_text("at")]


def _earliest_next_round(requested: Sequence[Creation], cooldown: timedelta) -> datetime | None:
    """Return when the next round may start: after a cooldown, which doubles while rounds fail."""
    newest_first = sorted(requested, key=lambda creation: creation.get_text("requestedAt"), reverse=True)
    last_round = newest_first[0].get_time("requestedAt") if newest_first else None
    if last_round is None:
        return None
    failed = list(itertools.takewhile(lambda creation: creation.state == FAILED, newest_first))
    if not failed:
        return last_round + cooldown
    failed_rounds = len({creation.get_text("requestedAt") for creation in failed})
    failed_at = [moment for creation in failed if (moment := creation.get_time("failedAt"))]
    pause: timedelta = min(cooldown * 2 ** min(failed_rounds - 1, 10), max(_LONGEST_PAUSE, cooldown))
    return max(failed_at, default=last_round) + pause


def top_up(pool: Pool, now: datetime, identities: Sequence[str], job: str, branch: str) -> tuple[Pool, Answer]:
    """Request the creations that the policies want, at most one for each of the new ids in `identities`.

    `job` and `branch` are for policies that name none. The answer's text lists the creations.
    """
    unused = list(identities)
    created: list[str] = []
    for policy in pool.policies:
        wanted = CreationRequest(policy.purpose, USER, policy.branch or branch, policy.job or job, policy=True)
        for _ in range(min(status(pool, policy, now).wanted, len(unused))):
            created.append(unused.pop())
            pool, _answer = provisioning.create(pool, now, wanted, created[-1], force=True)
    return pool, Answer(" ".join(created))


def describe(pool: Pool, policy: Policy, now: datetime, acts: bool = True) -> PolicyDescription:
    """Describe a policy: `16 of 25 vacant · 3 being created (limit reached)`; without `acts`, only the counts."""
    if policy.fault:
        return PolicyDescription(f"{BROKEN}: {policy.fault}")
    current = status(pool, policy, now)
    target = f" of {policy.min_vacant}" if 0 < policy.min_vacant >= current.vacant else ""
    parts = [f"{current.vacant}{target} vacant"]
    if current.creating:
        parts.append(f"{current.creating} being created")
    if not acts:
        return PolicyDescription(" · ".join(parts))
    if current.why_not:
        parts[-1] += f" ({current.why_not})"
    elif current.wanted:
        parts.append(f"{current.wanted} requested now")
    reason = _last_failure(pool, policy) if current.next_try else ""
    return PolicyDescription(" · ".join(parts), current.next_try, reason)


def explain(pool: Pool, policy: Policy, now: datetime, acts: bool = True) -> str:
    """Describe a policy in one line: `tess-ci: 1 of 3 vacant · 1 being created · next try in 4 min`."""
    described = describe(pool, policy, now, acts)
    line = f"{policy.purpose}: {described.text}"
    if described.next_try:
        line += f" · next try in {roughly(described.next_try - now)}"
    return f"{line} ({described.reason})" if described.reason else line


def _last_failure(pool: Pool, policy: Policy) -> str:
    requested = _rounds(policy, [creation for creation in pool.creations if creation.purpose == policy.purpose])
    newest = max(requested, key=lambda creation: creation.get_text("requestedAt"), default=None)
    return f"the last one failed: {newest.reason}" if newest and newest.state == FAILED else ""
