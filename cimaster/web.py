"""Between the verbs and HTTP: text or JSON out, and refusals in one shape."""

import json
from collections.abc import Mapping

from flask import Response, current_app, request
from werkzeug.exceptions import HTTPException

from cimaster import errors, framework
from cimaster.auth import Admins
from cimaster.creations import Creations
from cimaster.logs import correlation_id
from cimaster.rendered import Rendered
from cimaster.repository import Committed
from cimaster.service import Service
from cimaster.settings import Settings
from cimaster.snapshots import Snapshot
from cimaster.texts import printable
from cimaster.waiting import WaitingRoom

_JSON, _TEXT = ("application/json", "application/*"), ("text/plain", "text/*")


def service() -> Service:
    """Return the service of this application."""
    found: Service = current_app.extensions["cimaster"]
    return found


def waiting() -> WaitingRoom:
    """Return the room of this application where callers wait for clusters."""
    found: WaitingRoom = current_app.extensions["cimaster.waiting"]
    return found


def creations() -> Creations:
    """Return the creations of this application."""
    found: Creations = current_app.extensions["cimaster.creations"]
    return found


def settings() -> Settings:
    """Return the settings of this application."""
    found: Settings = current_app.extensions["cimaster.settings"]
    return found


def rendered() -> Rendered:
    """Return the lists of this application that are written out already."""
    found: Rendered = current_app.extensions["cimaster.rendered"]
    return found


def admins() -> Admins:
    """Return the admins of this application."""
    found: Admins = current_app.extensions["cimaster.admins"]
    return found


def wants_json() -> bool:
    """Say whether the caller asked for JSON; text is what scripts get, and all that name neither."""
    if request.environ.get("HTTP_ACCEPT", "*/*") == "*/*":  # most scripts
        return False
    accepted = request.accept_mimetypes
    json_liked, text_liked = accepted["application/json"], accepted["text/plain"]
    if json_liked != text_liked or not json_liked:
        return json_liked > text_liked
    header = request.headers.get("Accept", "").lower()  # on equal quality the first named wins
    named = (kind.partition(";")[0].strip() for kind in header.split(","))
    return next((kind in _JSON for kind in named if kind in _JSON + _TEXT), False)


def text_answer(text: str, status: int = 200) -> Response:
    """Answer with plain text."""
    return answer(text.encode("utf-8", "replace"), status, "text/plain")


def json_text(text: str, status: int = 200, mimetype: str = "application/json") -> Response:
    """Answer with JSON that is written already."""
    return answer(text.encode("utf-8", "replace") + b"\n", status, mimetype)


def answer(body: bytes, status: int, mimetype: str) -> Response:
    """Answer in the kind of text that the caller asked for."""
    return Response(body, status, {"Vary": "Accept"}, mimetype=mimetype)


def committed(done: Committed, *, bare: bool = False) -> Response:
    """Answer a change that was carried out; `bare` answers carry no newline, for `$(...)` of old scripts."""
    answer = done.answer
    text = answer.text if bare else printable(answer.text)
    if wants_json():
        told = {"message": text, "commit": done.commit}
        response = json_text(answer.cluster.described(**told) if answer.cluster else json.dumps(told))
    else:
        response = text_answer(text if bare else text + "\n")
    response.headers["CIMaster-Commit"] = str(done.commit)
    if answer.lease:
        response.headers["CIMaster-Lease"] = answer.lease
    if answer.repeated:
        response.headers["CIMaster-Repeated"] = "true"
    return response


def dated(response: Response, snapshot: Snapshot) -> Response:
    """Say in an answer which state it shows, and for how many seconds nobody confirmed that it is the newest."""
    response.headers["CIMaster-Commit"] = str(snapshot.commit)
    response.headers["CIMaster-Age"] = f"{service().repository.age:.1f}"
    response.headers["Cache-Control"] = "no-store"
    return response


def refused(refusal: errors.Refusal) -> Response:
    """Answer a refusal: its status, its code in a header, and one line of text or problem JSON (RFC 9457)."""
    response = problem(refusal.status, refusal.code, refusal.sentence, refusal.facts)
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = str(refusal.retry_after)
    if isinstance(refusal, errors.UsePost):
        response.headers["Allow"] = "POST"
    if "place" in refusal.facts:
        response.headers["CIMaster-Place"] = str(refusal.facts["place"])
    if isinstance(refusal, errors.Queued) and not wants_json():
        response.set_data(b"")  # curl prints the body of each try, and a script reads the cluster's name there
    return response


def problem(status: int, code: str, sentence: str, facts: Mapping[str, object] | None = None) -> Response:
    """Answer with what is wrong, in the one shape that every refusal has: one line, whatever it repeats."""
    sentence = printable(sentence)
    if wants_json():
        body = {
            **(facts or {}), "type": f"{request.script_root}/openapi.yaml#{code}", "title": code.replace("_", " "),
            "status": status, "detail": sentence, "code": code, "request": correlation_id.get(),
        }  # fmt: skip
        response = json_text(json.dumps(body), status, "application/problem+json")
    else:
        response = text_answer(sentence + "\n", status)
    response.headers["CIMaster-Code"] = code
    return response


def http_refused(error: HTTPException) -> Response:
    """Give the framework's own errors (no such page, wrong method, body too large) the shape of every refusal."""
    return framework.refused(error, problem)
