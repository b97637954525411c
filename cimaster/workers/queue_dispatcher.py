"""The thread that wakes waiting callers when it is their turn; their own threads then take the cluster."""

import logging

from cimaster.common.background_thread import BackgroundThread
from cimaster.errors import StoreTrouble
from cimaster.observability.metrics import Metrics
from cimaster.pool.decisions import queue_order
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.services.waiting_room import WaitingRoom

_REST = 0.01  # least seconds between two rounds
_AFTER_TROUBLE = 1.0  # seconds
_VACANT, _NO_VACANT = 0.5, 10.0  # seconds between rounds while the pool does not change
_BEHIND = 0.02  # seconds between reads while the store is known to have a newer state
_log = logging.getLogger(__name__)


class QueueDispatcher(BackgroundThread):
    """Checks the queue whenever the pool changes; idle while no caller is waiting."""

    def __init__(self, repository: ConfigMapRepository, waiting_room: WaitingRoom, metrics: Metrics) -> None:
        super().__init__("queue-dispatcher", metrics.thread_errors)
        self._repository, self._waiting_room = repository, waiting_room

    def work(self) -> None:
        """Wake the callers whose turn it is, then wait until that may have changed."""
        if self.pause(_REST):
            return
        self._waiting_room.occupied.wait()
        seen = self._repository.change_count
        try:
            pause = self._dispatch()
        except StoreTrouble as trouble:
            _log.debug("no caller is served while the store cannot be read: %s", trouble)
            pause = _AFTER_TROUBLE
        if not self.stopping:
            self._repository.wait_for_change(pause, seen)

    def wake(self) -> None:
        """Start the next round now."""
        super().wake()
        self._waiting_room.occupied.set()
        self._repository.wake_waiters()

    def _dispatch(self) -> float:
        """Wake the callers whose turn it is; return seconds until the next round if the pool does not change."""
        callers = self._waiting_room.callers()
        pool = self._repository.recent(_BEHIND).pool
        reservations = queue_order.reservations(pool, self._repository.now(), {caller.ticket for caller in callers})
        next_tickets = {ticket.id for ticket in reservations.values()}
        for caller in callers:
            has_left_queue = caller.queued and caller.ticket not in pool.queue.by_id
            if caller.ticket in next_tickets or has_left_queue:
                caller.called.set()
        if self._repository.behind and not self._repository.trouble:
            return _BEHIND
        return _VACANT if pool.vacant else _NO_VACANT
