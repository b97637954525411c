"""What callers send: query, form and JSON body read as the parameters of a request, or refused by name."""

from typing import Any

from werkzeug.datastructures import MultiDict

from cimaster.common import request_body
from cimaster.common.errors import BadParameter, MissingParameter
from cimaster.manual_trigger.jobs.trigger_request import PERIODIC, PRESUBMIT, Asked
from cimaster.manual_trigger.parameters import (
    BASE_REF,
    ORG,
    PARAMETERS,
    PULL_AUTHOR,
    PULL_SHA,
    PULLREQUEST,
    REPO,
    REQUEST_ID,
)


def asked(sent: "MultiDict[str, str]") -> Asked:
    """Read what was sent as a request for a job; a refusal names the parameter and the remedy."""
    known = [parameter.name for parameter in PARAMETERS]
    for name in sent:
        if name not in known:
            raise request_body.unknown("/manual-trigger", name, known, "there are")
    values: dict[str, Any] = {}
    for parameter in PARAMETERS:
        for value in parameter.values(sent.getlist(parameter.name)):
            values[parameter.name] = value
    _check_together(values)
    renamed = {"prowtype": "kind", "prowjob": "job", "pullrequest": "pull"}
    return Asked(**{renamed.get(name, name): value for name, value in values.items()})


def _check_together(values: dict[str, Any]) -> None:
    """Refuse what is missing or too much for that kind of job."""
    kind = values["prowtype"]
    place = [parameter for parameter in (ORG, REPO, BASE_REF) if parameter.name not in values]
    if place and kind != PERIODIC:
        raise place[0].missing
    if kind == PRESUBMIT and not values.get(PULLREQUEST.name):
        raise MissingParameter(
            f"{PULLREQUEST.name} is required for presubmit jobs: give the number of the pull request",
            parameter=PULLREQUEST.name,
        )
    for parameter in (PULLREQUEST, PULL_SHA, PULL_AUTHOR):
        if kind != PRESUBMIT and values.get(parameter.name):
            sentence = f"{parameter.name} goes only with prowtype presubmit: leave it out"
            raise BadParameter(sentence, parameter=parameter.name)


def sent() -> "MultiDict[str, str]":
    """Return all that the request sent: query, form and JSON body together, and Idempotency-Key as request_id."""
    return request_body.sent('{"user": "john"}', PARAMETERS, REQUEST_ID)
