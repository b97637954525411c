"""The cookies: the visitor's name, the newest commit that the browser has seen, a message, dismissed lines."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from urllib.parse import quote, unquote

from flask import Response, g, request

from cimaster.common.texts import printable
from cimaster.pool import parsers
from cimaster.web import public_url

NAME, SEEN, MESSAGE = "cimaster_name", "cimaster_seen", "cimaster_message"
DISMISSED = "cimaster_dismissed"
_YEAR, _DAY, _MINUTE = 365 * 86400, 86400, 60
_LONGEST = 3800  # bytes of a message: browsers drop cookies of more than 4,096 with name and attributes


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
    """A message of success: `about` is the element of the cluster, `rev` the digest of the record that it describes.

    `undo` are the fields of its button Undo; without any it has none.
    """

    text: str
    about: str = ""
    rev: str = ""
    undo: Mapping[str, str] = field(default_factory=dict)


def leave_message(message: Message) -> None:
    """Leave a message for the next page; without Undo if that makes it longer than browsers accept."""
    text = _as_cookie(message)
    remember(message=text if len(_quoted(text)) <= _LONGEST else _as_cookie(replace(message, undo={})))


def _as_cookie(message: Message) -> str:
    return json.dumps(asdict(message), ensure_ascii=False)


def _quoted(text: str) -> str:
    return quote(text, safe="@")


def take_message() -> Message | None:
    """Return the message that the last form left for this page; it is shown once."""
    if "message" in g or request.blueprint != "pages":
        return None
    g.message = None
    try:
        message = Message(**json.loads(unquote(request.cookies.get(MESSAGE, ""))))
    except (ValueError, TypeError, RecursionError):  # other services on the same host may set any cookie
        return None
    if not isinstance(message.undo, dict):
        return None
    texts = (message.text, message.about, message.rev, *message.undo.values())
    if not all(isinstance(text, str) for text in texts):
        return None
    text, about, rev = map(printable, texts[:3])
    return Message(text, about, rev, {name: printable(value) for name, value in message.undo.items()})


def remember(**values: object) -> None:
    """Set the cookie `name`, `seen`, `message` or `dismissed` with the response to this request; None deletes it."""
    for key, value in values.items():
        setattr(g, key, value)


def forget_visitor() -> None:
    """Delete what concerns one person: the next one at the same browser must not see it."""
    remember(name=None, message=None, dismissed=None)


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
            response.set_cookie(cookie, _quoted(str(value)), lasts, **where)
        elif cookie in request.cookies:
            response.delete_cookie(cookie, **where)
    return response
