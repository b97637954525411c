"""The forms about clusters that are not there yet: have one created, try again, take one off the list."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cimaster.errors import CreationNotSo, NoProvisioner, UnknownCreation
from cimaster.pages.creations import creation_panel
from cimaster.pages.frame.forms import Form, Tells
from cimaster.pages.frame.visitors import current_visitor, latest
from cimaster.pool import Answer
from cimaster.pool.decisions import descriptions
from cimaster.pool.decisions.provisioning import find
from cimaster.pool.records.cluster import DEFAULT_PURPOSE
from cimaster.repository.configmap_repository import Committed
from cimaster.services.provisioning import BRANCH
from cimaster.web import callers, endpoints, parameter_types
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import ChangeCreation, NamedParameters


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
        return {"row": creation_panel.row(pool, creation, current_visitor(), components().clusters.clock())}

    return tells


@dataclass(frozen=True, kw_only=True)
class CreateForPerson(NamedParameters):
    """Have a cluster created for the visitor."""

    branch: str = parameter_types.BRANCH.optional("")
    job: str = parameter_types.PROW_JOB.optional("")
    purpose: str = parameter_types.PURPOSE.optional("")
    force: bool = parameter_types.FORCE.optional(False)


def _create(asked: CreateForPerson) -> Committed:
    """Ask for a cluster, and wait for nothing: the panel shows what comes of it."""
    provisioning = components().provisioning
    wanted = provisioning.creation_request(
        asked.purpose or DEFAULT_PURPOSE, asked.name, asked.branch, asked.job, callers.owner()
    )
    done = provisioning.create(wanted, asked.force, asked.request)
    if done.answer.repeated:
        same = find(latest(done.commit).pool, done.answer.text)
        progress = descriptions.creation(same, components().clusters.clock())
        raise CreationNotSo(
            f"such a cluster is being created for {wanted.user} already: {progress}; "
            "wait for it, or create another one",
            creation=same.id,
            parameter="force",
        )
    return replace(done, answer=Answer(f"Requested a cluster for {wanted.purpose}"))


def _retry(asked: ChangeCreation) -> Committed:
    return components().provisioning.retry(asked.retry, asked.name, owner=callers.owner())


def _dismiss(asked: ChangeCreation) -> Committed:
    return components().provisioning.dismiss(asked.dismiss, asked.name)


_CREATE, _CHANGE = endpoints.CREATECLUSTER.taking(CreateForPerson), endpoints.CHANGE_CREATION
FORMS = (
    Form("create", _CREATE, _create, "Create a cluster", "Create cluster", "Requesting…", tells=_tells_new),
    Form("retry", _CHANGE.requiring("retry"), _retry, "Retry:", "Retry", "Retrying…", "retry", _tells("retry")),
    Form(
        "dismiss",
        _CHANGE.requiring("dismiss"),
        _dismiss,
        "Dismiss:",
        "Dismiss",
        "Dismissing…",
        "dismiss",
        _tells("dismiss"),
    ),
)
