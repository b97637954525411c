"""The form for the visitor's name, for services that verify no names: a cookie keeps it."""

from flask import Response, render_template, request
from werkzeug.exceptions import NotFound

from cimaster.errors import BadParameter
from cimaster.pages.frame import addresses, cookies
from cimaster.pages.frame.blueprint import MISSING, is_htmx_request, pages, redirect_to
from cimaster.pool import parsers
from cimaster.web import access, endpoints, problems

BLOCKED = "your browser blocks cookies, so it cannot keep your name: enter it in each form instead"


def _render(error: str = "") -> str:
    cookies.probe()
    name = request.form.get("name", cookies.name())
    context = {"error": error, "entered": name, "back": addresses.return_address()}
    return render_template("forms/whoami.html" if is_htmx_request() else "whoami_page.html", **context)


def form() -> Response:
    """Show the form."""
    return Response(_render())


@access.allow(endpoints.READERS)
@pages.post("/ui/whoami")
def save_name() -> Response:
    """Save the name, or delete it."""
    if not access.is_open():
        raise NotFound(MISSING)
    forget = "forget" in request.form
    if cookies.blocked():
        return _refused(BadParameter(BLOCKED, parameter="name"))
    try:
        name = None if forget else parsers.person(request.form.get("name", ""))
    except ValueError as expected:
        return _refused(BadParameter(f"this name cannot be used: expected {expected}", parameter="name"))
    cookies.remember(name=name)
    cookies.leave_message(
        cookies.Message(f"Your name is now {name}" if name else "Your name was removed from this browser")
    )
    return redirect_to(addresses.return_address())


def _refused(refusal: BadParameter) -> Response:
    answer = problems.refused(refusal)
    answer.set_data(_render(refusal.sentence))
    answer.mimetype = "text/html"
    return answer
