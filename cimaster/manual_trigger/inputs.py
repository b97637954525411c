"""What callers send: query, form and JSON body read as the parameters of a request, or refused by name."""

import difflib
from typing import Any

from flask import request
from werkzeug.datastructures import MultiDict

from cimaster import bodies
from cimaster.errors import BadParameter, MissingParameter, UnknownParameter
from cimaster.manual_trigger.asked import PERIODIC, PRESUBMIT, Asked
from cimaster.manual_trigger.parameters import (
    BASE_REF,
    ORG,
    PARAMETERS,
    PULL_AUTHOR,
    PULL_SHA,
    PULLREQUEST,
    REPO,
    REQUEST_ID,
    Parameter,
)


def asked(sent: "MultiDict[str, str]") -> Asked:
    """Read what was sent as a request for a job; a refusal names the parameter and the remedy."""
    for name in sent:
        if name not in {parameter.name for parameter in PARAMETERS}:
            raise _unknown(name)
    given = {parameter.name: _value(parameter, sent.getlist(parameter.name)) for parameter in PARAMETERS}
    values = {name: value for name, value in given.items() if value is not None}
    _check_together(values)
    renamed = {"prowtype": "kind", "prowjob": "job", "pullrequest": "pull"}
    return Asked(**{renamed.get(name, name): value for name, value in values.items()})


def _unknown(name: str) -> UnknownParameter:
    names = [parameter.name for parameter in PARAMETERS]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    remedy = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
    return UnknownParameter(
        f"/manual-trigger has no parameter {bodies.echo(name)}: {remedy}", parameter=name[: bodies.ECHO]
    )


def _value(parameter: Parameter, texts: list[str]) -> Any:
    if not texts and parameter.required:
        raise _missing(parameter)
    given = bodies.given(parameter.name, texts, required=parameter.required)
    if not given:
        return None
    try:
        return parameter.read(given[0])
    except ValueError as error:
        raise bodies.bad(parameter.name, given[0], str(error)) from None


def _check_together(values: dict[str, Any]) -> None:
    """Refuse what is missing or too much for that kind of job."""
    kind = values["prowtype"]
    place = [parameter for parameter in (ORG, REPO, BASE_REF) if parameter.name not in values]
    if place and kind != PERIODIC:
        raise _missing(place[0])
    if kind == PRESUBMIT and not values.get(PULLREQUEST.name):
        raise MissingParameter(
            f"{PULLREQUEST.name} is required for presubmit jobs: give the number of the pull request",
            parameter=PULLREQUEST.name,
        )
    for parameter in (PULLREQUEST, PULL_SHA, PULL_AUTHOR):
        if kind != PRESUBMIT and values.get(parameter.name):
            sentence = f"{parameter.name} goes only with prowtype presubmit: leave it out"
            raise BadParameter(sentence, parameter=parameter.name)


def _missing(parameter: Parameter) -> MissingParameter:
    return MissingParameter(f"{parameter.name} is required: {parameter.meaning}", parameter=parameter.name)


def sent() -> "MultiDict[str, str]":
    """Return all that the request sent: query, form and JSON body together, and Idempotency-Key as request_id."""
    everything = bodies.sent('{"user": "john"}', [parameter.name for parameter in PARAMETERS])
    key = request.headers.get("Idempotency-Key", "").strip()
    if key and key not in everything.getlist(REQUEST_ID.name):
        everything.add(REQUEST_ID.name, key)
    return everything
