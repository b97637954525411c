"""A change that was passed on and got no answer: it may have been carried out, and must not be carried out twice."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from werkzeug.serving import WSGIRequestHandler, make_server

from cimaster import pool as decide
from cimaster.attempts import NEVER, Pending
from cimaster.clock import Clock
from cimaster.errors import NoVacantCluster
from cimaster.inbox import Inbox
from cimaster.metrics import Metrics
from cimaster.peer_app import PeerApp
from cimaster.peers import Peers
from cimaster.pool import Ask, Facts, Rules
from cimaster.pool.cluster import OCCUPIED
from cimaster.pool.commands import Take
from cimaster.repository import ConfigMapRepository
from cimaster.stores.sqlite import SQLiteStore
from tests.server import free_ports


class QuietHandler(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        """Say nothing."""


class Road:
    """Between two replicas: it passes requests on, and loses what it is told to lose."""

    def __init__(self, repository: ConfigMapRepository) -> None:
        self.loses = ""
        self.passed = 0
        self._app = PeerApp(repository)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.passed += 1
        if self.loses == "request":
            return self._broken(start_response)
        answer = self._app(environ, start_response if not self.loses else lambda *_: None)
        return self._broken(start_response) if self.loses == "answer" else answer

    @staticmethod
    def _broken(start_response: Any) -> list[bytes]:
        start_response("502 Bad Gateway", [("Content-Type", "text/plain")])
        return [b"lost on the way"]


class Pair:
    """Two replicas on one file: `writer` wrote last, and `other` has just met it in a race."""

    def __init__(self, folder: Path) -> None:
        (port,) = free_ports(1)
        self.writer = self._repository(folder, f"http://127.0.0.1:{port}")
        self.other = self._repository(folder, "http://127.0.0.1:1")
        self.road = Road(self.writer)
        self._server = make_server("127.0.0.1", port, self.road, threaded=True, request_handler=QuietHandler)
        self._serving = threading.Thread(target=self._server.serve_forever)

    @staticmethod
    def _repository(folder: Path, address: str) -> ConfigMapRepository:
        store = SQLiteStore(str(folder / "pool.db"), "clusters")
        return ConfigMapRepository(store, Rules(), Metrics(CollectorRegistry()), address=address)

    def start(self) -> None:
        self._serving.start()
        for repository in (self.writer, self.other):
            repository.start()
        for name in ("c1", "c2"):
            self.writer.update(lambda pool, now, name=name: decide.add(pool, now, name, "root", Facts("us")))
        self.other.fresh()
        self.other._committer._turns.raced()

    def stop(self) -> None:
        self._server.shutdown()
        self._serving.join()
        self._server.server_close()
        for repository in (self.writer, self.other):
            repository.stop()

    def occupied(self) -> dict[str, str]:
        """Return the lease of each occupied cluster, by the truth of the store."""
        pool = self.other.fresh().pool
        return {c.name: c.lease.id for c in pool.clusters if c.state == OCCUPIED and c.lease}


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    pair = Pair(tmp_path)
    pair.start()
    yield pair
    pair.stop()


@pytest.mark.parametrize("lost", ["", "request", "answer"])
def test_a_take_that_was_passed_on_gets_one_cluster_whatever_is_lost_on_the_way(pair: Pair, lost: str) -> None:
    pair.road.loses = lost
    taken = pair.other.update(Take(Ask("e2e", "1"), "lease-of-alice"))
    assert pair.road.passed == 1
    assert pair.occupied() == {taken.answer.text: "lease-of-alice"}
    assert taken.answer.lease == "lease-of-alice"


def test_a_replica_that_failed_is_left_alone_for_a_while(pair: Pair) -> None:
    pair.road.loses = "request"
    for number in range(2):
        pair.other.update(Take(Ask("e2e", "1"), f"lease-{number}"))
    assert pair.road.passed == 1


def test_what_cannot_be_passed_on_is_decided_here(pair: Pair) -> None:
    pair.other.update(lambda pool, now: decide.hold(pool, now, "c1", "alice"))
    assert pair.road.passed == 0
    assert pair.other.fresh().pool.find("c1").held


def test_a_connection_that_the_other_end_has_closed_is_opened_anew() -> None:
    answer = json.dumps([{"commit": 1, "code": "no_vacant_cluster", "sentence": "", "retry_after": None, "facts": {}}])
    closed = threading.Semaphore(0)

    def serve() -> None:
        for _ in range(2):
            connection, _address = listener.accept()
            with connection, connection.makefile("rwb") as stream:
                lines = list(iter(stream.readline, b"\r\n"))
                stream.read(next(int(line[15:]) for line in lines if line.startswith(b"Content-Length:")))
                stream.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\n\r\n{answer}".encode())
            closed.release()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=serve)
        serving.start()
        inbox = Inbox(threading.Lock(), Clock(), lambda _: None)
        peers = Peers("http://127.0.0.1:1", Metrics(CollectorRegistry()), Clock(), inbox, lambda *_: None)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        for _ in range(2):
            pending = Pending(Take(Ask("e2e", "1"), "0123456789abcdef"), 0.0, NEVER)
            assert peers.pass_on(address, [pending]) == 1
            assert pending.done.acquire(timeout=30)
            assert isinstance(pending.error, NoVacantCluster)
            assert closed.acquire(timeout=30)
        peers.stop()
        serving.join()
