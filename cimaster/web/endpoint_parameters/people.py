"""The parameters with which people hold and release clusters, and create more."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from cimaster.web import parameter_types as types
from cimaster.web.endpoint_parameters.shared import ClusterParameters, KindParameters, NamedParameters, VerbParameters


@dataclass(frozen=True, kw_only=True)
class HoldCluster(KindParameters, ClusterParameters):
    """Hold a cluster for a person, or extend the hold.

    A hold lasts 6 h unless `duration` says otherwise, and at most 72 h with all extensions. An occupied cluster
    can be held: the answer says so, and the time starts when the job gives the cluster back. Holding again
    with `duration` or `until` moves the end. `cluster=any` holds the longest vacant one of the kind that `purpose`,
    `osimage`, `region` and `label` describe; these are only allowed with `any`.

    With `force=true` and a `reason` an admin takes over the hold of another person: it ends and the admin's begins in
    one step, so that no waiting job gets the cluster in between. With `to` an admin holds the cluster for another
    person. The people in `with` may extend and release the hold too.

    With `wait` the cluster is held when it is free: the person gets a place in the same queue as the jobs, which needs
    no connection, and the answer is 202 with the place in `CIMaster-Place` and the id of the ticket. The hold begins
    when the turn comes, also behind another person's hold. A person has one place for each kind of cluster;
    `/leavequeue` with the id of the ticket gives it up.
    """

    cluster: str = types.CLUSTER.meant("name of the cluster, or `any` for one that matches").required()
    desc: str = types.DESC.optional("")
    duration: timedelta | None = types.DURATION.optional(None)
    until: datetime | time | None = types.HOLD_END.optional(None)
    with_: tuple[str, ...] = types.WITH.optional(())
    to: str = types.FOR.optional("")
    wait: timedelta | None = types.HOLD_WAIT.optional(None)
    expect: str = types.EXPECT.optional("")
    force: bool = types.FORCE.meant("true: an admin takes over the hold of another person; needs a reason").optional(
        False
    )
    reason: str = types.REASON.optional("")


@dataclass(frozen=True, kw_only=True)
class ReleaseCluster(ClusterParameters):
    """End a hold, or hand it over.

    Allowed for the holder, the people that the hold is shared with, and admins. Releasing a cluster that is not held
    succeeds and says so. With `to` the holder or an admin hands the hold over: it passes to that person in one step and
    keeps its end, so that no waiting job gets the cluster in between.
    """

    name: str = types.KNOWN_NAME.required()
    reason: str = types.REASON.optional("")
    to: str = types.TO.optional("")


@dataclass(frozen=True, kw_only=True)
class CreateCluster(VerbParameters):
    """Create another cluster.

    Asks the provisioner (Prow's manual-trigger service, or a program of the operator's) for a cluster, and waits up to
    25 s for the creation to start. The creation is recorded first: even after a crash it is carried out once, or fails
    with a reason. While one with the same user, job, branch and purpose is in progress, a further request returns that
    creation, unless `force`.
    """

    user: str = types.USER.required()
    branch: str = types.BRANCH.optional("")
    job: str = types.PROW_JOB.optional("")
    purpose: str = types.PURPOSE.optional("")
    force: bool = types.FORCE.meant("true: even if an equal creation is in progress").optional(False)


@dataclass(frozen=True, kw_only=True)
class ChangeCreation(NamedParameters):
    """Retry a creation, or take it off the list.

    Send `retry` or `dismiss`. A failed creation can be retried (if it had a job, a new one is started); one that has
    ended, or that no provisioner has started, can be taken off the list.
    """

    retry: str = types.CREATION.meant("id of a failed creation to retry").optional("")
    dismiss: str = types.CREATION.meant("id of a creation to take off the list").optional("")
