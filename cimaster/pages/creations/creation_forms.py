"""The forms about clusters that are not there yet: have one created, try again, take one off the list."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cimaster.errors import CreationNotSo, NoProvisioner, UnknownCreation
from cimaster.pages.creations import creation_panel
from cimaster.pages.frame.forms import Form, Tells, needing
from cimaster.pages.frame.visitors import latest, visitor
from cimaster.pool import Answer
from cimaster.pool.decisions import descriptions
from cimaster.pool.decisions.provisioning import dismiss, find
from cimaster.pool.records.cluster import DEFAULT_PURPOSE
from cimaster.repository.configmap_repository import Committed
from cimaster.services.provisioning import BRANCH
from cimaster.web import callers, endpoints
from cimaster.web.components import components
from cimaster.web.request_parameters import Given


def _tells_new(_values: Mapping[str, str], told: bool) -> dict[str, Any]:
    """Tell what is usual where somebody wants a cluster."""
    creations = components().provisioning
    if creations.why_none and not told:
        raise NoProvisioner(creations.why_none)
    facts = {"purpose": DEFAULT_PURPOSE, "branch": BRANCH, "job": creations.default_job}
    return {"facts": facts, "purposes": latest().pool.purposes(), "needs_job": creations.needs_job}


def _tells(parameter: str) -> Tells:
    """Tell of the creation that a parameter names, as it is now."""

    def tells(values: Mapping[str, str], told: bool) -> dict[str, Any]:
        pool = latest().pool
        try:
            creation = find(pool, values.get(parameter, ""))
        except UnknownCreation:
            if not told:
                raise
            return {}
        return {"row": creation_panel.row(pool, creation, visitor(), components().clusters.clock())}

    return tells


def _create(given: Given) -> Committed:
    """Ask for a cluster, and wait for nothing: the panel shows what comes of it."""
    creations = components().provisioning
    wanted = creations.creation_request(
        given.purpose or DEFAULT_PURPOSE, given.name, given.branch or "", given.job or "", callers.owner()
    )
    done = creations.create(wanted, bool(given.force), given.request)
    if done.answer.repeated:
        same = find(latest(done.commit).pool, done.answer.text)
        progress = descriptions.creation(same, components().clusters.clock())
        raise CreationNotSo(
            f"such a cluster is on its way to {wanted.user} already: {progress}",
            creation=same.id,
            parameter="force",
        )
    return replace(done, answer=Answer(f"a cluster for {wanted.purpose} is requested"))


def _retry(given: Given) -> Committed:
    return components().provisioning.retry(given.retry, given.name, owner=callers.owner())


def _dismiss(given: Given) -> Committed:
    return components().clusters.change(dismiss, None, given.dismiss, given.name)


_API, _CHANGE = endpoints.CREATECLUSTER, endpoints.CHANGE_CREATION
_CREATE = replace(_API, parameters=tuple(endpoints.NAME if p.name == "user" else p for p in _API.parameters))
FORMS = (
    Form("create", _CREATE, _create, "Create a cluster", "Create cluster", "Asking…", tells=_tells_new),
    Form("retry", needing(_CHANGE, "retry"), _retry, "Try again:", "Retry", "Retrying…", "retry", _tells("retry")),
    Form(
        "dismiss",
        needing(_CHANGE, "dismiss"),
        _dismiss,
        "Take off the list:",
        "Dismiss",
        "Dismissing…",
        "dismiss",
        _tells("dismiss"),
    ),
)
