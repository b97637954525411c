"""Hold clusters for people: holdcluster, releasecluster."""

from flask import Response

from cimaster.api.routes import route
from cimaster.errors import MissingParameter
from cimaster.web import endpoints, request_parameters, responses
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import HoldCluster, ReleaseCluster

ANY = "any"


@route(endpoints.HOLDCLUSTER)
def holdcluster(asked: HoldCluster) -> Response:
    """Hold a cluster for a person; `any` holds one of the kind that the other parameters ask for."""
    _check_together(asked)
    clusters = components().clusters
    if asked.cluster == ANY:
        criteria = request_parameters.criteria(asked)
        done = clusters.hold_any(criteria, asked.name, asked.desc, asked.duration, asked.request)
    else:
        done = clusters.hold(
            asked.cluster,
            asked.name,
            asked.desc,
            asked.duration,
            asked.request,
            expect=asked.expect,
            force=asked.force,
            reason=asked.reason,
        )
    return responses.committed(done)


def _check_together(asked: HoldCluster) -> None:
    """Refuse parameters that mean nothing together."""
    if asked.force:
        components().admins.require(asked.name)
        if asked.cluster == ANY:
            raise request_parameters.only_with("force", "the name of a cluster")
        if not asked.reason:
            sentence = "reason is required with force: send one, the former holder reads it"
            raise MissingParameter(sentence, parameter="reason")
    if asked.cluster != ANY:
        kind = {"purpose": asked.purpose, "osimage": asked.osimage, "region": asked.region, "label": asked.label}
        for name, value in kind.items():
            if value:
                raise request_parameters.only_with(name, "cluster=any")


@route(endpoints.RELEASECLUSTER)
def releasecluster(asked: ReleaseCluster) -> Response:
    """End a hold, or hand it over to another person."""
    clusters, is_admin = components().clusters, asked.name in components().admins
    if asked.to:
        done = clusters.hand_over(asked.cluster, asked.name, is_admin, asked.to, asked.reason, asked.request)
    else:
        done = clusters.release(asked.cluster, asked.name, is_admin, asked.reason, asked.request)
    return responses.committed(done)
