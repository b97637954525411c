"""The forms that end a hold or pass it on: release, undo a release, hand over."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from werkzeug.datastructures import MultiDict

from cimaster.common.parameters import ParameterType
from cimaster.common.times import format_duration, format_time, parse_time
from cimaster.errors import MissingParameter, Refusal
from cimaster.pages.clusters import cluster_forms
from cimaster.pages.frame.form_views import serve
from cimaster.pages.frame.forms import Form
from cimaster.pages.frame.visitors import latest
from cimaster.pool import ReleasedHold, parsers
from cimaster.pool.decisions import release_undo
from cimaster.pool.decisions.holding import holder_of
from cimaster.pool.records.lease import Hold
from cimaster.repository.configmap_repository import Committed
from cimaster.web import access, endpoints, parameter_types, request_parameters
from cimaster.web.components import components
from cimaster.web.endpoint_parameters import ClusterParameters, ReleaseCluster


def _require_reason(form: ReleaseCluster, what: str) -> None:
    """Refuse an admin's decision about another person's hold without a reason."""
    cluster = latest().pool.find(form.cluster)
    hold, is_admin = cluster.hold, access.is_admin(form.name)
    if hold and is_admin and not form.reason and not hold.may_be_changed_by(form.name):
        raise MissingParameter(
            f"reason is required: tell {holder_of(cluster)} why the hold of {form.cluster} {what}",
            parameter="reason",
            holder=hold.by,
        )


# --- release ---------------------------------------------------------------------------------------------------------


def _release(form: ReleaseCluster) -> Committed:
    _require_reason(form, "ends")
    is_admin = access.is_admin(form.name)
    return components().clusters.release(form.cluster, form.name, is_admin, form.reason)


def _successor(committed: Committed) -> str:
    """Name the job or person that got the released cluster with the same change, or waits for it."""
    released = committed.answer.cluster
    assert released is not None
    return release_undo.successor(latest(committed.commit).pool, components().clusters.now(), released)


def _released(committed: Committed, _name: str) -> str:
    """Tell the visitor too which waiting job or person gets the cluster."""
    successor = _successor(committed) if committed.answer.ended_hold else ""
    return f"{committed.answer.text}; {successor} waited for it and gets it" if successor else committed.answer.text


def _undo_fields(committed: Committed, name: str) -> Mapping[str, str]:
    """Return what the button Undo sends: the hold as it was, and what identifies its release."""
    released, hold = committed.answer.cluster, committed.answer.ended_hold
    if released is None or hold is None or not release_undo.may_be_undone(released, hold, components().clusters.now()):
        return {}
    if _successor(committed):
        return {}
    fields = {
        "cluster": released.name,
        "name": name,
        "commit": str(committed.commit),
        "digest": released.digest,
        "holder": hold.by,
        "since": format_time(hold.since) if hold.since else "",
        "expires": format_time(hold.expires) if hold.expires else "",
        "lasts": format_duration(hold.lasts) if hold.lasts else "",
        "desc": hold.desc,
        "with": ",".join(hold.shared_with),
    }
    given = {field: text for field, text in fields.items() if text}
    return given if _hold_of(given) == hold else {}


def _hold_of(fields: Mapping[str, str]) -> Hold | None:
    """Return the hold that the button describes; None if a stored value is none that a form may send."""
    try:
        return _hold_before(request_parameters.read(_UNDO, MultiDict(fields)))
    except Refusal:
        return None


serve(
    Form(
        "/ui/release",
        endpoints.RELEASECLUSTER,
        _release,
        title="Release",
        button="Release",
        busy_label="Releasing…",
        subject="cluster",
        context=cluster_forms.context,
        update=cluster_forms.update,
        message=_released,
        undo=_undo_fields,
    )
)


# --- undo a release --------------------------------------------------------------------------------------------------


def _time(text: str) -> datetime:
    moment = parse_time(text)
    if moment is None:
        raise ValueError("a time such as 2026-01-02T03:04:05Z")
    return moment


@dataclass(frozen=True, kw_only=True)
class UndoRelease(ClusterParameters):
    """Undo a release that the visitor has just made."""

    commit: int = ParameterType(parsers.commit, "the commit of the release").required()
    digest: str = ParameterType(parsers.compared, "the digest of the record that the release left").required()
    holder: str = parameter_types.HOLDER.meant("the holder before the release").required()
    since: datetime | None = ParameterType(_time, "when the hold began").optional(None)
    expires: datetime | None = ParameterType(_time, "when the hold ends").optional(None)
    lasts: timedelta | None = parameter_types.DURATION.meant("how long the hold lasts, behind a job").optional(None)
    desc: str = parameter_types.DESC.optional("")
    with_: tuple[str, ...] = parameter_types.WITH.optional(())


_UNDO = endpoints.HOLDCLUSTER.taking(UndoRelease)


def _hold_before(form: UndoRelease) -> Hold:
    return Hold(form.holder, form.desc, form.since, form.expires, form.lasts, form.with_)


def _undo_release(form: UndoRelease) -> Committed:
    released = ReleasedHold(form.cluster, _hold_before(form), form.commit, form.digest)
    return components().clusters.undo_release(released, form.name)


serve(
    Form(
        "/ui/undorelease",
        _UNDO,
        _undo_release,
        title="Undo the release of",
        button="Undo",
        busy_label="Undoing…",
        subject="cluster",
        context=cluster_forms.context,
        update=cluster_forms.update,
        message=cluster_forms.hold_message,
        leaves_hold=True,
    )
)


# --- hand over -------------------------------------------------------------------------------------------------------


def _hand_over(form: ReleaseCluster) -> Committed:
    _require_reason(form, "is handed over")
    is_admin = access.is_admin(form.name)
    return components().clusters.hand_over(form.cluster, form.name, is_admin, form.to, form.reason)


serve(
    Form(
        "/ui/handover",
        endpoints.RELEASECLUSTER.requiring("to"),
        _hand_over,
        title="Hand over",
        button="Hand over",
        busy_label="Handing over…",
        subject="cluster",
        context=cluster_forms.context,
        update=cluster_forms.update,
    )
)
