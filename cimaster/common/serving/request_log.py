"""Writes one log line for each request, with a correlation id that the caller may choose."""

import logging
import re
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, g, request

from cimaster.common.logs import NO_CALLER, caller, correlation_id, remote
from cimaster.common.texts import brief

_CORRELATION = re.compile(r"[A-Za-z0-9._-]{8,128}")
_LONGEST_PATH = 500  # characters
_log = logging.getLogger("cimaster.request")


def identify(address: str) -> None:
    """Start a request from that address: use its X-Request-ID as correlation id, or make one.

    An id that is part of the caller's token is not used, because every log line of the request shows the id.
    """
    sent_id = request.headers.get("X-Request-ID", "")
    usable = _CORRELATION.fullmatch(sent_id) and sent_id not in request.headers.get("Authorization", "")
    g.started = time.monotonic()
    correlation_id.set(sent_id if usable else uuid.uuid4().hex)
    remote.set(address)
    caller.set(NO_CALLER)


def conclude(response: Response, details: Callable[[], Mapping[str, Any]], *, quiet: bool) -> None:
    """End a request: return its id in the response, and log a line with `details`, at debug level if `quiet`."""
    response.headers["X-Request-ID"] = correlation_id.get()
    level = logging.DEBUG if quiet else logging.INFO
    if _log.isEnabledFor(level):
        took = round((time.monotonic() - g.started) * 1000, 1) if "started" in g else None
        line = {"status": response.status_code, "ms": took, **{key: value for key, value in details().items() if value}}
        path = brief(request.path, _LONGEST_PATH)
        _log.log(level, "%s %s %d", request.method, path, response.status_code, extra=line)
    correlation_id.set("")
