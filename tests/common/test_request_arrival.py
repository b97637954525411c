"""A request is complete at its last byte, however it is cut into pieces."""

from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader
from hypothesis import given
from hypothesis import strategies as st

from cimaster.common.serving.request_arrival import BODY_LIMIT, RequestArrival
from cimaster.web.endpoints import ENDPOINTS, Endpoint

BYTES = st.one_of(st.binary(max_size=50), st.sampled_from([b"\r\n\r\n", b"0\r\n\r\n", b"\n", b"5\r\n"]))
HEADERS = st.lists(st.sampled_from([b"Host: x", b"Accept: */*", b"X-Content-Length: 7", b"X: a, chunked"]), unique=True)
SIZE = st.sampled_from([b"%x", b"%X", b"%04x", b'%x;a="\t;"', b"%x ;a"])


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A valid request, and its body as the application sees it."""
    body = draw(BYTES)
    kind = draw(st.sampled_from(["none", "length", "chunked"]))
    if kind == "none":
        body = sent = b""
        framing = []
    elif kind == "length":
        sent = body
        framing = [
            draw(st.sampled_from([b"Content-Length: %d", b"CONTENT-LENGTH:\t%d ", b"content-length:%d"])) % len(sent)
        ]
    else:
        cut = draw(st.integers(0, len(body)))
        chunks = [chunk for chunk in (body[:cut], body[cut:]) if chunk]
        sent = b"".join(draw(SIZE) % len(chunk) + b"\r\n" + chunk + b"\r\n" for chunk in chunks)
        sent += b"0\r\n" + draw(st.sampled_from([b"", b"A: b\r\n"])) + b"\r\n"
        framing = [draw(st.sampled_from([b"Transfer-Encoding: chunked", b"transfer-encoding:Chunked "]))]
    lines = draw(st.permutations(draw(HEADERS) + framing))
    start = draw(st.sampled_from([b"", b"\r\n"])) + b"POST /a?b=%0a HTTP/1.1"
    return b"\r\n".join([start, *lines, b"", b""]) + sent, body


@given(requests(), BYTES, st.lists(st.integers(0, 300)))
def test_it_is_complete_at_its_last_byte_and_not_before(
    sent: tuple[bytes, bytes], behind: bytes, cuts: list[int]
) -> None:
    request, body = sent
    early, late = RequestArrival(), RequestArrival()
    places = sorted({cut for cut in cuts if cut < len(request)} | {0, len(request) - 1})
    for start, end in zip(places, [*places[1:], len(request) + len(behind)], strict=True):
        late.add((request + behind)[start:end])
        if end < len(request):
            early.add(request[start:end])
    assert not early.complete
    assert (late.complete, late.too_large) == (True, False)
    unreader = IterUnreader([bytes(late.data)])
    parsed = Request(Config(), unreader, ("127.0.0.1", 1))
    assert parsed.body.read() == body
    assert unreader.take_buffered() == behind


@given(st.binary(), st.lists(st.binary(min_size=1), min_size=1))
def test_any_input_ends(start: bytes, pieces: list[bytes]) -> None:
    arrival = RequestArrival(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + start)
    sent = 0
    while not arrival.complete:
        piece = pieces[sent % len(pieces)] * 1000
        arrival.add(piece)
        sent += len(piece)
        assert sent < 4 * BODY_LIMIT + 256 * 1000


@pytest.mark.parametrize("field", [b"Content-Length:", b"Transfer-Encoding:", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize("end", [b"\n", b"\rx\r\n\r\n"])
def test_no_number_of_blanks_in_a_malformed_line_takes_long(field: bytes, end: bytes) -> None:
    assert RequestArrival(b"POST / HTTP/1.1\r\n" + field + b" " * 60_000 + end).complete


@pytest.mark.parametrize("endpoint", [e for e in ENDPOINTS if "GET" in e.methods], ids=lambda endpoint: endpoint.name)
@pytest.mark.parametrize("prefix", ["", "/lab"])
def test_the_first_line_shows_whether_a_request_is_a_read(endpoint: Endpoint[Any], prefix: str) -> None:
    path = f"{prefix}{endpoint.path.replace('<name>', 'cluster-01')}".encode()
    for end in (b" HTTP/1.1\r\n\r\n", b"?cluster=holdcluster HTTP/1.1\r\n\r\n"):
        assert RequestArrival(b"GET " + path + end).is_read is not endpoint.changes
        assert not RequestArrival(b"POST " + path + end).is_read


@pytest.mark.parametrize(
    ("sent", "may_wait"),
    [
        (b"GET /getvacant?job=a&build=1 HTTP/1.1\r\n\r\n", False),
        (b"GET /getvacant?job=a&build=1&wait=30m HTTP/1.1\r\n\r\n", True),
        (b'POST /getvacant HTTP/1.1\r\nContent-Length: 14\r\n\r\n{"wait": "1h"}', True),
        (b"POST /createcluster?user=alice HTTP/1.1\r\n\r\n", True),
        (b"GET /queue?wait=1h HTTP/1.1\r\n\r\n", False),
    ],
)
def test_a_request_shows_whether_it_may_wait(sent: bytes, may_wait: bool) -> None:
    assert RequestArrival(sent).may_wait is may_wait


@pytest.mark.parametrize("path", [b"/", b"/ui/queue", b"/ui/clusters/cluster-01", b"/static/site.css"])
def test_a_page_is_a_read(path: bytes) -> None:
    assert RequestArrival(b"GET " + path + b" HTTP/1.1\r\n\r\n").is_read
