"""The verbs: the only caller of the repository. Those that need nothing beside the pool's decision share `change`."""

import itertools
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Concatenate, ParamSpec

from cimaster import pool as decide
from cimaster.common.clock import Clock
from cimaster.common.texts import printable
from cimaster.observability.metrics import Metrics
from cimaster.pool import Answer, Criteria, FinishRequest, Pool, Request, WaitTerms
from cimaster.pool.records.history import Entry
from cimaster.pool.records.lease import Lease
from cimaster.repository.configmap_repository import Committed, ConfigMapRepository
from cimaster.repository.snapshots import Snapshot
from cimaster.repository.write_attempts import Decision

P = ParamSpec("P")
_FAR_AHEAD = 100_000  # commits: more than all replicas write in an hour


class Clusters:
    """What CIMaster does. Every method raises a Refusal where it says no."""

    def __init__(self, repository: ConfigMapRepository, metrics: Metrics, clock: Clock | None = None) -> None:
        self.repository = repository
        self.clock = clock or Clock()
        self._metrics = metrics

    def _once(self, request: Request | None, change: Decision, *, fresh: bool = False) -> Committed:
        def decision(pool: Pool, now: datetime) -> tuple[Pool, Answer]:
            return decide.once(pool, now, request, lambda: change(pool, now))

        return self.repository.update(decision, fresh=fresh)

    def change(
        self,
        decision: Callable[Concatenate[Pool, datetime, P], tuple[Pool, Answer]],
        request: Request | None,
        *said: P.args,
        **more: P.kwargs,
    ) -> Committed:
        """Carry out a decision that needs only what the caller said, such as `pool.hold`."""
        return self._once(request, lambda pool, now: decision(pool, now, *said, **more))

    def take(self, criteria: Criteria, request: Request | None = None) -> Committed:
        """Lend a vacant cluster to a job; the answer's text is its name."""
        lease = _new_lease()
        return self._taken(lambda pool, now: decide.take(pool, now, criteria, lease, request), lease, request)

    def take_or_wait(
        self,
        criteria: Criteria,
        terms: WaitTerms,
        request: Request | None = None,
        is_there: Callable[[], bool] | None = None,
    ) -> Committed:
        """Lend a cluster to somebody whose turn it is and who `is_there`, or keep their place and raise why."""
        lease = _new_lease()
        change = lambda pool, now: decide.take_or_wait(pool, now, criteria, lease, terms, request)  # noqa: E731
        return self._taken(change, lease, request, is_there)

    def _taken(
        self, change: Decision, lease: str, request: Request | None, is_there: Callable[[], bool] | None = None
    ) -> Committed:
        """Carry out a take; one without a request id is undone if its caller never learns which cluster it got."""
        undo = None if request else lambda pool, now: decide.undo(pool, now, lease)
        taken = self.repository.update(change, undo=undo, wanted=is_there)
        self._metrics.allocations.labels("repeated" if taken.answer.repeated else "granted").inc()
        return taken

    def mark_disconnected(self, ticket: str, left: timedelta) -> None:
        """Take note that a connection of somebody who waits broke, which would have lasted for what is `left`."""
        self.repository.update(lambda pool, now: decide.mark_disconnected(pool, now, ticket, left))

    def leave(self, ticket: str, owner: str = "") -> Committed:
        """Give a place in the queue up, and a cluster that was just served to it; `owner` is the caller."""
        return self.repository.update(lambda pool, now: decide.leave(pool, now, ticket, owner=owner))

    def finish(self, said: FinishRequest, request: Request | None = None) -> Committed:
        """Give a job's cluster back. Without lease, job or build it means the lease that it finds first."""
        if said.fenced:
            return self._once(request, lambda pool, now: decide.finish(pool, now, said))
        self._metrics.unfenced_finishes.inc()
        seen: list[Lease | None] = []

        def unfenced(pool: Pool, now: datetime) -> tuple[Pool, Answer]:
            if not seen:
                seen.append(decide.lease_of_unfenced_finish(pool.find(said.cluster)))
            return decide.finish(pool, now, said, seen)

        return self._once(request, unfenced, fresh=True)

    def expire(self) -> bool:
        """Write what time has ended by now; say whether there was anything."""
        due = self.repository.snapshot().pool.due
        if due is None or due > self.repository.now() or not self.repository.clock_is_right:
            return False
        self.repository.update(lambda pool, _now: (pool, Answer("")))  # every change first settles what is due
        return True

    def count_unknown(self, endpoint: str) -> None:
        """Count a parameter that the endpoint does not have."""
        self._metrics.unknown_parameters.labels(endpoint).inc()

    def view(self, at_least: int = 0) -> Snapshot:
        """Return the newest known state, not older than commit `at_least`."""
        return self.repository.snapshot(at_least)

    def may_have(self, commit: int) -> bool:
        """Say whether there may be such a commit; to look for one that is far ahead would cost a read each time."""
        newest = self.repository.newest
        return newest is None or commit <= newest.commit + _FAR_AHEAD

    def view_now(self) -> Snapshot:
        """Return the newest state; read afresh if the store is known to have something newer."""
        if self.repository.behind and not self.repository.trouble:
            return self.repository.fresh()
        return self.repository.snapshot()

    def history(
        self, cluster: str = "", since: datetime | timedelta | None = None, limit: int = 100
    ) -> tuple[list[Entry], Snapshot]:
        """Return the remembered changes, newest first, and the state that they are from; `since` may be an age."""
        snapshot = self.view()
        if isinstance(since, timedelta):
            since = self.repository.now() - since
        said = printable(cluster)
        chosen = (
            entry
            for entry in reversed(snapshot.pool.history)
            if (not said or printable(entry.cluster) == said) and (not since or (entry.at and entry.at >= since))
        )
        return list(itertools.islice(chosen, limit)), snapshot


def _new_lease() -> str:
    return uuid.uuid4().hex[:16]  # each record keeps four such ids, in every write
