"""Ask for clusters that are not there yet, and keep account of what becomes of that."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from cimaster.common.texts import brief, folded, printable
from cimaster.common.times import format_end, format_time, roughly
from cimaster.errors import CreationNotSo, TooManyCreations, UnknownCreation
from cimaster.pool.decisions import fair_shares
from cimaster.pool.records import json_edit
from cimaster.pool.records.creation import ATTEMPT_FIELDS, FAILED, MOST_OPEN, READY, REFUSED, REQUESTED, Creation
from cimaster.pool.records.pool import Answer, Pool
from cimaster.pool.records.record import MOST, by_text, mark_duplicates

_FOR_POLICIES = 10  # of those; people share the others
_JOB_NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
BUDGET, KEPT_FOR = 32_000, timedelta(days=7)  # bytes of those that are closed, and how long they are kept
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
    round_ = min(creation.get_number("round") + (1 if creation.job_name else 0), MOST)
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


def fail_unstarted(creations: tuple[Creation, ...], now: datetime) -> tuple[Creation, ...]:
    """Return creations of another pool: nobody carries on what had not begun there until somebody says so."""
    why = "the pool was imported before anybody knew what became of it: retry it if it is still wanted"
    free = (creation.edited(**dict.fromkeys(ATTEMPT_FIELDS)) for creation in creations)
    return tuple(c.failed(now, REFUSED, why) if c.is_open and not c.job_name else c for c in free)


def merge_imported(own: tuple[Creation, ...], imported: tuple[Creation, ...]) -> tuple[Creation, ...]:
    """Return the creations of a pool that another is imported into: what is on its way here is not forgotten."""
    there = {creation.id for creation in imported}
    return (*imported, *(c for c in own if c.id not in there and (c.may_bring_cluster or not imported)))


def find_by_id(pool: Pool, identity: str) -> Creation | None:
    """Return a creation by its id; None if it was dismissed meanwhile, or its record is broken."""
    return next((c for c in pool.creations if c.id == identity and not c.fault), None)


def replace(pool: Pool, creation: Creation) -> Pool:
    """Return the pool with a creation as it is now."""
    return pool.with_creations(tuple(creation if c.id == creation.id else c for c in pool.creations))


def parse(text: str, known: tuple[Creation, ...] = ()) -> tuple[Creation, ...]:
    """Read the stored creations; ValueError if they are no array. `known` were read before."""
    read = json_edit.parse_lines(text, by_text(known), Creation.parse)
    return mark_duplicates(read, lambda creation: creation.id)


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


def encode(creations: tuple[Creation, ...]) -> str:
    """Write the creations as JSON."""
    return json_edit.dump_lines([creation.text for creation in creations])
