"""The client connections of the hardened worker: their sockets, parsers, states and limits."""

import socket
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from gunicorn.http.errors import LimitRequestHeaders
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import Unreader
from gunicorn.workers.gthread import TConn

from cimaster.common import caller_address
from cimaster.common.parsers import Network
from cimaster.common.serving.recognised_callers import RecognisedCallers
from cimaster.common.serving.request_arrival import LINE_LIMIT, RequestArrival

READING, PACED, WRITING, LINGERING, IDLE = "reading", "paced", "writing", "lingering", "idle"


class ClientSocket(socket.socket):
    """A client's socket whose `sendall` only buffers; `flush` sends without blocking."""

    def __init__(self, accepted: socket.socket) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, accepted.detach())
        self._unsent = bytearray()
        self.refused = False
        """Whether the newest response has a status of 400 or more."""
        self.owner = ""
        """The owner whom the application has recognised by the newest request's credential."""

    def sendall(self, data: Any, _flags: int = 0, /) -> None:
        """Buffer data for `flush`."""
        if not self._unsent:
            self.refused = data[9:10] in (b"4", b"5")
        self._unsent += data

    def flush(self) -> bool:
        """Send what is possible without blocking; return whether that was all; raise OSError if the client is gone."""
        with suppress(BlockingIOError):
            while self._unsent:
                del self._unsent[: self.send(self._unsent, socket.MSG_DONTWAIT)]
        return not self._unsent


class _ReceivedBytes(Unreader):
    """Gives the parser only bytes that were received before."""

    def chunk(self, *_size_hint: int | None) -> bytes:
        """Refuse to read more: the only incomplete request that is ever parsed has a head above all limits."""
        raise LimitRequestHeaders("the head is too long")


class _Request(Request):
    """A request whose request line may be longer than 8 kB, the maximum of gunicorn's settings."""

    def read_line(self, unreader: Unreader, buf: bytearray, *_limit: int) -> Any:
        """Return the request line and what follows it."""
        return super().read_line(unreader, buf, LINE_LIMIT)


class _Parser(RequestParser):
    mesg_class = _Request

    def __init__(self, cfg: Any, client: Any) -> None:
        super().__init__(cfg, (), client)
        self.unreader = _ReceivedBytes()


class Connection(TConn):
    """A client's connection. `state` is what the event loop waits for; None while a thread answers a request."""

    def __init__(self, cfg: Any, accepted: socket.socket, client: Any, server: Any) -> None:
        super().__init__(cfg, ClientSocket(accepted), client, server)
        self.initialized = self.data_ready = (
            True  # otherwise gunicorn waits for data and makes a parser that reads from the socket
        )
        self.parser = _Parser(cfg, client)
        self.address: str = client[0] if isinstance(client, tuple) else ""
        self._network = caller_address.network(self.address)
        self._credential = b""
        self.caller = self._network
        """For whom the newest request takes turns: the address that sent it, or an owner who is recognised there."""
        self.path, self.urgent = b"", False
        self.is_read = self.may_wait = False
        self.begun = 0.0
        self.arrival = RequestArrival()
        self.state: str | None = None
        self.keep_alive = False
        """Whether another request may follow the one that is being answered."""

    def note_arrival(self, proxies: Sequence[Network], recognised: RecognisedCallers) -> None:
        """Note for whom a request that has arrived counts; `proxies` are those that may forward for other addresses."""
        if proxies:
            address = caller_address.of(self.address, self.arrival.forwarded_for, proxies)
            self._network = caller_address.network(address)
        self._credential = self.arrival.credential
        self.caller = recognised.caller(self._network, self._credential)
        self.path, self.urgent = self.arrival.path, self.arrival.is_urgent
        self.is_read, self.may_wait = self.arrival.is_read, self.arrival.may_wait
        self.sock.owner = ""

    def caller_after(self, recognised: RecognisedCallers) -> str:
        """Note whom the application has recognised by the answered request; return whose turns the next one takes."""
        recognised.note(self._credential, self.sock.owner, refused=self.refused)
        return recognised.caller(self._network, self._credential)

    @property
    def refused(self) -> bool:
        """Whether the newest request was answered with a status of 400 or more."""
        refused: bool = self.sock.refused
        return refused

    @property
    def waits_for_turn(self) -> bool:
        """Whether its request waits for its turn."""
        return self.state == PACED


_Groups = dict[str, dict[Connection, None]]


class WaitingConnections:
    """The connections that the event loop waits for, by client address, the oldest first.

    `limit` is how many of one address may be in a state other than idle; those that wait for their turn do not count.
    Addresses in `proxies` stand for many clients and have no limit.
    """

    def __init__(self, limit: int, proxies: Sequence[Network]) -> None:
        self._limit, self._proxies = limit, proxies
        self._idle: _Groups = defaultdict(dict)
        self._busy: _Groups = defaultdict(dict)
        self._paced: _Groups = defaultdict(dict)

    def __iter__(self) -> Iterator[Connection]:
        return (conn for groups in (self._idle, self._busy, self._paced) for group in groups.values() for conn in group)

    def add(self, conn: Connection) -> None:
        """Add a connection; its state must be set."""
        self._groups(conn)[conn.address][conn] = None

    def remove(self, conn: Connection) -> None:
        """Remove a connection; call it before its state changes."""
        groups = self._groups(conn)
        del groups[conn.address][conn]
        if not groups[conn.address]:
            del groups[conn.address]

    def oldest_over_limit(self, address: str) -> Connection | None:
        """Return the oldest connection of an address that has more than the limit, to be closed; None if it has not."""
        group = self._busy.get(address, {})
        return next(iter(group)) if len(group) > self._limit and not self._is_proxy(address) else None

    def to_evict(self) -> Connection | None:
        """Return the connection to close first: the oldest of the address with most, preferably an idle one."""
        groups = self._idle or self._paced or self._busy
        if not groups:
            return None
        busiest = max(groups, key=lambda address: (not self._is_proxy(address), len(groups[address])))
        return next(iter(groups[busiest]))

    def _groups(self, conn: Connection) -> _Groups:
        if conn.state == IDLE:
            return self._idle
        return self._paced if conn.state == PACED else self._busy

    def _is_proxy(self, address: str) -> bool:
        return caller_address.is_within(address, self._proxies)
