"""The forms about policies: set one for a purpose, change its terms, take it away."""

from collections.abc import Collection, Mapping
from typing import Any

from cimaster.common.times import format_duration
from cimaster.errors import UnknownPolicy
from cimaster.pages.frame.forms import Form, changed
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


def _tells_new(_values: Mapping[str, str], _told: bool) -> dict[str, Any]:
    """Tell what is usual."""
    facts = {"max_creating": "1", "cooldown": format_duration(DEFAULT_COOLDOWN)}
    return {"facts": facts, "purposes": latest().pool.purposes(), **_usual()}


def _usual() -> dict[str, Any]:
    creations = components().provisioning
    return {"usual_job": creations.default_job, "usual_branch": BRANCH, "why_idle": creations.why_idle}


def _tells(values: Mapping[str, str], told: bool) -> dict[str, Any]:
    """Tell of the policy as it is now."""
    purpose = values.get("purpose", "")
    found = next((line for line in policy_panel.lines(latest(), current_visitor()) if line.name == purpose), None)
    if found is None and not told:
        raise UnknownPolicy(f"the policy for purpose {purpose} no longer exists", purpose=purpose)
    return {"row": found, "facts": found.fields if found else {}, **_usual()}


def _terms(asked: SetPolicy, names: Collection[str]) -> PolicyTerms:
    """Return the terms of these names; optional ones are removed where the field is empty."""
    return PolicyTerms(
        min_vacant=asked.min_vacant if "min_vacant" in names else None,
        max_total=asked.max_total if "max_total" in names else None,
        max_creating=asked.max_creating if "max_creating" in names else None,
        cooldown=asked.cooldown if "cooldown" in names else None,
        hours=asked.hours or "" if "hours" in names else None,
        job=asked.job or "" if "job" in names else None,
        branch=asked.branch or "" if "branch" in names else None,
    )


def _add(asked: SetPolicy) -> Committed:
    return components().provisioning.set_policy(asked.purpose, asked.name, _terms(asked, _TERMS), new=True)


def _edit(asked: SetPolicy) -> Committed:
    """Write only what was changed in the form: someone else may have changed the rest in the meantime."""
    names = changed(*_TERMS)
    if not names:
        return Committed(Answer(f"policy {asked.purpose} is unchanged"), 0)
    return components().provisioning.set_policy(asked.purpose, asked.name, _terms(asked, names), new=False)


def _remove(asked: RemovePolicy) -> Committed:
    return components().provisioning.remove_policy(asked.purpose)


_SET = endpoints.SETPOLICY.requiring("min_vacant", "max_total", "max_creating", "cooldown")
FORMS = (
    Form("addpolicy", _SET, _add, "Add a policy", "Add policy", "Adding…", "", _tells_new, for_admins=True),
    Form("editpolicy", _SET, _edit, "Edit policy for", "Save", "Saving…", "purpose", _tells, for_admins=True),
    Form(
        "removepolicy",
        endpoints.REMOVEPOLICY,
        _remove,
        "Remove policy for",
        "Remove",
        "Removing…",
        "purpose",
        _tells,
        for_admins=True,
        destroys=True,
    ),
)
