"""The page on which a person signs in: their token begins a session, which a cookie of the browser keeps."""

from flask import Response, g, render_template, request, url_for
from werkzeug.exceptions import NotFound

from cimaster.common.texts import printable
from cimaster.errors import BadCredential, IdentityUnavailable, Problem, Refusal, StoreTrouble, TwoCredentials
from cimaster.pages.frame import addresses, cookies, outages
from cimaster.pages.frame.blueprint import MISSING, pages, redirect_to
from cimaster.pages.identity.present import authentication, identify_if_possible
from cimaster.services.sign_outs import last_sign_out
from cimaster.web import access, callers, problems
from cimaster.web.components import components
from cimaster.web.identity import session_cookie
from cimaster.web.identity.identity import Identity
from cimaster.web.identity.roles import EVERYBODY

NOT_CONFIGURED = "an operator must set CIMASTER_SESSION_KEY_FILE before people can sign in with a browser"
_NO_RETURN = ("/ui/signin", "/ui/signout")


@access.allow(EVERYBODY)
@pages.get("/ui/signin")
def sign_in() -> Response:
    """Show the form."""
    _check_mode()
    identify_if_possible()
    return Response(_render())


@access.allow(EVERYBODY)
@pages.post("/ui/signin")
def begin_session() -> Response:
    """Begin a session for the caller whose token was sent; it takes the place of the browser's earlier one."""
    _check_mode()
    try:
        session, seconds = _new_session()
    except (Refusal, StoreTrouble) as refusal:
        identify_if_possible()
        advice = outages.next_step(refusal)
        return refused(refusal, f"{refusal.sentence}. {advice}" if advice else refusal.sentence)
    cookies.forget_visitor()
    response = redirect_to(_target())
    session_cookie.keep(response, session, seconds)
    return response


def _check_mode() -> None:
    if access.is_open():
        raise NotFound(MISSING)


def _new_session() -> tuple[str, int]:
    """Return the cookie of a new session, and for how many seconds it lasts."""
    sessions = authentication().sessions
    if sessions is None:
        raise IdentityUnavailable(NOT_CONFIGURED)
    identity = _identity_of_token()
    cookie = sessions.sign(identity, last_sign_out(components().clusters.repository, identity.owner))
    session = sessions.read(cookie)
    if session is None:
        raise BadCredential("this token ends now: sign in with one that is valid for longer")
    access.name_in_log(identity)
    return cookie, int((session.expires - components().clusters.now()).total_seconds())


def _identity_of_token() -> Identity:
    proxy, token = authentication().proxy, request.form.get("token", "").strip()
    if proxy and (by_proxy := proxy.identity(request.environ)):
        raise TwoCredentials(f"the proxy has signed you in as {by_proxy.label}: open the dashboard")
    if not token:
        raise BadCredential("there is no token: enter yours")
    try:
        return authentication().of_token(token, callers.current().address)
    except BadCredential:
        sentence = (
            "this token is unknown or has expired: check that you copied all of it, or ask the operator for a new one"
        )
        raise BadCredential(sentence) from None


def _target() -> str:
    """Return the page to show next: only one that was named, since a referrer may be an earlier visitor's page."""
    target = addresses.own_page(request.values.get("back", ""))
    path = addresses.without_prefix(target).partition("?")[0]
    return url_for("pages.dashboard") if path in _NO_RETURN else target


def refused(refusal: Problem, sentence: str) -> Response:
    """Show the form again, with a sentence about what was refused."""
    g.refused = sentence = printable(sentence)
    response = problems.refused(refusal)
    response.set_data(_render(sentence))
    response.mimetype = "text/html"
    return response


def _render(refused_because: str = "") -> str:
    ways = authentication()
    return render_template(
        "signin.html",
        refusal=refused_because,
        back=_target(),
        takes_tokens=bool(ways.tokens or ways.service_accounts),
        takes_accounts=ways.service_accounts is not None,
        has_proxy=ways.proxy is not None,
        has_sessions=ways.sessions is not None,
        not_configured=NOT_CONFIGURED,
    )
