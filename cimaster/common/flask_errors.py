"""How both programs answer refusals, Flask's own errors and bugs: always in the shape of their other answers."""

import difflib
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from flask import Flask, Response, current_app, request
from prometheus_flask_exporter import PrometheusMetrics
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from cimaster.common.errors import Problem
from cimaster.common.logs import correlation_id
from cimaster.common.serving.request_arrival import BODY_LIMIT
from cimaster.common.texts import brief

METHODS = ("GET", "HEAD", "POST", "OPTIONS")
LIMITS = {"MAX_CONTENT_LENGTH": BODY_LIMIT, "MAX_FORM_MEMORY_SIZE": BODY_LIMIT, "MAX_FORM_PARTS": 100}
_mark_as_not_measured = PrometheusMetrics.do_not_track()(lambda: None)  # the exporter offers only a decorator
_log = logging.getLogger(__name__)


def check_method() -> None:
    """Refuse methods that no route has, before the metrics create a series for every invented method."""
    if request.method not in METHODS:
        _mark_as_not_measured()
        found = request.routing_exception
        raise found if isinstance(found, MethodNotAllowed) else MethodNotAllowed(METHODS)


class ProblemAnswer(Protocol):
    """Answers with what is wrong, in the shape of a program's refusals."""

    def __call__(self, status: int, code: str, sentence: str, facts: Mapping[str, Any] | None = None, /) -> Response:
        """Return the answer; `facts` are further members of a JSON body."""


def register(app: Flask, refused: Callable[[Problem], Response], problem: ProblemAnswer) -> None:
    """Have an application answer refusals and outages with `refused`; Flask's errors and bugs with `problem`."""
    app.config.update(LIMITS)
    app.register_error_handler(Problem, refused)
    app.register_error_handler(HTTPException, partial(http_refused, problem))
    app.register_error_handler(Exception, partial(failed, problem))


def refused(problem: ProblemAnswer, refusal: Problem) -> Response:
    """Answer a refusal in the shape that `problem` gives it, with Retry-After if a retry makes sense."""
    _forget_frames(refusal)
    response = problem(refusal.status, refusal.code, refusal.sentence, refusal.facts)
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


def http_refused(problem: ProblemAnswer, error: HTTPException) -> Response:
    """Answer one of Flask's own errors (unknown path, wrong method, body too large) in the shape of every refusal."""
    _forget_frames(error)
    response = problem(error.code or 500, *_described(error))
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def _forget_frames(error: Exception) -> None:
    """Let the frames through which an error came be freed now.

    Some of them refer to the error, and such a cycle waits for the garbage collector: a flood of refusals made it stop
    all threads for 5 to 10 ms, again and again.
    """
    error.__traceback__ = error.__context__ = None


def failed(problem: ProblemAnswer, error: Exception) -> Response:
    """Answer a request that failed because of a bug; the log shows the exception under the request's id."""
    _log.error("a request failed", exc_info=error)
    sentence = f"the service failed: look in its log for the reason, under request {correlation_id.get()}"
    return problem(500, "internal_error", sentence)


def _described(error: HTTPException) -> tuple[str, str]:
    """Return the code and the sentence of one of Flask's own errors."""
    code, sentence = error.name.lower().replace(" ", "_"), error.description or error.name
    if isinstance(error, RequestEntityTooLarge):
        sentence = f"the request is larger than {BODY_LIMIT // 1024} kB: send less, as no endpoint needs that much"
    elif isinstance(error, MethodNotAllowed):
        usual = sorted({"GET", "POST"} & set(error.valid_methods or METHODS))
        sentence = f"{brief(request.path)} does not answer {request.method}: send it as {' or '.join(usual)}"
    elif isinstance(error, NotFound) and sentence == NotFound.description:
        sentence = f"there is nothing at {brief(request.path)}: {_nearest_path()}"
    return code, sentence


def _nearest_path() -> str:
    """Name the API path that is most similar to the requested one, or all of them."""
    rules = {rule.rule for rule in current_app.url_map.iter_rules() if not rule.arguments}
    paths = sorted(path for path in rules if path != "/" and not path.startswith("/ui"))
    near = difflib.get_close_matches(request.path.rstrip("/").lower(), paths, n=1)
    return f"did you mean {near[0]}?" if near else f"choose one of {', '.join(paths)}"
