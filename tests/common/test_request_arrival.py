"""A request is complete at its last byte, however it is cut into pieces."""

from gunicorn.config import Config
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader
from hypothesis import given
from hypothesis import strategies as st

from cimaster.common.serving.request_arrival import BODY_LIMIT, RequestArrival

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
