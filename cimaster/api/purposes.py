"""How the clusters of each purpose are checked and cleaned: purposes, setpurpose."""

import json

from flask import Response

from cimaster.api.routes import route
from cimaster.pool import PurposeTerms
from cimaster.web import endpoints, responses, text_lists
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import ListPurposes, SetPurpose
from cimaster.web.negotiation import wants_json


@route(endpoints.PURPOSES)
def purposes(_params: ListPurposes) -> Response:
    """List the purposes and their rules."""
    snapshot = components().clusters.view()
    pool = snapshot.pool
    if wants_json():
        in_force = [{**pool.rules_for(purpose).described(), "purpose": purpose} for purpose in pool.purposes()]
        described = [*in_force, *(rules.described() for rules in pool.purpose_rules if rules.fault)]
        text = json.dumps({"commit": snapshot.commit, "purposes": described})
        return responses.dated(responses.json_text(text), snapshot)
    return responses.dated(responses.text_answer(text_lists.purposes(pool)), snapshot)


@route(endpoints.SETPURPOSE)
def setpurpose(params: SetPurpose) -> Response:
    """Choose how the clusters of a purpose are checked and cleaned."""
    checks = components().checks
    checks.require("check", params.check)
    checks.require("clean", params.clean)
    terms = PurposeTerms(params.check, params.every, params.clean, params.after_expiry)
    return responses.committed(components().clusters.set_purpose(params.purpose, params.name, terms, params.request))
