"""The state machine with people: they hold, share, hand over, take over, and wait for clusters."""

from datetime import timedelta
from functools import partial
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from cimaster.pool import Criteria, HoldTerms, Request
from cimaster.pool.decisions import hold_queue
from cimaster.repository.configmap_repository import Committed
from cimaster.services.clusters import Clusters
from tests.repository.fleet_machine import ANY, FATES, Replicas, pick
from tests.repository.fleet_model import Hold, Violation, answer_of
from tests.repository.health_model import HELD_AFTER_FAILURE, HealthModel
from tests.repository.simulation import Call
from tests.repository.stored_truth import APPLIED

ADMIN = "root"
MOSTLY_ANSWERED = st.just([APPLIED] * 4) | st.just([APPLIED] * 4) | FATES


class ReplicasForPeople(Replicas):
    """Replicas whose callers are jobs and people."""

    new_model = HealthModel
    model: HealthModel

    @rule(which=ANY, on=ANY, then=MOSTLY_ANSWERED)
    def share(self, which: int, on: int, then: list[str]) -> None:
        hold = self.model.new_hold(f"p{self.count}", pick(self.names, which))
        self.model.shared.add(hold.person)

        def act(service: Clusters, request: Request | None) -> Any:
            return service.hold(hold.cluster, hold.person, HoldTerms(shared_with=(hold.friend,)), request)

        self._request(on, then, act, hold.calls, partial(self._must_be_over, hold), to_repeat=True)

    @precondition(lambda self: any(hold.person in self.model.shared for hold in self.model.answered_holds))
    @rule(which=ANY, on=ANY, then=MOSTLY_ANSWERED)
    def release_as_friend(self, which: int, on: int, then: list[str]) -> None:
        shared = [hold for hold in self.model.answered_holds if hold.person in self.model.shared]
        hold = self._relied_on(shared, which)

        def act(service: Clusters, _: Request | None) -> Any:
            return service.release(hold.cluster, hold.friend, is_admin=False)

        self._request(on, then, act, hold.releases, partial(self._must_be_over, hold))

    @precondition(lambda self: self.model.answered_holds)
    @rule(which=ANY, on=ANY, then=MOSTLY_ANSWERED, by_admin=st.booleans())
    def hand_over(self, which: int, on: int, then: list[str], by_admin: bool) -> None:
        given = self._relied_on(self.model.answered_holds, which)
        ends = self._earliest_end(given.cluster) if by_admin else given.earliest_end
        received = self.model.new_hold(f"p{self.count}", given.cluster, ends)
        (self.model.by_admins[given.cluster] if by_admin else given.hand_overs).append(received.calls)
        by = ADMIN if by_admin else given.person
        act = partial(self._handed_over, given.cluster, by, by_admin, received.person)
        self._request(on, then, act, received.calls, partial(self._must_be_one_step, given, received))

    def _must_be_one_step(self, former: Hold, received: Hold, call: Call) -> None:
        """Check that a cluster was held all the time while it passed from one person to another."""
        self._must_be_over(former, call)
        if not call.done or former.answered_at > call.since or not former.certain(self.now, but_for=received.calls):
            return
        for moment in self.fleet.truth.moments[call.first_moment :]:
            cluster = moment.pool().find(former.cluster)
            if not cluster.held:
                raise Violation(f"{former} passed to {received.person}; in between there was {cluster.text}")

    def _handed_over(
        self, cluster: str, by: str, is_admin: bool, to: str, service: Clusters, request: Request | None
    ) -> Committed:
        return service.hand_over(cluster, by, is_admin, to, request=request)

    def _earliest_end(self, cluster: str) -> float:
        """Return the earliest time at which any hold of a cluster can end, also one that follows a failure."""
        holds = [hold for hold in self.model.holds.values() if hold.cluster == cluster]
        ends = [hold.earliest_end for hold in holds]
        return min([*ends, *(take.began + HELD_AFTER_FAILURE for take in self.model.takes.values() if take.calls)])

    @precondition(lambda self: self.model.answered_holds)
    @rule(which=ANY, on=ANY, then=MOSTLY_ANSWERED)
    def take_over(self, which: int, on: int, then: list[str]) -> None:
        former: Hold = self._relied_on(self.model.answered_holds, which)
        hold = self.model.new_hold(f"p{self.count}", former.cluster)
        self.model.by_admins[former.cluster].append(hold.calls)

        def act(service: Clusters, _: Request | None) -> Any:
            return service.take_over(hold.cluster, hold.person, former.person, "urgent", HoldTerms())

        self._request(on, then, act, hold.calls, partial(self._must_be_one_step, former, hold))

    @rule(which=ANY, on=ANY, then=MOSTLY_ANSWERED)
    def hold_by_force(self, which: int, on: int, then: list[str]) -> None:
        hold = self.model.new_hold(f"p{self.count}", pick(self.names, which))
        self.model.by_admins[hold.cluster].append(hold.calls)

        def act(service: Clusters, request: Request | None) -> Any:
            return service.hold(hold.cluster, hold.person, HoldTerms(), request, force=True, reason="urgent")

        self._request(on, then, act, hold.calls, self.must_not_be_refused, to_repeat=True)

    def must_not_be_refused(self, call: Call) -> None:
        """Check that a request was not refused because of the pool."""
        if call.decided_against:
            raise Violation(f"a request was refused that must not be: {call}")

    @rule(which=ANY, on=ANY, then=MOSTLY_ANSWERED)
    def release_as_admin(self, which: int, on: int, then: list[str]) -> None:
        name, calls = pick(self.names, which), list[Call]()
        self.model.by_admins.setdefault(name, []).append(calls)

        def act(service: Clusters, _: Request | None) -> Any:
            return service.release(name, ADMIN, is_admin=True)

        self._request(on, then, act, calls, self.must_not_be_refused)

    @rule(which=ANY, on=ANY, then=MOSTLY_ANSWERED, named=st.booleans())
    def hold_when_free(self, which: int, on: int, then: list[str], named: bool) -> None:
        person = f"p{self.count}"
        criteria = Criteria("", "", person, cluster=pick(self.names, which) if named else "")
        wait = self.model.new_wait(person, hold_queue.ticket_id(person, criteria), criteria.cluster)

        def act(service: Clusters, request: Request | None) -> Any:
            return service.hold_or_wait(criteria, person, HoldTerms(), timedelta(days=14), "", request)

        self._request(on, then, act, wait.calls, partial(self._check_wait, person))

    def _check_wait(self, person: str, call: Call) -> None:
        self.must_not_be_refused(call)
        cluster = answer_of(call).cluster if call.done else None
        if cluster:
            self.model.new_hold(person, cluster.name).calls.append(call)

    @precondition(lambda self: any(wait.answered for wait in self.model.waits.values()))
    @rule(which=ANY, on=ANY, then=MOSTLY_ANSWERED)
    def leave_queue(self, which: int, on: int, then: list[str]) -> None:
        wait = pick([wait for wait in self.model.waits.values() if wait.answered], which)

        def act(service: Clusters, _: Request | None) -> Any:
            return service.leave_queue(wait.ticket)

        self._request(on, then, act, wait.leaves, self.must_not_be_refused)
