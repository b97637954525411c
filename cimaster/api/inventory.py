"""Keep the inventory: addcluster, updatecluster, deletecluster, disablecluster, enablecluster."""

from flask import Response

from cimaster.api.routes import route
from cimaster.web import endpoints, request_parameters, responses
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import AddCluster, DeleteCluster, DisableCluster, EnableCluster, UpdateCluster


@route(endpoints.ADDCLUSTER)
def addcluster(asked: AddCluster) -> Response:
    """Add a cluster to the pool."""
    facts = request_parameters.facts(asked)
    done = components().clusters.add(asked.cluster, asked.name, facts, asked.request, creation=asked.creation)
    return responses.committed(done)


@route(endpoints.UPDATECLUSTER)
def updatecluster(asked: UpdateCluster) -> Response:
    """Change what is known of a cluster."""
    facts = request_parameters.facts(asked)
    return responses.committed(components().clusters.update(asked.cluster, asked.name, facts, asked.request))


@route(endpoints.DELETECLUSTER)
def deletecluster(asked: DeleteCluster) -> Response:
    """Delete a cluster from the pool."""
    done = components().clusters.delete(
        asked.cluster, asked.name, asked.request, force=asked.force, reason=asked.reason
    )
    return responses.committed(done)


@route(endpoints.DISABLECLUSTER)
def disablecluster(asked: DisableCluster) -> Response:
    """Take a cluster out of lending."""
    return responses.committed(components().clusters.disable(asked.cluster, asked.name, asked.reason, asked.request))


@route(endpoints.ENABLECLUSTER)
def enablecluster(asked: EnableCluster) -> Response:
    """Put a cluster back into lending."""
    return responses.committed(components().clusters.enable(asked.cluster, asked.name, asked.reason, asked.request))
