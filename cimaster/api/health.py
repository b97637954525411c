"""Whether the process answers, whether it is ready for requests, and the description of the API."""

import json
from pathlib import Path

from flask import Blueprint, Response, current_app, g, request

from cimaster.web import access, endpoints, responses
from cimaster.web.components import components

CLOCK_IS_WRONG = "more than 10 s off the store's: this replica expires nothing; correct its clock"
health = Blueprint("health", __name__)


@access.allow(endpoints.HEALTHZ.roles)
@health.get(endpoints.HEALTHZ.path)
def healthz() -> Response:
    """Answer as long as the process serves requests."""
    g.quiet = True
    return responses.text_answer("ok\n")


@access.allow(endpoints.READYZ.roles)
@health.get(endpoints.READYZ.path)
def readyz() -> Response:
    """Answer whether this replica is ready for requests.

    A failure of the store, or a mistake in a file of the operator, shows in the body and never fails this check: all
    replicas would become unready together, and people would see neither the reason nor the last good pages.
    """
    g.quiet = True
    checks = components().lifecycle.checks()
    repository = components().clusters.repository
    results = {name: check() for name, check in checks.items()}
    ready = all(results.values())
    body = {
        "ready": ready,
        **results,
        "store": _trouble_of_store(),
        "files": _troubles_of_files(),
        "clock": "ok" if repository.clock_is_right else CLOCK_IS_WRONG,
        "age": round(repository.age, 1) if repository.newest else None,
    }
    return Response(json.dumps(body) + "\n", 200 if ready else 503, mimetype="application/json")


def _trouble_of_store() -> str:
    """Say whether the store can be used; why not, only where every caller may know that."""
    trouble = components().clusters.repository.trouble
    if trouble is None:
        return "ok"
    return str(trouble) if access.is_open() else trouble.code


def _troubles_of_files() -> str:
    """Say which of the operator's files cannot be used, without their paths: every caller sees this."""
    unusable = [name for name, trouble in components().files.troubles().items() if trouble]
    return f"cannot be used: {', '.join(unusable)}; the log says why" if unusable else "ok"


@access.allow(endpoints.OPENAPI.roles)
@health.get(endpoints.OPENAPI.path)
def openapi() -> Response:
    """Return the OpenAPI description."""
    path = Path(current_app.root_path) / "openapi.yaml"
    text = path.read_text("utf-8").replace("- {url: /}", f"- {{url: {request.script_root}/}}")
    return Response(text, mimetype="application/yaml")
