"""HTTP as programs send it, over real connections: in pieces, pipelined, malformed, large."""

import json
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.process.conftest import fill
from tests.process.raw import Program, WithoutCluster, ask, connect, has_news, is_closed, read
from tests.replica import Replica
from tests.required import environment

FORM = b"Host: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
HOLD = b"cluster=cluster-000&name=alice"


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    """A replica with one cluster."""
    folder = tmp_path_factory.mktemp("replica")
    with Replica(folder, CIMASTER_STORE=f"sqlite:{folder / 'pool.db'}") as replica:
        fill(replica, 1)
        yield replica


@pytest.fixture(scope="module")
def trigger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """manual-trigger without a cluster, which answers some requests."""
    with WithoutCluster(tmp_path_factory.mktemp("trigger")) as trigger:
        yield trigger


@pytest.fixture(scope="module")
def required(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    """A replica that requires credentials, which no request here has."""
    folder = tmp_path_factory.mktemp("required")
    with Replica(folder, CIMASTER_STORE=f"sqlite:{folder / 'pool.db'}", **environment(folder / "auth")) as replica:
        yield replica


@pytest.fixture(params=["replica", "required", "trigger"])
def program(request: pytest.FixtureRequest) -> Program:
    """Either program, and the replica in both modes."""
    found: Program = request.getfixturevalue(request.param)
    return found


def in_chunks(*chunks: bytes, extension: bytes = b"") -> bytes:
    return b"".join(b"%x%s\r\n%s\r\n" % (len(chunk), extension, chunk) for chunk in (*chunks, b""))


BODIES = {
    "of known length": b"Content-Length: %d\r\n\r\n%s" % (len(HOLD), HOLD),
    "in chunks": b"Transfer-Encoding: chunked\r\n\r\n" + in_chunks(HOLD[:5], HOLD[5:]),
    "in chunks with extensions and a trailer": b"Transfer-Encoding: CHUNKED\r\n\r\n"
    + in_chunks(HOLD[:9], HOLD[9:], extension=b' ; a="b"')[:-2]
    + b"X-Checksum: 1\r\n\r\n",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_body_arrives_whole_however_it_is_split(replica: Replica, body: bytes) -> None:
    request = b"POST /holdcluster HTTP/1.1\r\n" + FORM + body
    with connect(replica, request) as client:
        assert b"is held by alice" in read(client).body
        for place in range(len(request)):
            client.sendall(request[place : place + 1])
        assert b"is held by alice" in read(client).body
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read(client).body == b"ok\n"


def test_a_client_that_expects_100_continue_gets_it(replica: Replica) -> None:
    head = b"POST /holdcluster HTTP/1.1\r\nExpect: 100-Continue\r\n" + FORM + b"Content-Length: %d\r\n\r\n" % len(HOLD)
    with connect(replica, head) as client:
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(HOLD)
        assert client.recv(12) == b"HTTP/1.1 200"
    with connect(replica, head.replace(b"/1.1", b"/1.0")) as client:
        client.sendall(HOLD)
        assert client.recv(12) == b"HTTP/1.0 200"


def test_a_client_that_expects_100_continue_is_refused_a_large_body(program: Program) -> None:
    head = b"POST /holdcluster HTTP/1.1\r\nExpect: 100-continue\r\n" + FORM + b"Content-Length: 100000\r\n\r\n"
    with connect(program, head) as client:
        assert client.recv(12) in (b"HTTP/1.1 413", b"HTTP/1.1 401")  # manual-trigger checks the token first


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 100000\r\n\r\n" + b"x" * 70_000,
        b"Content-Length: 99999999999999999999\r\n\r\nx",
        b"Transfer-Encoding: chunked\r\n\r\n" + in_chunks(*[b"x" * 50_000] * 4),
        b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 30_000,
        b"Transfer-Encoding: chunked\r\n\r\n" + b"ffffffffff\r\nx",
    ],
)
def test_a_body_that_is_too_large_is_refused_without_waiting_for_it(replica: Replica, body: bytes) -> None:
    with connect(replica, b"POST /holdcluster HTTP/1.1\r\n" + FORM + body) as client:
        answer = read(client)
        assert answer.refusal == (413, "request_entity_too_large")
        assert answer.headers["Connection"] == "close"
        assert has_news(client, 60)
        assert is_closed(client)


def test_pipelined_requests_are_answered_in_turn(replica: Replica) -> None:
    post = b"POST /holdcluster HTTP/1.1\r\n" + FORM + BODIES["in chunks"]
    with connect(
        replica, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + post + b"GET /nowhere HTTP/1.0\r\n\r\n"
    ) as client:
        got = b""
        while piece := client.recv(10_000):
            got += piece
    assert re.findall(rb"HTTP/1\.[01] (\d+)", got) == [b"200", b"200", b"404"]


def test_clients_decide_whether_connections_stay_open(program: Program) -> None:
    def stays(request: bytes) -> bool:
        with connect(program, request) as client:
            answer = read(client)
            assert answer.status == 200
            if answer.headers["Connection"] == "close":
                assert has_news(client, 60)
                assert is_closed(client)
                return False
            client.sendall(request)
            return read(client).status == 200

    assert stays(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert stays(b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert not stays(b"GET /healthz HTTP/1.0\r\n\r\n")
    assert not stays(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")


def test_no_header_changes_the_path_or_the_scheme(program: Program) -> None:
    for headers in (b"SCRIPT_NAME: /x", b"PATH_INFO: /x", b"X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off"):
        assert ask(program, b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n\r\n").status == 200
    moved = ask(program, b"GET /x/healthz HTTP/1.1\r\nHost: x\r\nSCRIPT_NAME: /x\r\n\r\n")
    assert moved.status in (404, 401)


CHUNKED = b"POST /holdcluster HTTP/1.1\r\n" + FORM + b"Transfer-Encoding: chunked\r\n\r\n"
WRONG = {
    b"hello\r\n\r\n": 400,
    b"get / HTTP/1.1\r\n\r\n": 400,
    b"GET / HTTP/9\r\n\r\n": 400,
    b"GET /\xff HTTP/1.1\r\n\r\n": 400,
    b"GET http://[ HTTP/1.1\r\n\r\n": 400,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": 400,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n": 400,
    b"GET / HTTP/1.1\nHost: x\n\n": 400,
    b"GET / HTTP/1.1\r\nno colon\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nA\xff: b\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nTransfer-Encoding: zip\r\n\r\n": 501,
    b"GET / HTTP/1.1\r\nExpect: wonders\r\n\r\n": 417,
    b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 101 + b"\r\n": 431,
    b"GET / HTTP/1.1\r\nA: " + b"b" * 9000 + b"\r\n\r\n": 431,
    b"GET / HTTP/1.1\r\n" + (b"A: " + b"b" * 8000 + b"\r\n") * 20: 431,
    b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n": 414,
    b"GET /" + b"a" * 200_000: 414,
    CHUNKED + b"zz\r\n": 400,
    CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n": 400,
    CHUNKED + b"5\r\nhello!\r\n0\r\n\r\n": 400,
    CHUNKED + b"5;\x00\r\nhello\r\n0\r\n\r\n": 400,
    CHUNKED + b"0\r\nHost: y\r\n\r\n": 400,
}
CODES = {
    400: "bad_request",
    414: "request_uri_too_long",
    417: "expectation_failed",
    431: "request_header_fields_too_large",
    501: "not_implemented",
}


@pytest.mark.parametrize(("sent", "status"), WRONG.items(), ids=[str(sent[-50:]) for sent in WRONG])
def test_malformed_http_is_refused_in_the_shape_of_every_refusal(program: Program, sent: bytes, status: int) -> None:
    answer = ask(program, sent)
    assert answer.refusal == (status, CODES[status])
    assert len(answer.body) < 300
    assert all("exception" not in json.loads(line) for line in program.server.log.read_text().splitlines())


def test_a_query_may_be_as_long_as_all_parameters_together(replica: Replica) -> None:
    long = quote("\U0001f600" * 500)
    labels = "".join(f"&label={'k' * 60}{number}={'v' * 60}" for number in range(100))
    assert replica.get("/holdcluster", cluster="cluster-000", name="alice", desc="語" * 500).ok
    query = f"cluster=cluster-000&name=root&note={long}&region={'r' * 99}{labels}"
    answer = ask(replica, f"GET /updatecluster?{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert answer.status == 200, answer.body
