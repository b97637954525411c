"""Operations on clusters: take, finish, renew, hold, release, and changes of the inventory.

Each method passes a decision of `cimaster.pool` to the repository, which applies it to the newest pool and writes the
result. Every method raises the decision's Refusal, or StoreTrouble.
"""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from cimaster import pool as decide
from cimaster.common.clock import Clock
from cimaster.observability.metrics import Metrics
from cimaster.pool import (
    UNVERIFIED,
    Answer,
    Caller,
    ClusterFacts,
    Criteria,
    FinishRequest,
    HoldTerms,
    PurposeTerms,
    ReleasedHold,
    Request,
    WaitTerms,
)
from cimaster.pool.decisions import hold_queue, sign_outs
from cimaster.repository.configmap_repository import Committed, ConfigMapRepository
from cimaster.repository.pending_changes import Decision
from cimaster.repository.snapshots import Snapshot
from cimaster.services.decisions import idempotent
from cimaster.services.unfenced_finish import UnfencedFinish

_FAR_AHEAD = 100_000  # commits: more than all replicas write in an hour


class Clusters:
    """The operations of jobs, people and admins, and reads of the pool."""

    def __init__(self, repository: ConfigMapRepository, metrics: Metrics, clock: Clock | None = None) -> None:
        self.repository = repository
        self.clock = clock or Clock()
        self._metrics = metrics

    def take(self, criteria: Criteria, request: Request | None = None, owner: str = "") -> Committed:
        """Lend a vacant cluster to a job; the answer's text is its name. `owner` is the caller."""
        lease = _new_lease()
        decision = partial(decide.take, criteria=criteria, lease_id=lease, request=request, owner=owner)
        return self._take(decision, lease, request)

    def take_or_wait(
        self,
        criteria: Criteria,
        terms: WaitTerms,
        request: Request | None = None,
        is_connected: Callable[[], bool] | None = None,
    ) -> Committed:
        """Lend a cluster to a connected caller whose turn it is; else keep its place in the queue and raise why."""
        lease = _new_lease()
        decision = partial(decide.take_or_wait, criteria=criteria, lease_id=lease, terms=terms, request=request)
        return self._take(decision, lease, request, is_connected)

    def _take(
        self, decision: Decision, lease: str, request: Request | None, is_connected: Callable[[], bool] | None = None
    ) -> Committed:
        """Carry out a take; without a request_id, it is undone if its caller never learns the cluster's name."""
        undo = None if request else partial(decide.undo, lease_id=lease)
        taken = self.repository.update(decision, undo=undo, wanted=is_connected)
        self._metrics.allocations.labels("repeated" if taken.answer.repeated else "granted").inc()
        return taken

    def mark_disconnected(self, ticket: str, remaining: timedelta) -> None:
        """Record that the connection of a waiting caller broke, `remaining` before its planned end."""
        self.repository.update(partial(decide.mark_disconnected, ticket_id=ticket, remaining=remaining))

    def leave_queue(self, ticket: str, caller: Caller = UNVERIFIED) -> Committed:
        """Remove a request from the queue, and give back a cluster that it was just given."""
        return self.repository.update(partial(decide.leave, request_id=ticket, caller=caller))

    def cancel_wait(self, ticket: str, by: str, caller: Caller = UNVERIFIED) -> Committed:
        """Remove a waiting request from the queue, on behalf of a person."""
        return self.repository.update(partial(decide.cancel, request_id=ticket, by=by, caller=caller))

    def finish(self, finish: FinishRequest, request: Request | None = None, caller: Caller = UNVERIFIED) -> Committed:
        """Give a job's cluster back. Without lease, job or build, this ends the lease that it finds first."""
        if finish.fenced:
            return self.repository.update(idempotent(decide.finish, request, finish, caller=caller))
        self._metrics.unfenced_finishes.inc()
        return self.repository.update(idempotent(UnfencedFinish(finish, caller), request), fresh=True)

    def renew(
        self,
        cluster: str,
        lease: str,
        ttl: timedelta | None,
        request: Request | None,
        caller: Caller = UNVERIFIED,
    ) -> Committed:
        """Move the end of a lease."""
        return self.repository.update(idempotent(decide.renew, request, cluster, lease, ttl, caller))

    def hold(
        self,
        cluster: str,
        by: str,
        terms: HoldTerms,
        request: Request | None = None,
        *,
        expect: str = "",
        force: bool = False,
        reason: str = "",
    ) -> Committed:
        """Hold a cluster for a person; with `force`, an admin takes over another person's hold."""
        change = idempotent(decide.hold, request, cluster, by, terms, expect, force, reason)
        return self.repository.update(change)

    def hold_any(self, criteria: Criteria, by: str, terms: HoldTerms, request: Request | None = None) -> Committed:
        """Hold the longest vacant cluster of a kind."""
        return self.repository.update(idempotent(decide.hold_any, request, criteria, by, terms))

    def hold_or_wait(
        self, criteria: Criteria, by: str, terms: HoldTerms, wait: timedelta, owner: str, request: Request | None = None
    ) -> Committed:
        """Hold a cluster for a person now, or when their turn comes within `wait`; `owner` is the caller."""
        return self.repository.update(
            lambda pool, now: decide.hold_or_wait(pool, now, criteria, by, terms, wait, owner, request)
        )

    def extend(self, cluster: str, by: str, until: datetime | timedelta) -> Committed:
        """Extend a hold to an end, or to a duration if it has not started; never shorten it."""
        return self.repository.update(partial(decide.extend, name=cluster, by=by, until=until))

    def share(self, cluster: str, by: str, people: tuple[str, ...]) -> Committed:
        """Share a person's own hold with these people and no others."""
        return self.repository.update(partial(decide.share, name=cluster, by=by, people=people))

    def release(
        self, cluster: str, by: str, is_admin: bool, reason: str = "", request: Request | None = None
    ) -> Committed:
        """End a hold."""
        return self.repository.update(idempotent(decide.release, request, cluster, by, is_admin, reason))

    def undo_release(self, released: ReleasedHold, by: str) -> Committed:
        """Restore the hold that a person has just released, if nothing has happened to the cluster since."""
        return self.repository.update(partial(decide.undo_release, released=released, by=by))

    def hand_over(
        self, cluster: str, by: str, is_admin: bool, to: str, reason: str = "", request: Request | None = None
    ) -> Committed:
        """Hand a hold over to another person in one step; its end is unchanged."""
        return self.repository.update(idempotent(decide.hand_over, request, cluster, by, is_admin, to, reason))

    def take_over(self, cluster: str, by: str, holder: str, reason: str, terms: HoldTerms) -> Committed:
        """Take over the hold of the person that an admin saw as its holder."""
        change = partial(decide.take_over, name=cluster, by=by, holder=holder, reason=reason, terms=terms)
        return self.repository.update(change)

    def set_health(
        self, cluster: str, by: str, health: str, reason: str = "", request: Request | None = None
    ) -> Committed:
        """Set the health of a cluster, on behalf of an admin or a probe."""
        return self.repository.update(idempotent(decide.set_health, request, cluster, by, health, reason))

    def set_purpose(self, purpose: str, by: str, terms: PurposeTerms, request: Request | None = None) -> Committed:
        """Change how the clusters of a purpose are checked and cleaned."""
        return self.repository.update(idempotent(decide.set_purpose, request, purpose, by, terms))

    def add(
        self,
        cluster: str,
        by: str,
        facts: ClusterFacts,
        request: Request | None = None,
        *,
        creation: str = "",
        caller: Caller = UNVERIFIED,
    ) -> Committed:
        """Add a cluster to the pool; `creation` is the one that built it."""
        return self.repository.update(idempotent(decide.add, request, cluster, by, facts, creation, caller))

    def update(self, cluster: str, by: str, facts: ClusterFacts, request: Request | None = None) -> Committed:
        """Change the facts about a cluster."""
        return self.repository.update(idempotent(decide.update, request, cluster, by, facts))

    def delete(
        self, cluster: str, by: str, request: Request | None = None, *, force: bool = False, reason: str = ""
    ) -> Committed:
        """Delete a cluster from the pool."""
        return self.repository.update(idempotent(decide.delete, request, cluster, by, force, reason))

    def disable(self, cluster: str, by: str, reason: str = "", request: Request | None = None) -> Committed:
        """Disable a cluster, so that it is not lent."""
        return self.repository.update(idempotent(decide.disable, request, cluster, by, reason))

    def enable(self, cluster: str, by: str, reason: str = "", request: Request | None = None) -> Committed:
        """Enable a cluster, so that it is lent again."""
        return self.repository.update(idempotent(decide.enable, request, cluster, by, reason))

    def sign_out(self, owner: str, until: datetime) -> Committed:
        """End a caller's sessions that began until then, on all replicas."""
        return self.repository.update(partial(sign_outs.sign_out, owner=owner, until=until))

    def has_signed_out(self, owner: str, began: datetime) -> bool:
        """Say whether a caller's session that began then was ended by a sign-out, as far as this replica knows."""
        return sign_outs.is_over(self.repository.snapshot().pool, owner, began)

    def expire(self) -> bool:
        """Write what has expired by now and hold clusters for people whose turn it is; return whether there was any."""
        due, now = self.next_due(), self.repository.now()
        is_due = (due is not None and due <= now) or hold_queue.is_due(self.repository.snapshot().pool, now)
        if not is_due or not self.repository.clock_is_right:
            return False
        self.repository.update(lambda pool, _now: (pool, Answer("")))  # the committer expires the pool first
        return True

    def next_due(self) -> datetime | None:
        """Return when something expires next, or time causes a notice; None if neither is in sight."""
        moments = (self.repository.snapshot().pool.due, self.repository.next_notice)
        return min((moment for moment in moments if moment), default=None)

    def count_unknown(self, endpoint: str) -> None:
        """Count an unknown parameter of a request to this endpoint."""
        self._metrics.unknown_parameters.labels(endpoint).inc()

    def now(self) -> datetime:
        """Return the time by which decisions are made; lists and pages use it too, so that they agree with them."""
        return self.repository.now()

    def view(self, at_least: int = 0) -> Snapshot:
        """Return the newest known state, not older than commit `at_least`."""
        return self.repository.snapshot(at_least)

    def may_exist(self, commit: int) -> bool:
        """Say whether a commit number is plausible: looking for one that is far ahead would cost a read each time."""
        newest = self.repository.newest
        return newest is None or commit <= newest.commit + _FAR_AHEAD

    def view_now(self) -> Snapshot:
        """Return the newest state, read anew if the store is known to have a newer one."""
        if self.repository.behind and not self.repository.trouble:
            return self.repository.fresh()
        return self.repository.snapshot()


def _new_lease() -> str:
    return uuid.uuid4().hex[:16]  # shortened, because every write sends up to four ids per record
