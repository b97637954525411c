"""Which kind of answer the caller wants: text or JSON, and for some lists CSV or JSON lines."""

from flask import request

TEXT, JSON, CSV, JSON_LINES = "text", "json", "csv", "jsonl"
MIMETYPES = {TEXT: "text/plain", JSON: "application/json", CSV: "text/csv", JSON_LINES: "application/x-ndjson"}
_FORMATS = {
    "text/plain": TEXT,
    "application/json": JSON,
    "text/csv": CSV,
    "application/x-ndjson": JSON_LINES,
    "application/jsonl": JSON_LINES,
}

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


def list_format(named: str, *others: str) -> str:
    """Return the format of a list: the `named` one, else the one that the caller accepts most.

    `others` are those that the list has besides text and JSON.
    """
    offered = [kind for kind, name in _FORMATS.items() if name in (TEXT, JSON, *others)]
    accepted = _FORMATS.get(request.accept_mimetypes.best_match(offered, ""), TEXT)
    if named or accepted in others:
        return named or accepted
    return JSON if wants_json() else TEXT
