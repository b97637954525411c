"""The state machine with two verified owners and an admin, beside callers that no identity provider knows.

Both owners send the same request ids, and try to end, renew and give back what belongs to the other.
"""

from datetime import timedelta
from functools import partial
from math import inf
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from cimaster.errors import NotOwner, RequestOver
from cimaster.pool import Caller, Criteria, FinishRequest, Request
from cimaster.repository.configmap_repository import Committed
from cimaster.services.clusters import Clusters
from tests.repository.fleet_machine import ANY, LATE, TTLS, Replicas
from tests.repository.fleet_model import Lease, Take, Violation, answer_of
from tests.repository.people_machine import MOSTLY_ANSWERED
from tests.repository.simulation import Call

ANN, BEN = "@ann", "@ben"
OWNERS = st.sampled_from([ANN, BEN])
ADMIN = Caller("@root", is_admin=True)
VERBS = st.sampled_from(["lease", "job", "renew", "request", "unfenced"])
_HOUR = timedelta(hours=1)


class ReplicasWithOwners(Replicas):
    """Replicas whose callers may have verified names."""

    @initialize(clusters=st.integers(1, 4), replicas=st.just(3), late=LATE)
    def begin(self, clusters: int, replicas: int, late: str) -> None:
        super().begin(clusters, replicas, late)
        self.owners: dict[str, str] = {}
        """The owner of each take, by its build."""
        self.named: dict[tuple[str, int], Take] = {}
        """The take of each owner under each request id."""

    @staticmethod
    def verified(owner: str) -> Caller:
        """Return the caller with a verified name."""
        return Caller(owner)

    @staticmethod
    def request_of(owner: str, number: int) -> Request:
        """Return a request of an owner; both owners use the same ids."""
        return Request(f"same-{number}", "", "getvacant", owner)

    def owner_of(self, lease: Lease) -> str:
        """Return the verified owner of a lease; empty if it has none."""
        return self.owners.get(lease.take.build, "")

    def caller_of(self, lease: Lease) -> Caller:
        """Return its owner or an admin; any owner for a lease that has none."""
        if self.count % 3 == 0:
            return ADMIN
        return self.verified(self.owner_of(lease) or (ANN if self.count % 2 else BEN))

    def may_end(self, caller: Caller, lease: Lease) -> bool:
        """Say whether an unfenced finish of a caller ends a lease."""
        return caller.is_admin or self.owner_of(lease) in ("", caller.owner)

    @rule(on=ANY, then=MOSTLY_ANSWERED, owner=OWNERS, ttl=TTLS)
    def take_as_owner(self, on: int, then: list[str], owner: str, ttl: timedelta | None) -> None:
        take = self._new_take(owner, ttl)
        criteria = Criteria(job="e2e", build=take.build, ttl=ttl)

        def act(service: Clusters, _: Request | None) -> Any:
            return service.take(criteria, owner=owner)

        self._request(on, then, act, take.calls, partial(self._check_take, take))

    @rule(on=ANY, then=MOSTLY_ANSWERED, owner=OWNERS, number=st.integers(0, 3))
    def take_under_same_id(self, on: int, then: list[str], owner: str, number: int) -> None:
        take = self.named.get((owner, number)) or self._new_take(owner, None, to_repeat=True)
        self.named[owner, number] = take
        criteria, request = Criteria(job="e2e", build=take.build), self.request_of(owner, number)

        def act(service: Clusters, _: Request | None) -> Any:
            return service.take(criteria, request, owner)

        self._request(on, then, act, take.calls, partial(self._check_owned_take, take))

    def _check_owned_take(self, take: Take, call: Call) -> None:
        """Check that a take was not confused with the other owner's of the same id."""
        if isinstance(call.result, RequestOver) and not take.leases and len(take.calls) == 1:
            raise Violation(f"{take} was answered {call}, although it was never granted")
        cluster = answer_of(call).cluster if call.done else None
        if cluster and cluster.last_build != take.build:
            raise Violation(f"{take} was answered with the cluster of build {cluster.last_build}")
        self._check_take(take, call)

    def _new_take(self, owner: str, ttl: timedelta | None, to_repeat: bool = False) -> Take:
        take = Take(f"b{self.count}", ttl.total_seconds() if ttl else inf, to_repeat)
        self.model.takes[take.build], self.owners[take.build] = take, owner
        return take

    @precondition(lambda self: any(self.owner_of(lease) for lease in self.model.leases))
    @rule(which=ANY, on=ANY, then=MOSTLY_ANSWERED, verb=VERBS)
    def trespass(self, which: int, on: int, then: list[str], verb: str) -> None:
        lease = self._relied_on([lease for lease in self.model.leases if self.owner_of(lease)], which)
        owner = self.owner_of(lease)
        intruder = self.verified(BEN if owner == ANN else ANN)
        if verb == "unfenced":
            act = partial(self._finish_unfenced, lease, intruder)
            check = partial(self._must_not_end, lease)
            return self._request(on, then, act, lease.unfenced, check)
        act = partial(self._intrude, verb, lease, intruder)
        return self._request(on, then, act, [], partial(self._must_be_refused, lease))

    @staticmethod
    def _finish_unfenced(lease: Lease, intruder: Caller, service: Clusters, _: Request | None) -> Committed:
        return service.finish(FinishRequest(lease.cluster), caller=intruder)

    def _intrude(self, verb: str, lease: Lease, intruder: Caller, service: Clusters, _: Request | None) -> Committed:
        """Send a request that names a lease of another owner."""
        if verb == "renew":
            return service.renew(lease.cluster, lease.id, _HOUR, None, intruder)
        numbers = [number for (_owner, number), take in self.named.items() if take is lease.take]
        if verb == "request" and numbers:
            return service.leave_queue(f"same-{numbers[0]} {self.owner_of(lease)}", intruder)
        if verb == "job":
            return service.finish(FinishRequest(lease.cluster, job="e2e", build=lease.take.build), caller=intruder)
        return service.finish(FinishRequest(lease.cluster, lease.id), caller=intruder)

    def _must_be_refused(self, lease: Lease, call: Call) -> None:
        if lease.answered_at >= call.since or not lease.certain(self.now):
            return
        if call.done or (call.decided_against and not isinstance(call.result, NotOwner)):
            raise Violation(f"{lease} of {self.owner_of(lease)} was acted on by another caller: {call}")

    def _must_not_end(self, lease: Lease, call: Call) -> None:
        if call.done and answer_of(call).lease == lease.id:
            raise Violation(f"{lease} of {self.owner_of(lease)} was ended by another caller: {call}")
