"""The forms: which verb each one carries out, what it reads beside the API's parameters, and for whom it is."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from flask import request
from werkzeug.datastructures import MultiDict

from cimaster import endpoints, inputs, web
from cimaster.endpoints import Endpoint
from cimaster.errors import BadParameter, MissingParameter
from cimaster.inputs import Given
from cimaster.pages import cookies
from cimaster.pages.visitors import latest
from cimaster.pool import Answer, Facts
from cimaster.pool.holding import same_person
from cimaster.repository import Committed

FACTS = ("region", "purpose", "osimage", "labels", "note")


@dataclass(frozen=True)
class Form:
    """A form and the verb behind it; `title` is its heading, `does` the word on its button, `busy` while it is sent."""

    verb: str
    endpoint: Endpoint
    carry_out: Callable[[Given], Committed]
    title: str
    does: str
    busy: str
    for_admins: bool = False

    @property
    def path(self) -> str:
        """Where the form is, and where it is sent to."""
        return f"/ui/admin/{self.verb}" if self.for_admins else f"/ui/{self.verb}"

    @property
    def template(self) -> str:
        """The template of the form."""
        return f"forms/{self.verb}.html"


def read(form: Form) -> Given:
    """Read what was entered, with the same words of refusal as the API; admins' forms are for admins."""
    known = {parameter.name for parameter in form.endpoint.parameters}
    sent: MultiDict[str, str] = MultiDict(pair for pair in _entered() if pair[0] in known)
    given = inputs.read(form.endpoint, sent)
    if form.for_admins:
        web.admins().require(given.name)
    return given


def _entered() -> Iterator[tuple[str, str]]:
    """Yield the fields that were filled in: forms send the empty ones too, and people type blanks around words."""
    for name, text in request.form.items(multi=True):
        text = text if name == "cluster" else text.strip()
        if name == "labels":
            yield from (("label", label) for label in re.split(r"[,\s]+", text) if label)
        elif text and not (name == "name" and cookies.name()):
            yield name, text
    if cookies.name():
        yield "name", cookies.name()


def _hold(given: Given) -> Committed:
    return web.service().hold(given.cluster, given.name, given.desc or "", given.duration, given.expect or "")


def _extend(given: Given) -> Committed:
    return web.service().hold(given.cluster, given.name, "", given.duration, "held")


def _release(given: Given) -> Committed:
    hold = latest().pool.find(given.cluster).hold
    if hold and not same_person(hold.by, given.name) and given.name in web.admins() and not given.reason:
        raise MissingParameter(
            f"reason is required: {hold.by or 'whoever holds it'} is told why the hold of {given.cluster} ends",
            parameter="reason", holder=hold.by,
        )  # fmt: skip
    return web.service().release(given.cluster, given.name, given.name in web.admins(), given.reason or "")


def _disable(given: Given) -> Committed:
    return web.service().disable(given.cluster, given.name, given.reason)


def _enable(given: Given) -> Committed:
    return web.service().enable(given.cluster, given.name, given.reason or "")


def _add(given: Given) -> Committed:
    labels = inputs.labels(given.label) if given.label else None
    facts = Facts(given.region, given.purpose, given.osimage, labels, given.note)
    return web.service().add(given.cluster, given.name, facts)


def _edit(given: Given) -> Committed:
    """Change only what was changed in the form: somebody else may have changed the rest meanwhile."""
    changed = {name for name in FACTS if request.form.get(name, "").strip() != request.form.get(f"was_{name}")}
    texts = {name: given.values[name] or "" for name in FACTS if name in changed and name != "labels"}
    facts = Facts(**texts, labels=inputs.labels(given.label) if "labels" in changed else None)
    if not changed:
        snapshot = latest()
        return Committed(Answer(f"cluster {given.cluster} stays as it is", snapshot.pool.find(given.cluster)), 0)
    return web.service().update(given.cluster, given.name, facts)


def _delete(given: Given) -> Committed:
    name = given.cluster.partition(".")[0] if given.cluster.startswith("#") else given.cluster
    if request.form.get("typed", "").strip() != name.strip():
        raise BadParameter(f"type {name} to delete it: what was typed is something else", parameter="typed")
    return web.service().delete(given.cluster, given.name, bool(given.force), given.reason or "")


def _needing(endpoint: Endpoint, *names: str) -> Endpoint:
    """Return an endpoint of which the form insists on more than the API."""
    return replace(endpoint, parameters=tuple(p.needed() if p.name in names else p for p in endpoint.parameters))


_HOLD, _DURATION = endpoints.HOLDCLUSTER, _needing(endpoints.HOLDCLUSTER, "duration")
FORMS = (
    Form("hold", _HOLD, _hold, "Hold", "Hold", "Holding…"),
    Form("extend", _DURATION, _extend, "Extend the hold of", "Extend", "Extending…"),
    Form("release", endpoints.RELEASECLUSTER, _release, "Release", "Release", "Releasing…"),
    Form("add", endpoints.ADDCLUSTER, _add, "Add a cluster", "Add cluster", "Adding…", for_admins=True),
    Form("edit", endpoints.UPDATECLUSTER, _edit, "Edit", "Save", "Saving…", for_admins=True),
    Form("disable", _needing(endpoints.DISABLECLUSTER, "reason"), _disable, "Disable", "Disable", "Disabling…", True),
    Form("enable", endpoints.ENABLECLUSTER, _enable, "Enable", "Enable", "Enabling…", for_admins=True),
    Form("delete", endpoints.DELETECLUSTER, _delete, "Delete", "Delete", "Deleting…", for_admins=True),
)
