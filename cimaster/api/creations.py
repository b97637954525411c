"""Create clusters, and follow, retry or dismiss their creation: createcluster, creations."""

import json
from typing import Any

from flask import Response

from cimaster.api.routes import route
from cimaster.errors import BadParameter, MissingParameter
from cimaster.pool.decisions.provisioning import find
from cimaster.pool.records.cluster import DEFAULT_PURPOSE
from cimaster.pool.records.creation import REQUESTED, Creation
from cimaster.web import callers, endpoints, public_url, responses, text_lists
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import ChangeCreation, CreateCluster, ListCreations
from cimaster.web.negotiation import wants_json


@route(endpoints.CREATECLUSTER)
def createcluster(params: CreateCluster) -> Response:
    """Request a cluster; wait until its creation has started, or answer that it will."""
    provisioning = components().provisioning
    wanted = provisioning.creation_request(
        params.purpose or DEFAULT_PURPOSE, params.user, params.branch, params.job, callers.owner()
    )
    done = provisioning.create(wanted, params.force, params.request)
    creation = provisioning.wait_until_started(done.answer.text, done.commit)
    response = _requested(creation) if creation.state == REQUESTED else _triggered(creation)
    response.headers["Location"] = _link(creation)
    response.headers["CIMaster-Commit"] = str(done.commit)
    if done.answer.repeated:
        response.headers["CIMaster-Repeated"] = "true"
    return response


def _triggered(creation: Creation) -> Response:
    facts = _facts(creation)
    if wants_json():
        return responses.json_text(json.dumps(facts))
    del facts["creation"]
    return responses.text_answer(f"cluster creation triggered successfully: {json.dumps(facts)}\n")


def _requested(creation: Creation) -> Response:
    why = f" ({creation.reason})" if creation.reason else ""
    sentence = f"creation {creation.id} is requested but has not started yet{why}; see {_link(creation)}"
    if wants_json():
        facts = {**_facts(creation), "success": False, "message": sentence}
        return responses.json_text(json.dumps(facts), 202)
    return responses.text_answer(sentence + "\n", 202)


def _facts(creation: Creation) -> dict[str, Any]:
    """Return what the trigger answered; if our own program builds the cluster, the link leads to our page."""
    message = "the cluster is being created" if creation.is_open else "the cluster has been added"
    return {
        "success": True,
        "message": creation.get_text("message") or message,
        "job_name": creation.job_name,
        "status_link": creation.status_link or _link(creation),
        "log_link": creation.log_link,
        "creation": creation.described(callers.caller()),
    }


def _link(creation: Creation) -> str:
    return public_url.link("api.creations", creation=creation.id)


@route(endpoints.CREATIONS)
def creations(params: ListCreations) -> Response:
    """List creations, newest first."""
    clusters = components().clusters
    snapshot = clusters.view_now() if params.creation else clusters.view()
    if params.creation:
        found = [find(snapshot.pool, params.creation)]
    else:
        found = [creation for creation in reversed(snapshot.pool.creations) if creation.is_shown]
    shown = [creation for creation in found if params.state in ("", creation.state)]
    if wants_json():
        caller = callers.caller()
        described = [creation.described(caller) for creation in shown]
        text = json.dumps({"commit": snapshot.commit, "creations": described})
        return responses.dated(responses.json_text(text), snapshot)
    text = text_lists.creations(shown, clusters.now(), bool(params.state))
    return responses.dated(responses.text_answer(text), snapshot)


@route(endpoints.CHANGE_CREATION)
def change_creation(params: ChangeCreation) -> Response:
    """Retry a creation, or take it off the list."""
    provisioning = components().provisioning
    if params.retry and params.dismiss:
        raise BadParameter("dismiss is not allowed with retry: send one of them", parameter="dismiss")
    if params.retry:
        done = provisioning.retry(params.retry, params.name, params.request, callers.caller())
    elif params.dismiss:
        done = provisioning.dismiss(params.dismiss, params.name, params.request, callers.caller())
    else:
        raise MissingParameter("retry or dismiss is required: send the id of a creation", parameter="retry")
    return responses.committed(done)
