"""The forms about policies: set one for a purpose, change its terms, take it away."""

from collections.abc import Mapping
from typing import Any

from cimaster.common.times import format_duration
from cimaster.errors import UnknownPolicy
from cimaster.pages.frame.forms import Form, changed, needing
from cimaster.pages.frame.visitors import latest, visitor
from cimaster.pages.policies import policy_panel
from cimaster.pool import Answer
from cimaster.pool.decisions.automatic_top_up import PolicyTerms, remove_policy
from cimaster.pool.records.policy import DEFAULT_COOLDOWN
from cimaster.repository.configmap_repository import Committed
from cimaster.services.provisioning import BRANCH
from cimaster.web import endpoints
from cimaster.web.components import components
from cimaster.web.request_parameters import Given

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
    found = next((line for line in policy_panel.lines(latest(), visitor()) if line.name == purpose), None)
    if found is None and not told:
        raise UnknownPolicy(f"there is no policy for purpose {purpose} any more", purpose=purpose)
    return {"row": found, "facts": found.fields if found else {}, **_usual()}


def _terms(given: Given, names: set[str]) -> PolicyTerms:
    """Return terms to write; those that may be left out are taken away where nothing was entered."""
    said: dict[str, Any] = {name: given.values[name] for name in names}
    return PolicyTerms(**said | {name: said[name] or "" for name in ("hours", "branch", "job") if name in names})


def _add(given: Given) -> Committed:
    return components().provisioning.set_policy(given.purpose, given.name, _terms(given, set(_TERMS)), new=True)


def _edit(given: Given) -> Committed:
    """Change only what was changed in the form: somebody else may have changed the rest meanwhile."""
    names = changed(*_TERMS)
    if not names:
        return Committed(Answer(f"policy {given.purpose} stays as it is"), 0)
    return components().provisioning.set_policy(given.purpose, given.name, _terms(given, names), new=False)


def _remove(given: Given) -> Committed:
    return components().clusters.change(remove_policy, None, given.purpose)


_SET = needing(endpoints.SETPOLICY, "min_vacant", "max_total", "max_creating", "cooldown")
FORMS = (
    Form("addpolicy", _SET, _add, "Keep a pool filled", "Add policy", "Adding…", "", _tells_new, for_admins=True),
    Form("editpolicy", _SET, _edit, "Edit the policy of", "Save", "Saving…", "purpose", _tells, for_admins=True),
    Form(
        "removepolicy",
        endpoints.REMOVEPOLICY,
        _remove,
        "Remove the policy of",
        "Remove",
        "Removing…",
        "purpose",
        _tells,
        for_admins=True,
        destroys=True,
    ),
)
