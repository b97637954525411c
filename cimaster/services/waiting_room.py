"""Where callers wait for a cluster, connected to this replica.

Each of them has a ticket in the pool, so that every replica knows the order. A request waits for less than half a
minute and is then answered "try again", which every HTTP library does by itself; the ticket keeps its place meanwhile.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from cimaster.common.times import parse_time
from cimaster.errors import ClusterNotVacant, NoVacantCluster, Queued, Refusal, StoreTrouble
from cimaster.observability.metrics import Metrics
from cimaster.pool import Criteria, Request, WaitTerms
from cimaster.pool.decisions import queue_order
from cimaster.pool.records.ticket import NORMAL, poll_ticket_id, reservation_for
from cimaster.repository.configmap_repository import Committed
from cimaster.services.clusters import Clusters
from cimaster.services.legacy_polls import Polls

_KEPT = 25.0  # seconds for which one request waits at most: proxies give up after 30
_NOT_KEPT = timedelta(seconds=3)  # in which a caller comes back for whom there is no room
_NOT_KEPT_AGAIN = 2  # seconds after which it is told to
_LOOK = 0.25  # seconds between looks whether a caller is still connected


@dataclass(eq=False)
class WaitingCaller:
    """A caller that is connected and waits."""

    ticket: str
    ends: float
    is_there: Callable[[], bool]
    called: threading.Event = field(default_factory=threading.Event)
    """Set when it may be its turn."""
    queued: bool = False
    """Whether its ticket is known to be written: once the queue has it no longer, the caller has to find out why."""


class WaitingRoom:
    """Lends clusters to those who wait, and to those who do not: neither overtakes who came before."""

    def __init__(self, service: Clusters, metrics: Metrics, room: int) -> None:
        self.draining: Callable[[], bool] = lambda: False
        """Whether this process ends: then nobody is kept."""
        self._service, self._repository, self._clock = service, service.repository, service.clock
        self._metrics = metrics
        self._room = threading.BoundedSemaphore(room)
        self.occupied = threading.Event()
        """Set while a caller waits here."""
        self._kept: set[WaitingCaller] = set()
        self._polls = Polls(self._clock)
        self._lock = threading.Lock()

    @property
    def kept(self) -> int:
        """How many callers are connected and wait."""
        return len(self._kept)

    def callers(self) -> list[WaitingCaller]:
        """Return the callers that are connected and wait."""
        with self._lock:
            if not self._kept:
                self.occupied.clear()
            return list(self._kept)

    def take(self, criteria: Criteria, request: Request | None, priority: str = NORMAL, owner: str = "") -> Committed:
        """Lend a cluster at once, or say why not.

        A script that asks again and again in the same words keeps a place in the queue, as if it waited.
        """
        with self._counted():
            if self._has_place(criteria):
                return self._decide(criteria, WaitTerms(priority=priority, owner=owner), request)
            try:
                return self._service.take(criteria, request)
            except (NoVacantCluster, ClusterNotVacant):
                interval = self._polls.interval(poll_ticket_id(criteria), owner)
                if interval is None:
                    raise
            return self._decide(
                criteria, WaitTerms(None, priority, reserved_for=reservation_for(interval), owner=owner), request
            )

    def take_or_nothing(self, criteria: Criteria, request: Request | None) -> Committed:
        """Lend a cluster at once, or say why not; who asks again has no place in the queue by that."""
        with self._counted():
            return self._service.take(criteria, request)

    def take_or_wait(
        self,
        criteria: Criteria,
        request: Request,
        wait: timedelta,
        priority: str = NORMAL,
        is_there: Callable[[], bool] = lambda: True,
    ) -> Committed:
        """Lend a cluster when its turn comes; Queued after 25 s at most, NoVacantCluster when `wait` is over.

        `is_there` says whether the caller is still connected: nobody else is lent anything.
        """
        with self._counted(), self._place(request.id, is_there) as kept:
            while True:
                if not is_there():  # it may have lain here for long
                    raise Queued("nobody is there to be told", retry_after=1)
                terms = WaitTerms(wait, priority, self._left(kept) if kept else _NOT_KEPT, owner=request.owner)
                if kept:
                    kept.called.clear()
                try:
                    return self._decide(criteria, terms, request, is_there)
                except Queued as queued:
                    if kept is None:
                        queued.retry_after = _NOT_KEPT_AGAIN
                    if kept is None or not self._called(kept, queued):
                        raise

    def _decide(
        self, criteria: Criteria, terms: WaitTerms, request: Request | None, is_there: Callable[[], bool] | None = None
    ) -> Committed:
        done = self._service.take_or_wait(criteria, terms, request, is_there)
        if not done.answer.repeated:
            self._metrics.wait_seconds.observe(done.answer.waited)
        return done

    def _left(self, kept: WaitingCaller) -> timedelta:
        """Return for how long a caller is kept still."""
        return timedelta(seconds=max(kept.ends - self._clock.monotonic(), 0.0))

    @contextmanager
    def _counted(self) -> Iterator[None]:
        try:
            yield
        except (Refusal, StoreTrouble) as refusal:
            self._metrics.allocations.labels(refusal.code).inc()
            raise

    def _has_place(self, criteria: Criteria) -> bool:
        """Say whether the queue, as far as we know it, has a place for who asks in these words."""
        newest = self._repository.newest
        return bool(newest and newest.pool.queue and queue_order.find(newest.pool, poll_ticket_id(criteria)))

    @contextmanager
    def _place(self, ticket: str, is_there: Callable[[], bool]) -> Iterator[WaitingCaller | None]:
        """Give a caller a place to wait in; None if the room is full."""
        if self.draining() or not self._room.acquire(blocking=False):
            yield None
            return
        kept = WaitingCaller(ticket, self._clock.monotonic() + _KEPT, is_there)
        with self._lock:
            self._kept.add(kept)  # before it is decided: whatever changes from then on calls it
        self.occupied.set()
        try:
            yield kept
        finally:
            with self._lock:
                self._kept.discard(kept)
            self._room.release()

    def _called(self, kept: WaitingCaller, queued: Queued) -> bool:
        """Wait until it may be this caller's turn, or its wait is over; False if it has to come back for that."""
        until = parse_time(queued.facts.get("until"))
        over = self._clock.monotonic() + (until - self._repository.now()).total_seconds() if until else kept.ends
        if kept.queued:  # it was called in vain: whoever calls and whoever decides differ for a moment
            self._clock.rest(_LOOK)
        kept.queued = True
        while True:
            now = self._clock.monotonic()
            if not kept.is_there():
                return self._gone(kept)
            if now >= kept.ends or self.draining():
                return False
            if now >= over or kept.called.wait(min(_LOOK, kept.ends - now, over - now)):
                return kept.is_there() or self._gone(kept)

    def _gone(self, kept: WaitingCaller) -> bool:
        """Let others pass a caller who is not there any more, unless another connection waits under the same ticket."""
        with self._lock:
            elsewhere = any(other is not kept and other.ticket == kept.ticket for other in self._kept)
        if not elsewhere:
            self._service.mark_disconnected(kept.ticket, self._left(kept))
        return False
