"""Lend clusters to jobs: getvacant, finishtest, renewlease."""

from flask import Response, request

from cimaster.api.routes import route
from cimaster.common.serving import caller_connection
from cimaster.errors import MissingParameter
from cimaster.pool import Criteria, FinishRequest, Return
from cimaster.pool.records.ticket import NORMAL
from cimaster.repository.configmap_repository import Committed
from cimaster.web import callers, endpoints, request_parameters, responses
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import FinishTest, GetVacant, RenewLease


@route(endpoints.GETVACANT)
def getvacant(params: GetVacant) -> Response:
    """Lend a vacant cluster to a job."""
    return responses.committed(_taken(params), bare=True)


def _taken(params: GetVacant) -> Committed:
    room, criteria = components().waiting_room, _criteria(params)
    priority = params.priority or NORMAL
    if params.skip_if_none:
        return room.take_or_nothing(criteria, params.request, callers.owner())
    if not params.wait:
        return room.take(criteria, params.request, priority, callers.owner())
    if params.request is None:
        sentence = "request_id is required with wait: send a new uuid, and the same one in each try"
        raise MissingParameter(sentence, parameter="request_id")
    request.prom_do_not_track = True  # type: ignore[attr-defined]  # a wait says nothing about how fast requests are
    environ = request.environ
    return room.take_or_wait(
        criteria, params.request, params.wait, priority, lambda: caller_connection.is_connected(environ)
    )


def _criteria(params: GetVacant) -> Criteria:
    if params.hold_on_failure and not (params.name or params.email):
        sentence = "name or email is required with hold_on_failure: the cluster is held for that person"
        raise MissingParameter(sentence, parameter="name")
    return request_parameters.criteria(
        params,
        cluster=params.cluster,
        job=params.job,
        build=params.build,
        by=params.name or params.email,
        ttl=params.ttl,
        hold_on_failure=params.hold_on_failure,
    )


@route(endpoints.FINISHTEST)
def finishtest(params: FinishTest) -> Response:
    """Give a job's cluster back."""
    returned = Return(params.result, params.hold)
    finish = FinishRequest(params.cluster, params.lease, params.job, params.build, returned)
    return responses.committed(components().clusters.finish(finish, params.request, callers.caller()))


@route(endpoints.RENEWLEASE)
def renewlease(params: RenewLease) -> Response:
    """Move the end of a lease."""
    clusters, caller = components().clusters, callers.caller()
    return responses.committed(clusters.renew(params.cluster, params.lease, params.ttl, params.request, caller))
