"""Pools that keep themselves filled: when to ask for clusters, never beyond the limits, and why not more."""

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
from cimaster.pool.records.creation import FAILED, MOST_OPEN, Creation
from cimaster.pool.records.policy import Policy
from cimaster.pool.records.pool import Answer, Pool
from cimaster.pool.records.record import BROKEN

USER = "cimaster"  # who asks where a policy does; what its jobs see as AUTHOR
JOB_NEEDED = "job is required: name the job that creates a cluster (CIMASTER_DEFAULT_PROW_JOB sets a usual one)"
_LONGEST_PAUSE = timedelta(hours=1)


@dataclass(frozen=True)
class PolicyTerms:
    """What an admin says of a policy; None leaves a term as it is."""

    min_vacant: int | None = None
    max_total: int | None = None
    max_creating: int | None = None
    cooldown: timedelta | None = None
    hours: str | None = None
    job: str | None = None
    branch: str | None = None

    def edits(self) -> dict[str, object]:
        """Return the fields to write."""
        given = {
            "minVacant": self.min_vacant,
            "maxTotal": self.max_total,
            "maxCreating": self.max_creating,
            "cooldown": format_duration(self.cooldown) if self.cooldown else None,
            "hours": self.hours,
            "job": self.job,
            "branch": self.branch,
        }
        return {key: value for key, value in given.items() if value is not None}


@dataclass(frozen=True)
class PolicyStatus:
    """How a policy stands at a moment: what there is, what is missing, and what keeps it from asking for more."""

    vacant: int
    creating: int
    total: int
    missing: int
    room: int
    why_not: str = ""
    next_try: datetime | None = None

    @property
    def wanted(self) -> int:
        """How many clusters to ask for now."""
        return 0 if self.why_not or self.next_try else min(self.missing, self.room)


def find(pool: Pool, purpose: str) -> Policy:
    """Return the policy of a purpose."""
    said = printable(purpose)
    found = next((policy for policy in pool.policies if printable(policy.purpose) == said), None)
    if found is None:
        raise _unknown(purpose)
    return found


def _unknown(purpose: str) -> UnknownPolicy:
    return UnknownPolicy(f"there is no policy for purpose {brief(purpose)}; /policies lists them", purpose=purpose)


def set_policy(
    pool: Pool,
    now: datetime,
    purpose: str,
    by: str,
    terms: PolicyTerms,
    new: bool | None = None,
    needs_job: bool = False,
) -> tuple[Pool, Answer]:
    """Set the policy of a purpose, or change some of its terms; with `needs_job` it has to name a job.

    Who knows that it is `new`, or that it is not, is refused where somebody else has set or removed it meanwhile.
    """
    known = next((policy for policy in pool.policies if policy.get_text("purpose") == purpose), None)
    if new and known:
        raise BadParameter(f"there is a policy for purpose {purpose} already: edit that one", parameter="purpose")
    if new is False and not known:
        raise _unknown(purpose)
    for name in ("min_vacant", "max_total"):
        if known is None and getattr(terms, name) is None:
            raise MissingParameter(f"{name} is required for a new policy: how many clusters", parameter=name)
    before = known or Policy({"purpose": purpose, "minVacant": 0, "maxTotal": 0, "maxCreating": 1})
    given = {key: None if value == "" else value for key, value in terms.edits().items()}
    policy = before.edited({**given, "by": by, "at": format_time(now)})
    if policy.min_vacant > policy.max_total:
        raise BadParameter(
            f"max_total is {policy.max_total} and min_vacant {policy.min_vacant}: give a max_total that is no less",
            parameter="max_total",
        )
    if needs_job and not policy.job:
        raise MissingParameter(JOB_NEEDED, parameter="job")
    others = tuple(each for each in pool.policies if each is not known)
    return dataclasses.replace(pool, policies=(*others, policy)), Answer(f"policy {purpose}: {describe_terms(policy)}")


def describe_terms(policy: Policy) -> str:
    """Say what a policy does, and when."""
    by = f", by {policy.job}" + (f" on {policy.branch}" if policy.branch else "") if policy.job else ""
    when = f", {policy.hours_with_zone}" if policy.hours else ""
    many = f"{policy.min_vacant} vacant are kept, of {policy.max_total} clusters at most"
    return f"{many}, {policy.max_creating} created at once, {format_duration(policy.cooldown)} between rounds{by}{when}"


def remove_policy(pool: Pool, _now: datetime, purpose: str) -> tuple[Pool, Answer]:
    """Take a policy away; what it has asked for still comes."""
    gone = find(pool, purpose)
    left = tuple(policy for policy in pool.policies if policy is not gone)
    return dataclasses.replace(pool, policies=left), Answer(f"policy {purpose} is removed")


def status(pool: Pool, policy: Policy, now: datetime) -> PolicyStatus:
    """Return how a policy stands."""
    clusters = [cluster for cluster in pool.clusters if not cluster.fault and cluster.purpose == policy.purpose]
    coming = [creation for creation in pool.creations if creation.purpose == policy.purpose]
    vacant = sum(cluster.state == VACANT for cluster in clusters)
    creating = sum(creation.is_open for creation in coming)
    total = len(clusters) + sum(creation.may_bring_cluster for creation in coming)
    missing = max(policy.min_vacant - vacant - creating, 0)
    free = MOST_OPEN - sum(creation.is_open for creation in pool.creations)
    room = max(min(policy.max_total - total, policy.max_creating - creating, free), 0)
    stand = PolicyStatus(vacant, creating, total, missing, room, policy.fault)
    if policy.fault or not missing:
        return stand
    if why_not := _why_not(policy, stand, now):
        return dataclasses.replace(stand, why_not=why_not)
    if free <= 0:
        return dataclasses.replace(stand, why_not=f"{MOST_OPEN} clusters are being created for all purposes")
    later = _not_before(_rounds(policy, coming), policy.cooldown)
    return dataclasses.replace(stand, next_try=later) if later and later > now else stand


def _why_not(policy: Policy, stand: PolicyStatus, now: datetime) -> str:
    if stand.total >= policy.max_total:
        return f"it may have {policy.max_total} clusters, and has or expects {stand.total}"
    if stand.creating >= policy.max_creating:
        return f"{policy.max_creating} may be created at once"
    return "" if policy.is_active(now) else f"it works {policy.hours_with_zone}"


def _rounds(policy: Policy, coming: Sequence[Creation]) -> list[Creation]:
    """Return what the policy has asked for under its present terms: who mends it does not wait for older failures."""
    return [c for c in coming if c.by_policy and c.get_text("requestedAt") >= policy.get_text("at")]


def _not_before(asked: Sequence[Creation], cooldown: timedelta) -> datetime | None:
    """Return until when to wait: a cooldown after each round, longer and longer while rounds fail."""
    asked = sorted(asked, key=lambda creation: creation.get_text("requestedAt"), reverse=True)
    newest = asked[0].get_time("requestedAt") if asked else None
    if newest is None:
        return None
    failed = list(itertools.takewhile(lambda creation: creation.state == FAILED, asked))
    if not failed:
        return newest + cooldown
    rounds = len({creation.get_text("requestedAt") for creation in failed})
    last = max((moment for creation in failed if (moment := creation.get_time("failedAt"))), default=newest)
    pause: timedelta = min(cooldown * 2 ** min(rounds - 1, 10), max(_LONGEST_PAUSE, cooldown))
    return last + pause


def top_up(pool: Pool, now: datetime, identities: Sequence[str], job: str, branch: str) -> tuple[Pool, Answer]:
    """Ask for what the policies want; `identities` are for the new creations, and bound how many there will be.

    `job` and `branch` are for policies that name none. The answer's text names the creations.
    """
    left = list(identities)
    made: list[str] = []
    for policy in pool.policies:
        wanted = CreationRequest(policy.purpose, USER, policy.branch or branch, policy.job or job, policy=True)
        for _ in range(min(status(pool, policy, now).wanted, len(left))):
            made.append(left.pop())
            pool, _answer = provisioning.create(pool, now, wanted, made[-1], force=True)
    return pool, Answer(" ".join(made))


@dataclass(frozen=True)
class PolicyDescription:
    """How a policy stands, in words: when it asks for more, and why it waits until then."""

    text: str
    next_try: datetime | None = None
    reason: str = ""


def describe(pool: Pool, policy: Policy, now: datetime, acts: bool = True) -> PolicyDescription:
    """Say how a policy stands: `1 vacant, wants 3, 2 being created`; and when it asks for more, where it `acts`."""
    if policy.fault:
        return PolicyDescription(f"{BROKEN}: {policy.fault}")
    stand = status(pool, policy, now)
    said = [f"{stand.vacant} vacant", f"wants {policy.min_vacant}"]
    if stand.creating:
        said.append(f"{stand.creating} being created")
    if not acts:
        return PolicyDescription(", ".join(said))
    if stand.why_not:
        said.append(f"asks for no more: {stand.why_not}")
    elif stand.wanted:
        said.append(f"asks for {stand.wanted} now")
    return PolicyDescription(", ".join(said), stand.next_try, _because(pool, policy) if stand.next_try else "")


def explain(pool: Pool, policy: Policy, now: datetime, acts: bool = True) -> str:
    """Say how a policy stands in one line: `tess-ci: 1 vacant, wants 3, 2 being created, next try in 4 min`."""
    stands = describe(pool, policy, now, acts)
    why = f" ({stands.reason})" if stands.reason else ""
    again = f", next try in {roughly(stands.next_try - now)}{why}" if stands.next_try else ""
    return f"{policy.purpose}: {stands.text}{again}"


def _because(pool: Pool, policy: Policy) -> str:
    asked = _rounds(policy, [creation for creation in pool.creations if creation.purpose == policy.purpose])
    newest = max(asked, key=lambda creation: creation.get_text("requestedAt"), default=None)
    return f"the last one failed: {newest.reason}" if newest and newest.state == FAILED else ""
