"""The one place that chooses and connects the parts of the manual-trigger service."""

from flask import Flask, Response, g, request
from prometheus_flask_exporter import PrometheusMetrics

from cimaster.common import flask_errors
from cimaster.common.clock import Clock
from cimaster.common.kubernetes_client import KubernetesClient
from cimaster.common.serving import metrics_port, request_log
from cimaster.manual_trigger import problems
from cimaster.manual_trigger.access.rules import Rules
from cimaster.manual_trigger.access.tokens import Tokens
from cimaster.manual_trigger.api import PUBLIC_ROUTES, api
from cimaster.manual_trigger.components import Components, components, components_of
from cimaster.manual_trigger.metrics import Metrics
from cimaster.manual_trigger.prow.catalog import Catalog
from cimaster.manual_trigger.prow.config_source import fetch
from cimaster.manual_trigger.prow.prowjobs import ProwJobs
from cimaster.manual_trigger.refresher import Refresher
from cimaster.manual_trigger.settings import TriggerSettings
from cimaster.manual_trigger.trigger_service import TriggerService

_HEADERS = {"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff"}


def create_app(settings: TriggerSettings, clock: Clock | None = None) -> Flask:
    """Build the application. Its thread does not run before `components_of(app).refresher.start()`."""
    app = Flask(__name__, static_folder=None)
    connected = _components(settings, clock or Clock())
    connected.attach(app)
    PrometheusMetrics(app, path=None, group_by="url_rule", registry=connected.metrics.registry)
    app.before_request(_before_request)
    app.after_request(_after_request)
    flask_errors.register(app, problems.refused, problems.problem)
    app.register_blueprint(api)
    return app


def served() -> metrics_port.PortDispatch:
    """Return the application for gunicorn, with the settings of the environment."""
    settings = TriggerSettings.from_environ()
    app = create_app(settings)
    return metrics_port.PortDispatch(app, components_of(app).metrics.registry, settings.metrics_port)


def _components(settings: TriggerSettings, clock: Clock) -> Components:
    metrics = Metrics(metrics_port.registry())
    rules = Rules(settings.allow_file)
    catalog = Catalog(lambda: fetch(settings.config), metrics, clock)
    prowjobs = ProwJobs(KubernetesClient(settings.threads, clock), metrics, clock)
    service = TriggerService(settings, catalog, prowjobs, rules, metrics, clock)
    every = settings.reload_every.total_seconds()
    refresher = Refresher(catalog, prowjobs, lambda: service.namespace, every, metrics.thread_errors)
    metrics.show_configuration(
        age=lambda: -1.0 if catalog.age is None else catalog.age,
        jobs=lambda: float(sum(catalog.current.counts.values())) if catalog.loaded else 0.0,
    )
    return Components(settings, metrics, Tokens(settings.token_file), rules, catalog, prowjobs, service, refresher)


def _before_request() -> None:
    request_log.identify(request.remote_addr or "")
    flask_errors.check_method()
    if request.endpoint not in PUBLIC_ROUTES:
        components().tokens.require(request.headers.get("Authorization", ""))


def _after_request(response: Response) -> Response:
    logged = g.get("logged", {})
    response.headers.update(_HEADERS)
    if request.endpoint == "api.trigger":
        components().metrics.triggers.labels(logged.get("outcome") or "internal_error").inc()
    request_log.conclude(response, lambda: logged, quiet=g.get("quiet", False))
    return response
