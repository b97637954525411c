"""The one place that joins parts, routes and what every request has: a token, an id, a line in the log."""

import logging
import re
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, Response, g, request
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    make_wsgi_app,
)
from prometheus_flask_exporter import PrometheusMetrics
from werkzeug.exceptions import HTTPException

from cimaster.clock import Clock
from cimaster.errors import Refusal
from cimaster.logs import correlation_id
from cimaster.manual_trigger import web
from cimaster.manual_trigger.api import OPEN, api, parts
from cimaster.manual_trigger.parts import Parts
from cimaster.manual_trigger.settings import TriggerSettings

_CORRELATION = re.compile(r"[A-Za-z0-9._-]{8,128}")
_HEADERS = {"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff"}
_log = logging.getLogger("cimaster.request")

StartResponse = Callable[..., Any]


def create_app(settings: TriggerSettings, clock: Clock | None = None) -> Flask:
    """Build the application. Its thread rests until `app.extensions["manual_trigger"].keeper.start()`."""
    app = Flask(__name__, static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=web.BODY_LIMIT, MAX_FORM_MEMORY_SIZE=web.BODY_LIMIT, MAX_FORM_PARTS=100)
    registry = _registry()
    app.extensions["manual_trigger"] = Parts(settings, registry, clock or Clock())
    PrometheusMetrics(app, path=None, group_by="url_rule", registry=registry)
    app.before_request(_begin)
    app.after_request(_end)
    app.register_error_handler(Refusal, web.refused)
    app.register_error_handler(HTTPException, web.http_refused)
    app.register_error_handler(Exception, _failed)
    app.register_blueprint(api)
    return app


def served() -> "PortDispatch":
    """Return the application for gunicorn, with the settings of the environment."""
    settings = TriggerSettings.from_environ()
    return PortDispatch(create_app(settings), settings.metrics_port)


def _registry() -> CollectorRegistry:
    disable_created_metrics()  # they double every counter for nobody's use
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    return registry


def _begin() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.started = time.monotonic()
    correlation_id.set(given if _CORRELATION.fullmatch(given) else uuid.uuid4().hex)
    if request.endpoint not in OPEN:
        parts().callers.require(request.headers.get("Authorization", ""))


def _end(response: Response) -> Response:
    response.headers["X-Request-ID"] = correlation_id.get()
    response.headers.update(_HEADERS)
    said = {key: value for key, value in g.get("said", {}).items() if value}
    if request.endpoint == "api.trigger":
        parts().metrics.triggers.labels(said.get("outcome", "internal_error")).inc()
    took = round((time.monotonic() - g.started) * 1000, 1) if "started" in g else None
    line = {"status": response.status_code, "ms": took, "address": request.remote_addr, **said}
    level = logging.DEBUG if g.get("quiet") else logging.INFO
    _log.log(level, "%s %s %d", request.method, request.path, response.status_code, extra=line)
    correlation_id.set("")
    return response


def _failed(error: Exception) -> Response:
    logging.getLogger(__name__).error("a request failed", exc_info=error)
    sentence = f"the service failed; its log tells why under request {correlation_id.get()}"
    return web.problem(500, "internal_error", sentence)


class PortDispatch:
    """Serves the metrics on a port of their own, so that a network policy can keep them from everybody else."""

    def __init__(self, app: Flask, metrics_port: int) -> None:
        self.app = app
        self._metrics = make_wsgi_app(app.extensions["manual_trigger"].metrics.registry)
        self._metrics_port = str(metrics_port)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a WSGI request; the port is the listener's, whatever the Host header says."""
        if environ.get("SERVER_PORT") != self._metrics_port or environ["PATH_INFO"] in ("/healthz", "/readyz"):
            return self.app(environ, start_response)
        if environ["PATH_INFO"] == "/metrics":
            answer: Iterable[bytes] = self._metrics(environ, start_response)
            return answer
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"this port serves /metrics, /healthz and /readyz\n"]
