"""What is refused before any route is reached, by both programs, and Flask's own refusals in words of ours."""

import difflib
from collections.abc import Callable

from flask import Response, current_app, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from cimaster.common.serving.request_arrival import BODY_LIMIT
from cimaster.common.texts import brief

METHODS = ("GET", "HEAD", "POST", "OPTIONS")
LIMITS = {"MAX_CONTENT_LENGTH": BODY_LIMIT, "MAX_FORM_MEMORY_SIZE": BODY_LIMIT, "MAX_FORM_PARTS": 100}


def check_method() -> None:
    """Refuse methods that no route answers, before the metrics make a series for each one that is invented."""
    if request.method not in METHODS:
        request.prom_do_not_track = True  # type: ignore[attr-defined]
        found = request.routing_exception
        raise found if isinstance(found, MethodNotAllowed) else MethodNotAllowed(METHODS)


def refused(error: HTTPException, problem: Callable[[int, str, str], Response]) -> Response:
    """Give one of the framework's own errors (no such page, wrong method, body too large) the shape of a problem."""
    response = problem(error.code or 500, *_described(error))
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def _described(error: HTTPException) -> tuple[str, str]:
    """Return the code and the sentence of one of the framework's own errors."""
    code, sentence = error.name.lower().replace(" ", "_"), error.description or error.name
    if isinstance(error, RequestEntityTooLarge):
        sentence = f"the request is larger than {BODY_LIMIT // 1024} kB: no endpoint needs that much"
    elif isinstance(error, MethodNotAllowed):
        usual = sorted({"GET", "POST"} & set(error.valid_methods or METHODS))
        sentence = f"{brief(request.path)} does not answer {request.method}: send it as {' or '.join(usual)}"
    elif isinstance(error, NotFound) and sentence == NotFound.description:
        sentence = f"there is nothing at {brief(request.path)}: {_nearest_path()}"
    return code, sentence


def _nearest_path() -> str:
    """Name the path that the caller may have meant, or all; those of pages have a page of their own for that."""
    rules = {rule.rule for rule in current_app.url_map.iter_rules() if not rule.arguments}
    paths = sorted(path for path in rules if path != "/" and not path.startswith("/ui"))
    near = difflib.get_close_matches(request.path.rstrip("/").lower(), paths, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(paths)}"
