"""Hold clusters for people: holdcluster, releasecluster."""

from flask import Response

from cimaster.api.routes import route
from cimaster.errors import MissingParameter
from cimaster.web import endpoints, request_parameters, responses
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import HoldCluster, ReleaseCluster

ANY = "any"


@route(endpoints.HOLDCLUSTER)
def holdcluster(params: HoldCluster) -> Response:
    """Hold a cluster for a person; `any` holds one of the kind that the other parameters describe."""
    _check_together(params)
    clusters = components().clusters
    if params.cluster == ANY:
        criteria = request_parameters.criteria(params)
        done = clusters.hold_any(criteria, params.name, params.desc, params.duration, params.request)
    else:
        done = clusters.hold(
            params.cluster,
            params.name,
            params.desc,
            params.duration,
            params.request,
            expect=params.expect,
            force=params.force,
            reason=params.reason,
        )
    return responses.committed(done)


def _check_together(params: HoldCluster) -> None:
    """Refuse parameters that make no sense together."""
    if params.force:
        components().admins.require(params.name)
        if params.cluster == ANY:
            raise request_parameters.only_with("force", "the name of a cluster")
        if not params.reason:
            sentence = "reason is required with force: send one, the former holder reads it"
            raise MissingParameter(sentence, parameter="reason")
    if params.cluster != ANY:
        kind = {"purpose": params.purpose, "osimage": params.osimage, "region": params.region, "label": params.label}
        for name, value in kind.items():
            if value:
                raise request_parameters.only_with(name, "cluster=any")


@route(endpoints.RELEASECLUSTER)
def releasecluster(params: ReleaseCluster) -> Response:
    """End a hold, or hand it over to another person."""
    clusters, is_admin = components().clusters, params.name in components().admins
    if params.to:
        done = clusters.hand_over(params.cluster, params.name, is_admin, params.to, params.reason, params.request)
    else:
        done = clusters.release(params.cluster, params.name, is_admin, params.reason, params.request)
    return responses.committed(done)
