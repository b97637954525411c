"""The routes: one short function each."""

import json

from flask import Blueprint, Response, current_app, g

from cimaster.manual_trigger import problems, request_parameters
from cimaster.manual_trigger.components import Parts
from cimaster.manual_trigger.jobs.job_status import Standing
from cimaster.manual_trigger.triggers import Started

api = Blueprint("api", __name__)
OPEN = ("api.home", "api.healthz", "api.readyz")  # whatever else is asked for needs a token


def parts() -> Parts:
    """Return the parts of this application."""
    found: Parts = current_app.extensions["manual_trigger"]
    return found


@api.get("/")
def home() -> Response:
    """Say what this is."""
    g.quiet = True
    text = "This is CIMaster's manual-trigger service: POST /manual-trigger starts a job of Prow.\n"
    return Response(text, mimetype="text/plain")


@api.post("/manual-trigger")
def trigger() -> Response:
    """Start a job, or return the one that an equal request started."""
    asked = request_parameters.asked(request_parameters.sent())
    g.said = {"user": asked.user, "source": asked.source, "job": asked.job, "request_id": asked.request_id}
    started = parts().triggers.start(asked)
    _say(started.standing, "created" if started.created else "existing")
    facts = started.standing.facts()
    return problems.answer(_sentence(started), facts, status=201 if started.created else 200)


@api.get("/manual-trigger/<name>")
def standing(name: str) -> Response:
    """Tell how a job stands that was started here."""
    found = parts().triggers.standing(name)
    _say(found, found.state)
    what = f"{found.job} is in state {found.state}" + (f": {found.description}" if found.description else "")
    return problems.answer(what, found.facts(), success=not found.in_error)


@api.post("/reload")
def reload() -> Response:
    """Read Prow's configuration now."""
    read = parts().catalog.reload()
    jobs = ", ".join(f"{count} {kind}s" for kind, count in read.counts.items())
    facts = {"jobs": read.counts, "namespace": parts().triggers.namespace}
    return problems.answer(f"Prow's configuration is read: {jobs}", facts)


@api.get("/healthz")
def healthz() -> Response:
    """Say that the process serves."""
    g.quiet = True
    return Response("ok\n", mimetype="text/plain")


@api.get("/readyz")
def readyz() -> Response:
    """Say whether to send requests here, and what is wrong."""
    g.quiet = True
    told = parts().readiness()
    return Response(json.dumps(told) + "\n", 200 if told["ready"] else 503, mimetype="application/json")


def _say(standing: Standing, outcome: str) -> None:
    g.said = {**g.get("said", {}), "outcome": outcome, "job": standing.job, "job_name": standing.name}


def _sentence(started: Started) -> str:
    standing = started.standing
    begun = "ProwJob created successfully" if started.created else "an equal request has started this ProwJob before"
    if standing.build_id:
        return f"{begun}: build {standing.build_id}"
    if standing.settled:
        return f"{begun}; it has ended without a build id: {standing.state}. {standing.description}".rstrip(". ")
    return f"{begun}; it has no build id yet: ask GET /manual-trigger/{standing.name} later"
