"""Answers as JSON that always has the same keys, refusals included."""

import json
from collections.abc import Mapping
from typing import Any

from flask import Response, g

from cimaster.common import flask_errors
from cimaster.common.errors import Problem
from cimaster.common.logs import correlation_id
from cimaster.common.texts import printable
from cimaster.manual_trigger import errors

NO_JOB = {"job_name": "", "status_link": "", "log_link": ""}


def answer(message: str, facts: Mapping[str, Any], *, success: bool = True, status: int = 200) -> Response:
    """Answer in JSON; what is not known about a job is an empty text."""
    body = {"success": success, "message": message, **NO_JOB, **facts}
    response = Response(json.dumps(body) + "\n", status, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def refused(refusal: Problem) -> Response:
    """Answer a refusal: its status, and its code in a header and in the body."""
    response = flask_errors.refused(problem, refusal)
    if isinstance(refusal, errors.NoToken):
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def problem(status: int, code: str, sentence: str, facts: Mapping[str, Any] | None = None) -> Response:
    """Answer with what is wrong; the sentence becomes one printable line."""
    sentence = printable(sentence)
    g.logged = {**g.get("logged", {}), "outcome": code}
    members = {**(facts or {}), "code": code, "request": correlation_id.get()}
    response = answer(sentence, members, success=False, status=status)
    response.headers["CIMaster-Code"] = code
    return response
