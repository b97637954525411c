"""Refusals as HTTP answers: one line of text or problem JSON (RFC 9457), with a status and a code."""

import json
from collections.abc import Mapping

from flask import Response, request
from werkzeug.exceptions import HTTPException

from cimaster import errors
from cimaster.common import flask_errors
from cimaster.common.logs import correlation_id
from cimaster.common.texts import printable
from cimaster.web import responses
from cimaster.web.negotiation import wants_json


def refused(refusal: errors.Problem) -> Response:
    """Answer a refusal or an outage: its status, its code in a header, one line of text or problem JSON (RFC 9457)."""
    response = flask_errors.refused(problem, refusal)
    if isinstance(refusal, errors.UsePost):
        response.headers["Allow"] = "POST"
    if refusal.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="cimaster"'
    if "place" in refusal.facts:
        response.headers["CIMaster-Place"] = str(refusal.facts["place"])
    if "expectedWait" in refusal.facts:
        response.headers["CIMaster-Expected-Wait"] = str(refusal.facts["expectedWait"])
    if isinstance(refusal, errors.Queued) and not wants_json():
        response.set_data(b"")  # curl prints the body of each try, where a script expects the cluster's name
    return response


def problem(status: int, code: str, sentence: str, facts: Mapping[str, object] | None = None) -> Response:
    """Answer with a sentence that says what is wrong, in the one shape of every refusal."""
    sentence = printable(sentence)
    if wants_json():
        body = {
            **(facts or {}),
            "type": f"{request.script_root}/openapi.yaml#{code}",
            "title": code.replace("_", " "),
            "status": status,
            "detail": sentence,
            "code": code,
            "request": correlation_id.get(),
        }
        response = responses.json_text(json.dumps(body), status, "application/problem+json")
    else:
        response = responses.text_answer(sentence + "\n", status)
    response.headers["CIMaster-Code"] = code
    return response


def http_refused(error: HTTPException) -> Response:
    """Give the framework's own errors (no such page, wrong method, body too large) the shape of every refusal."""
    return flask_errors.http_refused(problem, error)
