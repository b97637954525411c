"""Automatic top-up: policies, setpolicy, removepolicy."""

import json

from flask import Response

from cimaster.api.routes import route
from cimaster.common.texts import brief, same
from cimaster.pool.decisions.automatic_top_up import PolicyTerms
from cimaster.repository.snapshots import Snapshot
from cimaster.web import endpoints, responses, text_lists
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import ListPolicies, RemovePolicy, SetPolicy
from cimaster.web.negotiation import wants_json


@route(endpoints.POLICIES)
def policies(params: ListPolicies) -> Response:
    """List policies and their status."""
    snapshot = components().clusters.view()
    shown = [
        (policy, explanation)
        for policy, explanation in components().provisioning.explained(snapshot)
        if not params.purpose or same(params.purpose, policy.purpose)
    ]
    if wants_json():
        described = [{**policy.described(), "says": explanation} for policy, explanation in shown]
        text = json.dumps({"commit": snapshot.commit, "policies": described})
        return responses.dated(responses.json_text(text), snapshot)
    text = text_lists.policies(shown) or _none(params, snapshot)
    return responses.dated(responses.text_answer(text), snapshot)


def _none(params: ListPolicies, snapshot: Snapshot) -> str:
    what = f"no policy is for {brief(params.purpose)}" if snapshot.pool.policies else "no policy keeps clusters vacant"
    return f"{what}: /setpolicy sets one\n"


@route(endpoints.SETPOLICY)
def setpolicy(params: SetPolicy) -> Response:
    """Keep a minimum of clusters of a purpose vacant."""
    terms = PolicyTerms(
        params.min_vacant,
        params.max_total,
        params.max_creating,
        params.cooldown,
        params.hours,
        params.job,
        params.branch,
    )
    done = components().provisioning.set_policy(params.purpose, params.name, terms, params.request)
    return responses.committed(done)


@route(endpoints.REMOVEPOLICY)
def removepolicy(params: RemovePolicy) -> Response:
    """Stop keeping a minimum of a purpose vacant."""
    return responses.committed(components().provisioning.remove_policy(params.purpose, params.request))
