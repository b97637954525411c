"""What forms have in common: which verb each one carries out, what it is about, and how what was entered is read."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from flask import request
from werkzeug.datastructures import MultiDict

from cimaster.errors import NotAuthorized
from cimaster.pages.frame import cookies
from cimaster.repository.configmap_repository import Committed
from cimaster.web import request_parameters
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import NamedParameters
from cimaster.web.endpoints import Endpoint

P = TypeVar("P", bound=NamedParameters)
Tells = Callable[[Mapping[str, str], bool], dict[str, Any]]


@dataclass(frozen=True)
class Form(Generic[P]):
    """A form and the verb behind it; `title` is its heading, `does` the word on its button, `busy` while it is sent.

    `subject` is the parameter that names what it is about: nothing where that is new. `tells` returns what its template
    shows beside what was entered (`row` is what it is about), and refuses what is not there, unless that was told.
    A form that `holds` a cluster leaves it to the person who sent it.
    """

    verb: str
    endpoint: Endpoint[P]
    carry_out: Callable[[P], Committed]
    title: str
    does: str
    busy: str
    subject: str = ""
    tells: Tells = lambda _values, _told: {}
    for_admins: bool = False
    destroys: bool = False
    holds: bool = False

    @property
    def path(self) -> str:
        """Where the form is, and where it is sent to."""
        return f"/ui/admin/{self.verb}" if self.for_admins else f"/ui/{self.verb}"

    @property
    def template(self) -> str:
        """The template of the form."""
        return f"forms/{self.verb}.html"


def read(form: Form[P]) -> P:
    """Read what was entered, with the same words of refusal as the API; admins' forms are for admins."""
    known = {parameter.name for parameter in form.endpoint.parameters}
    sent: MultiDict[str, str] = MultiDict(pair for pair in _entered() if pair[0] in known)
    given = request_parameters.read(form.endpoint, sent)
    if form.for_admins and given.name not in components().admins:
        raise NotAuthorized(f"user {given.name} is not authorized: only admins can do this")
    return given


def _entered() -> Iterator[tuple[str, str]]:
    """Yield the fields that were filled in: forms send the empty ones too. The cookie says who the visitor is."""
    for name, text in request.form.items(multi=True):
        if name == "labels":
            yield from (("label", label) for label in re.split(r"[,\s]+", text) if label)
        elif text.strip() and not (name == "name" and cookies.name()):
            yield name, text
    if cookies.name():
        yield "name", cookies.name()


def changed(*names: str) -> set[str]:
    """Return the fields that are not as they were when the form was opened: only those are to be written."""
    return {name for name in names if request.form.get(name, "").strip() != request.form.get(f"was_{name}")}
