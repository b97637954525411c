"""The forms about creations: create a cluster, retry or dismiss a failed creation."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cimaster.errors import NoProvisioner, UnknownCreation, WrongCreationState
from cimaster.pages.creations import creation_panel
from cimaster.pages.frame.form_views import serve
from cimaster.pages.frame.forms import Form, PageUpdate, Result
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


def _update(result: Result) -> PageUpdate:
    everything = result.page.startswith("/ui/creations")
    others = {} if everything else creation_panel.ON_DASHBOARD
    context = creation_panel.context(result.snapshot, everything)
    return PageUpdate("creations", "fragments/creations.html", context, others)


# --- create ----------------------------------------------------------------------------------------------------------


def _create_context(_values: Mapping[str, str], is_shown_again: bool) -> dict[str, Any]:
    """Show the defaults."""
    provisioning = components().provisioning
    if provisioning.why_none and not is_shown_again:
        raise NoProvisioner(provisioning.why_none)
    facts = {"purpose": DEFAULT_PURPOSE, "branch": BRANCH, "job": provisioning.default_job}
    return {"facts": facts, "purposes": latest().pool.purposes(), "needs_job": provisioning.needs_job}


@dataclass(frozen=True, kw_only=True)
class CreateForPerson(NamedParameters):
    """Have a cluster created for the visitor."""

    branch: str = parameter_types.BRANCH.optional("")
    job: str = parameter_types.PROW_JOB.optional("")
    purpose: str = parameter_types.PURPOSE.optional("")
    force: bool = parameter_types.FORCE.optional(False)


def _create(form: CreateForPerson) -> Committed:
    """Request a cluster without waiting for it to begin: the panel shows its progress."""
    provisioning = components().provisioning
    wanted = provisioning.creation_request(
        form.purpose or DEFAULT_PURPOSE, form.name, form.branch, form.job, callers.owner()
    )
    done = provisioning.create(wanted, form.force, form.request)
    if done.answer.repeated:
        same = find(latest(done.commit).pool, done.answer.text)
        progress = descriptions.creation(same, components().clusters.now())
        raise WrongCreationState(
            f"a cluster like this is already being created for {wanted.user}: {progress}; "
            "wait for it, or create another one",
            creation=same.id,
            parameter="force",
        )
    return replace(done, answer=Answer(f"Requested a cluster for {wanted.purpose}"))


serve(
    Form(
        "/ui/create",
        endpoints.CREATECLUSTER.taking(CreateForPerson),
        _create,
        title="Create a cluster",
        button="Create cluster",
        busy_label="Requesting…",
        context=_create_context,
        update=_update,
    )
)


# --- retry, dismiss --------------------------------------------------------------------------------------------------


def _creation(identity: str, is_shown_again: bool) -> dict[str, Any]:
    """Show the creation as it is now."""
    pool = latest().pool
    try:
        creation = find(pool, identity)
    except UnknownCreation:
        if not is_shown_again:
            raise
        return {}
    return {"row": creation_panel.row(pool, creation, current_visitor(), components().clusters.now())}


def _retry_context(values: Mapping[str, str], is_shown_again: bool) -> dict[str, Any]:
    return _creation(values.get("retry", ""), is_shown_again)


def _retry(form: ChangeCreation) -> Committed:
    return components().provisioning.retry(form.retry, form.name, caller=callers.caller())


serve(
    Form(
        "/ui/retry",
        endpoints.CHANGE_CREATION.requiring("retry"),
        _retry,
        title="Retry:",
        button="Retry",
        busy_label="Retrying…",
        subject="retry",
        context=_retry_context,
        update=_update,
    )
)


def _dismiss_context(values: Mapping[str, str], is_shown_again: bool) -> dict[str, Any]:
    return _creation(values.get("dismiss", ""), is_shown_again)


def _dismiss(form: ChangeCreation) -> Committed:
    return components().provisioning.dismiss(form.dismiss, form.name, caller=callers.caller())


serve(
    Form(
        "/ui/dismiss",
        endpoints.CHANGE_CREATION.requiring("dismiss"),
        _dismiss,
        title="Dismiss:",
        button="Dismiss",
        busy_label="Dismissing…",
        subject="dismiss",
        context=_dismiss_context,
        update=_update,
    )
)
