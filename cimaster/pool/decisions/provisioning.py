"""Ask for clusters that are not there yet, and keep account of what becomes of that."""

from dataclasses import dataclass
from datetime import datetime

from cimaster.common.texts import brief, folded, printable
from cimaster.common.times import format_end, format_time, roughly
from cimaster.errors import CreationNotSo, TooManyCreations, UnknownCreation
from cimaster.pool.decisions import fair_shares
from cimaster.pool.records.creation import ATTEMPT_FIELDS, FAILED, MOST_OPEN, REFUSED, REQUESTED, Creation
from cimaster.pool.records.field_types import LARGEST_NUMBER
from cimaster.pool.records.pool import Answer, Pool

_FOR_POLICIES = 10  # of those; people share the others
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
    """A cluster that a person wants, or the pool's own `policy`; `owner` is the caller that it is charged to."""

    purpose: str
    user: str
    branch: str
    job: str
    policy: bool = False
    owner: str = ""

    @property
    def terms(self) -> tuple[str, ...]:
        """What makes two wishes the same."""
        return self.purpose, folded(self.user), self.branch, self.job


def find(pool: Pool, reference: str) -> Creation:
    """Return a creation by its id, or by the name of the job that builds it."""
    said = printable(reference)
    for creation in pool.creations:
        if said and said in (printable(creation.id), printable(creation.job_name)):
            return creation
    raise UnknownCreation(
        f"creation {brief(reference)} is not known: /creations lists them (/addcluster needs none: leave creation out)",
        creation=reference,
    )


def create(
    pool: Pool, now: datetime, wanted: CreationRequest, identity: str, force: bool = False
) -> tuple[Pool, Answer]:
    """Ask for a cluster; the answer's text is the creation's id.

    Who asks again while the same is on its way gets that one, unless with `force`.
    """
    same = next((c for c in pool.creations if c.is_open and c.terms == wanted.terms), None)
    if same and not force:
        return pool, Answer(same.id, repeated=True)
    _check_room(pool, wanted.owner, wanted.policy)
    made = {
        "id": identity,
        "state": REQUESTED,
        "purpose": wanted.purpose,
        "user": wanted.user,
        "branch": wanted.branch,
        "job": wanted.job,
        "requestedAt": format_time(now),
        "deadline": format_end(now + pool.rules.creation),
    }
    rest = {"policy": wanted.policy, "force": force, "owner": wanted.owner}
    creation = Creation.new(made | {key: value for key, value in rest.items() if value})
    return pool.with_creations((*pool.creations, creation)), Answer(identity)


def _check_room(pool: Pool, owner: str, policy: bool) -> None:
    """Refuse a creation beyond its owner's share, half of what others leave; policies have places of their own."""
    being_created = [creation for creation in pool.creations if creation.is_open]
    people = [creation for creation in being_created if not creation.by_policy]
    own = sum(creation.owner == owner for creation in people)
    places = MOST_OPEN - max(len(being_created) - len(people), _FOR_POLICIES)
    room = MOST_OPEN - len(being_created) if policy else fair_shares.share_limit(places, len(people) - own) - own
    if room > 0:
        return
    said, remedy = f"{len(being_created)} clusters are being created", "wait until some are ready"
    if own and not policy:
        said += f", {own} of them for this caller, which is its share"
        remedy = f"dismiss those that are not needed, or {remedy}"
    raise TooManyCreations(f"{said}: {remedy}", retry_after=60, limit=MOST_OPEN)


def retry(pool: Pool, now: datetime, identity: str, by: str, owner: str = "") -> tuple[Pool, Answer]:
    """Ask once more for a creation that failed; where a job was started for it, that is a new job."""
    creation = find(pool, identity)
    if creation.state != FAILED:
        raise CreationNotSo(
            f"creation {creation.id} is {creation.state}: only one that failed can be tried again",
            creation=creation.id,
            state=creation.state,
        )
    if creation.job_runs:
        raise CreationNotSo(
            f"the job of creation {creation.id} still runs and may add its cluster: wait until it has ended, or ask "
            "for another one with /createcluster",
            creation=creation.id,
            job_name=creation.job_name,
        )
    _check_room(pool, owner, creation.by_policy)
    round_ = min(creation.get_number("round") + (1 if creation.job_name else 0), LARGEST_NUMBER)
    again = creation.edited(
        **dict.fromkeys((*ATTEMPT_FIELDS, *_OUTCOME)),
        state=REQUESTED,
        round=round_ or None,
        retriedBy=by,
        owner=owner,
        retriedAt=format_time(now),
        deadline=format_end(now + pool.rules.creation),
    )
    return replace(pool, again), Answer(f"creation {creation.id} is requested again")


def dismiss(pool: Pool, now: datetime, identity: str, by: str) -> tuple[Pool, Answer]:
    """Take a creation off the lists: one that is closed, or that nobody has begun with."""
    creation = find(pool, identity)
    if creation.in_progress(now):
        until = f" or is given up in {roughly(creation.deadline - now)}" if creation.deadline else ""
        raise CreationNotSo(
            f"creation {creation.id} is being carried out: it can be dismissed when it has ended{until}",
            creation=creation.id,
            state=creation.state,
        )
    said = Answer(f"creation {creation.id} is dismissed")
    if creation.is_open:
        creation = creation.failed(now, REFUSED, f"{by} dismissed it before it had begun")
    if (
        creation.may_bring_cluster or creation.by_policy
    ):  # a cluster may come of it; or its policy waits because it failed
        return replace(pool, creation.edited(dismissedBy=by)), said
    return pool.with_creations(tuple(c for c in pool.creations if c.id != creation.id)), said


def find_by_id(pool: Pool, identity: str) -> Creation | None:
    """Return a creation by its id; None if it was dismissed meanwhile, or its record is broken."""
    return next((c for c in pool.creations if c.id == identity and not c.fault), None)


def replace(pool: Pool, creation: Creation) -> Pool:
    """Return the pool with a creation as it is now."""
    return pool.with_creations(tuple(creation if c.id == creation.id else c for c in pool.creations))
