"""Keep the inventory: addcluster, updatecluster, deletecluster, disablecluster, enablecluster, healthcluster."""

from flask import Response

from cimaster.api.routes import route
from cimaster.web import callers, endpoints, request_parameters, responses
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import (
    AddCluster,
    DeleteCluster,
    DisableCluster,
    EnableCluster,
    HealthCluster,
    UpdateCluster,
)


@route(endpoints.ADDCLUSTER)
def addcluster(params: AddCluster) -> Response:
    """Add a cluster to the pool."""
    facts = request_parameters.facts(params)
    done = components().clusters.add(
        params.cluster, params.name, facts, params.request, creation=params.creation, caller=callers.caller()
    )
    return responses.committed(done)


@route(endpoints.UPDATECLUSTER)
def updatecluster(params: UpdateCluster) -> Response:
    """Change the facts about a cluster."""
    facts = request_parameters.changed_facts(params)
    return responses.committed(components().clusters.update(params.cluster, params.name, facts, params.request))


@route(endpoints.DELETECLUSTER)
def deletecluster(params: DeleteCluster) -> Response:
    """Delete a cluster from the pool."""
    done = components().clusters.delete(
        params.cluster, params.name, params.request, force=params.force, reason=params.reason
    )
    return responses.committed(done)


@route(endpoints.DISABLECLUSTER)
def disablecluster(params: DisableCluster) -> Response:
    """Take a cluster out of lending."""
    return responses.committed(
        components().clusters.disable(params.cluster, params.name, params.reason, params.request)
    )


@route(endpoints.ENABLECLUSTER)
def enablecluster(params: EnableCluster) -> Response:
    """Put a cluster back into lending."""
    return responses.committed(components().clusters.enable(params.cluster, params.name, params.reason, params.request))


@route(endpoints.HEALTHCLUSTER)
def healthcluster(params: HealthCluster) -> Response:
    """Set the health of a cluster."""
    done = components().clusters.set_health(params.cluster, params.name, params.health, params.reason, params.request)
    return responses.committed(done)
