"""The page "Who am I?": with an identity, who the visitor is and may do; otherwise, the form for their name."""

from flask import Response, render_template, request

from cimaster.pages.frame import visitors
from cimaster.pages.frame.blueprint import pages
from cimaster.pages.identity import own_name
from cimaster.pages.identity.present import authentication, identify
from cimaster.web import access, callers
from cimaster.web.identity.identity import Source
from cimaster.web.identity.roles import EVERYBODY, Role
from cimaster.web.identity.session_cookie import session_of


@access.allow(EVERYBODY)
@pages.get("/ui/whoami")
def whoami() -> Response:
    """Show the visitor's identity and roles, to visitors without any role too."""
    if access.is_open():
        return own_name.form()
    identify()
    sessions, roles = authentication().sessions, callers.current().roles
    is_session = visitors.source() == Source.SESSION
    return Response(
        render_template(
            "whoami.html",
            session=sessions.read(session_of(request)) if sessions and is_session else None,
            own_roles=[role for role in Role if role in roles],
            other_roles=[role for role in Role if role not in roles],
            admins=access.admins_text(),
        )
    )
