"""Answers of the API: text or JSON, with the number of the commit that they reflect."""

import json

from flask import Response

from cimaster.common.texts import printable
from cimaster.repository.configmap_repository import Committed
from cimaster.repository.snapshots import Snapshot
from cimaster.web import callers
from cimaster.web.components import components
from cimaster.web.negotiation import wants_json


def text_answer(text: str, status: int = 200) -> Response:
    """Answer with plain text."""
    return answer(text.encode("utf-8", "replace"), status, "text/plain")


def json_text(text: str, status: int = 200, mimetype: str = "application/json") -> Response:
    """Answer with JSON text."""
    return answer(text.encode("utf-8", "replace") + b"\n", status, mimetype)


def answer(body: bytes, status: int, mimetype: str) -> Response:
    """Answer with a body; caches keep one per Accept header."""
    return Response(body, status, {"Vary": "Accept"}, mimetype=mimetype)


def committed(done: Committed, *, bare: bool = False) -> Response:
    """Answer a change that was carried out; `bare` answers have no newline, for `$(...)` of legacy scripts."""
    answer = done.answer
    text = answer.text if bare else printable(answer.text)
    if wants_json():
        facts = {"message": text, "commit": done.commit}
        if answer.place:
            facts |= {"place": answer.place, "ticket": answer.ticket}
        cluster = answer.cluster
        response = json_text(cluster.described(callers.caller(), **facts) if cluster else json.dumps(facts))
    else:
        response = text_answer(text if bare else text + "\n")
    response.headers["CIMaster-Commit"] = str(done.commit)
    if answer.place:
        response.status_code = 202
        response.headers["CIMaster-Place"] = str(answer.place)
    if answer.lease:
        response.headers["CIMaster-Lease"] = answer.lease
    if answer.repeated:
        response.headers["CIMaster-Repeated"] = "true"
    return response


def dated(response: Response, snapshot: Snapshot) -> Response:
    """Add the commit that an answer shows, and the seconds since the store last confirmed that it is the newest."""
    response.headers["CIMaster-Commit"] = str(snapshot.commit)
    response.headers["CIMaster-Age"] = f"{components().clusters.repository.age:.1f}"
    response.headers["Cache-Control"] = "no-store"
    return response
