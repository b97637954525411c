"""The blueprint of the pages, and what all their responses share: headers, cookies, error pages."""

from typing import Any

from flask import Blueprint, Response, g, render_template, request
from werkzeug.exceptions import HTTPException, NotFound

from cimaster.common.texts import printable
from cimaster.errors import Problem, Refusal, StoreTrouble
from cimaster.pages.frame import addresses, cookies, outages, visitors
from cimaster.web import access, callers, problems
from cimaster.web.components import components


class Pages(Blueprint):
    """A blueprint whose pages are for readers, unless a view says otherwise; what changes something must say."""

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Any = None,
        provide_automatic_options: bool | None = None,
        **options: Any,
    ) -> None:
        """Register a view."""
        if view_func and options.get("methods", ["GET"]) == ["GET"]:
            access.allow_readers(view_func)
        super().add_url_rule(rule, endpoint, view_func, provide_automatic_options, **options)


pages = Pages("pages", __name__)
MISSING = "this page does not exist; the dashboard shows the clusters"
_FOREVER = "public, max-age=31536000, immutable"


def is_htmx_request() -> bool:
    """Whether htmx requests a part of a page, and not the browser a whole one."""
    return request.headers.get("HX-Request") == "true"


def redirect_to(target: str) -> Response:
    """Send the visitor to another page."""
    if is_htmx_request():
        return Response(status=204, headers={"HX-Redirect": target})
    return Response(status=303, headers={"Location": target})


@pages.app_context_processor
def template_globals() -> dict[str, object]:
    """Return the variables and functions that all templates can use."""
    return {
        "visitor": visitors.current_visitor(),
        "visitor_tag": visitors.tag(),
        "source": visitors.source(),
        "can_sign_in": visitors.can_sign_in(),
        "back_after_signing_in": addresses.return_address,
        "now": components().clusters.now(),
        "is_htmx_request": is_htmx_request(),
        "here": addresses.current_page(),
        "asset": addresses.asset,
        "cluster_url": addresses.cluster_url,
        "dashboard_url": addresses.dashboard_url,
        "take_message": cookies.take_message,
        "warnings": visitors.warnings,
        "last_confirmed": visitors.last_confirmed,
        "next_step": outages.next_step,
        "sees_contents": lambda: callers.caller().sees_all,
    }


@pages.after_request
def finish(response: Response) -> Response:
    """Keep pages out of caches, and write the cookies."""
    response.headers["Cache-Control"] = "no-store"
    response.vary.update(("HX-Request", "Cookie"))
    return cookies.write_to(response)


@pages.after_app_request
def keep_assets(response: Response) -> Response:
    """Let browsers cache the files whose address changes with their content."""
    if request.endpoint == "static" and response.status_code == 200 and addresses.is_lasting():
        response.headers["Cache-Control"] = _FOREVER
    return response


@pages.errorhandler(Refusal)
@pages.errorhandler(StoreTrouble)
def refused(refusal: Problem) -> Response:
    """Show a refusal or an outage as a page, or as an alert for htmx, with its status and headers."""
    return shown(problems.refused(refusal), refusal.sentence)


@pages.errorhandler(HTTPException)
def http_refused(error: HTTPException) -> Response:
    """Show Flask's own errors (unknown page, wrong method) in the same way."""
    response = problems.http_refused(error)
    return shown(response, response.get_data(as_text=True).strip())


def shown(refusal: Response, sentence: str, advice: str = "", **about: str) -> Response:
    """Return a refusal as HTML, with an advice. `about` names the element and the record that it is about."""
    g.refused = sentence = printable(sentence)
    template = "fragments/alert.html" if is_htmx_request() else "error.html"
    refusal.set_data(render_template(template, sentence=sentence, advice=advice, status=refusal.status_code, **about))
    refusal.mimetype = "text/html"
    return refusal


@pages.get("/ui/<path:_page>")
def missing(_page: str) -> Response:
    """Answer an unknown address with an error page."""
    raise NotFound(MISSING)
