"""Lend clusters to jobs, at once or in their turn; and the queue of those that wait."""

import json

from flask import Response, request

from cimaster import callers, endpoints, inputs, listing, serving, web
from cimaster.api.blueprint import route
from cimaster.errors import MissingParameter
from cimaster.inputs import Given
from cimaster.pool import queue
from cimaster.pool.ticket import NORMAL


@route(endpoints.GETVACANT)
def getvacant(given: Given) -> Response:
    """Lend a vacant cluster to a job."""
    ask = inputs.ask(given, given.cluster or "", given.name or given.email or "")
    priority = given.priority or NORMAL
    if given.skip_if_none:
        return web.committed(web.waiting().take_or_nothing(ask, given.request), bare=True)
    if not given.wait:
        return web.committed(web.waiting().take(ask, given.request, priority, callers.owner()), bare=True)
    if given.request is None:
        raise MissingParameter("request_id is required with wait: a new uuid, and the same in each try",
                               parameter="request_id")  # fmt: skip
    request.prom_do_not_track = True  # type: ignore[attr-defined]  # its time says nothing of how fast we are
    environ = request.environ
    done = web.waiting().take_or_wait(ask, given.request, given.wait, priority, lambda: serving.still_there(environ))
    return web.committed(done, bare=True)


@route(endpoints.LEAVEQUEUE)
def leavequeue(given: Given) -> Response:
    """Give a place in the queue up."""
    assert given.request
    return web.committed(web.service().leave(given.request.id, callers.owner()))


@route(endpoints.QUEUE)
def show_queue(given: Given) -> Response:  # noqa: ARG001 it takes no parameters
    """List who waits."""
    snapshot, now = web.service().view(), web.service().repository.now()
    ranked = queue.ranked(snapshot.pool, now)
    if web.wants_json():
        tickets = [ticket.described(place, now) for place, ticket in enumerate(ranked, 1)]
        return web.dated(web.json_text(json.dumps({"tickets": tickets})), snapshot)
    return web.dated(web.text_answer(listing.queue(ranked, now)), snapshot)
