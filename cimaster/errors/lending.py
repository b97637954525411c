"""Refusals caused by the state of the pool."""

from cimaster.common.errors import Refusal


class UnknownCluster(Refusal):
    """The pool has no cluster with that name."""

    code = "unknown_cluster"
    status = 404


class NoVacantCluster(Refusal):
    """Clusters of that kind exist, but none is vacant: try again later, or wait."""

    code = "no_vacant_cluster"
    status = 404


class NoSuchClusterKind(Refusal):
    """The pool has no cluster of that purpose, image, region or label, in any state."""

    code = "no_such_cluster_kind"
    status = 404


class Queued(Refusal):
    """The caller has a place in the queue, and must repeat the same request to keep it."""

    code = "queued"
    status = 429


class QueueFull(Refusal):
    """The queue has no room for another request of this caller."""

    code = "queue_full"
    status = 429


class LimitReached(Refusal):
    """The job or the person has as many clusters as one may have: give one back first."""

    code = "limit_reached"
    status = 429


class ClusterNotVacant(Refusal):
    """The named cluster is in use, or its state does not allow it to be lent."""

    code = "cluster_not_vacant"
    status = 409


class ClusterBroken(Refusal):
    """The record of the cluster is malformed; an admin has to correct or delete it."""

    code = "cluster_broken"
    status = 409


class ClusterInUse(Refusal):
    """The cluster is occupied or held, so the change needs `force`."""

    code = "cluster_in_use"
    status = 409


class PurposeEmptied(Refusal):
    """The import would leave a purpose without clusters."""

    code = "purpose_emptied"
    status = 409


class PlanChanged(Refusal):
    """The pool changed since the plan of an import was shown."""

    code = "plan_changed"
    status = 409


class ClusterExists(Refusal):
    """A cluster with that name exists already, with different facts."""

    code = "cluster_exists"
    status = 409


class HeldByOther(Refusal):
    """Another person holds the cluster."""

    code = "held_by_other"
    status = 409


class NotCurrent(Refusal):
    """The caller names neither the cluster's current lease nor one that the cluster remembers."""

    code = "not_current"
    status = 409


class LeaseOver(Refusal):
    """The caller's lease ran out or was taken away."""

    code = "lease_over"
    status = 410


class RequestOver(Refusal):
    """The take with this request_id was granted and has ended: use a new request_id."""

    code = "request_over"
    status = 410


class HoldTooLong(Refusal):
    """The hold would be longer than allowed, extensions included."""

    code = "hold_too_long"
    status = 422


class PoolFull(Refusal):
    """The change would make the stored object larger than its limit."""

    code = "pool_full"
    status = 422
