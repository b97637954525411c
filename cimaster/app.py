"""The one place that chooses and joins the parts: settings, store, repository, service, threads, routes."""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, Response, g, render_template, request
from prometheus_flask_exporter import PrometheusMetrics
from werkzeug.exceptions import HTTPException

from cimaster import browsers, callers, compression, framework, provisioners, public_url, serving, web
from cimaster.api import api
from cimaster.auth import Admins
from cimaster.clock import Clock
from cimaster.courier import Courier
from cimaster.creations import Creations
from cimaster.drain import DrainFile
from cimaster.errors import Refusal, UnknownHost
from cimaster.gauges import PoolCollector, QueueCollector
from cimaster.health import health
from cimaster.logs import correlation_id
from cimaster.metrics import Metrics
from cimaster.pages import pages
from cimaster.provisioners import Provisioner
from cimaster.reaper import Reaper
from cimaster.rendered import Rendered
from cimaster.repository import ConfigMapRepository
from cimaster.service import Service
from cimaster.settings import Settings
from cimaster.stores import open_store
from cimaster.stores.port import Store
from cimaster.texts import brief
from cimaster.transfer import rules_of
from cimaster.waiting import WaitingRoom

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


class Lifecycle:
    """The threads behind an application: started in the worker, stopped when it drains."""

    def __init__(
        self, repository: ConfigMapRepository, reaper: Reaper, courier: Courier, waiting: WaitingRoom, port: int
    ) -> None:
        self.draining: Callable[[], bool] = lambda: False
        self._repository = repository
        self._reaper = reaper
        self._courier = courier
        self._waiting = waiting
        self._drain_file = DrainFile(port)

    def start(self) -> None:
        """Start the threads; a drain that an earlier process was told of is over."""
        self._drain_file.remove()
        self._repository.start()
        self._reaper.start()
        self._courier.start()
        self._waiting.start()

    def stop(self) -> None:
        """Write what waits, then end the threads."""
        self._waiting.stop()
        self._courier.stop()
        self._reaper.stop()
        self._repository.stop()

    def checks(self) -> dict[str, Callable[[], bool]]:
        """Return what must hold for the replica to be ready."""
        return {
            "threads": lambda: all(
                part.alive for part in (self._repository, self._reaper, self._courier, self._waiting)
            ),
            "store_tried": lambda: self._repository.tried,
            "accepting": lambda: self.accepting,
        }

    @property
    def accepting(self) -> bool:
        """Whether this process goes on: it was not told to drain or to end."""
        return not (self.draining() or self._drain_file.exists())


def create_app(
    settings: Settings,
    store: Store | None = None,
    clock: Clock | None = None,
    provisioner: Provisioner | None = None,
) -> Flask:
    """Build the application. Its threads rest until `app.extensions["cimaster.lifecycle"].start()`."""
    app = Flask(__name__)
    app.config.update(framework.LIMITS)
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    metrics = Metrics(serving.registry())
    repository = ConfigMapRepository(
        store or open_store(settings, clock),
        rules_of(settings),
        metrics,
        deadline=settings.deadline,
        clock=clock,
    )
    metrics.registry.register(PoolCollector(repository))
    service = Service(repository, metrics, clock)
    creations = Creations(repository, provisioner or provisioners.chosen(settings), settings, metrics, clock)
    courier = Courier(creations, repository, metrics)
    waiting = WaitingRoom(service, metrics, settings.waiters)
    metrics.registry.register(QueueCollector(repository, waiting))
    lifecycle = Lifecycle(repository, Reaper(service, metrics), courier, waiting, settings.port)
    courier.draining = waiting.draining = lambda: not lifecycle.accepting
    app.extensions |= {
        "cimaster": service, "cimaster.settings": settings, "cimaster.admins": Admins(settings.admin_dir),
        "cimaster.metrics": metrics, "cimaster.lifecycle": lifecycle, "cimaster.ready": lifecycle.checks(),
        "cimaster.rendered": Rendered(), "cimaster.creations": creations,
        "cimaster.waiting": waiting,
    }  # fmt: skip
    PrometheusMetrics(app, path=None, group_by="url_rule", registry=metrics.registry)
    _register(app)
    return app


def _register(app: Flask) -> None:
    if prefix := public_url.prefix(app.extensions["cimaster.settings"]):
        app.wsgi_app = public_url.Prefixed(app.wsgi_app, prefix)  # type: ignore[method-assign]
    app.wsgi_app = FixedHeaders(app.wsgi_app)  # type: ignore[method-assign]
    app.before_request(_begin)
    app.after_request(_end)
    compression.install(app)
    app.register_error_handler(Refusal, web.refused)
    app.register_error_handler(HTTPException, web.http_refused)
    app.register_error_handler(Exception, _failed)
    for blueprint in (api, pages, health):
        app.register_blueprint(blueprint)


def _begin() -> Response | None:
    settings = web.settings()
    g.caller = callers.address(request.environ, settings.trusted_proxies)
    serving.identify(g.caller)
    framework.check_method()
    try:
        browsers.check_host(settings)
    except UnknownHost as refusal:
        return _misdirected(refusal)
    browsers.check_origin(settings)
    return None


def _misdirected(refusal: UnknownHost) -> Response:
    """Answer outside of the pages, whose own refusals show who the visitor is and how the store does."""
    response, host = web.refused(refusal), refusal.facts["host"]
    if browsers.wants_html():
        response.set_data(render_template("unknown_host.html", host=host, address=f"https://{host}"))
        response.mimetype = "text/html"
    return response


def _end(response: Response) -> Response:
    if 300 <= response.status_code < 400 and response.location:  # the framework's begin with the host that was asked
        response.location = response.location.removeprefix(request.host_url.rstrip("/"))
    serving.conclude(response, lambda: _told(response), quiet=g.get("quiet") or response.status_code == 304)
    return response


def _told(response: Response) -> dict[str, Any]:
    """Return what a log line says of a request beside its path: never a token, a cookie or a body."""
    values = g.given.values if "given" in g else {}
    return {
        "verb": g.endpoint.name if "endpoint" in g else None,
        "cluster": brief(values.get("cluster") or "", 253),
        "request_id": g.given.request.id if "given" in g and g.given.request else None,
        "place": response.headers.get("CIMaster-Place"),
        "by": brief(values.get("name") or values.get("email") or values.get("user") or "", 254),
        "code": response.headers.get("CIMaster-Code"),
        "lease": response.headers.get("CIMaster-Lease"),
        "commit": response.headers.get("CIMaster-Commit"),
    }


def _failed(error: Exception) -> Response:
    logging.getLogger(__name__).error("a request failed", exc_info=error)
    sentence = f"the service failed; its log tells why under request {correlation_id.get()}"
    return web.problem(500, "internal_error", sentence)


class FixedHeaders:
    """Adds to every answer what tells browsers how little a page of ours may do.

    It stands outside of Flask, whose header objects would take longer than the rest of a short answer.
    """

    def __init__(self, application: serving.WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: serving.StartResponse) -> Iterable[bytes]:
        """Answer a WSGI request."""

        def start(status: str, headers: list[tuple[str, str]], failure: Any = None) -> Any:
            return start_response(status, [*headers, *_HEADERS.items()], failure)

        return self._application(environ, start)


def served(settings: Settings, clock: Clock | None = None) -> serving.PortDispatch:
    """Return the application for gunicorn, with the metrics on their own port."""
    app = create_app(settings, clock=clock)
    return serving.PortDispatch(app, app.extensions["cimaster.metrics"].registry, settings.metrics_port)
