"""The filters of cluster lists."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from cimaster.common.texts import folded
from cimaster.pool.records.cluster import Cluster
from cimaster.pool.records.criteria import has_labels
from cimaster.pool.records.pool import Pool


@dataclass(frozen=True)
class Filter:
    """The criteria of a list; empty means all. `q` searches names, people, jobs, notes and reasons."""

    state: str = ""
    purpose: str = ""
    region: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    holder: str = ""
    q: str = ""
    health: str = ""

    def __bool__(self) -> bool:
        return bool(self.state or self.health or self.purpose or self.region or self.labels or self.holder or self.q)

    @cached_property
    def _holder(self) -> str:
        return folded(self.holder)

    @cached_property
    def _q(self) -> str:
        return folded(self.q)

    def shows(self, cluster: Cluster) -> bool:
        """Say whether a cluster matches the filter."""
        return (
            (not self.state or cluster.state == self.state)
            and (not self.health or (not cluster.fault and cluster.health.state == self.health))
            and (not self.purpose or (not cluster.fault and cluster.purpose == self.purpose))
            and (not self.region or cluster.region == self.region)
            and (not self.labels or has_labels(cluster, self.labels))
            and (not self.holder or self._holder in people(cluster))
            and (not self.q or self._q in _words(cluster))
        )

    def of(self, pool: Pool) -> list[Cluster]:
        """Return the matching clusters, in the order of the pool."""
        return [cluster for cluster in pool.clusters if self.shows(cluster)]


def people(cluster: Cluster) -> set[str]:
    """Return the holder and the person that triggered the job, with case folded for comparison."""
    names = {cluster.hold.by if cluster.hold else "", cluster.lease.by if cluster.lease else ""}
    return {folded(name) for name in names if name}


def _words(cluster: Cluster) -> str:
    hold = (cluster.hold.by, cluster.hold.desc) if cluster.hold else ()
    lease = (cluster.lease.job, cluster.lease.build, cluster.lease.by) if cluster.lease else ()
    labels = (f"{key}={value}" for key, value in cluster.labels.items())
    reasons = (cluster.disabled_reason, cluster.health.reason, cluster.fault)
    own = (cluster.name_as_written or "", cluster.note, cluster.osimage, *reasons)
    return folded(" ".join((*own, *hold, *lease, *labels)))
