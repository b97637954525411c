"""The metrics of a process, served on a port of their own."""

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    make_wsgi_app,
)

StartResponse = Callable[..., Any]
WSGIApplication = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


def registry() -> CollectorRegistry:
    """Return a new registry with what is known of the process."""
    disable_created_metrics()  # they double every counter for nobody's use
    made = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=made)
    return made


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
