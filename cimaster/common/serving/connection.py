"""The worker's clients: sockets that never wait for them, what has arrived of requests, and who is waited for."""

import socket
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from gunicorn.http.errors import LimitRequestHeaders
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import Unreader
from gunicorn.workers.gthread import TConn

from cimaster.common.parsers import Network
from cimaster.common.serving.request_arrival import LINE_LIMIT, Arrival

READING, SENDING, LEAVING, IDLE = "reading", "sending", "leaving", "idle"


class ClientSocket(socket.socket):
    """Keeps what an answer writes until `flush`, which never waits for the client."""

    def __init__(self, accepted: socket.socket) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, accepted.detach())
        self._unsent = bytearray()

    def sendall(self, data: Any, flags: int = 0) -> None:  # noqa: ARG002 the signature is socket's
        """Keep data for `flush`."""
        self._unsent += data

    def flush(self) -> bool:
        """Send as much as the client takes; return whether that was all. Raises OSError if the client is gone."""
        with suppress(BlockingIOError):
            while self._unsent:
                del self._unsent[: self.send(self._unsent, socket.MSG_DONTWAIT)]
        return not self._unsent


class _Received(Unreader):
    """Gives the parser what has arrived, and nothing beyond."""

    def chunk(self, size_hint: int | None = None) -> bytes:  # noqa: ARG002 the signature is gunicorn's
        """Refuse: the only request that is parsed before it is whole has a head that exceeds all limits."""
        raise LimitRequestHeaders("the head is too long")


class _Request(Request):
    """A request whose line may be longer than the 8 kB at which gunicorn's settings end."""

    def read_line(self, unreader: Unreader, buf: bytearray, limit: int = 0) -> Any:  # noqa: ARG002
        """Return the request line and what follows it."""
        return super().read_line(unreader, buf, LINE_LIMIT)


class _Parser(RequestParser):
    mesg_class = _Request

    def __init__(self, cfg: Any, client: Any) -> None:
        super().__init__(cfg, (), client)
        self.unreader = _Received()


class Connection(TConn):
    """A client: what came of its next request, and what the loop expects of it (`state`; a thread has it if None)."""

    def __init__(self, cfg: Any, accepted: socket.socket, client: Any, server: Any) -> None:
        super().__init__(cfg, ClientSocket(accepted), client, server)
        self.initialized = self.data_ready = True  # else gunicorn waits for data, and makes a parser that does
        self.parser = _Parser(cfg, client)
        self.address: str = client[0] if isinstance(client, tuple) else ""
        self.arrival = Arrival()
        self.state: str | None = None
        self.goes_on = False
        """Whether another request may follow the one that is answered."""


_Groups = dict[str, dict[Connection, None]]


class WaitingConnections:
    """The connections that wait for their clients, by the clients' addresses, in order: the oldest first.

    `most` is how many of one address may be owed something (the rest of a request, taking an answer, hanging up); idle
    ones are not counted. Addresses in `proxies` stand for many clients and have no such limit.
    """

    def __init__(self, most: int, proxies: Sequence[Network]) -> None:
        self._most, self._proxies = most, proxies
        self._idle: _Groups = defaultdict(dict)
        self._busy: _Groups = defaultdict(dict)
        self._is_proxy = lru_cache(1024)(self._is_in_proxies)

    def __iter__(self) -> Iterator[Connection]:
        return (conn for groups in (self._idle, self._busy) for group in groups.values() for conn in group)

    def add(self, conn: Connection) -> None:
        """Add a connection in its state."""
        self._groups(conn)[conn.address][conn] = None

    def remove(self, conn: Connection) -> None:
        """Take a connection out before its state changes."""
        groups = self._groups(conn)
        del groups[conn.address][conn]
        if not groups[conn.address]:
            del groups[conn.address]

    def surplus(self, address: str) -> Connection | None:
        """Return the connection to close where an address has more than it may."""
        group = self._busy.get(address, {})
        return next(iter(group)) if len(group) > self._most and not self._is_proxy(address) else None

    def dispensable(self) -> Connection | None:
        """Return the one to close where room is short: the oldest of the address with most; an idle one if there is."""
        groups = self._idle or self._busy
        if not groups:
            return None
        most = max(groups, key=lambda address: (not self._is_proxy(address), len(groups[address])))
        return next(iter(groups[most]))

    def _groups(self, conn: Connection) -> _Groups:
        return self._idle if conn.state == IDLE else self._busy

    def _is_in_proxies(self, address: str) -> bool:
        if not self._proxies or not address:
            return False
        read = ip_address(address)
        read = getattr(read, "ipv4_mapped", None) or read
        return any(read in network for network in self._proxies)
