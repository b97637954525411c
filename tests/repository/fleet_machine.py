"""The state machine with which Hypothesis drives a fleet: requests, faults, crashes and time in any order."""

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from math import inf
from types import MappingProxyType
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from cimaster.errors import NoVacantCluster, OutcomeUnknown
from cimaster.notifiers import DefinedChannels
from cimaster.pool import UNVERIFIED, Caller, Criteria, FinishRequest, HoldTerms, Request
from cimaster.repository.committer import Committer
from cimaster.repository.snapshots import Snapshot
from cimaster.repository.write_attempts import WriteAttempts
from cimaster.services.clusters import Clusters
from tests.repository.fleet_model import Hold, Lease, Model, Take, Violation
from tests.repository.interleavings import FAULTS
from tests.repository.simulation import AT_WORK, DEADLINE, Call, Fleet, Lane, Replica
from tests.repository.stored_truth import APPLIED, FAILED, REFUSED, SLOW

ANY = st.integers(0, 11)  # an index, modulo the number of candidates
TTLS = st.sampled_from([None, timedelta(minutes=1), timedelta(hours=2)])
MOMENTS = st.sampled_from([21.0, 1.5, 4.0, 61.0, 600.0, 2.1 * 3600, 6.1 * 3600])  # each exceeds some limit
LATE = st.sampled_from(["first", "last", "never"])  # when the late writes arrive that are left at the end
ARRIVES, PASSES = "a late write arrives", "time passes"
FATES: st.SearchStrategy[list[str]] = st.just([]) | st.lists(
    st.sampled_from([*[APPLIED] * 6, *FAULTS[1:], "late", FAILED, REFUSED, SLOW, SLOW, ARRIVES, PASSES]), max_size=6
)


class Replicas(RuleBasedStateMachine):
    """Replicas, their callers, their store and time."""

    committer: type[Committer] = Committer
    attempts: type[WriteAttempts] = WriteAttempts
    new_model: type[Model] = Model
    other_keys: Mapping[str, str] = MappingProxyType({})
    """What the stored object has beside the clusters."""
    channels: DefinedChannels = DefinedChannels("")
    """The channels of notices; without a file there are none."""

    @initialize(clusters=st.integers(1, 4), replicas=st.just(3), late=LATE)
    def begin(self, clusters: int, replicas: int, late: str) -> None:
        self.names = tuple(f"c{number}" for number in range(1, clusters + 1))
        self.fleet = Fleet(self.names, replicas, self.committer, self.attempts, self.other_keys, self.channels)
        self.fleet.after_step = self.every_answer_is_true
        self.model, self.late_writes_arrive = self.new_model(), late
        self.open: dict[Call, Callable[[Call], None]] = {}
        self.repeatable: list[tuple[Callable[[Clusters], Any], list[Call], Callable[[Call], None]]] = []
        self.newest_commit = self.count = self.crashes = 0

    @property
    def now(self) -> float:
        return self.fleet.clock.passed

    # requests of callers; `then` is what happens to the next steps of their replica's committer

    def _request(
        self,
        on: int,
        then: list[str],
        act: Callable[[Clusters, Request | None], Any],
        calls: list[Call],
        on_answer: Callable[[Call], None],
        to_repeat: bool = False,
    ) -> None:
        self.count += 1
        request = Request(f"r{self.count}", "", "") if to_repeat else None
        request_parts = (lambda service: act(service, request)), calls, on_answer
        if to_repeat:
            self.repeatable.append(request_parts)
        self._send(on, then, *request_parts)

    def _send(
        self,
        on: int,
        then: list[str],
        act: Callable[[Clusters], Any],
        calls: list[Call],
        on_answer: Callable[[Call], None],
    ) -> None:
        replica = pick(self.fleet.replicas, on)
        call = Call(replica, act, self.fleet.clock.monotonic(), len(self.fleet.truth.moments) - 1, self.newest_commit)
        self.open[call] = on_answer
        calls.append(call)
        self.fleet.run(Lane(replica, call.serve, call))
        self._advance(replica.committing, then)

    def caller_of(self, _lease: Lease) -> Caller:
        """Return the caller that ends or renews a lease."""
        return UNVERIFIED

    def may_end(self, _caller: Caller, _lease: Lease) -> bool:
        """Say whether an unfenced finish of a caller ends a lease."""
        return True

    @precondition(lambda self: self.repeatable)
    @rule(which=ANY, on=ANY, then=FATES)
    def repeat(self, which: int, on: int, then: list[str]) -> None:
        self._send(on, then, *pick(self.repeatable, which))

    @rule(on=ANY, then=FATES, ttl=TTLS, to_repeat=st.booleans())
    def take(self, on: int, then: list[str], ttl: timedelta | None = None, to_repeat: bool = False) -> None:
        take = Take(f"b{self.count}", ttl.total_seconds() if ttl else inf, to_repeat)
        self.model.takes[take.build] = take
        criteria = Criteria(job="e2e", build=take.build, ttl=ttl)

        def act(service: Clusters, request: Request | None) -> Any:
            return service.take(criteria, request)

        self._request(on, then, act, take.calls, partial(self._check_take, take), to_repeat)

    def _check_take(self, take: Take, call: Call) -> None:
        if call.done:
            self.model.note_lease(take, call, self.now)
        relied = [lease for lease in take.leases.values() if lease.answered_at < call.since and lease.certain(self.now)]
        if call.decided_against and relied:
            raise Violation(f"{take} had {relied} and was answered {call}")
        refused = isinstance(call.result, NoVacantCluster)
        if refused and not self.fleet.truth.none_was_vacant(call.first_moment, call.since):
            raise Violation(f"{take} was answered {call}, although a cluster was vacant all the time")

    def _relied_on(self, claims: list[Any], which: int) -> Any:
        """Choose one of the claims that are certain, or any if none is."""
        return pick([claim for claim in claims if claim.certain(self.now)] or claims, which)

    def _must_be_over(self, claim: Lease | Hold, call: Call) -> None:
        if call.decided_against and claim.answered_at < call.since and claim.certain(self.now):
            raise Violation(f"{claim} was refused with {call}")

    @precondition(lambda self: self.model.leases)
    @rule(which=ANY, on=ANY, then=FATES, to_repeat=st.booleans(), again=st.booleans())
    def finish(self, which: int, on: int, then: list[str], to_repeat: bool = False, again: bool = False) -> None:
        lease = (pick if again else self._relied_on)(self.model.leases, which)
        caller = self.caller_of(lease)

        def act(service: Clusters, request: Request | None) -> Any:
            return service.finish(FinishRequest(lease.cluster, lease.id), request, caller)

        self._request(on, then, act, lease.finishes, partial(self._must_be_over, lease), to_repeat)

    @precondition(lambda self: self.model.leases)
    @rule(which=ANY, on=ANY, then=FATES)
    def finish_whatever_lease(self, which: int, on: int, then: list[str]) -> None:
        lease = self._relied_on(self.model.leases, which)
        caller = self.caller_of(lease)

        def act(service: Clusters, request: Request | None) -> Any:
            return service.finish(FinishRequest(lease.cluster), request, caller)

        self._request(on, then, act, lease.unfenced, partial(self._must_have_finished, caller))

    def _must_have_finished(self, caller: Caller, call: Call) -> None:
        for lease in self.model.leases:
            meant = call.done and call in lease.unfenced and lease.answered_at < call.since
            if meant and lease.certain(self.now) and self.may_end(caller, lease):
                raise Violation(f"{lease} is still current after {call}")

    @precondition(lambda self: self.model.leases)
    @rule(which=ANY, on=ANY, then=FATES, ttl=TTLS)
    def renew(self, which: int, on: int, then: list[str], ttl: timedelta | None) -> None:
        lease = self._relied_on(self.model.leases, which)
        caller = self.caller_of(lease)
        lease.ttls.append(ttl.total_seconds() if ttl else min(lease.ttls))

        def act(service: Clusters, request: Request | None) -> Any:
            return service.renew(lease.cluster, lease.id, ttl, request, caller)

        self._request(on, then, act, lease.renewals, partial(self._must_be_over, lease))

    @rule(which=ANY, on=ANY, then=FATES)
    def hold(self, which: int, on: int, then: list[str]) -> None:
        hold = self.model.new_hold(f"p{self.count}", pick(self.names, which))

        def act(service: Clusters, request: Request | None) -> Any:
            return service.hold(hold.cluster, hold.person, HoldTerms(), request)

        self._request(on, then, act, hold.calls, partial(self._must_be_over, hold), to_repeat=True)

    @precondition(lambda self: self.model.answered_holds)
    @rule(which=ANY, on=ANY, then=FATES)
    def release(self, which: int, on: int, then: list[str]) -> None:
        hold = self._relied_on(self.model.answered_holds, which)

        def act(service: Clusters, _: Request | None) -> Any:
            return service.release(hold.cluster, hold.person, is_admin=False)

        self._request(on, then, act, hold.releases, partial(self._must_be_over, hold))

    # other events

    @rule(on=ANY, then=FATES, what=st.sampled_from(["watch", "read", "reap", "edit"]))
    def meanwhile(self, on: int, then: list[str], what: str) -> None:
        newest, replica = self.newest_commit, pick(self.fleet.replicas, on)
        if what == "watch":
            self.fleet.run(Lane(replica, replica.watch))
        elif what == "read":
            self._request(on, then, lambda service, _: service.view(newest), [], check_nothing)
        elif what == "reap":
            self._request(on, then, lambda service, _: service.expire(), [], check_nothing)
        else:
            self._edit_by_hand(pick(self.names, on))

    def _edit_by_hand(self, name: str) -> None:
        self.count += 1
        self.model.notes[name] = f"note {self.count}"
        self.fleet.truth.edit(name, note=self.model.notes[name])

    @precondition(lambda self: self.fleet.at(*AT_WORK))
    @rule(which=ANY, then=FATES)
    def advance(self, which: int, then: list[str]) -> None:
        self._advance(pick(self.fleet.at(*AT_WORK), which), [APPLIED, *then])

    def _advance(self, lane: Lane, fates: list[str]) -> None:
        for fate in fates:
            if fate == ARRIVES:
                self._late_write_arrives(0)
            elif fate == PASSES:
                self.time_passes(DEADLINE + 1)
            elif lane.at in AT_WORK and lane.can_continue:
                self.fleet.step(lane, fate)

    @precondition(lambda self: self.fleet.at(*AT_WORK))
    @rule(on=ANY)
    def serve(self, on: int) -> None:
        self._must_come_to_rest([pick(self.fleet.replicas, on)])

    def _must_come_to_rest(self, replicas: list[Replica]) -> None:
        if not self.fleet.come_to_rest(replicas):
            raise Violation("a caller waits forever")

    @precondition(lambda self: self.fleet.truth.late)
    @rule(which=ANY)
    def late_write_arrives(self, which: int) -> None:
        self._late_write_arrives(which)

    def _late_write_arrives(self, which: int) -> None:
        late = self.fleet.truth.late
        if late:
            late.pop(which % len(late))()

    @precondition(lambda self: not self.open or any(replica.attempts for replica in self.fleet.replicas))
    @rule(seconds=MOMENTS)
    def time_passes(self, seconds: float) -> None:
        self.fleet.clock.rest(seconds)
        self.fleet.give_up_overdue()

    @precondition(lambda self: self.open and self.crashes < 2)
    @rule(which=ANY)
    def crash(self, which: int) -> None:
        replica, self.crashes = pick(self.fleet.replicas, which), self.crashes + 1
        self.fleet.crash(replica)
        for call in [call for call in self.open if call.replica is replica]:
            call.ended = self.fleet.clock.monotonic()
            del self.open[call]
        self.fleet.boot()

    # invariants

    @invariant()
    def every_answer_is_true(self) -> None:
        answered = [call for call in self.open if call.result is not None]
        for call in answered:
            call.ended = self.fleet.clock.monotonic()
        for call in answered:
            self._check_answer(call, call.result.commit if isinstance(call.result, Snapshot) else call.commit)
        self.model.compare(self.fleet.truth.records, self.now)

    def _check_answer(self, call: Call, commit: int) -> None:
        if (commit or call.done) and commit < call.newest_commit:
            raise Violation(f"commit {commit} was answered after {call.newest_commit}")
        self.newest_commit = max(self.newest_commit, commit)
        self.open.pop(call)(call)

    def teardown(self) -> None:
        if not hasattr(self, "fleet"):
            return
        try:
            if sys.exc_info()[0] is None:  # else this would hide an earlier failure
                self.end_well()
        finally:
            for replica in list(self.fleet.replicas):
                self.fleet.crash(replica)

    def end_well(self) -> None:
        """Let every caller get an answer; late writes arrive before or after that, or never."""
        for when in ("first", "last"):
            while self.fleet.truth.late and when == self.late_writes_arrive:
                self._late_write_arrives(0)
            self._must_come_to_rest(self.fleet.replicas)
        if self.open:
            raise Violation(f"these were never answered: {self.open}")
        for take in self.model.takes.values():
            self._must_be_undone(take)

    def _must_be_undone(self, take: Take) -> None:
        stored = {record.get("leaseBuild") for record in self.fleet.truth.records.values()}
        unknown = [call for call in take.calls if isinstance(call.result, OutcomeUnknown) and call.replica.alive]
        if unknown and not take.to_repeat and take.build in stored:
            raise Violation(f"{take} was never undone")


def pick(options: Sequence[Any], which: int) -> Any:
    """Return the option with this number, modulo their count."""
    return options[which % len(options)]


def check_nothing(call: Call) -> None:
    """Check nothing: no answer of this call proves anything."""
