"""List clusters, and show one cluster."""

from flask import Response, g

from cimaster.api.routes import api, route
from cimaster.errors import BadParameter
from cimaster.web import access, callers, endpoints, request_parameters, responses, text_lists
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import ListClusters
from cimaster.web.negotiation import wants_json

JSON, TEXT = "application/json", "text/plain"


@route(endpoints.CLUSTERS)
def clusters(params: ListClusters) -> Response:
    """List clusters."""
    if not components().clusters.may_exist(params.after):
        sentence = f"after is {params.after}, which is far ahead: send the CIMaster-Commit of an answer"
        raise BadParameter(sentence, parameter="after")
    shown, snapshot = request_parameters.filter_of(params), components().clusters.view(params.after)
    lists, caller, pool = components().rendered_lists, callers.caller(), snapshot.pool
    if wants_json():
        what = (repr(shown), JSON, lists.visible_ids(snapshot, caller))
        body = lists.of(snapshot, what, lambda: text_lists.as_json(pool, shown.of(pool), caller))
        return responses.dated(responses.answer(body, 200, JSON), snapshot)
    body = lists.of(snapshot, (repr(shown), TEXT), lambda: text_lists.as_text(pool, shown.of(pool)))
    return responses.dated(responses.answer(body, 200, TEXT), snapshot)


@access.allow(endpoints.ONE_CLUSTER.roles)
@api.get(endpoints.ONE_CLUSTER.path.replace("<name>", "<path:name>"))
def one_cluster(name: str) -> Response:
    """Show one cluster."""
    g.endpoint = endpoints.ONE_CLUSTER
    request_parameters.unknown(endpoints.ONE_CLUSTER, request_parameters.sent(endpoints.ONE_CLUSTER))
    snapshot = components().clusters.view_now()
    cluster = snapshot.pool.find_any(name)
    if wants_json():
        return responses.dated(responses.json_text(cluster.described(callers.caller())), snapshot)
    return responses.dated(responses.text_answer(text_lists.one(snapshot.pool, cluster)), snapshot)
