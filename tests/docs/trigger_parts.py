"""The generated parts of the page about the manual-trigger service, one function each."""

from flask import Flask
from prometheus_client import CollectorRegistry

from cimaster.common import errors as shared
from cimaster.manual_trigger import errors
from cimaster.manual_trigger.api import api
from cimaster.manual_trigger.metrics import Metrics
from cimaster.manual_trigger.parameters import PARAMETERS
from cimaster.manual_trigger.settings import TriggerSettings
from tests.docs.markdown import table
from tests.docs.service_parts import coded, first_line, metrics_as_table, settings_as_table


def route_table() -> str:
    """Return every route with what it does."""
    app = Flask(__name__, static_folder=None)
    app.register_blueprint(api)
    rows = [
        [f"`{method} {rule.rule}`", first_line(app.view_functions[rule.endpoint])]
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]
    return table(("request", "what it does"), rows)


def parameter_table() -> str:
    """Return every parameter of a request to start a job."""
    rows = ([f"**`{p.name}`**" if p.required else f"`{p.name}`", p.meaning] for p in PARAMETERS)
    return table(("parameter", "meaning"), rows)


def setting_table() -> str:
    """Return every setting with default and meaning."""
    return settings_as_table(TriggerSettings.variables())


def code_table() -> str:
    """Return every code of a refusal with its status and meaning."""
    rows = ([f"`{each.code}`", str(each.status), first_line(each)] for each in coded(shared, errors))
    return table(("code", "status", "meaning"), sorted(rows, key=lambda row: (row[1], row[0])))


def metric_table() -> str:
    """Return every metric with its type and meaning."""
    metrics = Metrics(CollectorRegistry())
    metrics.show_configuration(lambda: -1.0, lambda: 0.0)
    return metrics_as_table(metrics.registry, "manual_trigger_")
