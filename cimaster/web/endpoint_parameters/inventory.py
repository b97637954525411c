"""The parameters with which admins change the inventory and the policies of automatic top-up."""

from dataclasses import dataclass
from datetime import timedelta

from cimaster.web import parameter_types as types
from cimaster.web.endpoint_parameters.shared import ClusterParameters, FactParameters, NamedParameters


@dataclass(frozen=True, kw_only=True)
class AddCluster(FactParameters, ClusterParameters):
    """Add a cluster to the pool.

    The cluster is vacant immediately. Adding a cluster again succeeds if the facts are the same, and is refused
    otherwise. Purpose `tnet-ci` requires `osimage`.
    """

    cluster: str = types.NEW_CLUSTER.required()
    region: str = types.REGION.required()
    creation: str = types.CREATION.meant(
        "creation that built it: its id, or its ProwJob's name (`PROW_JOB_ID`)"
    ).optional("")


@dataclass(frozen=True, kw_only=True)
class UpdateCluster(FactParameters, ClusterParameters):
    """Change the facts about a cluster.

    Omitted facts keep their values; `label` replaces all labels. Lease, hold and history are not affected.
    """

    clear: tuple[str, ...] = types.CLEAR.optional(())


@dataclass(frozen=True, kw_only=True)
class DeleteCluster(ClusterParameters):
    """Delete a cluster from the pool.

    A cluster that is occupied, held, or being checked or cleaned is deleted only with `force=true` and a `reason`. A
    broken record is named by its position and digest, as lists show it (`#3.1a2b3c4d`).
    """

    cluster: str = types.CLUSTER.meant(
        "name of the cluster, or `#3.1a2b3c4d` for the broken record at position 3"
    ).required()
    force: bool = types.FORCE.optional(False)
    reason: str = types.REASON.optional("")


@dataclass(frozen=True, kw_only=True)
class SwitchCluster(ClusterParameters):
    """The parameters of disablecluster and enablecluster."""

    reason: str = types.REASON.optional("")


@dataclass(frozen=True, kw_only=True)
class DisableCluster(SwitchCluster):
    """Take a cluster out of lending.

    A job that has the cluster keeps it until it finishes; no job gets it afterwards. It may still be held.
    """


@dataclass(frozen=True, kw_only=True)
class EnableCluster(SwitchCluster):
    """Put a disabled or quarantined cluster back into lending."""


@dataclass(frozen=True, kw_only=True)
class HealthCluster(ClusterParameters):
    """Set the health of a cluster.

    A quarantined cluster is not lent; a job that has it keeps it until it finishes, and it may still be held. `ok`
    brings it back: its earlier results no longer count. A suspect cluster is lent, and marked as suspect.
    """

    health: str = types.HEALTH.required()
    reason: str = types.REASON.optional("")


@dataclass(frozen=True, kw_only=True)
class SetPurpose(NamedParameters):
    """Choose how the clusters of a purpose are checked and cleaned.

    Omitted rules keep their values. The operator defines the checks in `CIMASTER_CHECKS_FILE`. A check runs while a
    cluster is vacant. A clean runs after each use, before the cluster is lent again. The first failure in a row makes
    the cluster suspect, the second quarantines it.
    """

    purpose: str = types.PURPOSE.required()
    check: str | None = types.CHECK.optional(None)
    every: timedelta | None = types.CHECK_EVERY.optional(None)
    clean: str | None = types.CLEAN.optional(None)
    after_expiry: str | None = types.AFTER_EXPIRY.optional(None)


@dataclass(frozen=True, kw_only=True)
class SetPolicy(NamedParameters):
    """Keep a minimum of clusters of a purpose vacant.

    Omitted terms keep their values. Policies take effect only if the operator has enabled them
    (`CIMASTER_MANAGE_CLUSTER`) and configured a provisioner.
    """

    purpose: str = types.PURPOSE.required()
    min_vacant: int | None = types.MIN_VACANT.optional(None)
    max_total: int | None = types.MAX_TOTAL.optional(None)
    max_creating: int | None = types.MAX_CREATING.optional(None)
    cooldown: timedelta | None = types.COOLDOWN.optional(None)
    hours: str | None = types.HOURS.optional(None)
    branch: str | None = types.BRANCH.optional(None)
    job: str | None = types.PROW_JOB.meant("job that creates them; a setting names the default").optional(None)


@dataclass(frozen=True, kw_only=True)
class RemovePolicy(NamedParameters):
    """Stop keeping a minimum of a purpose vacant.

    Clusters that are being created already are still added.
    """

    purpose: str = types.KNOWN_PURPOSE.required()
