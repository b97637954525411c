"""A gunicorn worker that no client can stall: its threads meet whole requests only, and none waits for a client.

gunicorn's own (gthread, whose loop, threads and parser this keeps) reads requests and sends answers in its threads, and
closes connections in its loop: a client that sends or reads slowly holds up a thread, one that does not hang up all
others. Here the loop takes what clients send as it comes, gives whole requests to threads, and sends what an answer's
first attempt left over. It waits for no client longer than `SECONDS`, and for few of one address.

It stands on the inner parts of gunicorn 27 (workers/gthread.py, workers/base.py, http/parser.py).
"""

import errno
import resource
import selectors
import socket
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from io import BytesIO
from typing import Any

from gunicorn.http.message import Request
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker

from cimaster.common.parsers import Network
from cimaster.common.serving.connection import (
    IDLE,
    LEAVING,
    READING,
    SENDING,
    ClientSocket,
    Connection,
    WaitingConnections,
)
from cimaster.common.serving.early_refusals import TooSlow, answer, refusal_of
from cimaster.common.serving.request_arrival import BODY_LIMIT, Arrival

SECONDS = {READING: 10.0, SENDING: 60.0, LEAVING: 2.0}  # that a client may take
_PIECE = 16 * 1024  # bytes
_NO_FILES_LEFT = (errno.EMFILE, errno.ENFILE)
_NOBODY_THERE = (errno.EAGAIN, errno.ECONNABORTED)


class Worker(ThreadWorker):
    """gunicorn's threaded worker, hardened; a subclass says how many connections an address may have."""

    connections_per_address = 100
    """Connections of one address that are read, or that do not take their answer or hang up."""
    proxies: Sequence[Network] = ()
    """Networks whose addresses stand for many clients each, so that the limit is not theirs."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.cfg.set("sendfile", False)  # it would wait for the client
        self._waiting = WaitingConnections(self.connections_per_address, self.proxies)
        self._next_look = 0.0

    def init_process(self) -> None:
        """Serve, with as many open files as the system allows: connections must leave room for those to the store."""
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        with suppress(ValueError, OSError):  # where "unlimited" is no number that may be set
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        super().init_process()

    def accept(self, listener: socket.socket) -> None:
        """Take a new connection, at the cost of an older one where room is short."""
        if self.nr_conns >= self.worker_connections - 1:
            self._drop(self._waiting.dispensable())
        try:
            accepted, client = listener.accept()
        except OSError as error:
            if error.errno in _NO_FILES_LEFT:
                self._drop(self._waiting.dispensable())
            elif error.errno not in _NOBODY_THERE:
                raise
            return
        self.nr_conns += 1
        self._receive(Connection(self.cfg, accepted, client, listener.getsockname()))

    def _await(self, conn: Connection, state: str) -> None:
        """Have the loop look at a connection again when its client goes on, or when its time is over."""
        if conn.state == state:
            return
        self._leave(conn)
        idle_seconds = self.cfg.keepalive if self.alive else STOP_KEEPALIVE_LINGER
        conn.state, conn.timeout = state, time.monotonic() + SECONDS.get(state, idle_seconds)
        event = selectors.EVENT_WRITE if state == SENDING else selectors.EVENT_READ
        self.poller.register(conn.sock, event, partial(self._go_on, conn))
        self._waiting.add(conn)
        if state != IDLE:
            self._drop(self._waiting.surplus(conn.address))

    def _leave(self, conn: Connection) -> None:
        if conn.state is not None:
            self.poller.unregister(conn.sock)
            self._waiting.remove(conn)
            conn.state = None

    def _drop(self, conn: Connection | None) -> None:
        if conn is not None:
            self._leave(conn)
            self.nr_conns -= 1
            conn.close()

    def _go_on(self, conn: Connection, _: Any) -> None:
        if conn.state in (READING, IDLE):
            self._receive(conn)
        elif conn.state == SENDING:
            self._send(conn)
        elif conn.state == LEAVING:
            self._read(conn)

    def _receive(self, conn: Connection) -> None:
        piece = self._read(conn)
        if piece is None:
            self._await(conn, READING)
        elif piece:
            conn.arrival.add(piece)
            self._dispatch(conn)

    def _read(self, conn: Connection) -> bytes | None:
        """Return what has come, None if nothing has. A client that is gone takes its connection with it."""
        try:
            piece: bytes = conn.sock.recv(_PIECE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError:
            piece = b""
        if not piece:
            self._drop(conn)
        return piece

    def _dispatch(self, conn: Connection) -> None:
        """Give a whole request to a thread; wait for the rest of another."""
        if conn.arrival.whole:
            self._leave(conn)
            conn.parser.unreader.unread(conn.arrival.data)
            self.enqueue_req(conn)
            return
        if conn.arrival.expects_continue:
            conn.arrival.expects_continue = False
            with suppress(OSError):
                conn.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n", socket.MSG_DONTWAIT)
        self._await(conn, READING)

    def handle(self, conn: Connection) -> Any:
        """Answer a request, in a thread."""
        try:
            return super().handle(conn)
        finally:
            with suppress(OSError):  # the loop sees it again
                conn.sock.flush()

    def handle_request(self, req: Request, conn: Connection) -> Any:
        """Have the application answer a request that was parsed; of a body that is too large it gets the length."""
        req._expected_100_continue = False  # that was answered when it came
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
        """Refuse a request that cannot be parsed, in the shape of every refusal."""
        status, sentence = refusal_of(exc)
        if status == 500:
            self.log.exception("a request failed: %s %s", getattr(req, "method", ""), getattr(req, "uri", ""))
        else:
            self.log.warning("%s was refused a request: %s", addr[0] if addr else "a client", sentence)
        client.sendall(answer(status, sentence))

    def finish_request(self, conn: Connection, fs: Future[Any]) -> None:
        """Go on with a connection whose request was answered."""
        with suppress(Exception):
            conn.goes_on = bool(fs.result())
        self._send(conn)

    def _send(self, conn: Connection) -> None:
        """Send what is left of an answer, then wait for the next request, or for the client to hang up."""
        try:
            if not conn.sock.flush():
                self._await(conn, SENDING)
            elif conn.goes_on:
                self._begin_anew(conn)
            else:
                conn.sock.shutdown(socket.SHUT_WR)
                self._await(conn, LEAVING)
        except OSError:
            self._drop(conn)

    def _begin_anew(self, conn: Connection) -> None:
        conn.goes_on = False
        conn.arrival = Arrival(conn.parser.unreader.take_buffered())
        if conn.arrival.data:
            self._dispatch(conn)
        else:
            self._await(conn, IDLE)

    def murder_pending(self) -> None:
        """Close the connections whose time is over; the loop calls it each time round."""
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + 0.5
            for conn in [conn for conn in self._waiting if conn.timeout <= now]:
                self._end(conn)

    def _end(self, conn: Connection) -> None:
        if conn.state == READING and conn.arrival.data:
            self.handle_error(None, conn.sock, conn.client, TooSlow(SECONDS[READING]))
            self._send(conn)
        elif conn.state is not None:  # it made room for another one meanwhile
            self._drop(conn)

    def murder_keepalived(self, force: bool = False) -> None:
        """Close all connections that no thread has, if that is forced."""
        for conn in list(self._waiting) if force else ():
            self._drop(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        """Close by this time what brings no request, since the worker is to end."""
        for conn in self._waiting:
            if not conn.arrival.data:
                conn.timeout = min(conn.timeout, deadline)


def worker_with_limits(connections_per_address: int, proxies: Sequence[Network] = ()) -> type[Worker]:
    """Return a worker class for gunicorn, which gives its workers no settings but its own."""

    class LimitedWorker(Worker):
        pass

    LimitedWorker.connections_per_address = connections_per_address
    LimitedWorker.proxies = proxies
    return LimitedWorker
