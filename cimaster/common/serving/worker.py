"""A hardened gthread worker of gunicorn: slow clients block neither its threads nor its event loop.

gunicorn's gthread worker reads requests and writes responses in its threads, and closes connections gracefully in its
event loop. So a client that sends or reads slowly blocks a thread, and one that keeps a closing connection open blocks
all others. This worker keeps gthread's event loop, threads and parser, but lets the event loop do the waiting: it
receives requests piece by piece, gives only complete ones to threads, and sends what a response's first write left
over. It waits for a client at most as long as `CLIENT_TIMEOUTS` says, and limits the connections of one address.

`paced_worker` adds the turns of callers that send many requests.

It depends on internals of gunicorn 27 (workers/gthread.py, workers/base.py, http/parser.py).
"""

import errno
import resource
import selectors
import socket
import time
from collections.abc import Collection, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from io import BytesIO
from typing import Any

from gunicorn.http.message import Request
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker
from prometheus_client import CollectorRegistry

from cimaster.common.parsers import Network
from cimaster.common.serving.connection import (
    IDLE,
    LINGERING,
    PACED,
    READING,
    WRITING,
    ClientSocket,
    Connection,
    WaitingConnections,
)
from cimaster.common.serving.early_refusals import TooSlow, answer, check_single, refusal_of
from cimaster.common.serving.request_arrival import BODY_LIMIT, RequestArrival
from cimaster.common.serving.worker_metrics import WorkerMetrics

CLIENT_TIMEOUTS = {READING: 10.0, PACED: 120.0, WRITING: 60.0, LINGERING: 2.0}  # seconds
_RECEIVE_SIZE = 16 * 1024  # bytes
_OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_BROKEN_LISTENER = (errno.EBADF, errno.EINVAL, errno.ENOTSOCK)  # all other errors are of one connection: accept(2)


class HardenedWorker(ThreadWorker):
    """gunicorn's gthread worker, hardened; `worker_with_limits` sets its limits."""

    connections_per_address = 100
    """Limit of connections of one address that are being read, written or closed."""
    proxies: Sequence[Network] = ()
    """Networks whose addresses each stand for many clients, so that the limit does not apply to them."""
    single_headers: Collection[str] = ()
    """Headers that a request may have only once, in upper case."""
    metrics = WorkerMetrics(CollectorRegistry(), "worker")
    """What is counted; the program replaces it by metrics that it shows."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.cfg.set("sendfile", False)  # it would block until the client has received the file
        self._connections = WaitingConnections(self.connections_per_address, self.proxies)
        self._next_timeout_check = 0.0

    def init_process(self) -> None:
        """Raise the limit of open files as far as the system allows: the store needs some too. Then serve."""
        hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        with suppress(ValueError, OSError):  # some systems refuse "unlimited"
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
        super().init_process()

    def accept(self, listener: socket.socket) -> None:
        """Accept a connection; close an older one if there are too many, or no file descriptors are left."""
        if self.nr_conns >= self.worker_connections - 1:
            self._close(self._connections.to_evict())
        try:
            accepted, client = listener.accept()
        except OSError as error:
            if error.errno in _OUT_OF_RESOURCES:
                self._close(self._connections.to_evict())
            elif error.errno in _BROKEN_LISTENER:
                raise
            return
        self.nr_conns += 1
        self._receive_request(Connection(self.cfg, accepted, client, listener.getsockname()))

    def _wait_for_client(self, conn: Connection, state: str) -> None:
        """Have the event loop continue when the client sends or reads, or when the time-out of the state has passed."""
        if conn.state == state:
            return
        self._stop_waiting(conn)
        idle_seconds = self.cfg.keepalive if self.alive else STOP_KEEPALIVE_LINGER
        conn.state, conn.timeout = state, time.monotonic() + CLIENT_TIMEOUTS.get(state, idle_seconds)
        event = selectors.EVENT_WRITE if state == WRITING else selectors.EVENT_READ
        self.poller.register(conn.sock, event, partial(self._on_client_ready, conn))
        self._connections.add(conn)
        if state != IDLE:
            self._close(self._connections.oldest_over_limit(conn.address))

    def _stop_waiting(self, conn: Connection) -> None:
        if conn.state is not None:
            self.poller.unregister(conn.sock)
            self._connections.remove(conn)
            conn.state = None

    def _close(self, conn: Connection | None) -> None:
        if conn is not None:
            self._stop_waiting(conn)
            self.nr_conns -= 1
            conn.close()

    def _on_client_ready(self, conn: Connection, _: Any) -> None:
        if conn.state in (READING, IDLE):
            self._receive_request(conn)
        elif conn.state == WRITING:
            self._write(conn)
        elif conn.state == LINGERING:
            self._receive(conn)

    def _receive_request(self, conn: Connection) -> None:
        piece = self._receive(conn)
        if piece is None:
            self._wait_for_client(conn, READING)
        elif piece:
            conn.arrival.add(piece)
            self._dispatch(conn)

    def _receive(self, conn: Connection) -> bytes | None:
        """Return received bytes, None if there are none now. If the client has hung up, close and return no bytes."""
        try:
            piece: bytes = conn.sock.recv(_RECEIVE_SIZE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError:
            piece = b""
        if not piece:
            self._close(conn)
        return piece

    def _dispatch(self, conn: Connection) -> None:
        """Give a complete request to a thread; wait for the rest of an incomplete one."""
        if conn.arrival.complete:
            self._begin(conn)
            return
        if conn.arrival.expects_continue:
            conn.arrival.expects_continue = False
            with suppress(OSError):
                conn.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n", socket.MSG_DONTWAIT)
        self._wait_for_client(conn, READING)

    def _begin(self, conn: Connection) -> None:
        """Have a thread answer a complete request."""
        self._stop_waiting(conn)
        conn.parser.unreader.unread(conn.arrival.data)
        self.enqueue_req(conn)

    def handle(self, conn: Connection) -> Any:
        """Answer a request (runs in a thread)."""
        try:
            return super().handle(conn)
        finally:
            with suppress(OSError):  # the event loop will see the error again
                conn.sock.flush()

    def handle_request(self, req: Request, conn: Connection) -> Any:
        """Have the application answer a parsed request, without its body if that is too large (runs in a thread)."""
        check_single(req.headers, self.single_headers)
        req._expected_100_continue = False  # `_dispatch` has answered it
        body = b"" if conn.arrival.too_large else req.body.read()
        req.body = BytesIO(body)
        if conn.arrival.chunked:  # RFC 9112, 7.1.3
            length = BODY_LIMIT + 1 if conn.arrival.too_large else len(body)
            kept = [field for field in req.headers if field[0] != "TRANSFER-ENCODING"]
            req.headers = [*kept, ("CONTENT-LENGTH", str(length))]
        if conn.arrival.too_large:
            req.force_close()
        return super().handle_request(req, conn)

    def handle_error(self, req: Request | None, client: ClientSocket, addr: Any, exc: Exception) -> None:
        """Answer a request that cannot be parsed, in the shape of every refusal."""
        status, sentence = refusal_of(exc)
        if status == 500:
            self.log.exception("a request failed: %s %s", getattr(req, "method", ""), getattr(req, "uri", ""))
        else:
            self.log.warning("refused a request of %s: %s", addr[0] if addr else "a client", sentence)
        self._refuse(client, status, sentence)

    def _refuse(self, client: ClientSocket, status: int, sentence: str, *headers: str) -> None:
        self.metrics.early_refusals.labels(status).inc()
        client.sendall(answer(status, sentence, *headers))

    def finish_request(self, conn: Connection, fs: Future[Any]) -> None:
        """Continue with a connection whose request was answered; the event loop calls it when the thread is done."""
        with suppress(Exception):
            conn.keep_alive = bool(fs.result())
        self._write(conn)

    def _write(self, conn: Connection) -> None:
        """Send the rest of a response; then wait for the next request, or for the client to close the connection."""
        try:
            if not conn.sock.flush():
                self._wait_for_client(conn, WRITING)
            elif conn.keep_alive:
                self._await_next_request(conn)
            else:
                conn.sock.shutdown(socket.SHUT_WR)
                self._wait_for_client(conn, LINGERING)
        except OSError:
            self._close(conn)

    def _await_next_request(self, conn: Connection) -> None:
        conn.keep_alive = False
        conn.arrival = RequestArrival(conn.parser.unreader.take_buffered())
        if conn.arrival.data:
            self._dispatch(conn)
        else:
            self._wait_for_client(conn, IDLE)

    def murder_pending(self) -> None:
        """Close connections whose time-out has passed; gunicorn's event loop calls it in each iteration."""
        now = time.monotonic()
        if now >= self._next_timeout_check:
            self._next_timeout_check = now + 0.5
            for conn in [conn for conn in self._connections if conn.timeout <= now]:
                self._time_out(conn)

    def _time_out(self, conn: Connection) -> None:
        if conn.state == READING and conn.arrival.data:
            self.handle_error(None, conn.sock, conn.client, TooSlow(CLIENT_TIMEOUTS[READING]))
            self._write(conn)
        elif conn.state is not None:  # else it was evicted meanwhile
            self._close(conn)

    def murder_keepalived(self, force: bool = False) -> None:
        """Close all connections that no thread is using, if `force` is set, as it is when gunicorn ends."""
        for conn in list(self._connections) if force else ():
            self._close(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        """Let connections without a started request end by `deadline`; gunicorn calls it when the worker is to stop."""
        for conn in self._connections:
            if not conn.arrival.data:
                conn.timeout = min(conn.timeout, deadline)
