"""Reads query, form and JSON body of a request together, as the texts that a form would send."""

import json
from collections.abc import Collection, Iterable, Sequence
from urllib.parse import unquote_to_bytes

from flask import request
from werkzeug.datastructures import MultiDict

from cimaster.common import json_errors
from cimaster.common.errors import BadBody, BadParameter
from cimaster.common.parameters import ECHO, Parameter, unreadable

REQUEST_ID = "request_id"


def sent(example: str, parameters: Sequence[Parameter]) -> "MultiDict[str, str]":
    """Return all that the request sent: query, form and JSON body together.

    BadBody if it cannot be read, with an `example` of a valid body. A list in JSON stands for a repeated parameter.
    The header Idempotency-Key counts as `request_id` if that is an optional parameter.
    """
    single = [parameter.name for parameter in parameters if not parameter.repeated]
    everything: MultiDict[str, str] = MultiDict()
    _check_utf8(request.query_string)
    everything.update(request.args)
    if request.method == "POST":
        everything.update(_json_body(example, single) if request.mimetype == "application/json" else _form())
    key = request.headers.get("Idempotency-Key", "").strip()
    takes_key = any(parameter.name == REQUEST_ID and not parameter.required for parameter in parameters)
    if takes_key and key and key not in everything.getlist(REQUEST_ID):
        everything.add(REQUEST_ID, key)
    return everything


def _check_utf8(encoded: bytes) -> None:
    """Refuse escapes that are not UTF-8: Flask would keep them undecoded, and so change the value."""
    for pair in encoded.split(b"&") if b"%" in encoded or not encoded.isascii() else ():
        try:
            unquote_to_bytes(pair).decode()
        except UnicodeDecodeError:
            name = unquote_to_bytes(pair.partition(b"=")[0]).decode("utf-8", "replace")[:ECHO]
            raise BadParameter(f"{name!a} is not UTF-8: encode it as UTF-8, then as %XX", parameter=name) from None


def _form() -> "MultiDict[str, str]":
    kind = request.mimetype
    if kind == "application/x-www-form-urlencoded":
        _check_utf8(request.get_data())
    elif kind != "multipart/form-data" and request.get_data():
        raise BadBody(f"a body of type {kind[:ECHO] or 'unknown'} cannot be read: send a form, or application/json")
    if request.files:
        raise BadBody(f"{next(iter(request.files))[:ECHO]!r} is a file: send parameters as text")
    return request.form


def _json_body(example: str, single: Collection[str]) -> "MultiDict[str, str]":
    try:
        body = json.loads(request.get_data() or b"{}", object_pairs_hook=MultiDict)  # it keeps repeated keys
    except (ValueError, RecursionError) as error:
        raise BadBody(f"the body {json_errors.reason(error)}: send a JSON object in UTF-8, such as {example}") from None
    if not isinstance(body, MultiDict):
        raise BadBody(f"the body must be a JSON object of parameters, such as {example}")
    for key, value in body.items(multi=True):
        if isinstance(value, list) and key in single:
            raise unreadable(key, "a list", "one value")
    return MultiDict((key, text) for key, value in body.items(multi=True) for text in _texts(key, value))


def _texts(key: str, value: object) -> Iterable[str]:
    """Yield a JSON value as the texts that a form would send; refuse one that has no such text."""
    for one in value if isinstance(value, list) else [value]:
        if one is None:
            yield ""
        elif isinstance(one, bool):
            yield "true" if one else "false"
        elif isinstance(one, str | int):
            yield str(one)
        elif isinstance(one, float) and one.is_integer():
            yield str(int(one))
        else:
            kinds: dict[type, str] = {MultiDict: "an object", list: "a list in a list"}
            raise unreadable(key, kinds.get(type(one), str(one)[:ECHO]), "a text, a whole number, true or false")
