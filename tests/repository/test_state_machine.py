"""Replicas, faults, crashes and time in any order: every answer is true.

Hypothesis drives a fleet of replicas step by step. The model knows only the requests and answers of callers, and is
compared with the store after each step. The mutations at the end each remove a part of what makes writes safe; the
same search must find all of them.
"""

import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from math import inf
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cimaster.errors import NoVacantCluster, OutcomeUnknown
from cimaster.pool import Criteria, FinishRequest, Request, Rules
from cimaster.repository.committer import Committer
from cimaster.repository.snapshots import Snapshot
from cimaster.repository.write_attempts import WriteAttempts
from cimaster.services.clusters import Clusters
from tests.repository.interleavings import FAULTS
from tests.repository.simulation import APPLIED, AT_WORK, DEADLINE, FAILED, REFUSED, SLOW, Call, Fleet, Lane, Replica
from tests.repository.test_interleavings import HastyDeath, NoSlot, TrustingCommitter

HOLD = Rules().hold.total_seconds()
ANY = st.integers(0, 11)  # an index, modulo the number of candidates
TTLS = st.sampled_from([None, timedelta(minutes=1), timedelta(hours=2)])
MOMENTS = st.sampled_from([21.0, 1.5, 4.0, 61.0, 600.0, 2.1 * 3600, 6.1 * 3600])  # each exceeds some limit
ARRIVES, PASSES = "a late write arrives", "time passes"
FATES = st.just([]) | st.lists(
    st.sampled_from([*[APPLIED] * 6, *FAULTS[1:], "late", FAILED, REFUSED, SLOW, SLOW, ARRIVES, PASSES]), max_size=6
)
SEARCH = settings(
    max_examples=600,
    stateful_step_count=40,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
    phases=[Phase.generate, Phase.shrink],
)


class Violation(AssertionError):
    """An answer was false."""


@dataclass(eq=False)
class Taking:
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
    """A lease that a caller was granted. `ttls` are its durations: that of its take, then of each renewal."""

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
        """Whether a caller was answered that it is finished."""
        return any(call.done for call in self.finishes) or any(_ended(call) == self.id for call in self.unfenced)

    def certain(self, now: float) -> bool:
        """Whether its taker may rely on it: it has not expired and no caller has tried to end it."""
        swept = [call for call in self.unfenced if call.may_have_acted and call.ended > self.taking.began]
        asked = [call for call in self.finishes if call.may_have_acted]
        return now < self._end() and not asked and all(call.done and _ended(call) != self.id for call in swept)

    def _end(self) -> float:
        """Return the earliest time at which it can expire: by its take, or by a renewal not renewed since."""
        pairs = zip(self.renewals, self.ttls[1:], strict=True)
        renewals = [(call, ttl) for call, ttl in pairs if call.may_have_acted and not _changed_nothing(call)]
        last = max((call.since for call, _ in renewals if call.done), default=-inf)
        counting = [call.since + ttl for call, ttl in renewals if call.ended > last]
        return min([*counting, self.taking.began + self.taking.ttl if last < 0 else inf])


def _ended(call: Call) -> str:
    """Return the lease that a finish ended, according to its answer."""
    return call.told.answer.lease if call.done else ""


def _changed_nothing(renewal: Call) -> bool:
    return renewal.done and "has no end" in renewal.told.answer.text


@dataclass(eq=False)
class Holding:
    """A hold, its repeats and its releases, each by a person who holds nothing else."""

    person: str
    cluster: str
    calls: list[Call] = field(default_factory=list)
    releases: list[Call] = field(default_factory=list)

    @property
    def told(self) -> float:
        """When its holder was first answered."""
        return min((call.ended for call in self.calls if call.done), default=inf)

    def certain(self, now: float) -> bool:
        """Whether its holder may rely on it."""
        ended = any(call.may_have_acted for call in self.releases) or now >= self.calls[0].since + HOLD
        return self.told <= now and not ended

    @property
    def released(self) -> bool:
        """Whether a release was answered, and no hold may have come, or may still come, after that."""
        undecided = [call for call in self.calls if call.may_have_acted and not call.done]
        last = max(call.ended for call in self.calls)
        return not undecided and any(call.done and call.since > last for call in self.releases)


class Model:
    """The requests and answers of callers, and what follows from them."""

    def __init__(self) -> None:
        self.takings: dict[str, Taking] = {}
        self.holdings: dict[str, Holding] = {}
        self.unfenced: dict[str, list[Call]] = {}
        self.notes: dict[str, str] = {}

    @property
    def leases(self) -> list[Lease]:
        """All leases that callers were granted."""
        return [lease for taking in self.takings.values() for lease in taking.leases.values()]

    @property
    def told_holdings(self) -> list[Holding]:
        """All holds that were answered."""
        return [holding for holding in self.holdings.values() if holding.told < inf]

    def told_of_lease(self, taking: Taking, call: Call, now: float) -> None:
        """Record a granted lease; no other caller may rely on its cluster, nor its taker on another lease."""
        cluster, lease_id = call.told.answer.text, call.told.answer.lease
        new = Lease(lease_id, cluster, now, taking, self.unfenced.setdefault(cluster, []), [taking.ttl])
        lease = taking.leases.setdefault(lease_id, new)
        rivals = [other for other in self.leases if cluster == other.cluster or other.taking is taking]
        rivals = [other for other in rivals if other is not lease and other.certain(now)]
        if (rivals and lease.certain(now)) or lease.cluster != cluster:
            raise Violation(f"{new} of {taking} was told, and before it {rivals or lease}")

    def compare(self, records: dict[str, dict[str, Any]], now: float) -> None:
        """Check that the store has what callers were answered, and nothing that they could not know of."""
        stored = {name: record["leaseId"] for name, record in records.items() if record["status"] == "testing"}
        for lease in self.leases:
            if lease.certain(now) and stored.get(lease.cluster) != lease.id:
                raise Violation(f"{lease} was told, and stored is {stored}")
            if lease.finished and lease.id in stored.values():
                raise Violation(f"{lease} was finished, and stored is {stored}")
        for holding in self.holdings.values():
            there = _holder(records[holding.cluster]) == holding.person
            if (holding.released and there) or (holding.certain(now) and not there):
                raise Violation(f"{holding} was told, and stored is {records[holding.cluster]}")
        for name, record in records.items():
            self._must_be_accounted_for(name, record)

    def _must_be_accounted_for(self, name: str, record: dict[str, Any]) -> None:
        if record["status"] == "testing":
            taking, lease_id = self.takings[record["leaseBuild"]], record["leaseId"]
            told = taking.leases.get(lease_id)
            if told and told.cluster != name:
                raise Violation(f"{name} has {told}")
            if not told and not any(call.may_have_acted and not call.done for call in taking.calls):
                raise Violation(f"{name} has {lease_id}, and nobody was told")
        person = _holder(record)
        if person and not any(call.may_have_acted for call in self.holdings[person].calls):
            raise Violation(f"{name} is held by {person}, who was told no")
        if record.get("note") != self.notes.get(name):
            raise Violation(f"{name} lost the note {self.notes.get(name)}")


def _holder(record: dict[str, Any]) -> str:
    return record.get("holdBy", "") if record.get("hold") else ""


class Replicas(RuleBasedStateMachine):
    """Replicas, their callers, their store and time."""

    committer: type[Committer] = Committer
    attempts: type[WriteAttempts] = WriteAttempts

    @initialize(clusters=st.integers(1, 4), replicas=st.just(3), late=st.sampled_from(["first", "last", "never"]))
    def begin(self, clusters: int, replicas: int, late: str) -> None:
        self.names = [f"c{number}" for number in range(1, clusters + 1)]
        self.fleet = Fleet(self.names, replicas, self.committer, self.attempts)
        self.fleet.after_step = self.everybody_was_told_the_truth
        self.model, self.late_writes_arrive = Model(), late
        self.open: dict[Call, Callable[[Call], None]] = {}
        self.repeatable: list[tuple[Callable[[Clusters], Any], list[Call], Callable[[Call], None]]] = []
        self.newest_told = self.count = self.crashes = 0

    @property
    def now(self) -> float:
        return self.fleet.clock.passed

    # requests of callers; `then` has the fates of the next steps of their replica's committer

    def _ask(
        self,
        on: int,
        then: list[str],
        act: Callable[[Clusters, Request | None], Any],
        calls: list[Call],
        heard: Callable[[Call], None],
        to_repeat: bool = False,
    ) -> None:
        self.count += 1
        request = Request(f"r{self.count}", "", "") if to_repeat else None
        asked = (lambda service: act(service, request)), calls, heard
        if to_repeat:
            self.repeatable.append(asked)
        self._send(on, then, *asked)

    def _send(
        self, on: int, then: list[str], act: Callable[[Clusters], Any], calls: list[Call], heard: Callable[[Call], None]
    ) -> None:
        replica = _pick(self.fleet.replicas, on)
        call = Call(replica, act, self.fleet.clock.monotonic(), len(self.fleet.truth.moments) - 1, self.newest_told)
        self.open[call] = heard
        calls.append(call)
        self.fleet.run(Lane(replica, call.serve, call))
        self._go_on(replica.committing, then)

    @precondition(lambda self: self.repeatable)
    @rule(which=ANY, on=ANY, then=FATES)
    def repeat(self, which: int, on: int, then: list[str]) -> None:
        self._send(on, then, *_pick(self.repeatable, which))

    @rule(on=ANY, then=FATES, ttl=TTLS, to_repeat=st.booleans())
    def take(self, on: int, then: list[str], ttl: timedelta | None = None, to_repeat: bool = False) -> None:
        taking = Taking(f"b{self.count}", ttl.total_seconds() if ttl else inf, to_repeat)
        self.model.takings[taking.build] = taking
        criteria = Criteria(job="e2e", build=taking.build, ttl=ttl)
        act = lambda service, request: service.take(criteria, request)  # noqa: E731
        self._ask(on, then, act, taking.calls, partial(self._took, taking), to_repeat)

    def _took(self, taking: Taking, call: Call) -> None:
        if call.done:
            self.model.told_of_lease(taking, call, self.now)
        relied = [lease for lease in taking.leases.values() if lease.told < call.since and lease.certain(self.now)]
        if call.decided_against and relied:
            raise Violation(f"{taking} had {relied} and was told {call}")
        refused = isinstance(call.told, NoVacantCluster)
        if refused and not self.fleet.truth.none_was_vacant(call.first_moment, call.since):
            raise Violation(f"{taking} was told {call}, and there always was a vacant one")

    def _relied_on(self, claims: list[Any], which: int) -> Any:
        """Choose one of the claims that still count, or any if none does."""
        return _pick([claim for claim in claims if claim.certain(self.now)] or claims, which)

    def _must_be_over(self, claim: Lease | Holding, call: Call) -> None:
        if call.decided_against and claim.told < call.since and claim.certain(self.now):
            raise Violation(f"{claim} was refused with {call}")

    @precondition(lambda self: self.model.leases)
    @rule(which=ANY, on=ANY, then=FATES, to_repeat=st.booleans(), again=st.booleans())
    def finish(self, which: int, on: int, then: list[str], to_repeat: bool = False, again: bool = False) -> None:
        lease = (_pick if again else self._relied_on)(self.model.leases, which)
        act = lambda service, request: service.finish(FinishRequest(lease.cluster, lease.id), request)  # noqa: E731
        self._ask(on, then, act, lease.finishes, partial(self._must_be_over, lease), to_repeat)

    @precondition(lambda self: self.model.leases)
    @rule(which=ANY, on=ANY, then=FATES)
    def finish_whatever_lease(self, which: int, on: int, then: list[str]) -> None:
        lease = self._relied_on(self.model.leases, which)
        act = lambda service, request: service.finish(FinishRequest(lease.cluster), request)  # noqa: E731
        self._ask(on, then, act, lease.unfenced, self._must_have_finished)

    def _must_have_finished(self, call: Call) -> None:
        for lease in self.model.leases:
            meant = call.done and call in lease.unfenced and lease.told < call.since
            if meant and lease.certain(self.now):
                raise Violation(f"{lease} goes on after {call}")

    @precondition(lambda self: self.model.leases)
    @rule(which=ANY, on=ANY, then=FATES, ttl=TTLS)
    def renew(self, which: int, on: int, then: list[str], ttl: timedelta | None) -> None:
        lease = self._relied_on(self.model.leases, which)
        lease.ttls.append(ttl.total_seconds() if ttl else min(lease.ttls))
        act = lambda service, request: service.renew(lease.cluster, lease.id, ttl, request)  # noqa: E731
        self._ask(on, then, act, lease.renewals, partial(self._must_be_over, lease))

    @rule(which=ANY, on=ANY, then=FATES)
    def hold(self, which: int, on: int, then: list[str]) -> None:
        holding = Holding(f"p{self.count}", _pick(self.names, which))
        self.model.holdings[holding.person] = holding
        act = lambda service, request: service.hold(holding.cluster, holding.person, "", None, request)  # noqa: E731
        self._ask(on, then, act, holding.calls, partial(self._must_be_over, holding), to_repeat=True)

    @precondition(lambda self: self.model.told_holdings)
    @rule(which=ANY, on=ANY, then=FATES)
    def release(self, which: int, on: int, then: list[str]) -> None:
        holding = self._relied_on(self.model.told_holdings, which)
        act = lambda service, _: service.release(holding.cluster, holding.person, is_admin=False)  # noqa: E731
        self._ask(on, then, act, holding.releases, partial(self._must_be_over, holding))

    # everything else that happens

    @rule(on=ANY, then=FATES, what=st.sampled_from(["news", "look", "reap", "edit"]))
    def meanwhile(self, on: int, then: list[str], what: str) -> None:
        newest, replica = self.newest_told, _pick(self.fleet.replicas, on)
        if what == "news":
            self.fleet.run(Lane(replica, replica.watch))
        elif what == "look":
            self._ask(on, then, lambda service, _: service.view(newest), [], _nothing)
        elif what == "reap":
            self._ask(on, then, lambda service, _: service.expire(), [], _nothing)
        else:
            self._edit_by_hand(_pick(self.names, on))

    def _edit_by_hand(self, name: str) -> None:
        self.count += 1
        self.model.notes[name] = f"note {self.count}"
        self.fleet.truth.edit(name, note=self.model.notes[name])

    @precondition(lambda self: self.fleet.at(*AT_WORK))
    @rule(which=ANY, then=FATES)
    def go_on(self, which: int, then: list[str]) -> None:
        self._go_on(_pick(self.fleet.at(*AT_WORK), which), [APPLIED, *then])

    def _go_on(self, lane: Lane, fates: list[str]) -> None:
        for fate in fates:
            if fate == ARRIVES:
                self._late_write_arrives(0)
            elif fate == PASSES:
                self.time_passes(DEADLINE + 1)
            elif lane.at in AT_WORK and lane.may_go_on:
                self.fleet.step(lane, fate)

    @precondition(lambda self: self.fleet.at(*AT_WORK))
    @rule(on=ANY)
    def serve(self, on: int) -> None:
        self._must_come_to_rest([_pick(self.fleet.replicas, on)])

    def _must_come_to_rest(self, replicas: list[Replica]) -> None:
        if not self.fleet.come_to_rest(replicas):
            raise Violation("somebody waits for ever")

    @precondition(lambda self: self.fleet.truth.late)
    @rule(which=ANY)
    def late_write_arrives(self, which: int) -> None:
        self._late_write_arrives(which)

    def _late_write_arrives(self, which: int) -> None:
        late = self.fleet.truth.late
        if late:
            self.fleet.truth.apply(late.pop(which % len(late)))

    @precondition(lambda self: not self.open or any(replica.attempts for replica in self.fleet.replicas))
    @rule(seconds=MOMENTS)
    def time_passes(self, seconds: float) -> None:
        self.fleet.clock.rest(seconds)
        self.fleet.give_up_overdue()

    @precondition(lambda self: self.open and self.crashes < 2)
    @rule(which=ANY)
    def crash(self, which: int) -> None:
        replica, self.crashes = _pick(self.fleet.replicas, which), self.crashes + 1
        self.fleet.crash(replica)
        for call in [call for call in self.open if call.replica is replica]:
            call.ended = self.fleet.clock.monotonic()
            del self.open[call]
        self.fleet.boot()

    # invariants

    @invariant()
    def everybody_was_told_the_truth(self) -> None:
        answered = [call for call in self.open if call.told is not None]
        for call in answered:
            call.ended = self.fleet.clock.monotonic()
        for call in answered:
            self._hear(call, call.told.commit if isinstance(call.told, Snapshot) else call.commit)
        self.model.compare(self.fleet.truth.records, self.now)

    def _hear(self, call: Call, commit: int) -> None:
        if (commit or call.done) and commit < call.newest_told:
            raise Violation(f"commit {commit} was told after {call.newest_told}")
        self.newest_told = max(self.newest_told, commit)
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
        """Let every caller get an answer; late writes arrive before that, after it, or never."""
        for when in ("first", "last"):
            while self.fleet.truth.late and when == self.late_writes_arrive:
                self._late_write_arrives(0)
            self._must_come_to_rest(self.fleet.replicas)
        if self.open:
            raise Violation(f"these never got an answer: {self.open}")
        for taking in self.model.takings.values():
            self._must_be_undone(taking)

    def _must_be_undone(self, taking: Taking) -> None:
        stored = {record.get("leaseBuild") for record in self.fleet.truth.records.values()}
        unknown = [call for call in taking.calls if isinstance(call.told, OutcomeUnknown) and call.replica.alive]
        if unknown and not taking.to_repeat and taking.build in stored:
            raise Violation(f"{taking} was never undone")


def _pick(options: list[Any], which: int) -> Any:
    return options[which % len(options)]


def _nothing(call: Call) -> None:
    """No answer proves anything."""


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    """Each of thousands of steps loses answers on purpose."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def test_nobody_is_told_what_is_not_so() -> None:
    run_state_machine_as_test(Replicas, settings=SEARCH)


class WithoutSlot(Replicas):
    attempts = NoSlot


class WithHastyDeath(Replicas):
    attempts = HastyDeath


class WithTrust(Replicas):
    committer = TrustingCommitter


@pytest.mark.parametrize("mutated", [WithoutSlot, WithHastyDeath, WithTrust])
def test_the_search_finds_each_mutation(mutated: type[Replicas]) -> None:
    with pytest.raises(Violation):
        run_state_machine_as_test(mutated, settings=settings(SEARCH, phases=[Phase.generate], max_examples=3000))


@pytest.fixture
def machine() -> Iterator[Replicas]:
    """Two replicas and two vacant clusters, for the false answers that the search has found."""
    machine = Replicas()
    machine.begin(clusters=2, replicas=2, late="first")
    yield machine
    for replica in list(machine.fleet.replicas):
        machine.fleet.crash(replica)


IN_TROUBLE = [[REFUSED], [FAILED, APPLIED, FAILED], [FAILED, PASSES, FAILED]]


@pytest.mark.parametrize("trouble", [[], *IN_TROUBLE], ids=" ".join)
def test_a_take_applied_after_its_caller_gave_up_is_undone_whatever_happens(machine, trouble: list[str]) -> None:
    read_and_decide, write, undo = [APPLIED, APPLIED], [PASSES, APPLIED], trouble
    machine.take(on=0, then=[*read_and_decide, *write, *undo])
    machine.end_well()


@pytest.mark.parametrize("hours", [0, 2])
def test_a_take_is_undone_by_a_replica_that_was_cut_off_while_others_wrote(machine, hours: int) -> None:
    machine.take(on=0, then=[APPLIED, APPLIED, "lost after", PASSES])
    machine.time_passes(seconds=3600.0 * hours)
    machine.take(on=1, then=[APPLIED, APPLIED, APPLIED])
    machine.end_well()


def test_an_undo_on_its_way_is_sent_again_by_a_replica_that_was_cut_off_while_others_wrote(machine) -> None:
    machine.take(on=0, then=[APPLIED, APPLIED, PASSES, APPLIED])
    machine.time_passes(seconds=7200.0)
    machine.take(on=1, then=[APPLIED, APPLIED, APPLIED])
    machine.end_well()


def test_already_finished_is_said_of_no_lease_whose_finish_was_not_written(machine) -> None:
    machine.take(on=0, then=[APPLIED, APPLIED, APPLIED])
    machine.finish(which=0, on=0, then=[])
    machine.finish_whatever_lease(which=0, on=0, then=[APPLIED, APPLIED, REFUSED, REFUSED])
    machine.end_well()
