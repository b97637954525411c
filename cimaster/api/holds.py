"""Hold clusters for people: holdcluster, releasecluster."""

from flask import Response

from cimaster.api.routes import route
from cimaster.errors import BadParameter, MissingParameter
from cimaster.pool import Criteria, HoldTerms
from cimaster.web import access, callers, endpoints, request_parameters, responses
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import HoldCluster, ReleaseCluster

ANY = "any"


@route(endpoints.HOLDCLUSTER)
def holdcluster(params: HoldCluster) -> Response:
    """Hold a cluster for a person; `any` holds one of the kind that the other parameters describe."""
    _check_together(params)
    clusters, holder, terms = components().clusters, params.to or params.name, _terms(params)
    if params.wait:
        criteria, owner = _wanted(params, holder), callers.owner()
        done = clusters.hold_or_wait(criteria, holder, terms, params.wait, owner, params.request)
    elif params.cluster == ANY:
        done = clusters.hold_any(request_parameters.criteria(params), holder, terms, params.request)
    else:
        done = clusters.hold(
            params.cluster,
            holder,
            terms,
            params.request,
            expect=params.expect,
            force=params.force,
            reason=params.reason,
        )
    return responses.committed(done)


def _wanted(params: HoldCluster, holder: str) -> Criteria:
    name = "" if params.cluster == ANY else params.cluster
    return request_parameters.criteria(params, cluster=name, by=holder)


def _terms(params: HoldCluster) -> HoldTerms:
    until = request_parameters.hold_end(params.until, components().clusters.now())
    return HoldTerms(params.desc, params.duration, params.with_, made_by=params.name, until=until)


def _check_together(params: HoldCluster) -> None:
    """Refuse parameters that make no sense together."""
    if params.to:
        access.require_for_others(params.name, params.to)
    if params.until and params.duration:
        raise BadParameter("duration and until both say when the hold ends: leave one out", parameter="until")
    if params.wait and params.until:
        raise request_parameters.only_with("until", "a hold without wait")
    if params.wait and params.expect:
        raise request_parameters.only_with("expect", "a hold without wait")
    if params.force:
        if params.wait:
            raise request_parameters.only_with("wait", "a hold without force")
        access.require_admin(params.name)
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
    clusters, is_admin = components().clusters, access.is_admin(params.name)
    if params.to:
        done = clusters.hand_over(params.cluster, params.name, is_admin, params.to, params.reason, params.request)
    else:
        done = clusters.release(params.cluster, params.name, is_admin, params.reason, params.request)
    return responses.committed(done)
