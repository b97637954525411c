"""Request, retry and dismiss creations of clusters."""

from dataclasses import dataclass
from datetime import datetime

from cimaster.common.texts import brief, folded, printable
from cimaster.common.times import format_end, format_time, roughly
from cimaster.errors import TooManyCreations, UnknownCreation, WrongCreationState
from cimaster.pool.decisions import fair_shares
from cimaster.pool.records.creation import ATTEMPT_FIELDS, FAILED, MAX_OPEN, REFUSED, REQUESTED, Creation
from cimaster.pool.records.field_types import LARGEST_NUMBER
from cimaster.pool.records.owners import UNVERIFIED, Caller, check_owner
from cimaster.pool.records.pool import Answer, Pool

_FOR_POLICIES = 10  # open creations that only policies may use; people share the others
_OUTCOME = (
    "failure",
    "reason",
    "failedAt",
    "jobName",
    "statusLink",
    "logLink",
    "message",
    "jobEnded",
    "triggeredAt",
    "dismissedBy",
    "tries",
    "maybeBegun",
)


@dataclass(frozen=True)
class CreationRequest:
    """A request for a cluster, by a person or (`policy`) automatic top-up; it counts towards the share of `owner`."""

    purpose: str
    user: str
    branch: str
    job: str
    policy: bool = False
    owner: str = ""

    @property
    def terms(self) -> tuple[str, ...]:
        """The values that are equal in two requests for the same cluster."""
        return self.purpose, folded(self.user), self.branch, self.job


def find(pool: Pool, reference: str) -> Creation:
    """Return a creation by its id, or by the name of the job that builds it."""
    wanted = printable(reference)
    for creation in pool.creations:
        if wanted and wanted in (printable(creation.id), printable(creation.job_name)):
            return creation
    raise UnknownCreation(
        f"creation {brief(reference)} is not known: /creations lists them (for /addcluster you can leave creation out)",
        creation=reference,
    )


def create(
    pool: Pool, now: datetime, wanted: CreationRequest, identity: str, force: bool = False
) -> tuple[Pool, Answer]:
    """Request a cluster; the answer's text is the creation's id.

    Without `force`, an equal request gets the same creation while that is open.
    """
    same = next((c for c in pool.creations if c.is_open and c.terms == wanted.terms), None)
    if same and not force:
        return pool, Answer(same.id, repeated=True)
    _check_room(pool, wanted.owner, wanted.policy)
    fields = {
        "id": identity,
        "state": REQUESTED,
        "purpose": wanted.purpose,
        "user": wanted.user,
        "branch": wanted.branch,
        "job": wanted.job,
        "requestedAt": format_time(now),
        "deadline": format_end(now + pool.rules.creation),
    }
    optional = {"policy": wanted.policy, "force": force, "owner": wanted.owner}
    creation = Creation.new(fields | {key: value for key, value in optional.items() if value})
    return pool.with_creations((*pool.creations, creation)), Answer(identity)


def _check_room(pool: Pool, owner: str, policy: bool) -> None:
    """Refuse a creation beyond its owner's share, which is half of what others leave; policies have reserved places."""
    being_created = [creation for creation in pool.creations if creation.is_open]
    people = [creation for creation in being_created if not creation.by_policy]
    own = sum(creation.owner == owner for creation in people)
    places = MAX_OPEN - max(len(being_created) - len(people), _FOR_POLICIES)
    room = MAX_OPEN - len(being_created) if policy else fair_shares.share_limit(places, len(people) - own) - own
    if room > 0:
        return
    problem, remedy = f"{len(being_created)} clusters are being created", "wait until some are ready"
    if own and not policy:
        problem += f", {own} of them for this caller, which is its share"
        remedy = f"dismiss creations that are not needed, or {remedy}"
    raise TooManyCreations(f"{problem}: {remedy}", retry_after=60, limit=MAX_OPEN)


def retry(pool: Pool, now: datetime, identity: str, by: str, caller: Caller = UNVERIFIED) -> tuple[Pool, Answer]:
    """Request a failed creation again; if a job was started for it, a new job is started."""
    creation = find(pool, identity)
    check_owner(creation.owner, caller, f"creation {creation.id}", "retry it")
    if creation.state != FAILED:
        raise WrongCreationState(
            f"creation {creation.id} is {creation.state}: only a failed creation can be retried",
            creation=creation.id,
            state=creation.state,
        )
    if creation.job_runs:
        raise WrongCreationState(
            f"the job of creation {creation.id} still runs and may add its cluster: wait until it has ended, or "
            "request another cluster with /createcluster",
            creation=creation.id,
            job_name=creation.job_name,
        )
    _check_room(pool, caller.owner, creation.by_policy)
    round_ = min(creation.get_number("round") + (1 if creation.job_name else 0), LARGEST_NUMBER)
    again = creation.edited(
        **dict.fromkeys((*ATTEMPT_FIELDS, *_OUTCOME)),
        state=REQUESTED,
        round=round_ or None,
        retriedBy=by,
        owner=caller.owner,
        retriedAt=format_time(now),
        deadline=format_end(now + pool.rules.creation),
    )
    return replace(pool, again), Answer(f"creation {creation.id} is requested again")


def dismiss(pool: Pool, now: datetime, identity: str, by: str, caller: Caller = UNVERIFIED) -> tuple[Pool, Answer]:
    """Remove a creation from the lists, if it is closed or has not started."""
    creation = find(pool, identity)
    check_owner(creation.owner, caller, f"creation {creation.id}", "dismiss it")
    if creation.in_progress(now):
        timeout = f", or when it times out in {roughly(creation.deadline - now)}" if creation.deadline else ""
        raise WrongCreationState(
            f"creation {creation.id} is being carried out: dismiss it when it has ended{timeout}",
            creation=creation.id,
            state=creation.state,
        )
    answer = Answer(f"creation {creation.id} is dismissed")
    if creation.is_open:
        creation = creation.failed(now, REFUSED, f"{by} dismissed it before it started")
    is_needed = creation.may_bring_cluster or creation.by_policy  # a policy pauses because of its failed creations
    if is_needed:
        return replace(pool, creation.edited(dismissedBy=by)), answer
    return pool.with_creations(tuple(c for c in pool.creations if c.id != creation.id)), answer


def find_by_id(pool: Pool, identity: str) -> Creation | None:
    """Return a creation by its id; None if it was dismissed meanwhile, or its record is broken."""
    return next((c for c in pool.creations if c.id == identity and not c.fault), None)


def replace(pool: Pool, creation: Creation) -> Pool:
    """Return the pool with this version of a creation."""
    return pool.with_creations(tuple(creation if c.id == creation.id else c for c in pool.creations))
