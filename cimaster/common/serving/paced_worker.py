"""The worker that both programs use: hardened, and fair to different callers (see `pacing`).

The event loop knows of each request before a thread does, so that is where requests can wait without cost.
"""

import time
from collections.abc import Collection, Sequence
from concurrent.futures import Future
from typing import Any

from cimaster.common.parsers import Network
from cimaster.common.serving.connection import PACED, Connection
from cimaster.common.serving.early_refusals import TooManyWaiting, refusal_of
from cimaster.common.serving.pacing import Pacing
from cimaster.common.serving.recognised_callers import RecognisedCallers
from cimaster.common.serving.worker import HardenedWorker

_MOST_WAITING = 400  # requests of one caller
_RETRY_AFTER = 5  # seconds
_MOST_AHEAD = 256 * 1024  # bytes that a client may send before the request before them has begun


class PacedWorker(HardenedWorker):
    """Lets the requests of a caller that sends many begin in turn."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._pacing: Pacing[Connection] = Pacing(_MOST_WAITING)
        self._recognised = RecognisedCallers()

    def _begin(self, conn: Connection) -> None:
        """Have a thread answer a complete request, now or when its turn has come."""
        conn.note_arrival(self.proxies, self._recognised)
        if self._pacing.may_begin(conn, time.monotonic()):
            super()._begin(conn)
        elif self._pacing.add(conn):
            self.metrics.paced_requests.inc()
            self._wait_for_client(conn, PACED)
        else:
            self._stop_waiting(conn)
            self._refuse(conn.sock, *refusal_of(TooManyWaiting()), f"Retry-After: {_RETRY_AFTER}")
            self._write(conn)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Wait for events and handle them; begin the requests whose turn has come."""
        super().wait_for_and_dispatch_events(min(timeout, self._pacing.seconds_to_next(time.monotonic())))
        for conn in self._pacing.due(time.monotonic()):
            super()._begin(conn)

    def _on_client_ready(self, conn: Connection, event: Any) -> None:
        if conn.state == PACED:
            self._receive_ahead(conn)
        else:
            super()._on_client_ready(conn, event)

    def _receive_ahead(self, conn: Connection) -> None:
        """Notice that a client has hung up, or keep what it sends before its request has begun."""
        piece = self._receive(conn)
        if piece:
            conn.arrival.add(piece)
            if len(conn.arrival.data) > _MOST_AHEAD:
                self._close(conn)

    def finish_request(self, conn: Connection, fs: Future[Any]) -> None:
        """Continue with a connection whose request was answered."""
        self._pacing.answered(conn, time.monotonic())
        recognised = conn.caller_after(self._recognised)
        if recognised != conn.caller:
            self._pacing.rename(conn.caller, recognised)
        super().finish_request(conn, fs)


def worker_with_limits(
    connections_per_address: int, proxies: Sequence[Network] = (), single_headers: Collection[str] = ()
) -> type[PacedWorker]:
    """Return a worker class with these limits; gunicorn passes only its own settings to a worker."""

    class LimitedWorker(PacedWorker):
        pass

    LimitedWorker.connections_per_address = connections_per_address
    LimitedWorker.proxies = proxies
    LimitedWorker.single_headers = single_headers
    return LimitedWorker
