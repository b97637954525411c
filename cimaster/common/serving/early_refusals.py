"""Responses to requests that never reach the application: incomplete ones, and those that are not valid HTTP/1.1."""

from collections.abc import Collection, Sequence

from gunicorn.http import errors
from werkzeug.http import HTTP_STATUS_CODES

from cimaster.common.serving.request_arrival import LINE_LIMIT


class TooSlow(errors.ParseException):
    """The request did not arrive completely in time."""

    def __str__(self) -> str:
        seconds: float = self.args[0]
        return f"the request did not arrive within {seconds:.0f} s"


class RepeatedHeader(errors.ParseException):
    """The request has a header twice that may have one value only."""

    def __str__(self) -> str:
        name: str = self.args[0]
        return f"the request has the header {name.title()} more than once"


class TooManyWaiting(errors.ParseException):
    """Too many requests of one caller wait for their turn."""


REFUSALS: dict[type[Exception], tuple[int, str]] = {
    TooManyWaiting: (429, "too many requests of this caller are waiting: send fewer at a time, and this one later"),
    TooSlow: (408, "{}: send it faster"),
    errors.LimitRequestLine: (
        414,
        f"the request line is longer than {LINE_LIMIT // 1024} kB: send the parameters in the body of a POST",
    ),
    errors.ExpectationFailed: (417, "{}: leave the header Expect out"),
    errors.LimitRequestHeaders: (431, "the headers are too long: send at most 100 of at most 8 kB each, 32 kB in all"),
    RepeatedHeader: (400, "{}: send it once"),
    errors.UnsupportedTransferCoding: (501, "{}: send the body chunked, or without a transfer coding"),
    errors.ParseException: (400, "{}: send a valid HTTP/1.1 request"),
}
_SERVER_ERRORS = (errors.InvalidResponseHeader, errors.InvalidResponseHeaderName, errors.ConfigurationProblem)
_VALUE = ": "  # separates what is wrong, in the parser's messages, from what was sent, which may be a token or a body


def check_single(headers: Sequence[tuple[str, str]], single: Collection[str]) -> None:
    """Raise RepeatedHeader if a request has one of the single headers twice: the application would see one value."""
    names = [name for name, _ in headers if name in single]
    if len(names) > len(set(names)):
        raise RepeatedHeader(next(name for name in names if names.count(name) > 1))


def refusal_of(error: Exception) -> tuple[int, str]:
    """Return status and sentence for an exception, without what was sent; 500 if the client did nothing wrong."""
    kind = next((kind for kind in REFUSALS if isinstance(error, kind)), None)
    if kind is None or isinstance(error, _SERVER_ERRORS):
        return 500, "the service failed: look in its log for the reason"
    status, sentence = REFUSALS[kind]
    return status, sentence.format(str(error).partition(_VALUE)[0])


def code_of(status: int) -> str:
    """Return the code of these responses: the name of the status."""
    return "internal_error" if status == 500 else HTTP_STATUS_CODES[status].lower().replace(" ", "_")


def answer(status: int, sentence: str, *headers: str) -> bytes:
    """Return the response, in the shape of every refusal; it closes the connection."""
    body = f"{sentence}\n".encode()
    lines = (
        f"HTTP/1.1 {status} {HTTP_STATUS_CODES[status]}",
        "Connection: close",
        f"CIMaster-Code: {code_of(status)}",
        "Content-Type: text/plain; charset=utf-8",
        "X-Content-Type-Options: nosniff",
        f"Content-Length: {len(body)}",
        *headers,
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode() + body
