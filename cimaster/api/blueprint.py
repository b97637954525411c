"""How endpoints of the table become routes: check who sends, read the parameters, hand them to a function."""

from collections.abc import Callable
from functools import wraps

from flask import Blueprint, Response, abort, g, render_template, request

from cimaster.errors import UnknownParameter, UsePost
from cimaster.web import browsers, problems, request_parameters
from cimaster.web.components import components
from cimaster.web.endpoints import Endpoint
from cimaster.web.request_parameters import Given

api = Blueprint("api", __name__)
View = Callable[[Given], Response]


def route(endpoint: Endpoint) -> Callable[[View], View]:
    """Serve an endpoint of the table: read the parameters, check who sends, hand them to the function."""

    def register(view: View) -> View:
        @wraps(view)
        def serve() -> Response:
            g.endpoint = endpoint
            if endpoint.changes and (refusal := _refuse_reading(endpoint)):
                return refusal
            g.given = _read(endpoint)
            if endpoint.role == "admin":
                components().admins.require(g.given.name)
            return view(g.given)

        api.add_url_rule(endpoint.path, endpoint.name, serve, methods=endpoint.methods)
        return view

    return register


def _read(endpoint: Endpoint) -> Given:
    try:
        given = request_parameters.read(
            endpoint, request_parameters.sent(endpoint), components().settings.ignored_parameters
        )
    except UnknownParameter:
        components().clusters.count_unknown(endpoint.name)
        raise
    for _ in given.unknown:
        components().clusters.count_unknown(endpoint.name)
    return given


def _refuse_reading(endpoint: Endpoint) -> Response | None:
    """Refuse HEAD, which promises to change nothing, and a GET of no program: a browser gets a page with a button."""
    if request.method == "HEAD":
        abort(405, valid_methods=["GET", "POST"])
    if request.method != "GET" or not (why := browsers.why_it_may_change_nothing()):
        return None
    said = f"{endpoint.path} changes the pool, and a GET {why} may not: send it as POST"
    refusal = problems.refused(UsePost(said, endpoint=endpoint.name))
    if browsers.wants_html():
        refusal.set_data(render_template("use_post.html", endpoint=endpoint, sent=list(request.args.items(multi=True))))
        refusal.mimetype = "text/html"
    return refusal
