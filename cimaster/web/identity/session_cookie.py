"""The cookie that keeps the session of a browser."""

from flask import Request, Response, request

from cimaster.web import public_url

_NAME = "cimaster_session"


def session_of(sent: Request) -> str:
    """Return the session that a request carries; empty if it carries none."""
    return sent.cookies.get(_name(), "") if "HTTP_COOKIE" in sent.environ else ""


def _name() -> str:
    """Return the name of the cookie; with `__Host-`, browsers accept it from this very host only, and over https."""
    return f"__Host-{_NAME}" if public_url.is_secure() else _NAME


def keep(response: Response, session: str, seconds: int) -> None:
    """Have the browser keep a session for some seconds."""
    response.set_cookie(
        _name(), session, seconds, path="/", httponly=True, samesite="Lax", secure=public_url.is_secure()
    )


def forget(response: Response) -> None:
    """Have the browser forget its session."""
    if _name() in request.cookies:
        response.delete_cookie(_name(), path="/", httponly=True, samesite="Lax", secure=public_url.is_secure())
