"""What a form is: its endpoint, its words, what it shows, and how the fields that were sent become parameters."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from flask import request
from werkzeug.datastructures import MultiDict

from cimaster.errors import NotAllowed, NotAuthorized
from cimaster.pages.frame import visitors
from cimaster.repository.configmap_repository import Committed
from cimaster.repository.snapshots import Snapshot
from cimaster.web import access, request_parameters
from cimaster.web.endpoint_parameters import NamedParameters
from cimaster.web.endpoints import Endpoint

P = TypeVar("P", bound=NamedParameters)
ADMIN_PREFIX = "/ui/admin/"


@dataclass(frozen=True)
class Result:
    """A form that was carried out: on which page it was opened, the value of its subject, and what was committed."""

    page: str
    subject: str
    committed: Committed
    snapshot: Snapshot


@dataclass(frozen=True)
class PageUpdate:
    """An element of the open page, and what replaces it; without a template the element is removed.

    `others` are further elements that change with it, and their templates.
    """

    element: str
    template: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)


FormContext = Callable[[Mapping[str, str], bool], dict[str, Any]]
"""Builds what a form's template shows, from the values of its fields: `row` is its subject, `facts` are defaults.

It refuses a subject that does not exist, unless the second argument says that the form is shown again after a refusal.
A `refusal` in the context is shown in the form.
"""


def no_context(_values: Mapping[str, str], _is_shown_again: bool) -> dict[str, Any]:
    """Show nothing but the fields."""
    return {}


def no_report(_committed: Committed) -> dict[str, Any]:
    """Report nothing beside the message."""
    return {}


def answer_text(committed: Committed, _name: str) -> str:
    """Return the API's words of success."""
    return committed.answer.text


def no_undo(_committed: Committed, _name: str) -> Mapping[str, str]:
    """Offer no Undo."""
    return {}


@dataclass(frozen=True)
class Form(Generic[P]):
    """A form: GET on its path shows it, POST carries it out.

    `subject` is the parameter that names what the form is about; empty if that is new. `update` says which element
    of the page where the form was opened has changed. `leaves_hold`: the visitor holds the cluster afterwards. If
    `report` returns anything, form_report.html shows that in place of the form, and no message is left. `undo` returns
    the fields with which /ui/undorelease undoes it; none if that is not possible. `for_others`: the visitor acts for
    another person, which needs a role of its own.
    """

    path: str
    endpoint: Endpoint[P]
    carry_out: Callable[[P], Committed]
    title: str
    button: str
    busy_label: str
    update: Callable[[Result], PageUpdate | None]
    subject: str = ""
    context: FormContext = no_context
    message: Callable[[Committed, str], str] = answer_text
    report: Callable[[Committed], dict[str, Any]] = no_report
    undo: Callable[[Committed, str], Mapping[str, str]] = no_undo
    destroys: bool = False
    for_others: bool = False
    leaves_hold: bool = False

    @property
    def verb(self) -> str:
        """The last part of its path, which names its template and its Flask endpoints."""
        return self.path.rpartition("/")[2]

    @property
    def for_admins(self) -> bool:
        """Whether only admins may send it."""
        return self.path.startswith(ADMIN_PREFIX) and not self.for_others

    @property
    def template(self) -> str:
        """The template of the form."""
        return f"forms/{self.verb}.html"


def read(form: Form[P]) -> P:
    """Read the fields that were sent, with the same refusals as the API. NotAuthorized if the form is for admins."""
    known = {parameter.name for parameter in form.endpoint.parameters}
    sent: MultiDict[str, str] = MultiDict(pair for pair in _filled_in() if pair[0] in known)
    parameters = request_parameters.read(form.endpoint, sent)
    _check(form, parameters.name)
    return parameters


def _check(form: Form[Any], name: str) -> None:
    """Refuse a visitor that may not send the form; its endpoint's roles are checked before each request."""
    if form.for_admins:
        access.require_admin(name)
    if form.for_others:
        access.require_for_others(name, "")  # the form is for another person in any case


def not_allowed(form: Form[Any]) -> NotAllowed | NotAuthorized | None:
    """Return why the visitor may not send the form; None if they may, or have not given a name yet."""
    if not visitors.own_name():
        return None
    try:
        access.require(form.endpoint.roles)
        _check(form, visitors.own_name())
    except (NotAllowed, NotAuthorized) as refusal:
        return refusal
    return None


def _filled_in() -> Iterator[tuple[str, str]]:
    """Yield the fields that are not empty. If the visitor's name is known, that name counts."""
    own_name = visitors.own_name()
    for name, text in request.form.items(multi=True):
        if name == "labels":
            yield from (("label", label) for label in re.split(r"[,\s]+", text) if label)
        elif text.strip() and not (name == "name" and own_name):
            yield name, text
    if own_name:
        yield "name", own_name


def changed(*names: str) -> set[str]:
    """Return the fields whose values differ from when the form was opened: only these are written."""
    return {name for name in names if request.form.get(name, "").strip() != request.form.get(f"was_{name}")}
