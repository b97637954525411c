"""The parts of the application that its routes use, connected by `app.create_app`."""

from dataclasses import dataclass

from flask import Flask, current_app

from cimaster.manual_trigger.access.rules import Rules
from cimaster.manual_trigger.access.tokens import Tokens
from cimaster.manual_trigger.metrics import Metrics
from cimaster.manual_trigger.prow.catalog import Catalog
from cimaster.manual_trigger.prow.prowjobs import ProwJobs
from cimaster.manual_trigger.refresher import Refresher
from cimaster.manual_trigger.settings import TriggerSettings
from cimaster.manual_trigger.trigger_service import TriggerService


@dataclass(frozen=True)
class Components:
    """The parts of one application."""

    settings: TriggerSettings
    metrics: Metrics
    tokens: Tokens
    rules: Rules
    catalog: Catalog
    prowjobs: ProwJobs
    trigger_service: TriggerService
    refresher: Refresher

    def attach(self, app: Flask) -> None:
        """Make these the components of an application."""
        app.extensions["manual_trigger"] = self


def components_of(app: Flask) -> Components:
    """Return the components of an application."""
    found: Components = app.extensions["manual_trigger"]
    return found


def components() -> Components:
    """Return the components of the application that answers the current request."""
    return components_of(current_app)
