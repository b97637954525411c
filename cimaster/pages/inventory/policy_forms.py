"""The forms about automatic top-up, for admins: add, edit and remove the policy of a purpose."""

from collections.abc import Collection, Mapping
from typing import Any

from cimaster.common.times import format_duration
from cimaster.errors import UnknownPolicy
from cimaster.pages.creations import creation_panel
from cimaster.pages.frame.form_views import serve
from cimaster.pages.frame.forms import Form, PageUpdate, Result, changed
from cimaster.pages.frame.visitors import current_visitor, latest
from cimaster.pages.policies import policy_panel
from cimaster.pool import Answer
from cimaster.pool.decisions.automatic_top_up import PolicyTerms
from cimaster.pool.records.policy import DEFAULT_COOLDOWN
from cimaster.repository.configmap_repository import Committed
from cimaster.services.provisioning import BRANCH
from cimaster.web import endpoints
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import RemovePolicy, SetPolicy

_TERMS = ("min_vacant", "max_total", "max_creating", "cooldown", "hours", "branch", "job")


_REQUIRED = ("min_vacant", "max_total", "max_creating", "cooldown")


def _defaults() -> dict[str, Any]:
    provisioning = components().provisioning
    return {"usual_job": provisioning.default_job, "usual_branch": BRANCH, "why_idle": provisioning.why_idle}


def _policy_context(values: Mapping[str, str], is_shown_again: bool) -> dict[str, Any]:
    """Show the policy as it is now."""
    purpose = values.get("purpose", "")
    policies = policy_panel.lines(latest(), current_visitor())
    policy = next((line for line in policies if line.name == purpose), None)
    if policy is None and not is_shown_again:
        raise UnknownPolicy(f"the policy for purpose {purpose} no longer exists", purpose=purpose)
    return {"row": policy, "facts": policy.fields if policy else {}, **_defaults()}


def _update(result: Result) -> PageUpdate:
    """Replace the table of the inventory page, or the panel of the dashboard, which shows policies too."""
    if result.page.startswith("/ui/admin"):
        return PageUpdate("policies", "fragments/policies.html", policy_panel.context(result.snapshot))
    everything = result.page.startswith("/ui/creations")
    others = {} if everything else creation_panel.ON_DASHBOARD
    context = creation_panel.context(result.snapshot, everything)
    return PageUpdate("creations", "fragments/creations.html", context, others)


def _terms(form: SetPolicy, names: Collection[str]) -> PolicyTerms:
    """Return the terms of these names; optional ones are removed where the field is empty."""
    return PolicyTerms(
        min_vacant=form.min_vacant if "min_vacant" in names else None,
        max_total=form.max_total if "max_total" in names else None,
        max_creating=form.max_creating if "max_creating" in names else None,
        cooldown=form.cooldown if "cooldown" in names else None,
        hours=form.hours or "" if "hours" in names else None,
        job=form.job or "" if "job" in names else None,
        branch=form.branch or "" if "branch" in names else None,
    )


# --- add -------------------------------------------------------------------------------------------------------------


def _add_context(_values: Mapping[str, str], _is_shown_again: bool) -> dict[str, Any]:
    """Show the defaults."""
    facts = {"max_creating": "1", "cooldown": format_duration(DEFAULT_COOLDOWN)}
    return {"facts": facts, "purposes": latest().pool.purposes(), **_defaults()}


def _add(form: SetPolicy) -> Committed:
    return components().provisioning.set_policy(form.purpose, form.name, _terms(form, _TERMS), new=True)


serve(
    Form(
        "/ui/admin/addpolicy",
        endpoints.SETPOLICY.requiring(*_REQUIRED),
        _add,
        title="Add a policy",
        button="Add policy",
        busy_label="Adding…",
        context=_add_context,
        update=_update,
    )
)


# --- edit ------------------------------------------------------------------------------------------------------------


def _edit(form: SetPolicy) -> Committed:
    """Write only what was changed in the form: someone else may have changed the rest in the meantime."""
    names = changed(*_TERMS)
    if not names:
        return Committed(Answer(f"policy {form.purpose} is unchanged"), 0)
    return components().provisioning.set_policy(form.purpose, form.name, _terms(form, names), new=False)


serve(
    Form(
        "/ui/admin/editpolicy",
        endpoints.SETPOLICY.requiring(*_REQUIRED),
        _edit,
        title="Edit policy for",
        button="Save",
        busy_label="Saving…",
        subject="purpose",
        context=_policy_context,
        update=_update,
    )
)


# --- remove ----------------------------------------------------------------------------------------------------------


def _remove(form: RemovePolicy) -> Committed:
    return components().provisioning.remove_policy(form.purpose)


serve(
    Form(
        "/ui/admin/removepolicy",
        endpoints.REMOVEPOLICY,
        _remove,
        title="Remove policy for",
        button="Remove",
        busy_label="Removing…",
        subject="purpose",
        context=_policy_context,
        update=_update,
        destroys=True,
    )
)
