"""Lend clusters to jobs: getvacant, finishtest, renewlease."""

from flask import Response, request

from cimaster.api.routes import route
from cimaster.common.serving import caller_connection
from cimaster.errors import MissingParameter
from cimaster.pool import Criteria, FinishRequest
from cimaster.pool.records.ticket import NORMAL
from cimaster.repository.configmap_repository import Committed
from cimaster.web import callers, endpoints, request_parameters, responses
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import FinishTest, GetVacant, RenewLease


@route(endpoints.GETVACANT)
def getvacant(asked: GetVacant) -> Response:
    """Lend a vacant cluster to a job."""
    return responses.committed(_taken(asked), bare=True)


def _taken(asked: GetVacant) -> Committed:
    room, criteria = components().waiting_room, _criteria(asked)
    priority = asked.priority or NORMAL
    if asked.skip_if_none:
        return room.take_or_nothing(criteria, asked.request)
    if not asked.wait:
        return room.take(criteria, asked.request, priority, callers.owner())
    if asked.request is None:
        sentence = "request_id is required with wait: send a new uuid, and the same one in each try"
        raise MissingParameter(sentence, parameter="request_id")
    request.prom_do_not_track = True  # type: ignore[attr-defined]  # a wait says nothing about how fast requests are
    environ = request.environ
    return room.take_or_wait(
        criteria, asked.request, asked.wait, priority, lambda: caller_connection.still_there(environ)
    )


def _criteria(asked: GetVacant) -> Criteria:
    return request_parameters.criteria(
        asked,
        cluster=asked.cluster,
        job=asked.job,
        build=asked.build,
        by=asked.name or asked.email,
        ttl=asked.ttl,
    )


@route(endpoints.FINISHTEST)
def finishtest(asked: FinishTest) -> Response:
    """Give a job's cluster back."""
    finish = FinishRequest(asked.cluster, asked.lease, asked.job, asked.build)
    return responses.committed(components().clusters.finish(finish, asked.request))


@route(endpoints.RENEWLEASE)
def renewlease(asked: RenewLease) -> Response:
    """Move the end of a lease."""
    return responses.committed(components().clusters.renew(asked.cluster, asked.lease, asked.ttl, asked.request))
