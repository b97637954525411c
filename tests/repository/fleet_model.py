"""A model of the requests and answers of a fleet's callers, and what the store must therefore contain."""

from dataclasses import dataclass, field
from math import inf
from typing import Any

from cimaster.pool import Answer, Rules
from cimaster.repository.configmap_repository import Committed
from tests.repository.simulation import Call

HOLD = Rules().hold.total_seconds()


class Violation(AssertionError):
    """An answer was false."""


@dataclass(eq=False)
class Take:
    """A take and its repeats, and the leases that their callers were granted."""

    build: str
    ttl: float
    to_repeat: bool
    calls: list[Call] = field(default_factory=list)
    leases: dict[str, "Lease"] = field(default_factory=dict)

    @property
    def began(self) -> float:
        """The earliest time from which its lease can count."""
        return min(call.since for call in self.calls)


@dataclass(eq=False)
class Lease:
    """A lease that a caller was granted. `ttls` are its durations: that of its take, then those of its renewals."""

    id: str
    cluster: str
    answered_at: float
    take: Take = field(repr=False)
    unfenced: list[Call]
    """The finishes that name this cluster and no lease."""
    ttls: list[float]
    renewals: list[Call] = field(default_factory=list)
    finishes: list[Call] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        """Whether a caller got the answer that it is finished."""
        return any(call.done for call in self.finishes) or any(_ended(call) == self.id for call in self.unfenced)

    def certain(self, now: float) -> bool:
        """Whether its taker may rely on it: it has not expired and no caller has tried to end it."""
        swept = [call for call in self.unfenced if call.may_have_acted and call.ended > self.take.began]
        named = [call for call in self.finishes if call.may_have_acted]
        return now < self._end() and not named and all(call.done and _ended(call) != self.id for call in swept)

    def _end(self) -> float:
        """Return the earliest time at which it can expire: by its take, or by a renewal not renewed since."""
        pairs = zip(self.renewals, self.ttls[1:], strict=True)
        renewals = [(call, ttl) for call, ttl in pairs if call.may_have_acted and not _changed_nothing(call)]
        last = max((call.since for call, _ in renewals if call.done), default=-inf)
        counting = [call.since + ttl for call, ttl in renewals if call.ended > last]
        return min([*counting, self.take.began + self.take.ttl if last < 0 else inf])


def answer_of(call: Call) -> Answer:
    """Return the answer to a call that was carried out."""
    assert isinstance(call.result, Committed)
    return call.result.answer


def _ended(call: Call) -> str:
    """Return the lease that a finish ended, according to its answer."""
    return answer_of(call).lease if call.done else ""


def _changed_nothing(renewal: Call) -> bool:
    return renewal.done and "has no end" in answer_of(renewal).text


@dataclass(eq=False)
class Hold:
    """A hold, its repeats and its releases; each person in the model holds only one cluster.

    `ends` is the earliest time at which it can expire, if that is before its default duration. `hand_overs` has, for
    each person to whom its holder hands it over, the calls that do so. `by_admins` has the calls of each admin that may
    end any hold of this cluster; this hold's own calls may be among them. `friend` may release it too.
    """

    person: str
    cluster: str
    by_admins: list[list[Call]] = field(repr=False)
    ends: float = inf
    calls: list[Call] = field(default_factory=list)
    releases: list[Call] = field(default_factory=list)
    hand_overs: list[list[Call]] = field(default_factory=list)

    @property
    def friend(self) -> str:
        """The person that it may be shared with."""
        return f"{self.person}-friend"

    @property
    def answered_at(self) -> float:
        """When its holder was first answered."""
        return min((call.ended for call in self.calls if call.done), default=inf)

    def possible_ends(self, but_for: list[Call] | None = None) -> list[Call]:
        """Return the calls that may have ended it, without those in `but_for`."""
        of_others = [
            calls for calls in (*self.hand_overs, *self.by_admins) if calls is not self.calls and calls is not but_for
        ]
        later = [call for calls in of_others for call in calls if call.may_act_after(self.calls[0].since)]
        return self.releases + later

    def certain(self, now: float, but_for: list[Call] | None = None) -> bool:
        """Whether its holder may rely on it, or could without the calls in `but_for`."""
        ended = any(call.may_have_acted for call in self.possible_ends(but_for)) or now >= self.earliest_end
        return self.answered_at <= now and not ended

    @property
    def earliest_end(self) -> float:
        """The earliest time at which it can expire."""
        return min(self.ends, self.calls[0].since + HOLD)

    @property
    def released(self) -> bool:
        """Whether its end was answered, and no repeat of the hold can have been applied after it."""
        undecided = [call for call in self.calls if call.may_have_acted and not call.done]
        last = max(call.ended for call in self.calls)
        ends = [call for call in self.possible_ends() if call.done and not answer_of(call).repeated]
        return not undecided and any(call.since > last for call in ends)


class Model:
    """The requests and answers of callers, and what follows from them."""

    def __init__(self) -> None:
        self.takes: dict[str, Take] = {}
        self.holds: dict[str, Hold] = {}
        self.by_admins: dict[str, list[list[Call]]] = {}
        self.unfenced: dict[str, list[Call]] = {}
        self.notes: dict[str, str] = {}

    @property
    def leases(self) -> list[Lease]:
        """All leases that were granted to callers."""
        return [lease for take in self.takes.values() for lease in take.leases.values()]

    def new_hold(self, person: str, cluster: str, ends: float = inf) -> Hold:
        """Add a hold that a caller requests."""
        self.holds[person] = Hold(person, cluster, self.by_admins.setdefault(cluster, []), ends)
        return self.holds[person]

    @property
    def answered_holds(self) -> list[Hold]:
        """All holds that were answered."""
        return [hold for hold in self.holds.values() if hold.answered_at < inf]

    def note_lease(self, take: Take, call: Call, now: float) -> None:
        """Record a granted lease; no other caller may rely on its cluster, nor its taker on another lease."""
        cluster, lease_id = answer_of(call).text, answer_of(call).lease
        new = Lease(lease_id, cluster, now, take, self.unfenced.setdefault(cluster, []), [take.ttl])
        lease = take.leases.setdefault(lease_id, new)
        rivals = [other for other in self.leases if cluster == other.cluster or other.take is take]
        rivals = [other for other in rivals if other is not lease and other.certain(now)]
        if (rivals and lease.certain(now)) or lease.cluster != cluster:
            raise Violation(f"{new} of {take} was granted, and before it {rivals or lease}")

    def compare(self, records: dict[str, dict[str, Any]], now: float) -> None:
        """Check that the store agrees with all answers, and has nothing that no request explains."""
        stored = {name: record["leaseId"] for name, record in records.items() if record["status"] == "testing"}
        for lease in self.leases:
            if lease.certain(now) and stored.get(lease.cluster) != lease.id:
                raise Violation(f"{lease} was granted, but {stored} is stored")
            if lease.finished and lease.id in stored.values():
                raise Violation(f"{lease} was finished, but {stored} is stored")
        for hold in self.holds.values():
            there = _holder(records[hold.cluster]) == hold.person
            if (hold.released and there) or (hold.certain(now) and not there):
                raise Violation(f"{hold} was answered, but {records[hold.cluster]} is stored")
        for name, record in records.items():
            self._must_be_accounted_for(name, record)

    def _must_be_accounted_for(self, name: str, record: dict[str, Any]) -> None:
        if record["status"] == "testing":
            take, lease_id = self.takes[record["leaseBuild"]], record["leaseId"]
            known = take.leases.get(lease_id)
            if known and known.cluster != name:
                raise Violation(f"{name} has {known}")
            if not known and not any(call.may_have_acted and not call.done for call in take.calls):
                raise Violation(f"{name} has {lease_id}, which no answer named")
        person = _holder(record)
        if person and not any(call.may_have_acted for call in self._requests_to_hold(person)):
            raise Violation(f"{name} is held by {person}, whose request was refused")
        if record.get("note") != self.notes.get(name):
            raise Violation(f"{name} lost the note {self.notes.get(name)}")

    def _requests_to_hold(self, person: str) -> list[Call]:
        return self.holds[person].calls


def _holder(record: dict[str, Any]) -> str:
    return record.get("holdBy", "") if record.get("hold") else ""
