"""What a request brings: query, form and JSON body together, as the texts that a form would send."""

import json
from collections.abc import Collection, Iterable, Sequence
from urllib.parse import unquote_to_bytes

from flask import request
from werkzeug.datastructures import MultiDict

from cimaster.errors import BadBody, BadParameter
from cimaster.texts import printable

ECHO = 60  # characters of what was sent that a refusal repeats


def sent(example: str, single: Collection[str]) -> "MultiDict[str, str]":
    """Return all that the request sent; BadBody if it cannot be read, with an example of what could.

    A list in JSON stands for a parameter that is repeated; those that are `single` cannot be.
    """
    everything: MultiDict[str, str] = MultiDict()
    _check_utf8(request.query_string)
    everything.update(request.args)
    if request.method == "POST":
        everything.update(_json_body(example, single) if request.mimetype == "application/json" else _form())
    return everything


def given(name: str, texts: Sequence[str], *, required: bool, repeated: bool = False) -> list[str]:
    """Return the texts that were given for a parameter, trimmed; one that is empty was not given.

    BadParameter if it may not be repeated, or may not be empty.
    """
    if len(texts) > 1 and not repeated:
        raise BadParameter(f"{name} is given {len(texts)} times: give it once", parameter=name)
    found = [text.strip() for text in texts if printable(text)]
    if texts and required and not found:
        raise BadParameter(f"{name} is empty: give it a value", parameter=name)
    return found


def bad(name: str, text: str, expected: str) -> BadParameter:
    """Return the refusal of a value: which parameter, what was sent, what was expected."""
    return BadParameter(f"{name[:ECHO]} is {echo(text)}: expected {expected}", parameter=name[:ECHO])


def echo(text: str) -> str:
    """Return what was sent as a refusal may repeat it."""
    return ascii(text) if len(text) <= ECHO else f"{text[:40]!a}... ({len(text)} characters)"


def _check_utf8(encoded: bytes) -> None:
    """Refuse escapes that are not UTF-8: Flask would keep them as they are written, as a value that nobody meant."""
    for pair in encoded.split(b"&"):
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
        body = json.loads(request.get_data() or b"{}", object_pairs_hook=MultiDict)  # it keeps what is given twice
    except (ValueError, RecursionError) as error:
        raise BadBody(f"the body is not valid JSON: {str(error)[:120]}") from None
    if not isinstance(body, MultiDict):
        raise BadBody(f"the body must be a JSON object of parameters, such as {example}")
    for key, value in body.items(multi=True):
        if isinstance(value, list) and key in single:
            raise bad(key, "a list", "one value")
    return MultiDict((key, text) for key, value in body.items(multi=True) for text in _texts(key, value))


def _texts(key: str, value: object) -> Iterable[str]:
    """Yield a JSON value as the texts that a form would send; what is no text is named by its kind."""
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
            raise bad(key, kinds.get(type(one), str(one)), "a text, a whole number, true or false")
