"""Between the verbs and HTTP: JSON out, always with the same keys, and refusals in one shape."""

import json
from collections.abc import Mapping
from typing import Any

from flask import Response, g
from werkzeug.exceptions import HTTPException

from cimaster.common import flask_errors
from cimaster.common.errors import Refusal
from cimaster.common.logs import correlation_id
from cimaster.common.texts import printable
from cimaster.manual_trigger import errors

NOTHING = {"job_name": "", "status_link": "", "log_link": ""}


def answer(message: str, facts: Mapping[str, Any], *, success: bool = True, status: int = 200) -> Response:
    """Answer in JSON; whatever is not known of a job is an empty text."""
    body = {"success": success, "message": message, **NOTHING, **facts}
    response = Response(json.dumps(body) + "\n", status, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def refused(refusal: Refusal) -> Response:
    """Answer a refusal: its status, and its code in a header and in the body."""
    response = problem(refusal.status, refusal.code, refusal.sentence, refusal.facts)
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = str(refusal.retry_after)
    if isinstance(refusal, errors.NoToken):
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def problem(status: int, code: str, sentence: str, facts: Mapping[str, Any] | None = None) -> Response:
    """Answer with what is wrong, in the shape of every answer: one line, whatever it repeats."""
    sentence = printable(sentence)
    told = {**(facts or {}), "code": code, "request": correlation_id.get()}
    g.said = {**g.get("said", {}), "outcome": code}
    response = answer(sentence, told, success=False, status=status)
    response.headers["CIMaster-Code"] = code
    return response


def http_refused(error: HTTPException) -> Response:
    """Give the framework's own errors (no such page, wrong method, body too large) the shape of every answer."""
    return flask_errors.refused(error, problem)
