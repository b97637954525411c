"""Which kind of answer the caller wants: text or JSON."""

from flask import request

_JSON, _TEXT = ("application/json", "application/*"), ("text/plain", "text/*")


def wants_json() -> bool:
    """Say whether the caller asked for JSON; callers that name neither get text, as legacy scripts expect."""
    if request.environ.get("HTTP_ACCEPT", "*/*") == "*/*":  # most scripts
        return False
    accepted = request.accept_mimetypes
    json_liked, text_liked = accepted["application/json"], accepted["text/plain"]
    if json_liked != text_liked or not json_liked:
        return json_liked > text_liked
    header = request.headers.get("Accept", "").lower()  # at equal quality the first one named wins
    named = (kind.partition(";")[0].strip() for kind in header.split(","))
    return next((kind in _JSON for kind in named if kind in _JSON + _TEXT), False)
