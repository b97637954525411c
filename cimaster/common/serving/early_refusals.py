"""Refusals of requests that no application sees, since they are not whole or no valid HTTP/1.1."""

from gunicorn.http import errors
from werkzeug.http import HTTP_STATUS_CODES

from cimaster.common.serving.request_arrival import LINE_LIMIT


class TooSlow(errors.ParseException):
    """A request that did not arrive whole in so many seconds."""

    def __str__(self) -> str:
        return "the request did not arrive within {:.0f} s".format(*self.args)


REFUSALS: dict[type[Exception], tuple[int, str]] = {
    TooSlow: (408, "{}: send it at once"),
    errors.LimitRequestLine: (
        414,
        f"the request line is longer than {LINE_LIMIT // 1024} kB: send the parameters in the body of a POST",
    ),
    errors.ExpectationFailed: (417, "{}: leave the header Expect out"),
    errors.LimitRequestHeaders: (431, "the headers are too long: send at most 100, and at most 8 kB in each"),
    errors.UnsupportedTransferCoding: (501, "{}: send the body as it is, or chunked"),
    errors.ParseException: (400, "{}: send a valid HTTP/1.1 request"),
}
_OUR_FAULT = (errors.InvalidResponseHeader, errors.InvalidResponseHeaderName, errors.ConfigurationProblem)
_ECHO = 120  # characters of what is wrong that a refusal repeats


def refusal_of(error: Exception) -> tuple[int, str]:
    """Return the status and the sentence for what went wrong; 500 where the client did nothing wrong."""
    kind = next((kind for kind in REFUSALS if isinstance(error, kind)), None)
    if kind is None or isinstance(error, _OUR_FAULT):
        return 500, "the service failed; its log tells why"
    status, sentence = REFUSALS[kind]
    return status, sentence.format(str(error)[:_ECHO])


def code_of(status: int) -> str:
    """Return the code of a refusal that has no other: the name of its status."""
    return "internal_error" if status == 500 else HTTP_STATUS_CODES[status].lower().replace(" ", "_")


def answer(status: int, sentence: str) -> bytes:
    """Return the whole answer, in the shape of every refusal; the connection ends with it."""
    body = f"{sentence}\n".encode()
    lines = (
        f"HTTP/1.1 {status} {HTTP_STATUS_CODES[status]}",
        "Connection: close",
        f"CIMaster-Code: {code_of(status)}",
        "Content-Type: text/plain; charset=utf-8",
        "X-Content-Type-Options: nosniff",
        f"Content-Length: {len(body)}",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode() + body
