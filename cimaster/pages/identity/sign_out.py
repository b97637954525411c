"""Signing out: the visitor's sessions end on all replicas, so that a copy of the cookie is worth nothing either."""

from flask import Response, request, url_for
from werkzeug.exceptions import NotFound

from cimaster.errors import StoreTrouble
from cimaster.pages.frame import cookies
from cimaster.pages.frame.blueprint import MISSING, pages, redirect_to
from cimaster.pages.frame.cookies import Message
from cimaster.pages.frame.template_filters import clock_time
from cimaster.pages.identity import sign_in
from cimaster.pages.identity.present import authentication
from cimaster.web import access
from cimaster.web.components import components
from cimaster.web.identity import session_cookie
from cimaster.web.identity.roles import EVERYBODY
from cimaster.web.identity.sessions import Session


@access.allow(EVERYBODY)
@pages.post("/ui/signout")
def end_sessions() -> Response:
    """End the visitor's sessions and show the page for signing in, also to a visitor who is not signed in."""
    if access.is_open():
        raise NotFound(MISSING)
    session = _live_session()
    cookies.forget_visitor()
    response = _ended(session) if session else redirect_to(url_for("pages.sign_in"))
    session_cookie.forget(response)
    return response


def _live_session() -> Session | None:
    """Return the session of the request, unless it is over."""
    sessions = authentication().sessions
    session = sessions.read(session_cookie.session_of(request)) if sessions else None
    try:
        is_over = session and authentication().has_signed_out(session.identity.owner, session.issued)
    except StoreTrouble:
        is_over = False
    return None if is_over else session


def _ended(session: Session) -> Response:
    """End all sessions of the visitor, and lead to the page for signing in, which says so."""
    clusters = components().clusters
    access.name_in_log(session.identity)
    try:
        committed = clusters.sign_out(session.identity.owner, session.issued)
    except StoreTrouble as trouble:
        end = clock_time(session.expires, clusters.now())
        return sign_in.refused(
            trouble,
            f"This browser is signed out, but the store cannot be used: a copy of the session may work until {end}. "
            "To end it, sign in and out again when the store is back",
        )
    cookies.remember(seen=max(committed.commit, cookies.seen()))
    cookies.leave_message(Message("You are signed out, in all browsers"))
    return redirect_to(url_for("pages.sign_in"))
