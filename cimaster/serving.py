"""What both programs need to serve: metrics on a port of their own, an id for each request, how gunicorn is quiet."""

import logging
import re
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from flask import Flask, Response, g, request
from gunicorn.glogging import Logger
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    make_wsgi_app,
)
from urllib3.util import wait_for_read

from cimaster.logs import correlation_id, remote

_CORRELATION = re.compile(r"[A-Za-z0-9._-]{8,128}")
_MEMORY = Path("/dev/shm")  # noqa: S108
_log = logging.getLogger("cimaster.request")

WSGIEnvironment = dict[str, Any]
StartResponse = Callable[..., Any]
WSGIApplication = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class LoggerWithoutAccess(Logger):  # type: ignore[misc]
    """Leaves out gunicorn's access lines: the application logs each request itself, and knows more of it."""

    def access(self, *_: Any) -> None:
        """Say nothing."""


def heartbeat_folder() -> str | None:
    """Return where workers show that they live: on a slow disk a live one would look dead."""
    return str(_MEMORY) if _MEMORY.is_dir() else None


def registry() -> CollectorRegistry:
    """Return a new registry with what is known of the process."""
    disable_created_metrics()  # they double every counter for nobody's use
    made = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=made)
    return made


def still_there(environ: WSGIEnvironment) -> bool:
    """Say whether the caller of a request that was read whole is connected still."""
    connection: socket.socket | None = environ.get("gunicorn.socket")
    if connection is None or not wait_for_read(connection, timeout=0):
        return True
    try:
        return bool(connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))  # what it sends is its next request
    except BlockingIOError:
        return True
    except OSError:
        return False


def identify(caller: str) -> None:
    """Begin a request of a caller at that address: its correlation id is the one that it brings, or a new one."""
    given = request.headers.get("X-Request-ID", "")
    g.started = time.monotonic()
    correlation_id.set(given if _CORRELATION.fullmatch(given) else uuid.uuid4().hex)
    remote.set(caller)


def conclude(response: Response, told: Callable[[], Mapping[str, Any]], *, quiet: bool) -> None:
    """End a request: say its id in the answer, and write its line into the log with what is `told` of it."""
    response.headers["X-Request-ID"] = correlation_id.get()
    level = logging.DEBUG if quiet else logging.INFO
    if _log.isEnabledFor(level):
        took = round((time.monotonic() - g.started) * 1000, 1) if "started" in g else None
        line = {"status": response.status_code, "ms": took, **{key: value for key, value in told().items() if value}}
        _log.log(level, "%s %s %d", request.method, request.path, response.status_code, extra=line)
    correlation_id.set("")


class PortDispatch:
    """Serves the metrics on a port of their own, so that a network policy can restrict access to them."""

    def __init__(self, app: Flask, metrics: CollectorRegistry, metrics_port: int) -> None:
        self.app = app
        self._metrics = make_wsgi_app(metrics)
        self._metrics_port = str(metrics_port)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a WSGI request; the port is the listener's, whatever the Host header says."""
        path = environ["PATH_INFO"]
        if environ.get("SERVER_PORT") != self._metrics_port or path in ("/healthz", "/readyz"):
            return self.app(environ, start_response)
        if path == "/metrics":
            answer: Iterable[bytes] = self._metrics(environ, start_response)
            return answer
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"this port serves /metrics, /healthz and /readyz\n"]
