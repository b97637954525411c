"""Reads the parameters of a request to start a job; a refusal names the parameter."""

from werkzeug.datastructures import MultiDict

from cimaster.common import parameters, request_body
from cimaster.common.errors import BadParameter, MissingParameter
from cimaster.manual_trigger.jobs.trigger_request import PERIODIC, PRESUBMIT, TriggerRequest
from cimaster.manual_trigger.parameters import PARAMETERS, TriggerParameters


def sent() -> "MultiDict[str, str]":
    """Return all that the request sent: query, form and JSON body together, and Idempotency-Key as request_id."""
    return request_body.sent('{"user": "john"}', PARAMETERS)


def trigger_request(sent: "MultiDict[str, str]") -> TriggerRequest:
    """Read what was sent as a request for a job; a refusal names the parameter and the remedy."""
    known = [parameter.name for parameter in PARAMETERS]
    for name in sent:
        if name not in known:
            raise parameters.unknown("/manual-trigger", name, known)
    read = parameters.read(TriggerParameters, PARAMETERS, sent)
    _check_place(read)
    _check_pull_request(read)
    return TriggerRequest(
        kind=read.prowtype,
        job=read.prowjob,
        user=read.user,
        org=read.org,
        repo=read.repo,
        base_ref=read.base_ref,
        base_sha=read.base_sha,
        pull=read.pullrequest or 0,
        pull_sha=read.pull_sha,
        pull_author=read.pull_author,
        force=read.force,
        request_id=read.request_id,
        source=read.source,
    )


def _check_place(read: TriggerParameters) -> None:
    """Require org, repo and base_ref for jobs that run on a branch."""
    place = {"org": read.org, "repo": read.repo, "base_ref": read.base_ref}
    for parameter in PARAMETERS:
        if read.prowtype != PERIODIC and place.get(parameter.name) == "":
            raise parameter.missing


def _check_pull_request(read: TriggerParameters) -> None:
    """Refuse a presubmit without a pull request, and a pull request for other types of jobs."""
    if read.prowtype == PRESUBMIT:
        if not read.pullrequest:
            sentence = "pullrequest is required for presubmit jobs: give the number of the pull request"
            raise MissingParameter(sentence, parameter="pullrequest")
        return
    pull_fields = {"pullrequest": read.pullrequest, "pull_sha": read.pull_sha, "pull_author": read.pull_author}
    for name, value in pull_fields.items():
        if value:
            sentence = f"{name} is only allowed with prowtype presubmit: leave it out"
            raise BadParameter(sentence, parameter=name)
