"""What a job asks for, when it takes a cluster or waits for one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from cimaster.common.texts import brief, printable, same
from cimaster.pool.records.cluster import BROKEN, DEFAULT_PURPOSE, Cluster


def has_labels(cluster: Cluster, wanted: Mapping[str, str]) -> bool:
    """Say whether a cluster has all labels that are wanted; where a label's key ends is only known to the data."""
    if wanted.items() <= cluster.labels.items():
        return True
    there = {printable(f"{key}={value}") for key, value in cluster.labels.items()}
    return all(f"{key}={value}" in there for key, value in wanted.items())


@dataclass(frozen=True)
class Criteria:
    """What a job asks for. Empty means that the job does not care; `cluster` names one cluster and no other."""

    job: str
    build: str
    by: str = ""
    purpose: str = ""
    osimage: str = ""
    region: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    cluster: str = ""
    ttl: timedelta | None = None

    def matches(self, cluster: Cluster) -> bool:
        """Say whether a cluster is of the kind asked for, whatever its state."""
        purpose = self.purpose or ("" if self.cluster else DEFAULT_PURPOSE)
        return (
            cluster.state != BROKEN
            and (not self.cluster or same(cluster.name, self.cluster))
            and (not purpose or cluster.purpose == purpose)
            and (not self.osimage or cluster.osimage == self.osimage)
            and (not self.region or cluster.region == self.region)
            and (not self.labels or has_labels(cluster, self.labels))
        )

    def describe(self) -> str:
        """Name the kind asked for in a refusal."""
        given = {"image": self.osimage, "region": self.region, **{f"label {k}": v for k, v in self.labels.items()}}
        kind = brief(self.cluster) or f"{brief(self.purpose or DEFAULT_PURPOSE)} cluster"
        said = [f"{brief(name)} {brief(value)}" for name, value in given.items() if value]
        return f"{kind} with {', '.join(said)}" if said else kind
