"""The forms about clusters: hold, extend, release, and the inventory's."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import request

from cimaster import endpoints, inputs, web
from cimaster.errors import BadParameter, MissingParameter
from cimaster.inputs import Given
from cimaster.pages import cluster_page, rows
from cimaster.pages.forms import Form, changed, needing
from cimaster.pages.visitors import latest, visitor
from cimaster.pool import Answer, Facts
from cimaster.pool.holding import same_person
from cimaster.repository import Committed
from cimaster.texts import printable
from cimaster.times import format_duration

FACTS = ("region", "purpose", "osimage", "labels", "note")
_CHOICES = tuple(timedelta(minutes=minutes) for minutes in (30, 60, 240, 360))


def _tells(values: Mapping[str, str], told: bool) -> dict[str, Any]:
    """Tell of the cluster as it is now, and for how long it may be held."""
    name, snapshot = values.get("cluster", ""), latest()
    cluster = cluster_page.find(snapshot, name)
    if cluster is None and not told:
        snapshot.pool.find_any(name)  # says what is wrong with the name
    row = rows.row(snapshot.pool, cluster, visitor(), web.service().clock()) if cluster else None
    rules = snapshot.pool.rules
    return {
        "row": row, "facts": _facts(row) if row else {},
        "choices": sorted({rules.hold, *(choice for choice in _CHOICES if choice <= rules.max_hold)}),
        "usual": format_duration(rules.hold), "longest": rules.max_hold,
    }  # fmt: skip


def _facts(row: rows.Row) -> dict[str, str]:
    """Return what the inventory says of a cluster, as the fields of a form."""
    told, labels = row.cluster, " ".join(f"{key}={value}" for key, value in row.cluster.labels.items())
    texts = {"region": told.region, "purpose": told.purpose, "osimage": told.osimage, "note": told.note}
    return {**({} if told.fault else texts), "labels": labels}


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
    names = changed(*FACTS)
    texts = {name: given.values[name] or "" for name in FACTS if name in names and name != "labels"}
    facts = Facts(**texts, labels=inputs.labels(given.label) if "labels" in names else None)
    if not names:
        snapshot = latest()
        return Committed(Answer(f"cluster {given.cluster} stays as it is", snapshot.pool.find(given.cluster)), 0)
    return web.service().update(given.cluster, given.name, facts)


def _delete(given: Given) -> Committed:
    name = given.cluster.partition(".")[0] if given.cluster.startswith("#") else given.cluster
    if printable(request.form.get("typed", "")) != name:
        raise BadParameter(f"type {name} to delete it: what was typed is something else", parameter="typed")
    return web.service().delete(given.cluster, given.name, bool(given.force), given.reason or "")


_HOLD, _DURATION = endpoints.HOLDCLUSTER, needing(endpoints.HOLDCLUSTER, "duration")
_DISABLE = needing(endpoints.DISABLECLUSTER, "reason")
FORMS = (
    Form("hold", _HOLD, _hold, "Hold", "Hold", "Holding…", "cluster", _tells),
    Form("extend", _DURATION, _extend, "Extend the hold of", "Extend", "Extending…", "cluster", _tells),
    Form("release", endpoints.RELEASECLUSTER, _release, "Release", "Release", "Releasing…", "cluster", _tells),
    Form("add", endpoints.ADDCLUSTER, _add, "Add a cluster", "Add cluster", "Adding…", for_admins=True),
    Form("edit", endpoints.UPDATECLUSTER, _edit, "Edit", "Save", "Saving…", "cluster", _tells, for_admins=True),
    Form("disable", _DISABLE, _disable, "Disable", "Disable", "Disabling…", "cluster", _tells, for_admins=True),
    Form("enable", endpoints.ENABLECLUSTER, _enable, "Enable", "Enable", "Enabling…", "cluster", _tells, True),
    Form("delete", endpoints.DELETECLUSTER, _delete, "Delete", "Delete", "Deleting…", "cluster", _tells, True, True),
)
