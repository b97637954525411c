"""The parts of the application that its routes use, connected by `app.create_app`."""

from dataclasses import dataclass

from flask import Flask, current_app

from cimaster.checks import DefinedChecks
from cimaster.observability.metrics import Metrics
from cimaster.services.clusters import Clusters
from cimaster.services.history import History
from cimaster.services.provisioning import Provisioning
from cimaster.services.usage import Usage
from cimaster.services.waiting_room import WaitingRoom
from cimaster.settings import Settings
from cimaster.web.admins import Admins
from cimaster.web.identity.authentication import Authentication
from cimaster.web.identity.roles import Roles
from cimaster.web.operator_files import OperatorFiles
from cimaster.web.rendered_lists import RenderedLists
from cimaster.workers.lifecycle import Lifecycle


@dataclass(frozen=True)
class Components:
    """The parts of one application. Without `authentication` (`auth = open`) the names that callers give count."""

    settings: Settings
    metrics: Metrics
    admins: Admins
    roles: Roles
    authentication: Authentication | None
    clusters: Clusters
    history: History
    usage: Usage
    waiting_room: WaitingRoom
    provisioning: Provisioning
    checks: DefinedChecks
    files: OperatorFiles
    rendered_lists: RenderedLists
    lifecycle: Lifecycle

    def attach(self, app: Flask) -> None:
        """Make these the components of an application."""
        app.extensions["cimaster"] = self


def components_of(app: Flask) -> Components:
    """Return the components of an application."""
    found: Components = app.extensions["cimaster"]
    return found


def components() -> Components:
    """Return the components of the application that answers the current request."""
    return components_of(current_app)
