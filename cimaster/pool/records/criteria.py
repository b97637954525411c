"""The criteria by which a job takes a cluster or waits for one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

from cimaster.common.texts import brief, printable, same
from cimaster.pool.records.cluster import BROKEN, DEFAULT_PURPOSE, Cluster
from cimaster.pool.records.json_values import dump


def has_labels(cluster: Cluster, wanted: Mapping[str, str]) -> bool:
    """Say whether a cluster has all wanted labels; in data edited by hand, a key may contain `=`."""
    if wanted.items() <= cluster.labels.items():
        return True
    written = {printable(f"{key}={value}") for key, value in cluster.labels.items()}
    return all(f"{key}={value}" in written for key, value in wanted.items())


@dataclass(frozen=True)
class Criteria:
    """What a job requires; empty means any. `cluster` names the only acceptable cluster."""

    job: str
    build: str
    by: str = ""
    purpose: str = ""
    osimage: str = ""
    region: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    cluster: str = ""
    ttl: timedelta | None = None
    hold_on_failure: timedelta | None = None

    @cached_property
    def kind(self) -> str:
        """The kind of cluster that they describe: equal for criteria that match the same clusters."""
        return dump([self._purpose, self.osimage, self.region, self.cluster, sorted(self.labels.items())])

    @property
    def _purpose(self) -> str:
        """The purpose that a cluster must have; empty for a cluster that is named, which may have any."""
        return self.purpose or ("" if self.cluster else DEFAULT_PURPOSE)

    def matches(self, cluster: Cluster) -> bool:
        """Say whether a cluster meets the criteria, regardless of its state."""
        purpose = self._purpose
        return (
            cluster.state != BROKEN
            and (not self.cluster or same(cluster.name, self.cluster))
            and (not purpose or cluster.purpose == purpose)
            and (not self.osimage or cluster.osimage == self.osimage)
            and (not self.region or cluster.region == self.region)
            and (not self.labels or has_labels(cluster, self.labels))
        )

    def first_of(self, clusters: Iterable[Cluster]) -> Cluster | None:
        """Return the first cluster that meets the criteria; one on which this job has just failed comes last."""
        just_failed_on = None
        for cluster in clusters:
            if self.matches(cluster):
                if not cluster.results or not self._just_failed_on(cluster):
                    return cluster
                just_failed_on = just_failed_on or cluster
        return just_failed_on

    def _just_failed_on(self, cluster: Cluster) -> bool:
        last = cluster.results[0]
        return last.is_bad and bool(self.job) and same(last.job, self.job)

    def describe(self) -> str:
        """Name the wanted kind of cluster, for refusals: `tess-ci cluster with region us-west`."""
        given = {"image": self.osimage, "region": self.region, **{f"label {k}": v for k, v in self.labels.items()}}
        kind = brief(self.cluster) or f"{brief(self.purpose or DEFAULT_PURPOSE)} cluster"
        details = [f"{brief(name)} {brief(value)}" for name, value in given.items() if value]
        return f"{kind} with {', '.join(details)}" if details else kind
