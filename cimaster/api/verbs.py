"""The verbs of jobs, people and admins, and the lists; how a job gets a cluster stands in waiting.py."""

from flask import Response, g

from cimaster import pool as decide
from cimaster.api.blueprint import api, route
from cimaster.errors import BadParameter, MissingParameter
from cimaster.pool import FinishRequest
from cimaster.web import endpoints, request_parameters, responses, text_lists
from cimaster.web.components import components
from cimaster.web.negotiation import wants_json
from cimaster.web.request_parameters import Given


@route(endpoints.FINISHTEST)
def finishtest(given: Given) -> Response:
    """Give a job's cluster back."""
    said = FinishRequest(given.cluster, given.lease or "", given.job or "", given.build or "")
    return responses.committed(components().clusters.finish(said, given.request))


@route(endpoints.RENEWLEASE)
def renewlease(given: Given) -> Response:
    """Move the end of a lease."""
    return responses.committed(
        components().clusters.change(decide.renew, given.request, given.cluster, given.lease, given.ttl)
    )


@route(endpoints.HOLDCLUSTER)
def holdcluster(given: Given) -> Response:
    """Hold a cluster for a person; `any` holds one of the kind that the other parameters ask for."""
    desc, force, change = given.desc or "", bool(given.force), components().clusters.change
    if force:
        _check_take_over(given)
    if given.cluster == "any":
        return responses.committed(
            change(decide.hold_any, given.request, request_parameters.criteria(given), given.name, desc, given.duration)
        )
    _refuse_kind(given)
    said = given.cluster, given.name, desc, given.duration, given.expect or "", force, given.reason or ""
    return responses.committed(change(decide.hold, given.request, *said))


def _refuse_kind(given: Given) -> None:
    for name in ("purpose", "osimage", "region", "label"):
        if given.values[name]:
            raise request_parameters.only_with(name, "cluster=any")


def _check_take_over(given: Given) -> None:
    components().admins.require(given.name)
    if given.cluster == "any":
        raise request_parameters.only_with("force", "the name of a cluster")
    if not given.reason:
        raise MissingParameter("reason is required with force: the former holder is told why", parameter="reason")


@route(endpoints.RELEASECLUSTER)
def releasecluster(given: Given) -> Response:
    """End a hold, or hand it over to another person."""
    change, is_admin, reason = components().clusters.change, given.name in components().admins, given.reason or ""
    if given.to:
        done = change(decide.hand_over, given.request, given.cluster, given.name, is_admin, given.to, reason)
    else:
        done = change(decide.release, given.request, given.cluster, given.name, is_admin, reason)
    return responses.committed(done)


@route(endpoints.ADDCLUSTER)
def addcluster(given: Given) -> Response:
    """Add a cluster to the pool."""
    said = given.cluster, given.name, request_parameters.facts(given), given.creation or ""
    return responses.committed(components().clusters.change(decide.add, given.request, *said))


@route(endpoints.UPDATECLUSTER)
def updatecluster(given: Given) -> Response:
    """Change what is known of a cluster."""
    return responses.committed(
        components().clusters.change(
            decide.update, given.request, given.cluster, given.name, request_parameters.facts(given)
        )
    )


@route(endpoints.DELETECLUSTER)
def deletecluster(given: Given) -> Response:
    """Take a cluster out of the pool."""
    said = given.cluster, given.name, bool(given.force), given.reason or ""
    return responses.committed(components().clusters.change(decide.delete, given.request, *said))


@route(endpoints.DISABLECLUSTER)
def disablecluster(given: Given) -> Response:
    """Take a cluster out of lending."""
    return responses.committed(
        components().clusters.change(decide.disable, given.request, given.cluster, given.name, given.reason or "")
    )


@route(endpoints.ENABLECLUSTER)
def enablecluster(given: Given) -> Response:
    """Put a cluster back into lending."""
    return responses.committed(
        components().clusters.change(decide.enable, given.request, given.cluster, given.name, given.reason or "")
    )


@route(endpoints.CLUSTERS)
def clusters(given: Given) -> Response:
    """List clusters."""
    shown = request_parameters.filter_of(given)
    after = given.after or 0
    if not components().clusters.may_have(after):
        raise BadParameter(
            f"after is {after}, which is far ahead: send the CIMaster-Commit of an answer", parameter="after"
        )
    snapshot = components().clusters.view(after)
    write, kind = (text_lists.as_json, "application/json") if wants_json() else (text_lists.as_text, "text/plain")
    body = components().rendered_lists.of(
        snapshot, (repr(shown), kind), lambda: write(snapshot.pool, shown.of(snapshot.pool))
    )
    return responses.dated(responses.answer(body, 200, kind), snapshot)


@api.get(endpoints.ONE_CLUSTER.path.replace("<name>", "<path:name>"))
def one_cluster(name: str) -> Response:
    """Show one cluster."""
    g.endpoint = endpoints.ONE_CLUSTER
    request_parameters.read(endpoints.ONE_CLUSTER, request_parameters.sent(endpoints.ONE_CLUSTER))
    snapshot = components().clusters.view_now()
    cluster = snapshot.pool.find_any(name)
    if wants_json():
        return responses.dated(responses.json_text(cluster.described()), snapshot)
    return responses.dated(responses.text_answer(text_lists.one(snapshot.pool, cluster)), snapshot)


@route(endpoints.HISTORY)
def history(given: Given) -> Response:
    """List changes, newest first."""
    entries, snapshot = components().clusters.history(given.cluster or "", given.since, given.limit or 100)
    if wants_json():
        return responses.dated(
            responses.json_text(f'{{"history": [{", ".join(entry.described() for entry in entries)}]}}'), snapshot
        )
    return responses.dated(responses.text_answer(text_lists.history(entries)), snapshot)
