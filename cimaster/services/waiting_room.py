"""The callers that wait for a cluster, connected to this replica.

Each of them has a ticket in the pool, so that every replica knows the order. A request waits for at most 25 s and is
then answered with "try again", which HTTP libraries can do on their own; the ticket keeps the caller's place meanwhile.
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
from cimaster.pool.records.owners import scoped
from cimaster.pool.records.ticket import NORMAL, poll_ticket_id, reservation_for
from cimaster.repository.configmap_repository import Committed
from cimaster.services.clusters import Clusters
from cimaster.services.legacy_polls import LegacyPolls

_LONGEST_REQUEST = 25.0  # seconds that one request may wait: proxies give up after 30
_RENEWED_EVERY = 0.25  # seconds; tickets whose callers have returned since are written together
_SPARE = timedelta(seconds=2)  # for which a ticket must remain reserved while it waits to be written
_CHECK = 0.25  # seconds between checks whether a caller is still connected


@dataclass(eq=False)
class WaitingCaller:
    """A caller that is connected and waiting."""

    ticket: str
    ends: float
    is_connected: Callable[[], bool]
    called: threading.Event = field(default_factory=threading.Event)
    """Set when it may be its turn."""
    queued: bool = False
    """Whether its ticket was written: once the ticket leaves the queue, the caller must decide again to learn why."""


class WaitingRoom:
    """Lends clusters to callers that wait and to callers that do not; neither kind can jump the queue."""

    def __init__(self, service: Clusters, metrics: Metrics, room: int) -> None:
        self.draining: Callable[[], bool] = lambda: False
        """Whether this process is shutting down, so that no caller may wait here."""
        self._service, self._repository, self._clock = service, service.repository, service.clock
        self._metrics = metrics
        self._room = threading.BoundedSemaphore(room)
        self.occupied = threading.Event()
        """Set while a caller is waiting here."""
        self._callers: set[WaitingCaller] = set()
        self._polls = LegacyPolls(self._clock)
        self._lock = threading.Lock()

    @property
    def connected(self) -> int:
        """How many callers are connected and waiting."""
        return len(self._callers)

    def callers(self) -> list[WaitingCaller]:
        """Return the waiting callers, and clear `occupied` if there are none."""
        with self._lock:
            if not self._callers:
                self.occupied.clear()
            return list(self._callers)

    def take(self, criteria: Criteria, request: Request | None, priority: str = NORMAL, owner: str = "") -> Committed:
        """Lend a cluster without waiting, or raise why not.

        A legacy script that repeats an identical request gets a place in the queue, as if it waited.
        """
        with self._counted():
            if self._has_place(criteria, owner):
                return self._decide(criteria, WaitTerms(priority=priority, owner=owner), request)
            try:
                return self._service.take(criteria, request, owner)
            except (NoVacantCluster, ClusterNotVacant):
                interval = self._polls.interval(scoped(poll_ticket_id(criteria), owner), owner)
                if interval is None:
                    raise
            return self._decide(
                criteria, WaitTerms(None, priority, reserved_for=reservation_for(interval), owner=owner), request
            )

    def take_or_nothing(self, criteria: Criteria, request: Request | None, owner: str = "") -> Committed:
        """Lend a cluster without waiting, or raise why not; a repeat of the request gets no place in the queue."""
        with self._counted():
            return self._service.take(criteria, request, owner)

    def take_or_wait(
        self,
        criteria: Criteria,
        request: Request,
        wait: timedelta,
        priority: str = NORMAL,
        is_connected: Callable[[], bool] = lambda: True,
    ) -> Committed:
        """Lend a cluster when it is the caller's turn; Queued after 25 s at most, NoVacantCluster after `wait`.

        A caller for which `is_connected` returns False is not served.
        """
        with self._counted(), self._place(request.scoped_id, is_connected) as caller:
            if caller:
                self._wait_for_other_renewals(caller)
            while True:
                if not is_connected():  # the request may have waited long for a thread
                    raise Queued("the connection is closed: repeat the request with the same request_id", retry_after=1)
                connected_for = self._left(caller) if caller else timedelta()
                terms = WaitTerms(wait, priority, connected_for, returns=caller is None, owner=request.owner)
                if caller:
                    caller.called.clear()
                try:
                    return self._decide(criteria, terms, request, is_connected)
                except Queued as queued:
                    if caller is None or not self._wait_for_turn(caller, queued):
                        raise

    def _wait_for_other_renewals(self, caller: WaitingCaller) -> None:
        """Let a caller whose ticket is still reserved wait briefly, unless it is its turn: fewer writes are needed."""
        newest = self._repository.newest
        ticket = queue_order.find(newest.pool, caller.ticket) if newest else None
        if ticket and ticket.reserved_until > self._repository.now() + _SPARE:
            caller.called.wait(_RENEWED_EVERY - self._clock.monotonic() % _RENEWED_EVERY)

    def _decide(
        self,
        criteria: Criteria,
        terms: WaitTerms,
        request: Request | None,
        is_connected: Callable[[], bool] | None = None,
    ) -> Committed:
        done = self._service.take_or_wait(criteria, terms, request, is_connected)
        if not done.answer.repeated:
            self._metrics.wait_seconds.observe(done.answer.waited)
        return done

    def _left(self, caller: WaitingCaller) -> timedelta:
        """Return how much longer the caller's request may wait."""
        return timedelta(seconds=max(caller.ends - self._clock.monotonic(), 0.0))

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count a take that fails, by the code of its refusal or outage."""
        try:
            yield
        except (Refusal, StoreTrouble) as problem:
            self._metrics.allocations.labels(problem.code).inc()
            raise

    def _has_place(self, criteria: Criteria, owner: str) -> bool:
        """Say whether a legacy script of an owner with these criteria has a ticket in the newest snapshot."""
        newest = self._repository.newest
        if not newest or not newest.pool.queue:
            return False
        return queue_order.find(newest.pool, scoped(poll_ticket_id(criteria), owner)) is not None

    @contextmanager
    def _place(self, ticket: str, is_connected: Callable[[], bool]) -> Iterator[WaitingCaller | None]:
        """Let a caller wait here during the block; None if the room is full or the process is shutting down."""
        if self.draining() or not self._room.acquire(blocking=False):
            yield None
            return
        caller = WaitingCaller(ticket, self._clock.monotonic() + _LONGEST_REQUEST, is_connected)
        with self._lock:
            self._callers.add(caller)  # before its take is decided, so that it misses no later change
        self.occupied.set()
        try:
            yield caller
        finally:
            with self._lock:
                self._callers.discard(caller)
            self._room.release()

    def _wait_for_turn(self, caller: WaitingCaller, queued: Queued) -> bool:
        """Wait until it may be this caller's turn or its wait is over; False if its request must end before that."""
        until = parse_time(queued.facts.get("until"))
        over = self._clock.monotonic() + (until - self._repository.now()).total_seconds() if until else caller.ends
        if caller.queued:  # it was called too early: the dispatcher's snapshot may briefly differ from the decision's
            self._clock.rest(_CHECK)
        caller.queued = True
        while True:
            now = self._clock.monotonic()
            if not caller.is_connected():
                self._disconnected(caller)
                return False
            if now >= caller.ends or self.draining():
                return False
            may_be_its_turn = now >= over or caller.called.wait(min(_CHECK, caller.ends - now, over - now))
            if may_be_its_turn and caller.is_connected():
                return True

    def _disconnected(self, caller: WaitingCaller) -> None:
        """Let others pass a caller that has disconnected, unless another connection waits with the same ticket."""
        with self._lock:
            elsewhere = any(other is not caller and other.ticket == caller.ticket for other in self._callers)
        if not elsewhere:
            self._service.mark_disconnected(caller.ticket, self._left(caller))
