"""The one place that joins parts, routes and what every request has: a token, an id, a line in the log."""

import logging

from flask import Flask, Response, g, request
from prometheus_flask_exporter import PrometheusMetrics
from werkzeug.exceptions import HTTPException

from cimaster.common import flask_errors
from cimaster.common.clock import Clock
from cimaster.common.errors import Refusal
from cimaster.common.logs import correlation_id
from cimaster.common.serving import metrics_port, request_log
from cimaster.manual_trigger import problems
from cimaster.manual_trigger.api import OPEN, api, parts
from cimaster.manual_trigger.components import Parts
from cimaster.manual_trigger.settings import TriggerSettings

_HEADERS = {"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff"}


def create_app(settings: TriggerSettings, clock: Clock | None = None) -> Flask:
    """Build the application. Its thread rests until `app.extensions["manual_trigger"].keeper.start()`."""
    app = Flask(__name__, static_folder=None)
    app.config.update(flask_errors.LIMITS)
    registry = metrics_port.registry()
    app.extensions["manual_trigger"] = Parts(settings, registry, clock or Clock())
    PrometheusMetrics(app, path=None, group_by="url_rule", registry=registry)
    app.before_request(_begin)
    app.after_request(_end)
    app.register_error_handler(Refusal, problems.refused)
    app.register_error_handler(HTTPException, problems.http_refused)
    app.register_error_handler(Exception, _failed)
    app.register_blueprint(api)
    return app


def served() -> metrics_port.PortDispatch:
    """Return the application for gunicorn, with the settings of the environment."""
    settings = TriggerSettings.from_environ()
    app = create_app(settings)
    return metrics_port.PortDispatch(app, app.extensions["manual_trigger"].metrics.registry, settings.metrics_port)


def _begin() -> None:
    request_log.identify(request.remote_addr or "")
    flask_errors.check_method()
    if request.endpoint not in OPEN:
        parts().callers.require(request.headers.get("Authorization", ""))


def _end(response: Response) -> Response:
    said = g.get("said", {})
    response.headers.update(_HEADERS)
    if request.endpoint == "api.trigger":
        parts().metrics.triggers.labels(said.get("outcome") or "internal_error").inc()
    request_log.conclude(response, lambda: said, quiet=g.get("quiet", False))
    return response


def _failed(error: Exception) -> Response:
    logging.getLogger(__name__).error("a request failed", exc_info=error)
    sentence = f"the service failed; its log tells why under request {correlation_id.get()}"
    return problems.problem(500, "internal_error", sentence)
