"""The queue of callers that are waiting for a cluster: queue, leavequeue."""

import json

from flask import Response

from cimaster.api.routes import route
from cimaster.pool.decisions import queue_order
from cimaster.pool.decisions.expected_wait import expected_waits
from cimaster.web import callers, endpoints, responses, text_lists
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import LeaveQueue, ListQueue
from cimaster.web.negotiation import wants_json


@route(endpoints.QUEUE)
def queue(_params: ListQueue) -> Response:
    """List the callers that are waiting."""
    snapshot, now = components().clusters.view(), components().clusters.now()
    caller = callers.caller()
    ranked = queue_order.in_serving_order(snapshot.pool, now)
    waits = expected_waits(snapshot.pool, now)
    if wants_json():
        tickets = [ticket.described(caller, place, now, waits.get(ticket.id)) for place, ticket in enumerate(ranked, 1)]
        return responses.dated(responses.json_text(json.dumps({"tickets": tickets})), snapshot)
    return responses.dated(responses.text_answer(text_lists.queue(ranked, now, waits, caller)), snapshot)


@route(endpoints.LEAVEQUEUE)
def leavequeue(params: LeaveQueue) -> Response:
    """Give up a place in the queue."""
    return responses.committed(components().clusters.leave_queue(params.request_id, callers.caller()))
