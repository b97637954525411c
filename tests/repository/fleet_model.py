"""What callers of a fleet sent and were told, and what must therefore be true of the store."""

from dataclasses import dataclass, field
from math import inf
from typing import Any

from cimaster.pool import Answer, Rules
from cimaster.repository.configmap_repository import Committed
from tests.repository.simulation import Call

HOLD = Rules().hold.total_seconds()


class Violation(AssertionError):
    """An answer was false, or what it promised was not kept."""


@dataclass(eq=False)
class Taking:
    """A take and its repeats, and the leases that their answers named."""

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
    """A lease that an answer named. `ttls` says how long it is to last: by its take, then by each renewal."""

    id: str
    cluster: str
    told: float
    taking: Taking = field(repr=False)
    unfenced: list[Call]
    """The finishes that name this cluster and no lease."""
    ttls: list[float]
    renewals: list[Call] = field(default_factory=list)
    finishes: list[Call] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        """Whether an answer said that it is finished."""
        return any(call.done for call in self.finishes) or any(_ended(call) == self.id for call in self.unfenced)

    def certain(self, now: float) -> bool:
        """Whether its taker may rely on it: its end has not come and no caller asked for it."""
        swept = [call for call in self.unfenced if call.may_have_acted and call.ended > self.taking.began]
        asked = [call for call in self.finishes if call.may_have_acted]
        return now < self._end() and not asked and all(call.done and _ended(call) != self.id for call in swept)

    def _end(self) -> float:
        """Return the earliest time at which it can end by itself: by its take, or by a renewal not renewed since."""
        pairs = zip(self.renewals, self.ttls[1:], strict=True)
        renewals = [(call, ttl) for call, ttl in pairs if call.may_have_acted and not _changed_nothing(call)]
        last = max((call.since for call, _ in renewals if call.done), default=-inf)
        counting = [call.since + ttl for call, ttl in renewals if call.ended > last]
        return min([*counting, self.taking.began + self.taking.ttl if last < 0 else inf])


def answer_of(call: Call) -> Answer:
    """Return the answer to a call that was done."""
    assert isinstance(call.told, Committed)
    return call.told.answer


def _ended(call: Call) -> str:
    """Return which lease a finish ended, by what its caller was told."""
    return answer_of(call).lease if call.done else ""


def _changed_nothing(renewal: Call) -> bool:
    return renewal.done and "has no end" in answer_of(renewal).text


@dataclass(eq=False)
class Holding:
    """A hold, its repeats and its releases; each is by a person who holds nothing else."""

    person: str
    cluster: str
    calls: list[Call] = field(default_factory=list)
    releases: list[Call] = field(default_factory=list)

    @property
    def told(self) -> float:
        """When its holder first learned of it."""
        return min((call.ended for call in self.calls if call.done), default=inf)

    def certain(self, now: float) -> bool:
        """Whether its holder may rely on it."""
        ended = any(call.may_have_acted for call in self.releases) or now >= self.calls[0].since + HOLD
        return self.told <= now and not ended

    @property
    def released(self) -> bool:
        """Whether an answer said that it was released, and no hold may have come, or may still come, after that."""
        undecided = [call for call in self.calls if call.may_have_acted and not call.done]
        last = max(call.ended for call in self.calls)
        return not undecided and any(call.done and call.since > last for call in self.releases)


class Model:
    """What callers sent and were told, and what follows from it."""

    def __init__(self) -> None:
        self.takings: dict[str, Taking] = {}
        self.holdings: dict[str, Holding] = {}
        self.unfenced: dict[str, list[Call]] = {}
        self.notes: dict[str, str] = {}

    @property
    def leases(self) -> list[Lease]:
        """All leases that answers named."""
        return [lease for taking in self.takings.values() for lease in taking.leases.values()]

    @property
    def told_holdings(self) -> list[Holding]:
        """All holds that answers confirmed."""
        return [holding for holding in self.holdings.values() if holding.told < inf]

    def told_of_lease(self, taking: Taking, call: Call, now: float) -> None:
        """Learn of a lease; no other caller may rely on its cluster, nor its taker on another lease."""
        cluster, lease_id = answer_of(call).text, answer_of(call).lease
        new = Lease(lease_id, cluster, now, taking, self.unfenced.setdefault(cluster, []), [taking.ttl])
        lease = taking.leases.setdefault(lease_id, new)
        rivals = [other for other in self.leases if cluster == other.cluster or other.taking is taking]
        rivals = [other for other in rivals if other is not lease and other.certain(now)]
        if (rivals and lease.certain(now)) or lease.cluster != cluster:
            raise Violation(f"an answer named {new} of {taking}, and an earlier one {rivals or lease}")

    def compare(self, records: dict[str, dict[str, Any]], now: float) -> None:
        """Check that the store has what answers said, and nothing that no caller could know of."""
        stored = {name: record["leaseId"] for name, record in records.items() if record["status"] == "testing"}
        for lease in self.leases:
            if lease.certain(now) and stored.get(lease.cluster) != lease.id:
                raise Violation(f"an answer named {lease}, and stored is {stored}")
            if lease.finished and lease.id in stored.values():
                raise Violation(f"{lease} was finished, and stored is {stored}")
        for holding in self.holdings.values():
            there = _holder(records[holding.cluster]) == holding.person
            if (holding.released and there) or (holding.certain(now) and not there):
                raise Violation(f"answers about {holding} do not agree with {records[holding.cluster]}")
        for name, record in records.items():
            self._must_be_accounted_for(name, record)

    def _must_be_accounted_for(self, name: str, record: dict[str, Any]) -> None:
        if record["status"] == "testing":
            taking, lease_id = self.takings[record["leaseBuild"]], record["leaseId"]
            told = taking.leases.get(lease_id)
            if told and told.cluster != name:
                raise Violation(f"{name} has {told}")
            if not told and not any(call.may_have_acted and not call.done for call in taking.calls):
                raise Violation(f"{name} has {lease_id}, which no answer named")
        person = _holder(record)
        if person and not any(call.may_have_acted for call in self.holdings[person].calls):
            raise Violation(f"{name} is held by {person}, whose hold was refused")
        if record.get("note") != self.notes.get(name):
            raise Violation(f"{name} lost the note {self.notes.get(name)}")


def _holder(record: dict[str, Any]) -> str:
    return record.get("holdBy", "") if record.get("hold") else ""
