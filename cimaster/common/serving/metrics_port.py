"""Serves the metrics of a process on a separate port."""

from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import Any

from flask import Flask
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    make_wsgi_app,
)

StartResponse = Callable[..., Any]
WSGIApplication = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


def registry() -> CollectorRegistry:
    """Return a new registry with the metrics of the process and of Python, and with the version of this package."""
    disable_created_metrics()  # they would double the number of series, and no dashboard uses them
    new = CollectorRegistry()
    Info("cimaster_build", "The version that runs", registry=new).info({"version": version("cimaster")})
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=new)
    return new


class PortDispatch:
    """Serves the metrics only on their own port, so that a network policy can restrict access to them."""

    def __init__(self, app: Flask, metrics: CollectorRegistry, metrics_port: int) -> None:
        self.app = app
        self._metrics = make_wsgi_app(metrics)
        self._metrics_port = str(metrics_port)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a WSGI request; SERVER_PORT is the listener's, independent of the Host header."""
        path = environ["PATH_INFO"]
        if environ.get("SERVER_PORT") != self._metrics_port or path in ("/healthz", "/readyz"):
            return self.app(environ, start_response)
        if path == "/metrics":
            answer: Iterable[bytes] = self._metrics(environ, start_response)
            return answer
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"this port serves /metrics, /healthz and /readyz\n"]
