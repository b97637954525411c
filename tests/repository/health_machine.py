"""The state machine with holds that are handed on, results, quarantine and checks beside all that jobs do.

After each step, the stored states are replayed commit by commit: no cluster is lent while it is held, quarantined,
disabled or checked, each hand-over and take-over is one step, and each result counts once.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from cimaster.pool import Answer, Criteria, FinishRequest, Pool, Request, Return, expire
from cimaster.pool.codec import CLUSTERS, PURPOSES
from cimaster.pool.decisions import checking
from cimaster.pool.records.cluster import DEFAULT_PURPOSE
from cimaster.repository.pending_changes import Decision
from cimaster.services.clusters import Clusters
from tests.pool_history import PoolHistory
from tests.repository.fleet_machine import ANY, TTLS, pick
from tests.repository.fleet_model import Lease, Take, Violation, answer_of
from tests.repository.health_model import CLAIMED_FOR, HELD_AFTER_FAILURE, CheckClaim, Restriction, trigger_of
from tests.repository.people_machine import ADMIN, MOSTLY_ANSWERED, ReplicasForPeople
from tests.repository.simulation import Call

RESULTS = st.sampled_from(["fail", "error", "pass"])
_CLAIMED_FOR = timedelta(seconds=CLAIMED_FOR)
_HELD_AFTER_FAILURE = timedelta(seconds=HELD_AFTER_FAILURE)
_NEARLY_QUARANTINED: dict[str, Any] = {
    "results": [{"result": "error", "job": "e2e", "build": "b-0", "at": "2026-01-01T00:00:00Z"}],
    "failedChecks": 1,
}
_PROGRESS = st.sampled_from(["passes", "fails", "is released", "goes on"])
_RULES = st.sampled_from(
    [
        {"check": "ping", "clean": "wipe"},
        {"check": "ping", "afterExpiry": "quarantine"},
        {"clean": "wipe", "afterExpiry": "clean"},
        {},
    ]
)
ClaimDecision = Callable[[Pool, datetime, str, str, timedelta], tuple[Pool, Answer]]


class HealingReplicas(ReplicasForPeople):
    """Replicas whose callers report results, check clusters, and change their health."""

    claim_decision: ClaimDecision = staticmethod(checking.claim)

    @initialize(
        clusters=st.integers(1, 4),
        replicas=st.just(3),
        late=st.sampled_from(["first", "last", "never"]),
        rules=_RULES,
        suspects=st.integers(0, 4),
    )
    def begin(
        self, clusters: int, replicas: int, late: str, rules: dict[str, str] | None = None, suspects: int = 0
    ) -> None:
        records: list[dict[str, Any]] = [
            {"name": f"c{number}", "status": "finished"} for number in range(1, clusters + 1)
        ]
        for record in records[:suspects]:
            record.update(_NEARLY_QUARANTINED)
        purposes = [{"purpose": DEFAULT_PURPOSE, **rules}] if rules else []
        self.other_keys = {CLUSTERS: json.dumps(records), PURPOSES: json.dumps(purposes)}
        super().begin(clusters, replicas, late)
        self.history, self.followed, self.newest_followed = PoolHistory(), 0, 0

    # jobs

    @rule(on=ANY, then=MOSTLY_ANSWERED, ttl=TTLS)
    def take_and_hold_after_failure(self, on: int, then: list[str], ttl: timedelta | None) -> None:
        take = Take(f"b{self.count}", ttl.total_seconds() if ttl else float("inf"), to_repeat=False)
        self.model.takes[take.build] = take
        self.model.held_after_failure.add(take.build)
        by, duration = trigger_of(take.build), _HELD_AFTER_FAILURE
        criteria = Criteria(job="e2e", build=take.build, by=by, ttl=ttl, hold_on_failure=duration)

        def act(service: Clusters, request: Request | None) -> Any:
            return service.take(criteria, request)

        self._request(on, then, act, take.calls, partial(self._check_take, take))

    @precondition(lambda self: self.model.leases)
    @rule(which=ANY, on=ANY, then=MOSTLY_ANSWERED, result=RESULTS, to_repeat=st.booleans())
    def finish_with_result(self, which: int, on: int, then: list[str], result: str, to_repeat: bool = False) -> None:
        lease = self._relied_on(self.model.leases, which)
        finish = FinishRequest(lease.cluster, lease.id, returned=Return(result))

        def act(service: Clusters, request: Request | None) -> Any:
            return service.finish(finish, request)

        self._request(on, then, act, lease.finishes, partial(self._check_result, lease, result), to_repeat)

    def _check_result(self, lease: Lease, result: str, call: Call) -> None:
        self._must_be_over(lease, call)
        if not call.done or answer_of(call).repeated or answer_of(call).lease != lease.id:
            return
        cluster = answer_of(call).cluster
        assert cluster is not None
        if (cluster.results[0].result, cluster.results[0].build) != (result, lease.take.build):
            raise Violation(f"{lease} ended with {result}, but {cluster.text} was answered")
        if cluster.hold is None and result != "pass" and lease.take.build in self.model.held_after_failure:
            raise Violation(f"{lease} ended with {result}, but no person holds the cluster: {cluster.text}")
        if cluster.hold and cluster.hold.by == trigger_of(lease.take.build):
            self.model.note_hold_after_failure(lease, call)

    # admins and results change the health

    @rule(which=ANY, on=ANY, then=MOSTLY_ANSWERED, field=st.sampled_from(["disabled", "health"]))
    def restrict(self, which: int, on: int, then: list[str], field: str) -> None:
        name = pick(self.names, which)
        value = True if field == "disabled" else "quarantined"
        restriction = Restriction(name, field, value, self.model.lifts.setdefault((name, field), []))
        self.model.restrictions.append(restriction)

        def act(service: Clusters, _: Request | None) -> Any:
            if field == "disabled":
                return service.disable(name, ADMIN)
            return service.set_health(name, ADMIN, "quarantined")

        self._request(on, then, act, restriction.calls, self.must_not_be_refused)

    @rule(which=ANY, on=ANY, then=MOSTLY_ANSWERED, health=st.sampled_from(["ok", "suspect", ""]))
    def lift(self, which: int, on: int, then: list[str], health: str) -> None:
        name = pick(self.names, which)
        calls = self.model.calls_to_lift(name, *(["health"] if health else ["health", "disabled"]))

        def act(service: Clusters, _: Request | None) -> Any:
            return service.set_health(name, ADMIN, health) if health else service.enable(name, ADMIN)

        self._request(on, then, act, calls, self.must_not_be_refused)

    # checks and cleans

    def _due(self) -> list[str]:
        """Return the clusters whose check or clean can be claimed, or is claimed by another replica."""
        pool, now = self.fleet.truth.moments[-1].pool(), self.fleet.clock.at(self.now)
        due = {cluster.name for cluster in checking.due(expire(pool, now), now)}
        return [cluster.name for cluster in pool.clusters if cluster.name in due or cluster.checking]

    @precondition(lambda self: self._due())
    @rule(which=ANY, on=ANY, then=MOSTLY_ANSWERED, how=st.none() | _PROGRESS)
    def claim_check(self, which: int, on: int, then: list[str], how: str | None = None) -> None:
        name, owner = pick(self._due(), which), f"owner-{self.count}"
        claim = CheckClaim(owner, name, self.model.interruptions.setdefault(name, []))
        self.model.claims[owner] = claim

        def decide(pool: Pool, now: datetime) -> tuple[Pool, Answer]:
            return self.claim_decision(pool, now, name, owner, _CLAIMED_FOR)

        self._request(on, then, _update(decide), claim.calls, partial(self._check_claim, claim))
        if how and claim.granted:
            self._go_on_with_check(claim, on, then, how)

    def _check_claim(self, claim: CheckClaim, call: Call) -> None:
        rivals = [
            other for other in self.model.claims.values() if other is not claim and other.cluster == claim.cluster
        ]
        rivals = [other for other in rivals if other.certain(self.now)]
        if rivals and call.done and claim.certain(self.now):
            raise Violation(f"{claim} was granted, and before it {rivals}")

    @precondition(lambda self: any(claim.granted for claim in self.model.claims.values()))
    @rule(which=ANY, on=ANY, then=MOSTLY_ANSWERED, how=_PROGRESS)
    def go_on_with_check(self, which: int, on: int, then: list[str], how: str) -> None:
        claim = self._relied_on([claim for claim in self.model.claims.values() if claim.granted], which)
        self._go_on_with_check(claim, on, then, how)

    def _go_on_with_check(self, claim: CheckClaim, on: int, then: list[str], how: str) -> None:
        name, owner = claim.cluster, claim.owner
        calls = claim.renewals if how == "goes on" else claim.ends
        decision: Decision
        if how == "goes on":
            decision = partial(checking.renew_claim, name=name, owner=owner, duration=_CLAIMED_FOR)
        elif how == "is released":
            decision = partial(checking.release_claim, name=name, owner=owner)
        else:
            decision = partial(
                checking.record_outcome, name=name, owner=owner, failure="no answer" if how == "fails" else ""
            )
        if how == "passes":
            calls = self.model.calls_to_lift(claim.cluster, "health")
            claim.passes.append(calls)
        self._request(on, then, _update(decision), calls, partial(self._must_have_been_over, claim))

    def _must_have_been_over(self, claim: CheckClaim, call: Call) -> None:
        lost = call.done and not answer_of(call).text
        if lost and claim.answered_at < call.since and claim.certain(self.now):
            raise Violation(f"{claim} was certain, but its owner was answered that it is lost")

    # invariants

    @invariant()
    def every_answer_is_true(self) -> None:
        super().every_answer_is_true()
        moments = self.fleet.truth.moments
        for moment in moments[self.followed :]:
            pool = moment.pool()
            problems = self.history.follow(pool)
            if problems:
                raise Violation("\n".join(problems))
            self.model.follow_queue(pool, is_new=pool.commit != self.newest_followed)
            self.newest_followed = pool.commit
        self.followed = len(moments)


def _update(decision: Decision) -> Callable[[Clusters, Request | None], Any]:
    return lambda service, _: service.repository.update(decision)
