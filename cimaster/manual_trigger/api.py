"""The routes: one short function each."""

import json

from flask import Blueprint, Response, g

from cimaster.manual_trigger import problems, readiness, request_parameters
from cimaster.manual_trigger.components import components
from cimaster.manual_trigger.jobs.job_status import JobStatus
from cimaster.manual_trigger.trigger_service import TriggerResult

api = Blueprint("api", __name__)
PUBLIC_ROUTES = ("api.home", "api.healthz", "api.readyz")  # every other request needs a token


@api.get("/")
def home() -> Response:
    """Say what this service is."""
    g.quiet = True
    text = "This is CIMaster's manual-trigger service: POST /manual-trigger starts a job of Prow.\n"
    return Response(text, mimetype="text/plain")


@api.post("/manual-trigger")
def trigger() -> Response:
    """Start a job, or return the job that an equal request has started."""
    wanted = request_parameters.trigger_request(request_parameters.sent())
    g.logged = {"user": wanted.user, "source": wanted.source, "job": wanted.job, "request_id": wanted.request_id}
    result = components().trigger_service.start(wanted)
    _log_outcome(result.status, "created" if result.created else "existing")
    return problems.answer(_sentence(result), result.status.facts(), status=201 if result.created else 200)


@api.get("/manual-trigger/<name>")
def job_status(name: str) -> Response:
    """Return the status of a job that this service has started."""
    found = components().trigger_service.status(name)
    _log_outcome(found, found.state)
    sentence = f"{found.job} is in state {found.state}" + (f": {found.description}" if found.description else "")
    return problems.answer(sentence, found.facts(), success=not found.in_error)


@api.post("/reload")
def reload() -> Response:
    """Read Prow's configuration now."""
    counts = components().catalog.reload().counts
    jobs = ", ".join(f"{count} {kind}s" for kind, count in counts.items())
    facts = {"jobs": counts, "namespace": components().trigger_service.namespace}
    return problems.answer(f"Prow's configuration is read: {jobs}", facts)


@api.get("/healthz")
def healthz() -> Response:
    """Say that the process answers requests."""
    g.quiet = True
    return Response("ok\n", mimetype="text/plain")


@api.get("/readyz")
def readyz() -> Response:
    """Say whether to send requests here, and what is wrong."""
    g.quiet = True
    report = readiness.report(components())
    return Response(json.dumps(report) + "\n", 200 if report["ready"] else 503, mimetype="application/json")


def _log_outcome(status: JobStatus, outcome: str) -> None:
    g.logged = {**g.get("logged", {}), "outcome": outcome, "job": status.job, "job_name": status.name}


def _sentence(result: TriggerResult) -> str:
    status = result.status
    started = "ProwJob created successfully" if result.created else "an equal request has started this ProwJob before"
    if status.build_id:
        return f"{started}: build {status.build_id}"
    if status.settled:
        return f"{started}; it has ended without a build id: {status.state}. {status.description}".rstrip(". ")
    return f"{started}; it has no build id yet: ask GET /manual-trigger/{status.name} later"
