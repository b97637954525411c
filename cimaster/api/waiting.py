"""Lend clusters to jobs, at once or in their turn; and the queue of those that wait."""

import json

from flask import Response, request

from cimaster.api.blueprint import route
from cimaster.common.serving import caller_connection
from cimaster.errors import MissingParameter
from cimaster.pool.decisions import queue_order
from cimaster.pool.records.ticket import NORMAL
from cimaster.web import callers, endpoints, request_parameters, responses, text_lists
from cimaster.web.components import components
from cimaster.web.negotiation import wants_json
from cimaster.web.request_parameters import Given


@route(endpoints.GETVACANT)
def getvacant(given: Given) -> Response:
    """Lend a vacant cluster to a job."""
    criteria = request_parameters.criteria(given, given.cluster or "", given.name or given.email or "")
    priority = given.priority or NORMAL
    if given.skip_if_none:
        return responses.committed(components().waiting_room.take_or_nothing(criteria, given.request), bare=True)
    if not given.wait:
        return responses.committed(
            components().waiting_room.take(criteria, given.request, priority, callers.owner()), bare=True
        )
    if given.request is None:
        raise MissingParameter(
            "request_id is required with wait: a new uuid, and the same in each try", parameter="request_id"
        )
    request.prom_do_not_track = True  # type: ignore[attr-defined]  # its time says nothing of how fast we are
    environ = request.environ
    done = components().waiting_room.take_or_wait(
        criteria, given.request, given.wait, priority, lambda: caller_connection.still_there(environ)
    )
    return responses.committed(done, bare=True)


@route(endpoints.LEAVEQUEUE)
def leavequeue(given: Given) -> Response:
    """Give a place in the queue up."""
    assert given.request
    return responses.committed(components().clusters.leave(given.request.id, callers.owner()))


@route(endpoints.QUEUE)
def show_queue(given: Given) -> Response:  # noqa: ARG001 it takes no parameters
    """List who waits."""
    snapshot, now = components().clusters.view(), components().clusters.repository.now()
    ranked = queue_order.in_serving_order(snapshot.pool, now)
    if wants_json():
        tickets = [ticket.described(place, now) for place, ticket in enumerate(ranked, 1)]
        return responses.dated(responses.json_text(json.dumps({"tickets": tickets})), snapshot)
    return responses.dated(responses.text_answer(text_lists.queue(ranked, now)), snapshot)
