"""The one place that chooses and connects the parts: settings, store, repository, services, threads, routes."""

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, Response, g, render_template, request
from prometheus_flask_exporter import PrometheusMetrics

from cimaster import provisioners
from cimaster.api import api
from cimaster.api.health import health
from cimaster.checks import DefinedChecks
from cimaster.common import flask_errors
from cimaster.common.clock import Clock
from cimaster.common.parameters import Parameters
from cimaster.common.serving import metrics_port, request_log
from cimaster.common.texts import brief
from cimaster.errors import UnknownHost
from cimaster.notifiers import DefinedChannels
from cimaster.observability.metrics import Metrics
from cimaster.pages import pages
from cimaster.provisioners import Provisioner
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.stores import open_store
from cimaster.repository.stores.port import Store
from cimaster.services.archiving import Archiving
from cimaster.services.clusters import Clusters
from cimaster.services.history import History
from cimaster.services.import_export import rules_of
from cimaster.services.provisioning import Provisioning
from cimaster.services.usage import Usage
from cimaster.services.usage_sums import count_usage
from cimaster.services.waiting_room import WaitingRoom
from cimaster.settings import Settings
from cimaster.web import access, browsers, callers, compression, problems, public_url
from cimaster.web.admins import Admins
from cimaster.web.components import Components, components, components_of
from cimaster.web.identity.authentication import configured
from cimaster.web.identity.roles import Roles
from cimaster.web.operator_files import OperatorFiles
from cimaster.web.rendered_lists import RenderedLists
from cimaster.workers.archiver import Archiver
from cimaster.workers.checks import CheckWorker
from cimaster.workers.collectors import PoolCollector, QueueCollector, ReadinessCollector
from cimaster.workers.lifecycle import Lifecycle
from cimaster.workers.notice_collector import NoticeCollector
from cimaster.workers.notifier import Notifier
from cimaster.workers.provisioning import ProvisioningWorker
from cimaster.workers.queue_dispatcher import QueueDispatcher
from cimaster.workers.reaper import Reaper

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


class SynchronousFlask(Flask):
    """Flask for functions of which none is a coroutine: it would look at each of the eight that a request calls."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as it is."""
        return func


def create_app(
    settings: Settings,
    store: Store | None = None,
    clock: Clock | None = None,
    provisioner: Provisioner | None = None,
) -> Flask:
    """Build the application. Its threads do not run before `components_of(app).lifecycle.start()`."""
    app = SynchronousFlask(__name__)
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    connected = _components(settings, store, clock, provisioner)
    connected.attach(app)
    connected.metrics.registry.register(connected.files)
    PrometheusMetrics(app, path=None, group_by="url_rule", registry=connected.metrics.registry)
    _register(app, settings)
    return app


def _components(
    settings: Settings, store: Store | None, clock: Clock | None, provisioner: Provisioner | None
) -> Components:
    metrics = Metrics(metrics_port.registry())
    channels = DefinedChannels(settings.notices_file)
    repository = _repository(settings, store or open_store(settings, clock), clock, metrics, channels)
    clusters = Clusters(repository, metrics, clock)
    provisioning = Provisioning(repository, provisioner or provisioners.chosen(settings), settings, metrics, clock)
    waiting_room = WaitingRoom(clusters, metrics, settings.waiters)
    provisioning_worker = ProvisioningWorker(provisioning, repository, metrics)
    queue_dispatcher = QueueDispatcher(repository, waiting_room, metrics)
    checks = DefinedChecks(settings.checks_file)
    check_worker = CheckWorker(checks, repository, metrics, clock)
    archiver = Archiver(Archiving(repository, count_usage), repository, metrics)
    notifier = Notifier(channels, repository, metrics, settings.public_url, clock)
    workers = (archiver, Reaper(clusters, metrics), provisioning_worker, check_worker, queue_dispatcher, notifier)
    lifecycle = Lifecycle(repository, workers, settings.port)
    provisioning_worker.draining = check_worker.draining = lambda: not lifecycle.accepting
    waiting_room.draining = lambda: not lifecycle.accepting
    _collect(metrics, repository, waiting_room, lifecycle, channels)
    admins, lists = Admins(settings.admin_dir), RenderedLists()
    roles = Roles(settings.roles_file, admins)
    authentication = configured(settings, clusters.has_signed_out, clusters.now, clock)
    files = OperatorFiles(filter(None, (authentication, roles, admins, checks, channels)))
    return Components(
        settings,
        metrics,
        admins,
        roles,
        authentication,
        clusters,
        History(repository),
        Usage(repository, settings.usage_names, settings.prices),
        waiting_room,
        provisioning,
        checks,
        files,
        lists,
        lifecycle,
    )


def _repository(
    settings: Settings, store: Store, clock: Clock | None, metrics: Metrics, channels: DefinedChannels
) -> ConfigMapRepository:
    return ConfigMapRepository(
        store,
        rules_of(settings),
        metrics,
        deadline=settings.deadline,
        clock=clock,
        history_names=settings.history_names,
        routes=channels,
    )


def _collect(
    metrics: Metrics,
    repository: ConfigMapRepository,
    waiting_room: WaitingRoom,
    lifecycle: Lifecycle,
    channels: DefinedChannels,
) -> None:
    """Have the metrics show what is read when they are scraped."""
    metrics.registry.register(PoolCollector(repository))
    metrics.registry.register(QueueCollector(repository, waiting_room))
    metrics.registry.register(ReadinessCollector(lifecycle))
    metrics.registry.register(NoticeCollector(repository, channels))


def _register(app: Flask, settings: Settings) -> None:
    wsgi: metrics_port.WSGIApplication = app.wsgi_app
    if prefix := public_url.prefix(settings):
        wsgi = public_url.Prefixed(wsgi, prefix)
    app.wsgi_app = FixedHeaders(wsgi)  # type: ignore[method-assign]
    app.before_request(_before_request)
    app.after_request(_after_request)
    compression.install(app)
    flask_errors.register(app, problems.refused, problems.problem)
    for blueprint in (api, pages, health):
        app.register_blueprint(blueprint)


def _before_request() -> Response | None:
    settings = components().settings
    address = callers.address(request.environ, settings.trusted_proxies)
    g.sender = callers.Sender(address)
    request_log.identify(address)
    flask_errors.check_method()
    try:
        browsers.check_host(settings)
    except UnknownHost as refusal:
        return _misdirected(refusal)
    browsers.check_origin(settings)
    if authentication := components().authentication:
        access.authenticate(authentication, address)
    return None


def _misdirected(refusal: UnknownHost) -> Response:
    """Answer without the pages' frame, which would show the visitor's name and the state of the store."""
    response, host = problems.refused(refusal), refusal.facts["host"]
    if browsers.wants_html():
        response.set_data(render_template("unknown_host.html", host=host, address=f"https://{host}"))
        response.mimetype = "text/html"
    return response


def _after_request(response: Response) -> Response:
    if 300 <= response.status_code < 400 and response.location:  # Flask's own redirects name the host of the request
        response.location = response.location.removeprefix(request.host_url.rstrip("/"))
    request_log.conclude(response, lambda: _log_details(response), quiet=g.get("quiet") or response.status_code == 304)
    return response


def _log_details(response: Response) -> dict[str, Any]:
    """Return the members of the log line of a request; they contain no token, cookie or body."""
    parameters, headers = g.get("parameters") or Parameters(), dict(response.headers)
    return {
        "verb": g.endpoint.name if "endpoint" in g else None,
        "cluster": brief(parameters.first("cluster"), 253),
        "request_id": parameters.first("request_id"),
        "place": headers.get("CIMaster-Place"),
        "by": brief(parameters.first("name", "email", "user"), 254),
        "code": headers.get("CIMaster-Code"),
        "lease": headers.get("CIMaster-Lease"),
        "commit": headers.get("CIMaster-Commit"),
        "ignores": "the header Authorization" if access.is_open() and "Authorization" in request.headers else None,
    }


class FixedHeaders:
    """WSGI middleware that adds the security headers to every answer.

    It wraps Flask, because Flask's header objects would take longer than the rest of a short answer.
    """

    def __init__(self, application: metrics_port.WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: metrics_port.StartResponse) -> Iterable[bytes]:
        """Answer a WSGI request."""

        def start(status: str, headers: list[tuple[str, str]], failure: Any = None) -> Any:
            return start_response(status, [*headers, *_HEADERS.items()], failure)

        return self._application(environ, start)


def served(settings: Settings, clock: Clock | None = None) -> metrics_port.PortDispatch:
    """Return the application for gunicorn, with the metrics on their own port."""
    app = create_app(settings, clock=clock)
    return metrics_port.PortDispatch(app, components_of(app).metrics.registry, settings.metrics_port)
