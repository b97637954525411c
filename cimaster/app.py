"""The one place that chooses and joins the parts: settings, store, repository, service, threads, routes."""

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

from cimaster import peers, provisioners, web
from cimaster.api import api
from cimaster.auth import Admins
from cimaster.clock import Clock
from cimaster.courier import Courier
from cimaster.creations import Creations
from cimaster.errors import Refusal
from cimaster.gauges import PoolCollector
from cimaster.health import drain_file, health
from cimaster.logs import correlation_id
from cimaster.metrics import Metrics
from cimaster.pages import pages
from cimaster.peer_app import PeerApp
from cimaster.pool import Rules
from cimaster.provisioners import Provisioner
from cimaster.reaper import Reaper
from cimaster.rendered import Rendered
from cimaster.repository import ConfigMapRepository
from cimaster.service import Service
from cimaster.settings import Settings
from cimaster.stores import open_store
from cimaster.stores.port import Store

_CORRELATION = re.compile(r"[A-Za-z0-9._-]{8,128}")
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_log = logging.getLogger("cimaster.request")

StartResponse = Callable[..., Any]
WSGIApplication = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class Lifecycle:
    """The threads behind an application: started in the worker, stopped when it drains."""

    def __init__(self, repository: ConfigMapRepository, reaper: Reaper, courier: Courier, port: int) -> None:
        self.draining: Callable[[], bool] = lambda: False
        self._repository = repository
        self._reaper = reaper
        self._courier = courier
        self._drain_file = drain_file(port)

    def start(self) -> None:
        """Start the threads; a drain that an earlier process was told of is over."""
        self._drain_file.unlink(missing_ok=True)
        self._repository.start()
        self._reaper.start()
        self._courier.start()

    def stop(self) -> None:
        """Write what waits, then end the threads."""
        self._courier.stop()
        self._reaper.stop()
        self._repository.stop()

    def checks(self) -> dict[str, Callable[[], bool]]:
        """Return what must hold for the replica to be ready."""
        return {
            "threads": lambda: self._repository.alive and self._reaper.alive and self._courier.alive,
            "store_tried": lambda: self._repository.tried,
            "accepting": lambda: not (self.draining() or self._drain_file.exists()),
        }


def create_app(
    settings: Settings,
    store: Store | None = None,
    clock: Clock | None = None,
    provisioner: Provisioner | None = None,
) -> Flask:
    """Build the application. Its threads rest until `app.extensions["cimaster.lifecycle"].start()`."""
    app = Flask(__name__)
    app.config.update(MAX_CONTENT_LENGTH=web.BODY_LIMIT, MAX_FORM_MEMORY_SIZE=web.BODY_LIMIT, MAX_FORM_PARTS=100)
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    metrics = Metrics(_registry())
    rules = Rules(settings.hold, settings.max_hold, settings.overdue_after, settings.creation)
    repository = ConfigMapRepository(
        store or open_store(settings, clock),
        rules,
        metrics,
        deadline=settings.deadline,
        clock=clock,
        address=settings.peer,
    )
    metrics.registry.register(PoolCollector(repository))
    service = Service(repository, metrics, clock)
    creations = Creations(repository, provisioner or provisioners.chosen(settings), settings, metrics, clock)
    courier = Courier(creations, repository, metrics)
    lifecycle = Lifecycle(repository, Reaper(service, metrics), courier, settings.port)
    app.extensions |= {
        "cimaster": service, "cimaster.settings": settings, "cimaster.admins": Admins(settings.admin_dir),
        "cimaster.metrics": metrics, "cimaster.lifecycle": lifecycle, "cimaster.ready": lifecycle.checks(),
        "cimaster.rendered": Rendered(), "cimaster.creations": creations,
    }  # fmt: skip
    PrometheusMetrics(app, path=None, group_by="url_rule", registry=metrics.registry)
    _register(app)
    return app


def _registry() -> CollectorRegistry:
    disable_created_metrics()  # they double every counter for nobody's use
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    return registry


def _register(app: Flask) -> None:
    app.wsgi_app = FixedHeaders(app.wsgi_app)  # type: ignore[method-assign]
    app.before_request(_begin)
    app.after_request(_end)
    app.register_error_handler(Refusal, web.refused)
    app.register_error_handler(HTTPException, web.http_refused)
    app.register_error_handler(Exception, _failed)
    for blueprint in (api, pages, health):
        app.register_blueprint(blueprint)


def _begin() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.started = time.monotonic()
    correlation_id.set(given if _CORRELATION.fullmatch(given) else uuid.uuid4().hex)
    web.check_origin()


def _end(response: Response) -> Response:
    response.headers["X-Request-ID"] = correlation_id.get()
    level = logging.DEBUG if g.get("quiet") or response.status_code == 304 else logging.INFO
    if _log.isEnabledFor(level):
        _log.log(level, "%s %s %d", request.method, request.path, response.status_code, extra=_line(response))
    correlation_id.set("")
    return response


def _line(response: Response) -> dict[str, Any]:
    """Return what a log line says of a request beside its path: never a token, a cookie or a body."""
    values = g.given.values if "given" in g else {}
    said = {
        "verb": g.endpoint.name if "endpoint" in g else None,
        "cluster": values.get("cluster"),
        "by": values.get("name") or values.get("email") or values.get("user"),
        "code": response.headers.get("CIMaster-Code"),
        "lease": response.headers.get("CIMaster-Lease"),
        "commit": response.headers.get("CIMaster-Commit"),
    }
    took = round((time.monotonic() - g.started) * 1000, 1) if "started" in g else None
    return {"status": response.status_code, "ms": took, **{key: value for key, value in said.items() if value}}


def _failed(error: Exception) -> Response:
    logging.getLogger(__name__).error("a request failed", exc_info=error)
    sentence = f"the service failed; its log tells why under request {correlation_id.get()}"
    return web.problem(500, "internal_error", sentence)


class FixedHeaders:
    """Adds to every answer what tells browsers how little a page of ours may do.

    It stands outside of Flask, whose header objects would take longer than the rest of a short answer.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a WSGI request."""

        def start(status: str, headers: list[tuple[str, str]], failure: Any = None) -> Any:
            return start_response(status, [*headers, *_HEADERS.items()], failure)

        return self._application(environ, start)


class PortDispatch:
    """Serves the metrics on a port of their own, so that a network policy can keep them from everybody else.

    What other replicas ask goes to the public port, and past Flask.
    """

    def __init__(self, app: Flask, metrics_port: int) -> None:
        self.app = app
        self._metrics = make_wsgi_app(app.extensions["cimaster.metrics"].registry)
        self._peer_app = PeerApp(app.extensions["cimaster"].repository)
        self._metrics_port = str(metrics_port)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a WSGI request; the port is the listener's, whatever the Host header says."""
        if environ["PATH_INFO"] == peers.PATH:
            return self._peer_app(environ, start_response)
        if environ.get("SERVER_PORT") != self._metrics_port or environ["PATH_INFO"] in ("/healthz", "/readyz"):
            return self.app(environ, start_response)
        if environ["PATH_INFO"] == "/metrics":
            answer: Iterable[bytes] = self._metrics(environ, start_response)
            return answer
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"this port serves /metrics, /healthz and /readyz\n"]
