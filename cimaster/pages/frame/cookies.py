"""The cookies: the visitor's name, the newest commit that the browser has seen, a message, dismissed lines."""

import json
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote, unquote

from flask import Response, g, request

from cimaster.common.texts import printable
from cimaster.pool import parsers
from cimaster.web import public_url

NAME, SEEN, MESSAGE = "cimaster_name", "cimaster_seen", "cimaster_message"
DISMISSED = "cimaster_dismissed"
_YEAR, _DAY, _MINUTE = 365 * 86400, 86400, 60


def name() -> str:
    """Return the visitor's name; empty if there is none or it is not valid."""
    try:
        return parsers.person(unquote(request.cookies.get(NAME, "")))
    except ValueError:
        return ""


def seen() -> int:
    """Return the newest commit that the browser has seen, from its cookie or the tag of the fragment that it shows."""
    return max(_commit(request.cookies.get(SEEN, "")), _commit(request.headers.get("HX-PTag", "").partition(".")[0]))


def dismissed() -> int:
    """Return the commit up to which the visitor has dismissed lines about lost holds."""
    chosen = g.get("dismissed")
    return chosen if chosen is not None else _commit(request.cookies.get(DISMISSED, ""))


def _commit(text: str) -> int:
    try:
        return parsers.commit(text)
    except ValueError:
        return 0


def probe() -> None:
    """Set a cookie together with a form, so that `blocked` can find out whether the browser keeps cookies."""
    if not request.cookies and "seen" not in g:
        remember(seen=0)


def blocked() -> bool:
    """Whether the browser blocks cookies: it sent the form, but not the cookie that came with it."""
    return "probed" in request.form and not request.cookies


@dataclass(frozen=True)
class Message:
    """A message of success: `about` is the element of the cluster, `rev` the digest of the record that it describes."""

    text: str
    about: str = ""
    rev: str = ""


def leave_message(message: Message) -> None:
    """Leave a message for the next page."""
    remember(message=json.dumps(asdict(message)))


def take_message() -> Message | None:
    """Return the message that the last form left for this page; it is shown once."""
    if "message" in g or request.blueprint != "pages":
        return None
    g.message = None
    try:
        message = Message(**json.loads(unquote(request.cookies.get(MESSAGE, ""))))
    except (ValueError, TypeError, RecursionError):  # other services on the same host may set any cookie
        return None
    texts = (message.text, message.about, message.rev)
    return Message(*map(printable, texts)) if all(isinstance(text, str) for text in texts) else None


def remember(**values: object) -> None:
    """Set the cookie `name`, `seen`, `message` or `dismissed` with the response to this request; None deletes it."""
    for key, value in values.items():
        setattr(g, key, value)


def write_to(response: Response) -> Response:
    """Write the cookies to a response. Their path is the public URL's, because other services may share the host."""
    where: Any = {"path": request.script_root or "/", "httponly": True, "samesite": "Lax"}
    where["secure"] = public_url.is_secure()
    lasting = (
        (NAME, "name", _YEAR),
        (SEEN, "seen", _DAY),
        (MESSAGE, "message", _MINUTE),
        (DISMISSED, "dismissed", _DAY),
    )
    for cookie, key, lasts in lasting:
        if key not in g:
            continue
        value = g.get(key)
        if value is not None:
            text = quote(str(value), safe="@")
            response.set_cookie(cookie, text, lasts, **where)
        elif cookie in request.cookies:
            response.delete_cookie(cookie, **where)
    return response
