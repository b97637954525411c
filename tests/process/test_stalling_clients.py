"""Clients that send slowly, do not read their answers or do not hang up: none of them delays another."""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cimaster.repository.stores.sqlite import SQLiteStore
from tests.bench.fleet import records
from tests.conditions import until
from tests.process.raw import (
    QUICKLY,
    Program,
    WithoutCluster,
    ask,
    connect,
    crowd,
    has_news,
    is_closed,
    read,
    seconds_to_answer,
)
from tests.replica import Replica
from tests.required import environment

HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
HALF_A_BODY = (
    b"POST /holdcluster HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 1000\r\n\r\ncluster="
)
SHAPES = {
    "nothing": b"",
    "a byte": b"G",
    "half a head": b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: ",
    "half a body": HALF_A_BODY,
    "half a chunk": b"POST /holdcluster HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    "half of what is too much": b"POST /holdcluster HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\ncluster=",
    "half of what no endpoint reads": b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\ncluster=",
    "no hanging up": b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "no second request": HEALTHZ,
}


PROGRAMS = ("cimaster", "manual-trigger")
REQUIRED = "cimaster with auth = required"


def serving(kind: str, folder: Path) -> Program:
    """Return either program with its usual settings."""
    if kind == "cimaster":
        return Replica(folder, CIMASTER_STORE=f"sqlite:{folder / 'pool.db'}")
    if kind == REQUIRED:
        return Replica(folder, CIMASTER_STORE=f"sqlite:{folder / 'pool.db'}", **environment(folder / "auth"))
    return WithoutCluster(folder)


@pytest.fixture(scope="module", params=PROGRAMS)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """Either program, shared by the tests that leave it running."""
    with serving(request.param, tmp_path_factory.mktemp("program")) as program:
        yield program


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Replica]:
    """A replica with 1,000 clusters, few threads, and a low limit of connections per address."""
    path = str(tmp_path / "pool.db")
    store = SQLiteStore(path, "clusters")
    store.replace(store.read().replaced({"cluster.json": records(1000)}, {}))
    store.close()
    few: dict[str, Any] = {"CIMASTER_THREADS": "8", "CIMASTER_WAITERS": "0", "CIMASTER_CONNECTIONS_PER_ADDRESS": "3"}
    with Replica(tmp_path, CIMASTER_STORE=f"sqlite:{path}", **few) as replica:
        yield replica


@pytest.mark.parametrize("program", [*PROGRAMS, REQUIRED], indirect=True)
@pytest.mark.parametrize("shape", SHAPES)
def test_five_hundred_stalled_clients_delay_no_other(program: Program, shape: str) -> None:
    with crowd(program, 500, SHAPES[shape]):
        assert seconds_to_answer(program) < QUICKLY


def test_clients_that_do_not_read_their_answers_delay_no_other(small: Replica) -> None:
    wanted = b"GET /clusters HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\r\n" * 60  # the system buffers some MB
    with ExitStack() as stack:
        clients = [
            stack.enter_context(connect(small, wanted, source=f"127.0.1.{number}", takes=4096))
            for number in range(1, 21)
        ]
        until(lambda: small.server.log.read_text().count("GET /clusters 200") > 80)
        for _ in range(10):
            assert seconds_to_answer(small) < QUICKLY
        for client in clients:
            assert len(read(client).body) > 200_000


def test_a_request_has_10_s_to_arrive_whole(program: Program) -> None:
    started = time.monotonic()
    unfinished = [connect(program, SHAPES[shape]) for shape in ("a byte", "half a head", "half a body", "half a chunk")]
    idle, silent = connect(program, HEALTHZ), connect(program)
    read(idle)
    dripping = connect(program)
    while not has_news(dripping, 0.5):
        dripping.send(b"A")
    assert 9 < time.monotonic() - started < 20
    for client in (*unfinished, dripping):
        assert read(client).refusal == (408, "request_timeout")
    until(lambda: is_closed(silent))
    idle.sendall(HEALTHZ)
    assert read(idle).status == 200
    for client in (*unfinished, dripping, idle, silent):
        client.close()


def test_an_address_with_too_many_connections_loses_the_oldest(small: Replica) -> None:
    with connect(small, HALF_A_BODY, source="127.0.0.2") as elsewhere, crowd(small, 5, HALF_A_BODY) as clients:
        until(lambda: [is_closed(client) for client in clients] == [True, True, False, False, False])
        for client in (elsewhere, clients[2], clients[4]):
            client.sendall(b"c-1&name=alice&desc=" + b"x" * (1000 - len(b"cluster=c-1&name=alice&desc=")))
            assert read(client).status == 400  # the text is too long


def test_idle_connections_make_room_for_new_ones(small: Replica) -> None:
    with connect(small, HEALTHZ, source="127.0.0.2") as elsewhere:
        read(elsewhere)
        with crowd(small, 600, HEALTHZ) as clients:  # the worker has room for 508
            assert seconds_to_answer(small) < QUICKLY
            for client in (elsewhere, clients[-1]):
                client.sendall(HEALTHZ)
            assert read(elsewhere).status == 200
            assert read(clients[-1]).status == 200
            read(clients[0])
            assert is_closed(clients[0])


@pytest.mark.parametrize("kind", PROGRAMS)
def test_a_request_that_is_on_its_way_at_sigterm_is_answered(kind: str, tmp_path: Path) -> None:
    with serving(kind, tmp_path) as program:
        with connect(program, HEALTHZ[:-4]) as late, connect(program), connect(program, HEALTHZ) as idle:
            read(idle)
            assert ask(program, HEALTHZ).status == 200  # so the server has seen the others
            program.server.send(signal.SIGTERM)
            until(lambda: is_closed(idle))
            late.sendall(HEALTHZ[-4:])
            answer = read(late)
            assert (answer.status, answer.headers["Connection"]) == (200, "close")
        assert program.server.process is not None
        assert program.server.process.wait(30) == 0
        assert '"exception"' not in program.server.log.read_text()
