"""What callers send: query, form and JSON body read as the parameters of a request, or refused by name."""

import difflib
import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from flask import request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import UnsupportedMediaType

from cimaster.errors import BadBody, BadParameter, MissingParameter, UnknownParameter
from cimaster.manual_trigger.asked import PERIODIC, PRESUBMIT, Asked
from cimaster.manual_trigger.parameters import (
    BASE_REF,
    ORG,
    PARAMETERS,
    PULL_AUTHOR,
    PULL_SHA,
    PULLREQUEST,
    REPO,
    REQUEST_ID,
    Parameter,
)

_ECHO = 60  # characters of what was sent that a refusal repeats


def asked(sent: "MultiDict[str, str]") -> Asked:
    """Read what was sent as a request for a job; a refusal names the parameter and the remedy."""
    for name in sent:
        if name not in {parameter.name for parameter in PARAMETERS}:
            raise _unknown(name)
    given = {parameter.name: _value(parameter, sent.getlist(parameter.name)) for parameter in PARAMETERS}
    values = {name: value for name, value in given.items() if value is not None}
    _check_together(values)
    renamed = {"prowtype": "kind", "prowjob": "job", "pullrequest": "pull"}
    return Asked(**{renamed.get(name, name): value for name, value in values.items()})


def _unknown(name: str) -> UnknownParameter:
    names = [parameter.name for parameter in PARAMETERS]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    remedy = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
    return UnknownParameter(f"/manual-trigger has no parameter {_echo(name)}: {remedy}", parameter=name[:_ECHO])


def _value(parameter: Parameter, texts: list[str]) -> Any:
    if not texts:
        if parameter.required:
            raise _missing(parameter)
        return None
    if len(texts) > 1:
        raise BadParameter(f"{parameter.name} is given {len(texts)} times: give it once", parameter=parameter.name)
    if not texts[0]:
        remedy = "give it a value" if parameter.required else "leave it out or give it a value"
        raise BadParameter(f"{parameter.name} is empty: {remedy}", parameter=parameter.name)
    try:
        return parameter.read(texts[0])
    except ValueError as error:
        raise _bad(parameter.name, texts[0], str(error)) from None


def _check_together(values: dict[str, Any]) -> None:
    """Refuse what is missing or too much for that kind of job."""
    kind = values["prowtype"]
    place = [parameter for parameter in (ORG, REPO, BASE_REF) if parameter.name not in values]
    if place and kind != PERIODIC:
        raise _missing(place[0])
    if kind == PRESUBMIT and not values.get(PULLREQUEST.name):
        raise MissingParameter(
            f"{PULLREQUEST.name} is required for presubmit jobs: give the number of the pull request",
            parameter=PULLREQUEST.name,
        )
    for parameter in (PULLREQUEST, PULL_SHA, PULL_AUTHOR):
        if kind != PRESUBMIT and values.get(parameter.name):
            sentence = f"{parameter.name} goes only with prowtype presubmit: leave it out"
            raise BadParameter(sentence, parameter=parameter.name)


def _missing(parameter: Parameter) -> MissingParameter:
    return MissingParameter(f"{parameter.name} is required: {parameter.meaning}", parameter=parameter.name)


def _bad(name: str, text: str, expected: str) -> BadParameter:
    return BadParameter(f"{name[:_ECHO]} is {_echo(text)}: expected {expected}", parameter=name[:_ECHO])


def _echo(text: str) -> str:
    return ascii(text) if len(text) <= _ECHO else f"{text[:40]!a}... ({len(text)} characters)"


def sent() -> "MultiDict[str, str]":
    """Return all that the request sent: query, form and JSON body together, and Idempotency-Key as request_id."""
    everything: MultiDict[str, str] = MultiDict()
    _check_utf8(request.query_string)
    everything.update(request.args)
    everything.update(_json_body() if request.mimetype == "application/json" else _form())
    key = request.headers.get("Idempotency-Key")
    if key is not None and key not in everything.getlist(REQUEST_ID.name):
        everything.add(REQUEST_ID.name, key)
    return everything


def _check_utf8(encoded: bytes) -> None:
    """Refuse escapes that are not UTF-8: Flask would keep them as they are written, as a value that nobody meant."""
    for pair in encoded.split(b"&"):
        try:
            unquote_to_bytes(pair).decode()
        except UnicodeDecodeError:
            name = unquote_to_bytes(pair.partition(b"=")[0]).decode("utf-8", "replace")[:_ECHO]
            raise BadParameter(f"{name!a} is not UTF-8: encode it as UTF-8, then as %XX", parameter=name) from None


def _form() -> "MultiDict[str, str]":
    if request.mimetype == "application/x-www-form-urlencoded":
        _check_utf8(request.get_data())
    elif request.mimetype != "multipart/form-data" and request.get_data():
        kind = request.mimetype[:_ECHO] or "unknown"
        raise UnsupportedMediaType(f"a body of type {kind} cannot be read: send application/json, or a form")
    if request.files:
        raise BadBody(f"{next(iter(request.files))[:_ECHO]!r} is a file: send parameters as text")
    return request.form


def _json_body() -> "MultiDict[str, str]":
    try:
        body = json.loads(request.get_data() or b"{}", object_pairs_hook=MultiDict)  # it keeps what is given twice
    except (ValueError, RecursionError) as error:
        raise BadBody(f"the body is not valid JSON: {str(error)[:120]}") from None
    if not isinstance(body, MultiDict):
        raise BadBody('the body must be a JSON object of parameters, such as {"user": "john"}')
    return MultiDict((key, text) for key, value in body.items(multi=True) for text in _texts(key, value))


def _texts(key: str, value: object) -> Iterable[str]:
    """Yield a JSON value as the text that a form would send; what is no text is named by its kind."""
    if isinstance(value, bool):
        yield "true" if value else "false"
    elif isinstance(value, str | int):
        yield str(value)
    elif isinstance(value, float) and value.is_integer():
        yield str(int(value))
    else:
        kind = {MultiDict: "an object", list: "a list", type(None): "null"}.get(type(value)) or str(value)
        raise _bad(key, kind, "a text, a whole number, true or false")
