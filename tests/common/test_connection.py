"""Eviction of connections: the oldest of the address with most connections is closed first."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import ip_network

import pytest
from gunicorn.config import Config

from cimaster.common.serving.connection import IDLE, READING, Connection, WaitingConnections
from cimaster.common.serving.recognised_callers import RecognisedCallers

PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


class Cast:
    """Makes connections of any address, over real sockets."""

    def __init__(self, waiting: WaitingConnections, stack: ExitStack) -> None:
        self._waiting, self._stack = waiting, stack

    def connect(self, address: str, state: str = READING) -> Connection:
        """Add a connection."""
        ours, theirs = socket.socketpair()
        self._stack.enter_context(theirs)
        conn = Connection(Config(), ours, (address, 4711), ("127.0.0.1", 80))
        self._stack.callback(conn.close)
        conn.state = state
        self._waiting.add(conn)
        return conn


@pytest.fixture
def waiting() -> WaitingConnections:
    """At most two connections of each address, except of proxies."""
    return WaitingConnections(2, PROXIES)


@pytest.fixture
def cast(waiting: WaitingConnections) -> Iterator[Cast]:
    """Makes connections."""
    with ExitStack() as stack:
        yield Cast(waiting, stack)


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", ""])
def test_an_address_with_too_many_loses_its_oldest(waiting: WaitingConnections, cast: Cast, address: str) -> None:
    oldest, _ = cast.connect(address), cast.connect(address)
    cast.connect(address, IDLE)
    assert waiting.oldest_over_limit(address) is None
    cast.connect(address)
    assert waiting.oldest_over_limit(address) is oldest
    waiting.remove(oldest)
    assert waiting.oldest_over_limit(address) is None


@pytest.mark.parametrize("address", ["10.1.2.3", "fd00::1", "::ffff:10.1.2.3"])
def test_a_proxy_may_have_as_many_as_its_clients(waiting: WaitingConnections, cast: Cast, address: str) -> None:
    for _ in range(5):
        cast.connect(address)
    assert waiting.oldest_over_limit(address) is None


def test_idle_ones_make_room_first_and_those_of_a_proxy_last(waiting: WaitingConnections, cast: Cast) -> None:
    assert waiting.to_evict() is None
    connections = [
        *(cast.connect("192.0.2.1", IDLE) for _ in range(2)),
        cast.connect("192.0.2.2", IDLE),
        *(cast.connect("10.1.2.3", IDLE) for _ in range(3)),
        cast.connect("192.0.2.9"),
    ]
    order = []
    while (conn := waiting.to_evict()) is not None:
        waiting.remove(conn)
        order.append(connections.index(conn))
    assert order == [0, 1, 2, 3, 4, 5, 6]
    assert list(waiting) == []


def test_what_a_client_sends_ahead_says_nothing_about_the_request_before(cast: Cast) -> None:
    conn = cast.connect("192.0.2.1")
    conn.arrival.add(b"GET /getvacant?job=a&build=1 HTTP/1.1\r\n\r\n")
    conn.note_arrival((), RecognisedCallers())
    conn.arrival.add(b"GET /getvacant?job=a&build=1&wait=30m HTTP/1.1\r\n\r\n")
    assert not conn.may_wait
