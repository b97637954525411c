"""The model of holds that pass from person to person, of health, and of checks: what their callers may rely on."""

from dataclasses import dataclass, field
from math import inf
from typing import Any

from cimaster.pool import Pool
from tests.repository.fleet_model import Hold, Lease, Model, Violation, answer_of
from tests.repository.simulation import Call

CLAIMED_FOR = 120.0  # seconds
HELD_AFTER_FAILURE = 7200.0  # seconds


@dataclass(eq=False)
class Restriction:
    """A cluster that an admin disabled or quarantined; `key` has `value` then, until one of `lifts` was applied."""

    cluster: str
    key: str
    value: object
    lifts: list[list[Call]] = field(repr=False)
    calls: list[Call] = field(default_factory=list)

    @property
    def certain(self) -> bool:
        """Whether the admin may rely on it."""
        since = self.calls[0].since
        lifted = any(call.may_act_after(since) for calls in self.lifts for call in calls)
        return any(call.done for call in self.calls) and not lifted


@dataclass(eq=False)
class Wait:
    """A person's place in the queue, the calls that give it up, and how often a cluster was then held for them."""

    person: str
    ticket: str
    calls: list[Call] = field(default_factory=list)
    leaves: list[Call] = field(default_factory=list)
    times_served: int = 0

    @property
    def answered(self) -> bool:
        """Whether the person was answered that they have a place."""
        return any(_has_a_place(call) for call in self.calls)

    @property
    def certain(self) -> bool:
        """Whether the person may rely on it: it is kept until a cluster is held for them."""
        return self.answered and not any(call.may_have_acted for call in self.leaves)


@dataclass(eq=False)
class CheckClaim:
    """A claim of one replica on the check or clean of a cluster, its renewals, and the calls that end it.

    `interruptions` are the calls of each request that may hold the cluster: a hold interrupts a check.
    """

    owner: str
    cluster: str
    interruptions: list[list[Call]] = field(repr=False)
    calls: list[Call] = field(default_factory=list)
    renewals: list[Call] = field(default_factory=list)
    ends: list[Call] = field(default_factory=list)
    passes: list[list[Call]] = field(default_factory=list)

    @property
    def answered_at(self) -> float:
        """When its owner was answered."""
        return self.calls[0].ended

    @property
    def granted(self) -> bool:
        """Whether its owner was answered that it has the claim."""
        return _succeeded(self.calls[0])

    def certain(self, now: float) -> bool:
        """Whether its owner may rely on it."""
        granted = [call.since for call in (*self.calls, *self.renewals) if _succeeded(call)]
        if not self.granted or now >= max(granted) + CLAIMED_FOR:
            return False
        later = [call for calls in self.interruptions for call in calls if call.may_act_after(self.calls[0].since)]
        holds = [call for call in later if not _has_a_place(call)]
        outcomes = [*self.ends, *(call for calls in self.passes for call in calls)]
        ends = [call for call in outcomes if _succeeded(call) or not call.done]
        return not holds and not any(call.may_have_acted for call in ends)


def _has_a_place(call: Call) -> bool:
    """Say whether its caller was answered that they wait: a cluster is held for them once it is vacant."""
    return call.done and answer_of(call).place > 0


def _succeeded(call: Call) -> bool:
    return call.done and bool(answer_of(call).text)


class HealthModel(Model):
    """The model of a fleet whose admins, checks and results change the health of clusters."""

    def __init__(self) -> None:
        super().__init__()
        self.restrictions: list[Restriction] = []
        self.lifts: dict[tuple[str, str], list[list[Call]]] = {}
        self.waits: dict[str, Wait] = {}
        self.claims: dict[str, CheckClaim] = {}
        self.interruptions: dict[str, list[list[Call]]] = {}
        self.shared: set[str] = set()
        self.held_after_failure: set[str] = set()

    def new_hold(self, person: str, cluster: str, ends: float = inf) -> Hold:
        """Add a hold that a caller requests."""
        hold = super().new_hold(person, cluster, ends)
        self.interruptions.setdefault(cluster, []).append(hold.calls)
        return hold

    def new_wait(self, person: str, ticket: str, cluster: str) -> Wait:
        """Add a request to hold when free; one that names a cluster which is being checked holds it immediately."""
        wait = self.waits[person] = Wait(person, ticket)
        if cluster:
            self.interruptions.setdefault(cluster, []).append(wait.calls)
        return wait

    def calls_to_lift(self, cluster: str, *fields: str) -> list[Call]:
        """Return a list for calls that may lift the restrictions of a cluster in these fields."""
        calls: list[Call] = []
        for name in fields:
            self.lifts.setdefault((cluster, name), []).append(calls)
        return calls

    def compare(self, records: dict[str, dict[str, Any]], now: float) -> None:
        """Check that the store agrees with all answers, and has nothing that no request explains."""
        super().compare(records, now)
        for restriction in self.restrictions:
            record = records[restriction.cluster]
            if restriction.certain and record.get(restriction.key) != restriction.value:
                raise Violation(f"{restriction} was answered, but {record} is stored")
        for claim in self.claims.values():
            record = records[claim.cluster]
            if claim.certain(now) and record.get("checkBy") != claim.owner:
                raise Violation(f"{claim} was granted, but {record} is stored")
        for name, record in records.items():
            self._must_have_requested_claim(name, record)

    def _must_have_requested_claim(self, name: str, record: dict[str, Any]) -> None:
        if "checkBy" not in record:
            return
        claim = self.claims.get(record["checkBy"])
        if claim is None or claim.cluster != name or not claim.calls[0].may_have_acted:
            raise Violation(f"{name} has a claim that no request explains: {record}")

    def _requests_to_hold(self, person: str) -> list[Call]:
        """Return the calls after which a person may hold a cluster: for a job's trigger, its takes."""
        if person in self.waits:
            return self.waits[person].calls
        if person in self.holds:
            return self.holds[person].calls
        return self.takes[person.removeprefix("trigger-")].calls

    def follow_queue(self, pool: Pool, is_new: bool) -> None:
        """Check that each person who waits is in the queue until they are served once, and that no cluster is idle."""
        for entry in pool.entries_of(pool.commit) if is_new else []:
            if entry.event == "held when free":
                self.waits[entry.by].times_served += 1
        for wait in self.waits.values():
            is_waiting = wait.ticket in pool.queue.by_id
            if wait.times_served + is_waiting > 1 or (wait.certain and wait.times_served + is_waiting == 0):
                raise Violation(f"{wait} is stored {is_waiting} times in the queue")
        for ticket in pool.queue:
            if ticket.criteria.first_of(pool.vacant):
                raise Violation(f"{ticket.text} waits, although clusters are vacant: {pool.vacant}")

    def note_hold_after_failure(self, lease: Lease, call: Call) -> None:
        """Record that a failed job's cluster is now held for the person who triggered the job."""
        hold = self.new_hold(trigger_of(lease.take.build), lease.cluster, call.since + HELD_AFTER_FAILURE)
        hold.calls.append(call)


def trigger_of(build: str) -> str:
    """Return the person who triggered a build."""
    return f"trigger-{build}"
