"""The parameters of reads: lists, history, and the state of the service."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cimaster.common.parameters import Parameters
from cimaster.services.history import Position
from cimaster.web import parameter_types as types


@dataclass(frozen=True, kw_only=True)
class ListClusters(Parameters):
    """List clusters.

    One aligned line for each cluster that matches all filters, in the order of the pool. The answer comes from the
    replica's snapshot; the headers `CIMaster-Commit` and `CIMaster-Age` say which one, and how old it is.
    """

    state: str = types.STATE.optional("")
    health: str = types.HEALTH.meant("only clusters of this health").optional("")
    purpose: str = types.KNOWN_PURPOSE.optional("")
    region: str = types.KNOWN_REGION.optional("")
    label: tuple[tuple[str, str], ...] = types.KNOWN_LABEL.repeated()
    holder: str = types.HOLDER.optional("")
    q: str = types.SEARCH.optional("")
    after: int = types.AFTER.optional(0)


@dataclass(frozen=True, kw_only=True)
class OneCluster(Parameters):
    """Show one cluster, read afresh when needed."""


@dataclass(frozen=True, kw_only=True)
class ListCreations(Parameters):
    """List clusters that are being created, or were created recently.

    Newest first. A creation is `requested`, `running`, and then `ready` or `failed`.
    """

    state: str = types.CREATION_STATE.optional("")
    creation: str = types.CREATION.meant("only this one: its id, or the name of its ProwJob").optional("")


@dataclass(frozen=True, kw_only=True)
class ListPolicies(Parameters):
    """List the policies of automatic top-up, and their status."""

    purpose: str = types.KNOWN_PURPOSE.meant("only the policy of this purpose").optional("")


@dataclass(frozen=True, kw_only=True)
class ListPurposes(Parameters):
    """List the purposes of the clusters, and how the clusters of each are checked and cleaned."""


@dataclass(frozen=True, kw_only=True)
class ListQueue(Parameters):
    """List the callers that are waiting for a cluster, in the order in which they are served."""


@dataclass(frozen=True, kw_only=True)
class ListHistory(Parameters):
    """List changes, newest first.

    The header `CIMaster-Next`, and `next` in JSON, say how to get older ones: send it as `after`. Months are kept, as
    long as the archive has room. CSV and JSON lines are chosen with `format`, or with the header `Accept`: `text/csv`,
    `application/x-ndjson`.
    """

    cluster: str = types.CLUSTER.meant("only of this cluster").optional("")
    person: str = types.KNOWN_NAME.meant("only what this person did, or whose hold it was").optional("")
    job: str = types.KNOWN_JOB.meant("only of this job").optional("")
    kind: str = types.CHANGE_KIND.optional("")
    since: datetime | timedelta | None = types.SINCE.optional(None)
    until: datetime | timedelta | None = types.UNTIL.optional(None)
    limit: int = types.LIMIT.optional(100)
    after: Position | None = types.POSITION.optional(None)
    format: str = types.HISTORY_FORMAT.optional("")


@dataclass(frozen=True, kw_only=True)
class ShowUsage(Parameters):
    """Show what the clusters were used for.

    One row for each hour, day, week, cluster, job, person, purpose or region; without `since`, of the last seven days.
    The span is extended to whole hours for `hour`, `purpose` and `region`, and to whole days (UTC) for the others.
    """

    by: str = types.USAGE_BY.optional("day")
    since: datetime | timedelta | None = types.SINCE.optional(None)
    until: datetime | timedelta | None = types.UNTIL.optional(None)
    purpose: str = types.KNOWN_PURPOSE.meant("only clusters of this purpose").optional("")
    region: str = types.KNOWN_REGION.meant("only clusters in this region").optional("")
    format: str = types.FORMAT.optional("")


@dataclass(frozen=True, kw_only=True)
class Health(Parameters):
    """Report that the process is running."""


@dataclass(frozen=True, kw_only=True)
class Readiness(Parameters):
    """Report whether this replica is ready, and the state of the store.

    A failure of the store, or a mistake in a file of the operator, shows in the body and never fails this check: reads
    continue from the last good state.
    """


@dataclass(frozen=True, kw_only=True)
class OpenAPI(Parameters):
    """Describe this API for programs."""
