"""The part of the API that has clusters created: ask for one, see what became of it, keep pools filled."""

import json
from typing import Any

from flask import Response

from cimaster.api.blueprint import route
from cimaster.common.texts import brief, same
from cimaster.errors import BadParameter, MissingParameter
from cimaster.pool.decisions.automatic_top_up import PolicyTerms, remove_policy
from cimaster.pool.decisions.provisioning import dismiss, find
from cimaster.pool.records.cluster import DEFAULT_PURPOSE
from cimaster.pool.records.creation import REQUESTED, Creation
from cimaster.web import callers, endpoints, public_url, responses, text_lists
from cimaster.web.components import components
from cimaster.web.negotiation import wants_json
from cimaster.web.request_parameters import Given


@route(endpoints.CREATECLUSTER)
def createcluster(given: Given) -> Response:
    """Have a cluster created; wait until it is being created, or say that it will be."""
    creations = components().provisioning
    wanted = creations.creation_request(
        given.purpose or DEFAULT_PURPOSE, given.user, given.branch or "", given.job or "", callers.owner()
    )
    done = creations.create(wanted, bool(given.force), given.request)
    creation = creations.begun(done.answer.text, done.commit)
    response = _waits(creation) if creation.state == REQUESTED else _begun(creation)
    response.headers["Location"] = _link(creation)
    response.headers["CIMaster-Commit"] = str(done.commit)
    if done.answer.repeated:
        response.headers["CIMaster-Repeated"] = "true"
    return response


def _begun(creation: Creation) -> Response:
    told = _told(creation)
    if wants_json():
        return responses.json_text(json.dumps(told))
    del told["creation"]
    return responses.text_answer(f"cluster creation triggered successfully: {json.dumps(told)}\n")


def _waits(creation: Creation) -> Response:
    why = f" ({creation.reason})" if creation.reason else ""
    sentence = f"creation {creation.id} is requested and has not begun yet{why}; see {_link(creation)}"
    if wants_json():
        return responses.json_text(json.dumps({**_told(creation), "success": False, "message": sentence}), 202)
    return responses.text_answer(sentence + "\n", 202)


def _told(creation: Creation) -> dict[str, Any]:
    """Return what the trigger answered; where our own program builds the cluster, our page is the link."""
    return {
        "success": True,
        "message": creation.get_text("message")
        or ("the cluster is being created" if creation.is_open else "the cluster is there"),
        "job_name": creation.job_name,
        "status_link": creation.status_link or _link(creation),
        "log_link": creation.log_link,
        "creation": creation.described(),
    }


def _link(creation: Creation) -> str:
    return public_url.link("api.creations", creation=creation.id)


@route(endpoints.CREATIONS)
def creations(given: Given) -> Response:
    """List creations, newest first."""
    snapshot = components().clusters.view_now() if given.creation else components().clusters.view()
    chosen = [find(snapshot.pool, given.creation)] if given.creation else snapshot.pool.creations
    shown = [c for c in reversed(chosen) if given.creation or c.is_shown]
    shown = [creation for creation in shown if given.state in (None, creation.state)]
    if wants_json():
        text = json.dumps({"commit": snapshot.commit, "creations": [creation.described() for creation in shown]})
        return responses.dated(responses.json_text(text), snapshot)
    return responses.dated(
        responses.text_answer(text_lists.creations(shown, components().provisioning.clock(), given.state is not None)),
        snapshot,
    )


@route(endpoints.CHANGE_CREATION)
def change_creation(given: Given) -> Response:
    """Try a creation again, or take it off the list."""
    if given.retry and given.dismiss:
        raise BadParameter("dismiss goes not with retry: send one of them", parameter="dismiss")
    if given.retry:
        return responses.committed(
            components().provisioning.retry(given.retry, given.name, given.request, callers.owner())
        )
    if given.dismiss:
        return responses.committed(components().clusters.change(dismiss, given.request, given.dismiss, given.name))
    raise MissingParameter("retry is required, or dismiss: the id of a creation", parameter="retry")


@route(endpoints.POLICIES)
def policies(given: Given) -> Response:
    """List policies, and say how each stands."""
    snapshot = components().clusters.view()
    stands = [
        (policy, says)
        for policy, says in components().provisioning.explained(snapshot)
        if given.purpose is None or same(given.purpose, policy.purpose)
    ]
    if wants_json():
        told = [{**policy.described(), "says": says} for policy, says in stands]
        return responses.dated(responses.json_text(json.dumps({"commit": snapshot.commit, "policies": told})), snapshot)
    none = (
        f"no policy is for {brief(given.purpose or '')}"
        if snapshot.pool.policies
        else "no policy keeps clusters vacant"
    )
    return responses.dated(
        responses.text_answer(text_lists.policies(stands) or f"{none}: /setpolicy sets one\n"), snapshot
    )


@route(endpoints.SETPOLICY)
def setpolicy(given: Given) -> Response:
    """Keep a minimum of clusters of a purpose vacant."""
    return responses.committed(
        components().provisioning.set_policy(given.purpose, given.name, terms_from(given), given.request)
    )


def terms_from(given: Given) -> PolicyTerms:
    """Return what the parameters say of a policy."""
    return PolicyTerms(
        given.min_vacant, given.max_total, given.max_creating, given.cooldown, given.hours, given.job, given.branch
    )


@route(endpoints.REMOVEPOLICY)
def removepolicy(given: Given) -> Response:
    """Keep no minimum of a purpose any more."""
    return responses.committed(components().clusters.change(remove_policy, given.request, given.purpose))
