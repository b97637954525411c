"""The class for scripts, against a real service that stalls, and against what is no such service."""

import http.server
import os
import queue
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import pytest

from cimaster.cli import transport
from cimaster.cli.client import Client, QueuePlace
from cimaster.cli.errors import Refused, Unreachable
from cimaster.cli.stop_signals import Stopped, StopSignals
from tests.replica import Replica


@pytest.fixture
def client(replica: Replica) -> Iterator[Client]:
    """A client of the service."""
    client = Client(replica.url, timeout=20)
    yield client
    client.close()


@pytest.mark.slow
def test_a_take_whose_answer_is_lost_takes_one_cluster(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    assert replica.get("/addcluster", cluster="cluster-02", region="r", name="root").ok
    monkeypatch.setattr(transport, "READ_SECONDS", 0.5)
    troubles: queue.Queue[str] = queue.Queue()
    client = Client(replica.url, timeout=60, notice=troubles.put)
    with replica.stopped():
        taker = threading.Thread(target=lambda: client.take("e2e", "7"))
        taker.start()
        assert troubles.get(timeout=30).startswith(f"cannot reach {replica.url}: no answer within")
    taker.join(60)
    assert len(client.read("/clusters", state="occupied")["clusters"]) == 1
    client.close()


@pytest.mark.slow
def test_a_refusal_has_its_code(client: Client) -> None:
    with pytest.raises(Refused) as refused:
        client.take("e2e", "7", purpose="none-such")
    assert (refused.value.code, refused.value.status) == ("no_such_cluster_kind", 404)


@pytest.mark.slow
def test_a_second_finish_is_a_success(client: Client) -> None:
    lease = client.take("e2e", "7", ttl="1h")
    assert "ends at" in client.renew(lease, ttl="2h").message
    assert client.finish(lease).message == "cluster cluster-01 is finished"
    assert "already finished" in client.finish(lease).message


@pytest.mark.slow
def test_the_proxy_of_the_environment_is_used(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(Unreachable):
        Client(replica.url, timeout=0).read("/clusters")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    client = Client(replica.url, timeout=0)
    assert client.read("/clusters")["clusters"]
    client.close()


@pytest.mark.parametrize("address", ["http://", "http://a b/", "http://[::1", "ftp://x:y:z"])
def test_an_address_that_is_none_is_wrong_use(address: str) -> None:
    with pytest.raises(Refused) as refused:
        Client(address, timeout=0).read("/clusters")
    assert refused.value.exit_status == 2


class SignInPage(http.server.BaseHTTPRequestHandler):
    """What a proxy answers that wants people to sign in."""

    def do_GET(self) -> None:
        self.send_response(302 if self.path == "/queue" else 200)
        self.send_header("Location", "/sign-in")
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<h1>Sign in</h1>")

    def log_message(self, *_arguments: object) -> None:
        """Keep quiet."""


@contextmanager
def serving(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve with a handler; give the address."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def sign_in() -> Iterator[str]:
    """The address of a server that is not CIMaster."""
    with serving(SignInPage) as url:
        yield url


@pytest.mark.parametrize("path", ["/clusters", "/queue"])
def test_another_server_is_not_taken_for_cimaster(sign_in: str, path: str) -> None:
    client = Client(sign_in, timeout=0)
    with pytest.raises(Refused, match="not as CIMaster does"):
        client.read_text(path)
    with pytest.raises(Refused, match="not as CIMaster does"):
        client.read(path)
    client.close()


class Queue(http.server.BaseHTTPRequestHandler):
    """What the service answers to a request that waits: its place and the expected wait, and then a cluster."""

    waits: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        expected = self.waits.pop() if self.waits else ""
        self.send_response(429 if expected else 200)
        if expected:
            self.send_header("CIMaster-Code", "queued")
            self.send_header("CIMaster-Place", "3")
            self.send_header("CIMaster-Expected-Wait", expected)
        self.end_headers()
        self.wfile.write(b'{"detail": "queued", "name": "cluster-01", "leaseId": "1"}')

    def log_message(self, *_arguments: object) -> None:
        """Keep quiet."""


@pytest.mark.parametrize(("header", "expected"), [("700", 700), ("soon", None), ("-1", None), ("9" * 30, None)])
def test_the_caller_learns_its_place_and_expected_wait(header: str, expected: float | None) -> None:
    places: list[QueuePlace] = []
    with serving(Queue) as url:
        Queue.waits = [header]
        client = Client(url, timeout=0)
        client.take("e2e", "7", wait="30m", queued=places.append)
        client.close()
    assert places == [QueuePlace("3", expected)]


def test_signals_interrupt_only_where_they_may() -> None:
    delivered: list[int] = []
    with StopSignals(delivered.append) as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Stopped) as stopped, signals.interrupt():
            pytest.fail("a signal that came early ends the first wait")
        assert stopped.value.exit_status == 143
        os.kill(os.getpid(), signal.SIGTERM)
        with signals.interrupt():
            pass
        with pytest.raises(Stopped), signals.interrupt():
            os.kill(os.getpid(), signal.SIGINT)
        assert delivered == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
