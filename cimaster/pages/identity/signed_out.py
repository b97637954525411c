"""What a visitor sees who is not signed in, or no longer: the page for signing in, or an alert on the open page.

A refused poll deletes no cookie: another tab of the browser may just have got a new session.
"""

from flask import Response, request, url_for

from cimaster.errors import BadCredential, NoCredential, NotAllowed, Refusal, TwoCredentials
from cimaster.pages.frame import addresses, cookies, visitors
from cimaster.pages.frame.blueprint import is_htmx_request, pages, redirect_to, shown
from cimaster.pages.frame.cookies import Message
from cimaster.pages.identity.present import authentication
from cimaster.web import browsers, callers, problems
from cimaster.web.identity import session_cookie

_FRAGMENTS = "/ui/fragments/"


@pages.errorhandler(NoCredential)
@pages.errorhandler(BadCredential)
def not_signed_in(refusal: Refusal) -> Response:
    """Lead a visitor who opens a page to the one for signing in; any other request is refused."""
    if is_htmx_request() or request.path.startswith(_FRAGMENTS):
        return shown(problems.refused(refusal), "You are signed out: sign in again")
    response = _answer(refusal)
    session_cookie.forget(response)
    return response


@pages.app_errorhandler(NoCredential)
@pages.app_errorhandler(BadCredential)
@pages.app_errorhandler(NotAllowed)
def refused_in_address_bar(refusal: Refusal) -> Response:
    """Show a page to a person that opens an address of the API in a browser; any other caller gets the API's answer."""
    answer = problems.refused(refusal)
    if request.method == "GET" and browsers.from_browser() and browsers.wants_html():
        return shown(answer, refusal.sentence)
    return answer


def _answer(refusal: Refusal) -> Response:
    ways = authentication()
    if "Authorization" in request.headers:
        return shown(problems.refused(refusal), refusal.sentence)
    if ways.proxy and not ways.sessions:
        return shown(problems.refused(refusal), "A proxy signs people in here: open its address instead of this one")
    if request.method == "POST":
        sentence = "You are signed out, so nothing was changed: sign in, and do it again"
        return shown(problems.refused(refusal), sentence)
    page = addresses.current_page()
    return redirect_to(url_for("pages.sign_in", back=None if page == url_for("pages.dashboard") else page))


@pages.errorhandler(TwoCredentials)
def two_credentials(refusal: Refusal) -> Response:
    """Refuse the request and have the browser forget its session, so that the next one has one credential less."""
    sentence = refusal.sentence
    if session_cookie.session_of(request):
        sentence += ". The session of this browser was deleted: reload the page"
    response = shown(problems.refused(refusal), sentence)
    session_cookie.forget(response)
    return response


@pages.before_request
def refresh_page_of_another() -> Response | None:
    """Have a page reloaded that another person opened in this browser before: it would act in the wrong name."""
    if not callers.current().identity:
        return None
    opened_by = request.headers.get("CIMaster-Visitor") or _sent_in_form()
    if not opened_by or opened_by == visitors.tag():
        return None
    if request.method == "POST":
        cookies.leave_message(Message(f"You are now {visitors.current_visitor().label}, so nothing was changed"))
    if is_htmx_request():
        return Response(status=204, headers={"HX-Refresh": "true"})
    return redirect_to(addresses.return_address())


def _sent_in_form() -> str:
    """Return what a form without script sends for this; uploads do not, and may be too large to look at here."""
    return request.form.get("opened_by", "") if request.mimetype == "application/x-www-form-urlencoded" else ""
