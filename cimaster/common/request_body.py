"""What a request brings: query, form and JSON body, as the texts that a form would send; and its parameters."""

import difflib
import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote_to_bytes

from flask import request
from werkzeug.datastructures import MultiDict

from cimaster.common import json_errors
from cimaster.common.errors import BadBody, BadParameter, MissingParameter, UnknownParameter
from cimaster.common.texts import printable

ECHO = 60  # characters of what was sent that a refusal repeats


@dataclass(frozen=True)
class Parameter:
    """One parameter: its name, how its text is read (ValueError says what is expected), what it means.

    Only a `repeated` one may be given more than once.
    """

    name: str
    read: Callable[[str], Any]
    meaning: str
    required: bool = False
    repeated: bool = False

    def needed(self) -> "Parameter":
        """Return the same parameter as one that must be given."""
        return replace(self, required=True)

    @property
    def missing(self) -> MissingParameter:
        """The refusal of a request that does not give it."""
        return MissingParameter(f"{self.name} is required: {self.meaning}", parameter=self.name)

    def values(self, texts: Sequence[str]) -> list[Any]:
        """Read what was sent for it; one that is empty was not given. A refusal names the parameter and the remedy."""
        if not texts:
            if self.required:
                raise self.missing
            return []
        if len(texts) > 1 and not self.repeated:
            raise BadParameter(f"{self.name} is given {len(texts)} times: give it once", parameter=self.name)
        found = [text.strip() for text in texts if printable(text)]
        if self.required and not found:
            raise BadParameter(f"{self.name} is empty: give it a value", parameter=self.name)
        return [self._value(text) for text in found]

    def _value(self, text: str) -> Any:
        try:
            return self.read(text)
        except ValueError as error:
            raise bad(self.name, text, str(error)) from None


def unknown(path: str, name: str, known: Sequence[str], otherwise: str = "it takes") -> UnknownParameter:
    """Return the refusal of a parameter that the path does not have; it names the nearest one that it has, or all."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    remedy = f"did you mean {near[0]}?" if near else f"{otherwise} {', '.join(known) or 'none'}"
    return UnknownParameter(f"{path} has no parameter {echo(name)}: {remedy}", parameter=name[:ECHO])


def sent(example: str, parameters: Sequence[Parameter], request_id: Parameter) -> "MultiDict[str, str]":
    """Return all that the request sent: query, form and JSON body together.

    BadBody if it cannot be read, with an example of what could. A list in JSON stands for a parameter that is repeated.
    The header Idempotency-Key counts as the request id where that is among the parameters.
    """
    single = [parameter.name for parameter in parameters if not parameter.repeated]
    everything: MultiDict[str, str] = MultiDict()
    _check_utf8(request.query_string)
    everything.update(request.args)
    if request.method == "POST":
        everything.update(_json_body(example, single) if request.mimetype == "application/json" else _form())
    key = request.headers.get("Idempotency-Key", "").strip()
    if request_id in parameters and key and key not in everything.getlist(request_id.name):
        everything.add(request_id.name, key)
    return everything


def bad(name: str, text: str, expected: str) -> BadParameter:
    """Return the refusal of a value: which parameter, what was sent, what was expected."""
    return BadParameter(f"{name[:ECHO]} is {echo(text)}: expected {expected}", parameter=name[:ECHO])


def echo(text: str) -> str:
    """Return what was sent as a refusal may repeat it."""
    return ascii(text) if len(text) <= ECHO else f"{text[:40]!a}... ({len(text)} characters)"


def _check_utf8(encoded: bytes) -> None:
    """Refuse escapes that are not UTF-8: Flask would keep them as they are written, as a value that nobody meant."""
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
        body = json.loads(request.get_data() or b"{}", object_pairs_hook=MultiDict)  # it keeps what is given twice
    except (ValueError, RecursionError) as error:
        raise BadBody(f"the body {json_errors.told(error)}: send a JSON object in UTF-8, such as {example}") from None
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
