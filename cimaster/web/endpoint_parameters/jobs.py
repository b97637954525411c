"""The parameters with which jobs take a cluster, give it back, renew its lease and leave the queue."""

from dataclasses import dataclass
from datetime import timedelta

from cimaster.common.parameters import Parameters
from cimaster.web import parameter_types as types
from cimaster.web.endpoint_parameters.shared import KindParameters, VerbParameters


@dataclass(frozen=True, kw_only=True)
class GetVacant(KindParameters):
    """Lend a vacant cluster to a job.

    The plain answer is the cluster's name and nothing else, not even a newline. Of the clusters that match, the one
    that has been vacant longest is lent, then the first in the list. Without `request_id` every call takes another
    cluster. The header `CIMaster-Lease` names the lease; a finish that names it cannot end a later lease.

    Without `ttl` the lease lasts until finishtest; with it, the lease ends automatically unless it is renewed.
    With `hold_on_failure` the person who triggered the job (`name` or `email`) holds the cluster afterwards if the
    result is fail or error, or the lease runs out.

    With `wait` the caller gets a place in the queue if none is vacant. A request is held open for at most 25 s, then
    answered with 429 `queued`, `Retry-After`, the place in `CIMaster-Place` and an empty plain body: repeat the same
    request (`curl --retry` and HTTP libraries do) and the place is kept. A vacant cluster goes to the first ticket
    that matches, by `priority` (one level up for each 10 minutes of waiting), then by arrival. It is reserved for 5 s
    for a caller between two tries; after 90 s without a try the place is lost. A caller without a place cannot jump
    the queue. When the wait is over the answer is 404 `no_vacant_cluster`.

    A caller without `wait` that is refused and repeats the same request within 90 s gets a place too, and keeps it
    while it polls; a cluster is reserved for its polling interval, at most 60 s.
    """

    build: str = types.BUILD.required()
    job: str = types.JOB.required()
    email: str = types.EMAIL.optional("")
    name: str = types.TRIGGERED_BY.optional("")
    cluster: str = types.CLUSTER.meant("this cluster and no other").optional("")
    ttl: timedelta | None = types.TTL.optional(None)
    hold_on_failure: timedelta | None = types.HOLD_ON_FAILURE.optional(None)
    wait: timedelta | None = types.WAIT.optional(None)
    priority: str = types.PRIORITY.optional("")
    skip_if_none: bool = types.SKIP_IF_NONE.optional(False)


@dataclass(frozen=True, kw_only=True)
class FinishTest(VerbParameters):
    """Give a cluster back.

    Name the lease with `lease`, or with `job` and `build`: then a late finish never ends the lease of the next job.
    Finishing a lease again succeeds, and the answer says so. With `auth = required`, only its owner or an admin ends a
    lease; a finish that names none changes nothing if the cluster's current lease belongs to another caller.

    With `result` the cluster remembers how the test ended. After three failures in a row, of different builds, it is
    quarantined (an error counts double), unless half of the clusters of its purpose are quarantined already.
    With `hold` the person who triggered the job holds the cluster afterwards, unless the result is pass.
    """

    cluster: str = types.CLUSTER.required()
    lease: str = types.LEASE.optional("")
    job: str = types.KNOWN_JOB.optional("")
    build: str = types.KNOWN_BUILD.optional("")
    result: str = types.RESULT.optional("")
    hold: timedelta | None = types.HOLD_AFTER.optional(None)


@dataclass(frozen=True, kw_only=True)
class LeaveQueue(Parameters):
    """Give up a place in the queue.

    Succeeds even if the request is not waiting. A cluster that the request was given within the last minute is
    returned; after that, use finishtest.

    With `auth = required`, the caller leaves with its own request, or cancels a hold that it waits for. An admin
    removes any request; if several callers sent the same `request_id`, add a blank and the owner: `r-1 @alice`.
    """

    request_id: str = types.REQUEST.required()


@dataclass(frozen=True, kw_only=True)
class RenewLease(VerbParameters):
    """Move the end of a lease.

    The lease then ends `ttl` from now; without `ttl`, its most recent `ttl` applies again. With `auth = required`, only
    its owner or an admin renews a lease.
    """

    cluster: str = types.CLUSTER.required()
    lease: str = types.LEASE.required()
    ttl: timedelta | None = types.TTL.optional(None)
