"""Refusals: each class is one reason to say no, with a stable code for programs and a sentence for people."""

from typing import ClassVar


class Refusal(Exception):
    """A request that is answered with no.

    `code` is stable and part of the API; the message is one sentence that names the remedy; `facts` are further members
    of the answer (holder, parameter, ...); `retry_after` is in seconds, where asking again later makes sense.
    """

    code: ClassVar[str] = "refused"

    def __init__(self, sentence: str, *, retry_after: int | None = None, **facts: object) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.retry_after = retry_after
        self.facts = facts

    def again(self) -> "Refusal":
        """Return the same refusal to be raised once more; a raised exception belongs to one thread."""
        return type(self)(self.sentence, retry_after=self.retry_after, **self.facts)


class MissingParameter(Refusal):
    """A required parameter was not given."""

    code = "missing_parameter"


class UnknownParameter(Refusal):
    """A parameter that the endpoint does not have; the sentence names the nearest one that it has."""

    code = "unknown_parameter"


class BadParameter(Refusal):
    """A parameter whose value is not of the expected form."""

    code = "bad_parameter"


class BadBody(Refusal):
    """A request body that cannot be read as parameters."""

    code = "bad_body"


class NotAuthorized(Refusal):
    """The caller may not do this."""

    code = "not_authorized"


class CrossOrigin(Refusal):
    """A browser sent the request on behalf of another site."""

    code = "cross_origin"


class UsePost(Refusal):
    """A browser's GET (a link, a preview, a prefetch) asked for a change."""

    code = "use_post"


class UnknownCluster(Refusal):
    """No record of the pool has that name."""

    code = "unknown_cluster"


class NoVacantCluster(Refusal):
    """Clusters of that kind exist, and none is vacant."""

    code = "no_vacant_cluster"


class NoSuchClusterKind(Refusal):
    """No cluster of that purpose, image, region or label exists at all."""

    code = "no_such_cluster_kind"


class ClusterNotVacant(Refusal):
    """The named cluster is with somebody else, or its state forbids lending it."""

    code = "cluster_not_vacant"


class ClusterBroken(Refusal):
    """The record of the cluster is malformed; an admin has to mend or delete it."""

    code = "cluster_broken"


class ClusterInUse(Refusal):
    """The cluster is occupied or held, and the change needs `force`."""

    code = "cluster_in_use"


class ClusterExists(Refusal):
    """A cluster of that name is there already, with other facts."""

    code = "cluster_exists"


class HeldByOther(Refusal):
    """Somebody else holds the cluster."""

    code = "held_by_other"


class NotCurrent(Refusal):
    """What the caller names is neither the cluster's current lease nor one that it remembers."""

    code = "not_current"


class LeaseNeeded(Refusal):
    """Job and build name more than one lease; only the lease id tells them apart."""

    code = "lease_needed"


class LeaseOver(Refusal):
    """The caller's lease ran out or was taken away."""

    code = "lease_over"


class RequestOver(Refusal):
    """The take with this request_id was granted, and has ended since."""

    code = "request_over"


class RequestIdReused(Refusal):
    """The request_id was used before for another verb or with other parameters."""

    code = "request_id_reused"


class HoldTooLong(Refusal):
    """A hold may not last that long, extensions included."""

    code = "hold_too_long"


class PoolFull(Refusal):
    """The change would make the stored object larger than its limit."""

    code = "pool_full"


class UnknownCreation(Refusal):
    """No creation has that id, and none was begun by a job of that name."""

    code = "unknown_creation"


class CreationNotSo(Refusal):
    """The state of the creation forbids what was asked."""

    code = "creation_not_so"


class TooManyCreations(Refusal):
    """So many clusters are being created that no more may be asked for."""

    code = "too_many_creations"


class UnknownPolicy(Refusal):
    """No policy keeps clusters of that purpose."""

    code = "unknown_policy"


class NoProvisioner(Refusal):
    """Nothing is set up that could create clusters."""

    code = "no_provisioner"


class CreationFailed(Refusal):
    """What creates clusters said no, or began and failed."""

    code = "creation_failed"


class ProvisionerUnreachable(Refusal):
    """What creates clusters could not be reached."""

    code = "provisioner_unreachable"


class ProvisionerTimeout(Refusal):
    """What creates clusters did not answer in time; whether it began is found out."""

    code = "provisioner_timeout"


class StoreTrouble(Refusal):
    """The state could not be read or written; nothing was done unless the class says otherwise."""

    code = "store_unavailable"

    def __init__(self, sentence: str, *, retry_after: int | None = 2, **facts: object) -> None:
        super().__init__(sentence, retry_after=retry_after, **facts)


class StoreMissing(StoreTrouble):
    """The object that holds the pool does not exist."""

    code = "store_missing"


class StoreUnreadable(StoreTrouble):
    """The data are there and are not valid JSON; they are never overwritten."""

    code = "store_unreadable"


class StoreWentBack(StoreTrouble):
    """The object remembers commits and its data are gone."""

    code = "store_went_back"


class StoreRefused(StoreTrouble):
    """The store answered that it will not take this write (size, validation, rights)."""

    code = "store_refused"


class TooBusy(StoreTrouble):
    """The deadline passed before the change could be written; nothing was done."""

    code = "too_busy"


class OutcomeUnknown(StoreTrouble):
    """The deadline passed while a write was on its way; it may or may not have been applied."""

    code = "outcome_unknown"
