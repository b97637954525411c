"""Which clusters a list shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cimaster.pool.cluster import Cluster
from cimaster.pool.state import Pool


@dataclass(frozen=True)
class Filter:
    """What a reader asks to see; empty means all. `q` looks into names, people, jobs, notes and reasons."""

    state: str = ""
    purpose: str = ""
    region: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    holder: str = ""
    q: str = ""

    def __bool__(self) -> bool:
        return bool(self.state or self.purpose or self.region or self.labels or self.holder or self.q)

    def shows(self, cluster: Cluster) -> bool:
        """Say whether a cluster is to be listed."""
        return (
            (not self.state or cluster.state == self.state)
            and (not self.purpose or (not cluster.fault and cluster.purpose == self.purpose))
            and (not self.region or cluster.region == self.region)
            and self.labels.items() <= cluster.labels.items()
            and (not self.holder or self.holder.casefold() in people(cluster))
            and (not self.q or self.q.casefold() in _words(cluster))
        )

    def of(self, pool: Pool) -> list[Cluster]:
        """Return the clusters to be listed, in the order of the pool."""
        return [cluster for cluster in pool.clusters if self.shows(cluster)]


def people(cluster: Cluster) -> set[str]:
    """Return who has the cluster at the moment, in lower case: the holder, the one who triggered the job."""
    names = {cluster.hold.by if cluster.hold else "", cluster.lease.by if cluster.lease else ""}
    return {name.casefold() for name in names if name}


def _words(cluster: Cluster) -> str:
    hold = (cluster.hold.by, cluster.hold.desc) if cluster.hold else ()
    lease = (cluster.lease.job, cluster.lease.build, cluster.lease.by) if cluster.lease else ()
    labels = (f"{key}={value}" for key, value in cluster.labels.items())
    own = (cluster.name_as_written or "", cluster.note, cluster.disabled_reason, cluster.osimage, cluster.fault)
    return "\n".join((*own, *hold, *lease, *labels)).casefold()
