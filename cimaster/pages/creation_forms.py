"""The forms about clusters that are not there yet: have one created, try again, take one off the list."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cimaster import callers, endpoints, web
from cimaster.creations import BRANCH
from cimaster.errors import CreationNotSo, NoProvisioner, UnknownCreation
from cimaster.inputs import Given
from cimaster.pages import creation_panel
from cimaster.pages.forms import Form, Tells, needing
from cimaster.pages.visitors import latest, visitor
from cimaster.pool import Answer, wording
from cimaster.pool.cluster import DEFAULT_PURPOSE
from cimaster.pool.creations import dismiss, find
from cimaster.repository import Committed


def purposes() -> list[str]:
    """Return the purposes that there are, of clusters, creations and policies, the usual one included."""
    pool = latest().pool
    known = {cluster.purpose for cluster in pool.clusters if not cluster.fault}
    asked = {creation.purpose for creation in pool.creations if not creation.fault}
    kept = {policy.purpose for policy in pool.policies if not policy.fault}
    return sorted({DEFAULT_PURPOSE, *known, *asked, *kept})


def _tells_new(_values: Mapping[str, str], told: bool) -> dict[str, Any]:
    """Tell what is usual where somebody wants a cluster."""
    creations = web.creations()
    if creations.why_none and not told:
        raise NoProvisioner(creations.why_none)
    facts = {"purpose": DEFAULT_PURPOSE, "branch": BRANCH, "job": creations.default_job}
    return {"facts": facts, "purposes": purposes(), "needs_job": creations.needs_job}


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
        return {"row": creation_panel.row(pool, creation, visitor(), web.service().clock())}

    return tells


def _create(given: Given) -> Committed:
    """Ask for a cluster, and wait for nothing: the panel shows what comes of it."""
    creations = web.creations()
    wish = creations.wish(
        given.purpose or DEFAULT_PURPOSE, given.name, given.branch or "", given.job or "", callers.owner()
    )
    done = creations.create(wish, bool(given.force), given.request)
    if done.answer.repeated:
        same = find(latest(done.commit).pool, done.answer.text)
        raise CreationNotSo(
            f"such a cluster is on its way to {wish.user} already: {wording.creation(same, web.service().clock())}",
            creation=same.id, parameter="force",
        )  # fmt: skip
    return replace(done, answer=Answer(f"a cluster for {wish.purpose} is requested"))


def _retry(given: Given) -> Committed:
    return web.creations().retry(given.retry, given.name, owner=callers.owner())


def _dismiss(given: Given) -> Committed:
    return web.service().change(dismiss, None, given.dismiss, given.name)


_API, _CHANGE = endpoints.CREATECLUSTER, endpoints.CHANGE_CREATION
_CREATE = replace(_API, parameters=tuple(endpoints.NAME if p.name == "user" else p for p in _API.parameters))
FORMS = (
    Form("create", _CREATE, _create, "Create a cluster", "Create cluster", "Asking…", tells=_tells_new),
    Form("retry", needing(_CHANGE, "retry"), _retry, "Try again:", "Retry", "Retrying…", "retry", _tells("retry")),
    Form(
        "dismiss", needing(_CHANGE, "dismiss"), _dismiss, "Take off the list:", "Dismiss", "Dismissing…", "dismiss",
        _tells("dismiss"),
    ),
)  # fmt: skip
