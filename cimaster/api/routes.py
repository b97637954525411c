"""Turns endpoints of the table into routes: checks the caller, reads the parameters, passes them to a function."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from flask import Blueprint, Response, abort, g, render_template, request

from cimaster.common.parameters import Parameters
from cimaster.errors import UnknownParameter, UsePost
from cimaster.web import access, browsers, problems, request_parameters
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import NamedParameters
from cimaster.web.endpoints import Endpoint

api = Blueprint("api", __name__)
P = TypeVar("P", bound=Parameters)


def route(endpoint: Endpoint[P]) -> Callable[[Callable[[P], Response]], Callable[[P], Response]]:
    """Serve an endpoint of the table with the decorated function."""

    def register(view: Callable[[P], Response]) -> Callable[[P], Response]:
        @access.allow(endpoint.roles)
        @wraps(view)
        def serve() -> Response:
            g.endpoint = endpoint
            if endpoint.changes and (refusal := _refuse_safe_method(endpoint)):
                return refusal
            g.parameters = parameters = _read(endpoint)
            if endpoint.for_admins and access.is_open():
                assert isinstance(parameters, NamedParameters)  # Endpoint checks its class
                access.require_admin(parameters.name)
            return view(parameters)

        api.add_url_rule(endpoint.path, endpoint.name, serve, methods=endpoint.methods)
        return view

    return register


def _read(endpoint: Endpoint[P]) -> P:
    """Read the parameters; count those that the endpoint does not have, even ignored ones."""
    sent = request_parameters.sent(endpoint)
    try:
        ignored = request_parameters.unknown(endpoint, sent, components().settings.ignored_parameters)
    except UnknownParameter:
        components().clusters.count_unknown(endpoint.name)
        raise
    for _ in ignored:
        components().clusters.count_unknown(endpoint.name)
    return request_parameters.read(endpoint, sent)


def _refuse_safe_method(endpoint: Endpoint[P]) -> Response | None:
    """Refuse HEAD, and a GET that a browser, a link preview or a prefetch sent; a browser gets a page with a button."""
    if request.method == "HEAD":
        abort(405, valid_methods=["GET", "POST"])
    if request.method != "GET":
        return None
    if not (why := browsers.why_read_only()):
        access.check_authorization()
        return None
    sentence = f"{endpoint.path} changes the pool, and a GET {why} may not: send it as POST"
    refusal = problems.refused(UsePost(sentence, endpoint=endpoint.name))
    if browsers.wants_html():
        refusal.set_data(render_template("use_post.html", endpoint=endpoint, sent=list(request.args.items(multi=True))))
        refusal.mimetype = "text/html"
    return refusal
