"""What the state of the pool forbids."""

from cimaster.common.errors import Refusal


class UnknownCluster(Refusal):
    """No record of the pool has that name."""

    code = "unknown_cluster"
    status = 404


class NoVacantCluster(Refusal):
    """Clusters of that kind exist, and none is vacant."""

    code = "no_vacant_cluster"
    status = 404


class NoSuchClusterKind(Refusal):
    """No cluster of that purpose, image, region or label exists at all."""

    code = "no_such_cluster_kind"
    status = 404


class Queued(Refusal):
    """The caller has a place in the queue, and is to ask again in the same words to keep it."""

    code = "queued"
    status = 429


class QueueFull(Refusal):
    """So many wait that nobody else may."""

    code = "queue_full"
    status = 429


class ClusterNotVacant(Refusal):
    """The named cluster is with somebody else, or its state forbids lending it."""

    code = "cluster_not_vacant"
    status = 409


class ClusterBroken(Refusal):
    """The record of the cluster is malformed; an admin has to mend or delete it."""

    code = "cluster_broken"
    status = 409


class ClusterInUse(Refusal):
    """The cluster is occupied or held, and the change needs `force`."""

    code = "cluster_in_use"
    status = 409


class ClusterExists(Refusal):
    """A cluster of that name is there already, with other facts."""

    code = "cluster_exists"
    status = 409


class HeldByOther(Refusal):
    """Somebody else holds the cluster."""

    code = "held_by_other"
    status = 409


class NotCurrent(Refusal):
    """What the caller names is neither the cluster's current lease nor one that it remembers."""

    code = "not_current"
    status = 409


class LeaseOver(Refusal):
    """The caller's lease ran out or was taken away."""

    code = "lease_over"
    status = 410


class RequestOver(Refusal):
    """The take with this request_id was granted, and has ended since."""

    code = "request_over"
    status = 410


class HoldTooLong(Refusal):
    """A hold may not last that long, extensions included."""

    code = "hold_too_long"
    status = 422


class PoolFull(Refusal):
    """The change would make the stored object larger than its limit."""

    code = "pool_full"
    status = 422
